"""`/query` and `/raw`: SQL that an operator or a tool sends, one statement, several or a batch, all of it or nothing.

Whether a call writes is what SQLite says while it compiles the statements: each call starts on a reader, and goes to
the writer at the first statement that would change something.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from db.errors import Invalid
from db.fields import is_json_list, is_json_object
from db.idempotency import answer_once, request_digest
from db.sql.messages import NO_CODE, NO_STATEMENT, ONLY_LAST, SqlFailed
from db.sql.parameters import has_parameters, sql_values
from db.sql.session import Ran, SqlSession, WouldWrite, answer_too_large, read_only, sql_session
from db.sql.splitting import split_pieces
from db.sql.values import Numbers, arrays_text, objects_text
from db.transaction import ReadTx, SqlValue, WriteTx
from db.vault.vault import Vault
from handlers.d1.access import Access, enter
from handlers.d1.envelope import success_text
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import ENTRIES_KEPT, Services
from handlers.tenant.protected_names import protected_names

# Of a text whose statements are remembered.
KEPT_CHARACTERS: Final = 4_000
_Text = Callable[[Sequence[str], Sequence[Sequence[SqlValue]], Numbers], str]


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    values: Sequence[SqlValue] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call. most_bytes: of the answer. primary: the answer must not be older than the call.
    sealed: personal values are not opened."""

    statements: Sequence[_Statement]
    text: _Text
    numbers: Numbers
    most_bytes: int
    is_over: Callable[[], bool]
    protected: Callable[[], frozenset[str]]
    primary: bool
    sealed: bool


def run_query(services: Services, call: Call) -> Reply:
    """Rows as objects."""
    return _run(services, call, objects_text)


def run_raw(services: Services, call: Call) -> Reply:
    """Rows as arrays, beside the names of their columns."""
    return _run(services, call, arrays_text)


def query_at_once(
    services: Services, vault: Vault, call: Call, access: Access, is_over: Callable[[], bool]
) -> Reply | None:
    """As `run_query` of a call that only reads; None where it writes, or would have to wait. Raises as a query."""
    asked = _asked(services, call, access, objects_text, is_over)
    if _has_written(services, access, asked):
        return None
    try:
        answer = vault.read_at_once(lambda tx, _: _read_within(tx, asked), is_over)
    except WouldWrite:
        return None
    return None if answer is None else answer.value.with_headers(("x-d1-bookmark", answer.bookmark))


def _run(services: Services, call: Call, text: _Text) -> Reply:
    started, seconds = time.monotonic(), services.settings.sql_seconds
    access = enter(services, call)
    asked = _asked(services, call, access, text, lambda: time.monotonic() - started > seconds)
    with services.sql_calls.of(access.entry.id), services.vault(access.entry) as vault:
        try:
            if not (access.may_write and _has_written(services, access, asked)):
                return _read(vault, call, asked)
        except WouldWrite as exc:
            if not access.may_write:
                raise read_only() from exc
            if len(services.sql_that_wrote) >= ENTRIES_KEPT:
                services.sql_that_wrote.clear()
            services.sql_that_wrote.add(_known_as(access, asked))
        except SqlFailed:
            # What a repeated call once changed may make its own statements fail: the answer given then stands.
            if call.header("idempotency-key") is None or not access.may_write:
                raise
        return _write(vault, call, access, asked)


def _asked(services: Services, call: Call, access: Access, text: _Text, is_over: Callable[[], bool]) -> _Asked:
    numbers = Numbers(
        as_d1=call.header("x-vaultry-numbers") == "d1", big_as_text=call.header("x-vaultry-int64") == "text"
    )
    return _Asked(
        statements=_statements(call, numbers),
        text=text,
        numbers=numbers,
        most_bytes=services.settings.sql_answer_bytes,
        is_over=is_over,
        protected=partial(protected_names, services, access.entry),
        primary=call.freshness.look,
        sealed=access.identity.kind != "operator",
    )


def _has_written(services: Services, access: Access, asked: _Asked) -> bool:
    """Whether the same statements went to the writer before: to find out on a reader costs a compilation of each.

    Only where to begin depends on it, so that it may be wrong.
    """
    return _known_as(access, asked) in services.sql_that_wrote


def _known_as(access: Access, asked: _Asked) -> int:
    return hash((access.entry.id, tuple(statement.sql for statement in asked.statements)))


