"""Works: compositions, independent of any publication. Knows who sees which; editions are editions.py."""

from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import Field, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes

WORK_FIELDS: dict[str, Field] = {"title": Text(required=True), "composer": Text(), "lyricist": Text()}

# :sees_all = 0 leaves the works of which a public-domain edition can be read. instr: no wildcard characters.
_WORKS = """
SELECT w.id, w.org_id, w.title, w.composer, w.lyricist, w.created_at
  FROM works AS w
 WHERE w.org_id = :org_id AND (:id IS NULL OR w.id = :id)
   AND (:sees_all OR EXISTS (
        SELECT 1 FROM editions AS e
         WHERE e.work_id = w.id AND e.license_type = 'public_domain' AND e.deleted_at IS NULL))
   AND (instr(casefold(w.title), casefold(:q)) > 0 OR instr(casefold(coalesce(w.composer, '')), casefold(:q)) > 0)
 ORDER BY casefold(w.title), casefold(w.composer), w.id
"""


def _visible(tx: ReadTx, principal: Principal, *, work_id: str | None = None, q: str = "") -> list[Row]:
    sees_all = int(principal.may("scores:view"))
    return tx.rows(_WORKS, org_id=principal.scope, sees_all=sees_all, id=work_id, q=q)


def list_works(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Works by title; with `q` those whose title or composer holds it, ignoring case."""
    return [dict(row) for row in _visible(tx, principal, q=args.get("q") or "")]


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """One work. Raises NotFound."""
    found = _visible(tx, principal, work_id=args["work_id"])
    if not found:
        raise NotFound(f"work {args['work_id']}: not in this library", field="work_id")
    return dict(found[0])


def work_here(tx: ReadTx, org_id: str, work_id: str) -> Row:
    """The work of this organization. Raises NotFound."""
    found = tx.row("SELECT * FROM works WHERE id = :id AND org_id = :org_id", id=work_id, org_id=org_id)
    if found is None:
        raise NotFound(f"work {work_id}: not in this library", field="work_id")
    return found


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new work."""
    work_id = now.new_id()
    values = {name: args.get(name) for name in WORK_FIELDS}
    tx.insert("works", id=work_id, org_id=principal.scope, created_at=now.text, **values)
    return {"id": work_id, "org_id": principal.scope, **values, "created_at": now.text}


_UPDATE = "UPDATE works SET title = :title, composer = :composer, lyricist = :lyricist WHERE id = :id"


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The work after the change. Raises NotFound, Invalid."""
    old = work_here(tx, principal.scope, args["work_id"])
    given = changes(args, WORK_FIELDS)
    values = {name: given.get(name, old[name]) for name in WORK_FIELDS}
    tx.execute(_UPDATE, id=old["id"], **values)
    return {"id": old["id"], "org_id": old["org_id"], **values, "created_at": old["created_at"]}


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone with its editions. Raises NotFound; triggers refuse it as they do for one of its editions."""
    work = work_here(tx, principal.scope, args["work_id"])
    tx.execute("DELETE FROM works WHERE id = :id", id=work["id"])
    return {"id": work["id"]}


_DESK = ("desk:librarian",)
_ONE = {"work_id": Text(required=True)}

VERBS = (
    Verb("work.list", list_works, False, "Works by title.", rows="works"),
    Verb("work.search", list_works, False, "Works whose title or composer holds the text.", (), {"q": Text()}, "works"),
    Verb("work.get", get, False, "One work.", (), _ONE, "works"),
    Verb("work.create", create, True, "Add a work.", _DESK, WORK_FIELDS, "works"),
    Verb("work.update", update, True, "Change a work.", _DESK, {**_ONE, **changeable(WORK_FIELDS)}, "works"),
    Verb("work.delete", delete, True, "Delete a work and everything below it.", ("scores:delete",), _ONE),
)
