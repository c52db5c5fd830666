"""Reads that are answered where they arrive, on the event loop, before all routing: no thread, no signature, no plan.

Who calls, what they may and how the request is put in SQL were found out before, and are remembered for the very state
they were found at; what is left is the look at the log and one statement of bounded length. Whatever is not so plain,
every refusal included, goes the ordinary way from its start: handlers/app.py. Handing a read to a thread and back costs
more than the read. Knows REST and its order of checks; no SQL. For one thread.
"""

import re
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from db.bounded import OutOfTime
from db.events import emit
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.rest.answer import RestAnswer
from db.rest.prepared import PreparedRead, Shape, prepare_read, run_prepared, shape_of
from db.schema.schema import Schema
from db.transaction import ReadTx
from db.vault.vault import Vault
from domain.charter import Charter
from handlers.http.answer import Served, body_of, headers_of, query_of, request_id_of
from handlers.http.call import Call
from handlers.http.identity import Identity, principal_of, reachable, recall_identity
from handlers.http.reply import Reply
from handlers.http.unchanged import mark_of, question_of
from handlers.rest.replies import read_reply
from handlers.rest.tables import paged
from handlers.services import Services

K = TypeVar("K")
V = TypeVar("V")
ROWS = "/{vault}/rest/v1/{table}"
_ROWS = re.compile(r"/([^/]+)/rest/v1/([^/]+)")
# For which other requests wait; a page of 50 rows with an embed takes half a millisecond.
MOST_S = 0.003
MOST_OVERRUNS = 3
REMEMBERED = 1_000
QUERY_CHARACTERS = 2_000
# Headers that are part of what is asked, and those that ask for something that is not so plain.
_WISHES = frozenset({"accept", "prefer", "range", "range-unit", "accept-profile", "content-profile"})
_NOT_PLAIN = frozenset({"x-d1-bookmark", "if-match", "if-none-match", "content-length", "transfer-encoding"})

_Asked = tuple[str, Shape, tuple[tuple[str, str], ...], frozenset[str], str]


@dataclass(frozen=True, slots=True)
class _Known:
    """A preparation and what it was made from. read: None where each request of this shape goes the ordinary way.

    overruns: how often in a row it took too long.
    """

    schema: Schema
    charter: Charter
    read: PreparedRead | None
    overruns: int = 0


