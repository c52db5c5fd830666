"""Checks of a band's vault: what is broken, what is odd, what is worth knowing. Finds ids; repairs three things.

Nothing is repaired by itself. What SQLite guards by itself is looked at all the same: an import may have gone past it.
"""

from collections.abc import Callable, Mapping
from typing import Any, LiteralString

from db.clock import Moment
from db.fields import Choice, Field
from db.principal import Principal
from db.schema.declared_objects import declared_indexes
from db.schema.migrate import load_set
from db.transaction import ReadTx, Statement, WriteTx
from db.unreadable import odd_lookups, unreadable_rows
from domain.band.integrity_queries import CHECKS, FULL_TEXT, SEALED, STAMPED
from domain.band.notices import notify
from domain.charter import Args, CharterJob, Verb

SAMPLE = 20
_SAMPLED_VALUES = 50
_DAY_S = 86400
# Whose indexes are compared with the declared ones.
_INDEXED = ("members", "music_pieces", "events")
Found = dict[str, Any]


def check(tx: ReadTx, now: Moment) -> list[Found]:
    """Every check with its severity, how many it found, and twenty ids at most."""
    late = now.later(seconds=-300)
    found = [_found("sqlite", "error", [row[0] for row in tx.rows("PRAGMA integrity_check(100)") if row[0] != "ok"])]
    references = [f"{row[0]}.{row[2]}" for row in tx.rows("PRAGMA foreign_key_check")]
    found.append(_found("foreign_keys", "error", references))
    found.append(_found("indexes", "error", sorted(missing_indexes(tx))))
    found.append(_found("full_text", "error", _full_text_off(tx)))
    unreadable = [one for table, name in SEALED for one in unreadable_rows(tx, table, name, _SAMPLED_VALUES)]
    found.append(_found("unreadable_values", "error", unreadable))
    odd = [one for table in ("users", "members") for one in odd_lookups(tx, table, "email", "email_hash")]
    found.append(_found("email_hashes", "error", odd))
    found.append(_found("timestamps", "error", _odd_timestamps(tx)))
    for name, severity, sql in CHECKS:
        values = {"late": late} if ":late" in sql else {}
        found.append(_found(name, severity, [row[0] for row in tx.rows(sql, **values)]))
    return [*found, _sizes(tx)]


def _found(name: str, severity: str, ids: list[Any]) -> Found:
    return {"name": name, "severity": severity, "count": len(ids), "sample_ids": ids[:SAMPLE]}


def _declared() -> Mapping[str, tuple[str, str]]:
    return declared_indexes((load_set("kernel"), load_set("band")))


def missing_indexes(tx: ReadTx) -> dict[str, str]:
    """Statements that make the declared indexes that are not there, by name."""
    present = {row["name"] for row in tx.rows("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    return {name: sql for name, (table, sql) in _declared().items() if table in _INDEXED and name not in present}


def _full_text_off(tx: ReadTx) -> list[str]:
    """The full-text tables that have not as many rows as their source."""
    return [name for name, each in FULL_TEXT.items() if tx.value(each.rows) != tx.value(each.source)]


def _odd_timestamps(tx: ReadTx) -> list[str]:
    odd: list[str] = []
    for table, columns in STAMPED.items():
        wrong = " OR ".join(f'length("{column}") <> 24' for column in columns)
        odd += [f"{table}.{row[0]}" for row in tx.query(Statement(f'SELECT rowid FROM "{table}" WHERE {wrong}'))]
    return odd


def _sizes(tx: ReadTx) -> Found:
    """Rows per table, the largest first."""
    names = [row["name"] for row in tx.rows(_TABLES)]
    counted = [(name, int(tx.query(Statement(f'SELECT count(*) FROM "{name}"'))[0][0])) for name in names]
    rows = [{"table": name, "rows": count} for name, count in sorted(counted, key=lambda one: (-one[1], one[0]))]
    return {**_found("sizes", "info", []), "count": len(rows), "tables": rows}


_TABLES = """
SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name
"""


def integrity(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[Found]:
    """What `check` finds."""
    return check(tx, now)


def repair(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many things of one kind were put right. Raises Invalid for a check that has no repair."""
    return {"check": args["check"], "repaired": _REPAIRS[args["check"]](tx)}


def _rebuild_full_text(tx: WriteTx) -> int:
    for each in FULL_TEXT.values():
        tx.execute(each.clear)
        tx.execute(each.fill)
    return len(FULL_TEXT)


def _make_indexes(tx: WriteTx) -> int:
    missing = missing_indexes(tx)
    for sql in missing.values():
        tx.run(Statement(sql))
    return len(missing)


_HASHES: tuple[LiteralString, ...] = tuple(
    f"UPDATE {table} SET email_hash = personal_lookup(personal_open('{table}.email', email))"
    f" WHERE email_hash IS NOT personal_lookup(personal_open('{table}.email', email))"
    for table in ("users", "members")
)


def _hash_again(tx: WriteTx) -> int:
    return sum(tx.execute(sql) for sql in _HASHES)


_REPAIRS: Mapping[str, Callable[[WriteTx], int]] = {
    "full_text": _rebuild_full_text,
    "indexes": _make_indexes,
    "email_hashes": _hash_again,
}
_SUPER_ADMINS = """
SELECT DISTINCT held.user_id FROM held_roles AS held JOIN users AS u ON u.id = held.user_id
 WHERE held.type = 'SUPER_ADMIN' AND u.deleted_at IS NULL ORDER BY held.user_id
"""


def check_and_tell(tx: WriteTx, now: Moment) -> int:
    """Look, and tell the super administrators once a day of errors; how many checks found one."""
    failed = [one for one in check(tx, now) if one["severity"] == "error" and one["count"]]
    if failed:
        named = ", ".join(f"{one['name']} ({one['count']})" for one in failed)
        for row in tx.rows(_SUPER_ADMINS):
            key = f"integrity:{now.text[:10]}:{row['user_id']}"
            notify(tx, row["user_id"], "SYSTEM", "The vault has errors", named, dedupe_key=key, now=now)
    return len(failed)


_CONFIG = ("system.config",)
_PARAMS: dict[str, Field] = {"check": Choice(tuple(_REPAIRS), required=True)}

VERBS = (
    Verb("admin.integrity", integrity, False, "Every check of the band's data, and what it found.", _CONFIG),
    Verb("admin.repair", repair, True, "Rebuild full-text tables, indexes or e-mail hashes.", _CONFIG, _PARAMS),
)
JOBS = (CharterJob("integrity.check", _DAY_S, check_and_tell, "Check the data, and tell who runs the band of errors."),)