def _statements(call: Call, numbers: Numbers) -> list[_Statement]:
    """The statements of the body in order. Raises Invalid (sql_request), SqlFailed for a text without one."""
    body = call.json_object()
    if ("sql" in body) == ("batch" in body):
        raise Invalid("the body must have either `sql` or `batch`", code="sql_request")
    items: Any = [body] if "sql" in body else body["batch"]
    if not is_json_list(items) or not items:
        raise Invalid("batch: wanted a list of objects with `sql` and `params`", code="sql_request")
    return [statement for item in items for statement in _of_item(item, numbers)]


def _of_item(item: Any, numbers: Numbers) -> list[_Statement]:
    if not is_json_object(item) or not isinstance(item.get("sql"), str):
        raise Invalid("sql: wanted text", code="sql_request")
    params: Any = item.get("params") or []
    if not is_json_list(params):
        raise Invalid("params: wanted a list", code="sql_request")
    values = sql_values(params, as_real=numbers.as_d1)
    if item["sql"] == "":
        raise SqlFailed(NO_STATEMENT)
    # With the blanks before it: offsets in messages count from where the text begins.
    texts = _split(item["sql"]) if len(item["sql"]) <= KEPT_CHARACTERS else _split.__wrapped__(item["sql"])
    return [*(_Statement(text) for text in texts[:-1]), _Statement(texts[-1], values)]


@lru_cache(maxsize=256)
def _split(sql: str) -> Sequence[str]:
    """The statements of a text. Kept: programs send the same few again and again. Raises SqlFailed."""
    texts = [piece.text for piece in split_pieces(sql) if piece.has_code]
    if not texts:
        raise SqlFailed(NO_CODE)
    if any(has_parameters(text) for text in texts[:-1]):
        raise SqlFailed(ONLY_LAST)
    return tuple(texts) if len(texts) == 1 else tuple(text.strip() for text in texts)


def _read(vault: Vault, call: Call, asked: _Asked) -> Reply:
    answer = vault.read(lambda tx: _read_within(tx, asked), call.freshness)
    return answer.value.with_headers(("x-d1-bookmark", answer.bookmark))


def _read_within(tx: ReadTx, asked: _Asked) -> Reply:
    connection, guard = tx.raw
    with sql_session(
        connection, guard, writes=False, protected=asked.protected, is_over=asked.is_over, sealed=asked.sealed
    ) as session:
        return _answer(session, asked)


def _write(vault: Vault, call: Call, access: Access, asked: _Asked) -> Reply:
    actor = access.actor(call, "d1.query")
    key = call.header("idempotency-key")
    wishes = f"{asked.numbers}".encode()
    digest = request_digest(call.method.encode(), call.url_path.encode(), wishes, call.body)

    def run(tx: WriteTx) -> Reply:
        connection, guard = tx.raw
        with sql_session(
            connection,
            guard,
            writes=True,
            protected=asked.protected,
            is_over=asked.is_over,
            sealed=asked.sealed,
            note=tx.note,
        ) as session:
            return _answer(session, asked)

    def work(tx: WriteTx) -> Reply:
        if key is None:
            return run(tx)
        stored, replayed = answer_once(tx, actor.id, key, digest, call.now, lambda: run(tx).as_json())
        reply = Reply.from_json(stored)
        return reply.with_headers(("Idempotency-Replayed", "true")) if replayed else reply

    answer = vault.write(work, actor, call.now, call.began)
    return answer.value.with_headers(("x-d1-bookmark", answer.bookmark))


def _answer(session: SqlSession, asked: _Asked) -> Reply:
    """Run every statement; the results in order. Raises what the first that fails raises."""
    parts: list[str] = []
    left = asked.most_bytes
    for statement in asked.statements:
        ran = session.run(statement.sql, statement.values, left)
        if asked.text is objects_text and len(ran.rows) * sum(map(len, set(ran.columns))) > left:
            raise answer_too_large(asked.most_bytes)  # each row repeats the names
        results = asked.text(ran.columns, ran.rows, asked.numbers)
        meta = json.dumps(_meta(ran, primary=asked.primary), separators=(",", ":"))
        parts.append(f'{{"results":{results},"success":true,"meta":{meta}}}')
        left -= len(parts[-1])
        if left < 0:
            raise answer_too_large(asked.most_bytes)
    return success_text(f"[{','.join(parts)}]")


def _meta(ran: Ran, *, primary: bool) -> dict[str, Any]:
    duration_ms = round(ran.duration_ms, 4)
    return {
        "served_by": "vaultry",
        "served_by_primary": primary,
        "timings": {"sql_duration_ms": duration_ms},
        "duration": duration_ms,
        "changes": ran.changed,
        "last_row_id": ran.last_row_id,
        "changed_db": ran.changed_db,
        "size_after": ran.size_after,
        "rows_read": ran.read,
        "rows_written": ran.written,
        "total_attempts": 1,
    }