class QuickReads:
    """ASGI middleware that answers the reads it can; all else goes on to the application.

    What it remembers is this process's: callers with the bookmark at which they were looked up, since rights are rows
    of the vault, and statements with the schema they were planned for.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._limits = services.settings.rest_limits
        self._schemas: dict[str, tuple[str, Schema]] = {}
        self._principals: dict[tuple[str, str, str, str], tuple[str, Principal]] = {}
        self._prepared: dict[_Asked, _Known] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or hand it on as it came."""
        if scope["type"] == "http" and scope["method"] == "GET" and not scope.get("root_path"):
            match = _ROWS.fullmatch(scope["path"])
            answer = None if match is None else self._answer(scope, match[1], match[2])
            if answer is not None:
                status, headers, body = answer
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
        await self._app(scope, receive, send)

    def _answer(self, scope: Scope, slug: str, table: str) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        """Status, headers and body, or None: serve it the ordinary way."""
        services, started = self._services, time.perf_counter()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        now = services.clock()
        long = len(scope["query_string"]) > min(QUERY_CHARACTERS, self._limits.query_characters)
        if long or services.requests.is_due(now.ms) or any(name in _NOT_PLAIN for name, _ in headers):
            return None
        entry = services.known_entry(slug)
        if entry is None:
            return None
        request_id = request_id_of(next((value for name, value in headers if name == "x-request-id"), ""), now)
        path = {"vault": slug, "table": table}
        try:
            query = query_of(scope["query_string"], services.settings.query_parameters)
            call = Call("GET", scope["path"], path, query, headers, b"", request_id, now)
            identity = recall_identity(services, call, entry)
            if identity is None:
                return None
            with services.pool.borrow(entry.id, as_use=True) as vault:
                reply = None if vault is None else self._read(vault, entry, identity, call)
        except Exception:
            # A fault of ours too: the ordinary way meets it again, and tells it in the envelope.
            return None
        if reply is None:
            return None
        services.requests.add(entry.id)
        body = body_of(reply)
        elapsed_ms = (time.perf_counter() - started) * 1000
        emit(Served("GET", ROWS, reply.status, round(elapsed_ms, 2), request_id))
        return reply.status, headers_of(reply, request_id, len(body), typed=bool(body)), body

    def _read(self, vault: Vault, entry: VaultEntry, identity: Identity, call: Call) -> Reply | None:
        """The reply, or None. Raises what REST raises."""
        charter = self._services.charter(entry)
        if charter.own_schema is not None:
            return None  # what its tables are to REST may differ from vault to vault
        shape, values = shape_of(call.query)
        wishes = tuple(pair for pair in call.headers if pair[0] in _WISHES)
        began: list[tuple[_Asked, _Known, PreparedRead]] = []

        def read(tx: ReadTx, bookmark: str) -> RestAnswer | None:
            schema = self._schema(tx, vault, bookmark)
            principal = self._principal(tx, schema, bookmark, identity, entry, charter)
            asked = (call.path["table"], shape, wishes, principal.permissions, charter.name)
            known = self._prepared.get(asked)
            if known is None or known.schema is not schema or known.charter is not charter:
                known = _Known(schema, charter, self._prepare(schema, principal, identity, charter, asked))
                _remember(self._prepared, asked, known)
            if known.read is None:
                return None
            began.append((asked, known, known.read))
            return run_prepared(tx, known.read, principal, values, call.now)

        # Of this thread: that others are at work on the machine says nothing of the read.
        ends = time.thread_time() + MOST_S
        try:
            answer = vault.read_at_once(read, lambda: time.thread_time() > ends)
        except OutOfTime:
            # Once may be the machine's doing; what does it again and again is not tried any more.
            for asked, known, prepared in began:
                overruns = known.overruns + 1
                tried_again = prepared if overruns < MOST_OVERRUNS else None
                self._prepared[asked] = replace(known, read=tried_again, overruns=overruns)
            return None
        if answer is None or answer.value is None:
            return None
        asked, known, _ = began[0]
        if known.overruns:
            self._prepared[asked] = replace(known, overruns=0)
        mark = mark_of(question_of(call, identity, entry, charter, self._limits), answer.bookmark)
        bookmark = ("x-d1-bookmark", answer.bookmark)
        return read_reply(answer.value, began[0][2].request, call, mark, bookmark)

    def _schema(self, tx: ReadTx, vault: Vault, bookmark: str) -> Schema:
        """The tables at this commit."""
        at, schema = self._schemas.get(vault.id, ("", None))
        if schema is None or at != bookmark:
            schema = self._services.schema(vault, tx)
            _remember(self._schemas, vault.id, (bookmark, schema))
        return schema

    def _principal(
        self, tx: ReadTx, schema: Schema, bookmark: str, identity: Identity, entry: VaultEntry, charter: Charter
    ) -> Principal:
        """The caller as the vault says at this commit."""
        who = (entry.id, entry.scope, identity.email, identity.account_id)
        at, principal = self._principals.get(who, ("", None))
        if principal is None or at != bookmark:
            principal = principal_of(tx, identity, entry, charter)
            if schema.timeless:
                _remember(self._principals, who, (bookmark, principal))
        return principal

    def _prepare(
        self, schema: Schema, principal: Principal, identity: Identity, charter: Charter, asked: _Asked
    ) -> PreparedRead | None:
        resources, most = reachable(charter.resources, identity), self._limits.answer_rows
        table, shape, wishes, *_ = asked
        return prepare_read(schema, resources, principal, table, shape, wishes, self._limits, partial(paged, most=most))


def _remember(memory: dict[K, V], key: K, value: V) -> None:
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
