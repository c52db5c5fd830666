"""Editions: publications, arrangements and recordings of works. Knows catalogue data and sections; not file bytes."""

import json
from collections.abc import Sequence
from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import TEXT_CHARACTERS, Choice, Field, Text, Url
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.choir.placements import require_here
from domain.choir.sections import SECTION
from domain.choir.several import Several
from domain.choir.works import work_here
from domain.partial_update import changeable, changes, refuse_null

TYPES = ("full_score", "vocal_score", "part", "reduction", "audio", "video", "supplementary")
LICENSES = ("public_domain", "licensed", "owned")
EDITION_FIELDS: dict[str, Field] = {
    "name": Text(required=True),
    "arranger": Text(),
    "publisher": Text(),
    "voicing": Text(),
    "edition_type": Choice(TYPES),
    "license_type": Choice(LICENSES),
    "notes": Text(max_characters=TEXT_CHARACTERS),
    "external_url": Url(),
}
# Left out they take the table's default; they are never empty.
DEFAULTED = frozenset({"edition_type", "license_type"})

# Guests see public-domain editions, members all, the librarian desk those taken down as well.
_EDITIONS = """
SELECT e.*, w.title AS work_title, w.composer AS work_composer,
       (SELECT json_group_array(id) FROM (
            SELECT s.id FROM edition_sections AS l JOIN sections AS s ON s.id = l.section_id
             WHERE l.edition_id = e.id ORDER BY s.display_order, s.name)) AS section_ids
  FROM editions AS e JOIN works AS w ON w.id = e.work_id
 WHERE w.org_id = :org_id AND (:id IS NULL OR e.id = :id) AND (:work_id IS NULL OR e.work_id = :work_id)
   AND (:desk OR (e.deleted_at IS NULL AND (:member OR e.license_type = 'public_domain')))
 ORDER BY casefold(w.title), w.id, iif(:work_id IS NULL, '', e.edition_type), casefold(e.name), e.id
"""


def _visible(
    tx: ReadTx, principal: Principal, *, edition_id: str | None = None, work_id: str | None = None
) -> list[dict[str, Any]]:
    rows = tx.rows(
        _EDITIONS,
        org_id=principal.scope,
        id=edition_id,
        work_id=work_id,
        desk=int(principal.may("desk:librarian")),
        member=int(principal.may("scores:view")),
    )
    return [dict(row) | {"section_ids": json.loads(row["section_ids"])} for row in rows]


def list_editions(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Editions by work title and name; of one work by type and name."""
    return _visible(tx, principal, work_id=args.get("work_id"))


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """One edition with its `section_ids` (none: for everybody). Raises NotFound."""
    return _one(tx, principal, args["edition_id"])


def _one(tx: ReadTx, principal: Principal, edition_id: str) -> dict[str, Any]:
    found = _visible(tx, principal, edition_id=edition_id)
    if not found:
        raise NotFound(f"edition {edition_id}: not in this library", field="edition_id")
    return found[0]


def require_seen(tx: ReadTx, principal: Principal, edition_id: str) -> None:
    """Raise NotFound unless the caller sees the edition in the catalogue."""
    _one(tx, principal, edition_id)


_HERE = """
SELECT e.* FROM editions AS e JOIN works AS w ON w.id = e.work_id WHERE e.id = :id AND w.org_id = :org_id
"""


def edition_here(tx: ReadTx, org_id: str, edition_id: str) -> Row:
    """The edition of this organization, taken down or not. Raises NotFound."""
    found = tx.row(_HERE, id=edition_id, org_id=org_id)
    if found is None:
        raise NotFound(f"edition {edition_id}: not in this library", field="edition_id")
    return found


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new edition. Raises NotFound for the work or a section, Invalid."""
    refuse_null(args, DEFAULTED)
    work = work_here(tx, principal.scope, args["work_id"])
    edition_id = now.new_id()
    values = {name: args[name] for name in EDITION_FIELDS if name in args}
    tx.insert("editions", id=edition_id, work_id=work["id"], created_at=now.text, **values)
    _list_sections(tx, principal.scope, edition_id, args.get("section_ids") or [])
    return _one(tx, principal, edition_id)


_UPDATE = """
UPDATE editions
   SET name = :name, arranger = :arranger, publisher = :publisher, voicing = :voicing, edition_type = :edition_type,
       license_type = :license_type, notes = :notes, external_url = :external_url
 WHERE id = :id
"""
_CHANGEABLE: dict[str, Field] = {**EDITION_FIELDS, "section_ids": Several(Text())}


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The edition after the change; `section_ids` replaces the set, [] = for everybody. Raises NotFound, Invalid."""
    old = edition_here(tx, principal.scope, args["edition_id"])
    given = changes(args, _CHANGEABLE, never_null=DEFAULTED)
    tx.execute(_UPDATE, id=old["id"], **{name: given.get(name, old[name]) for name in EDITION_FIELDS})
    if "section_ids" in given:
        tx.execute("DELETE FROM edition_sections WHERE edition_id = :id", id=old["id"])
        _list_sections(tx, principal.scope, old["id"], given["section_ids"] or [])
    return _one(tx, principal, old["id"])


def _list_sections(tx: WriteTx, org_id: str, edition_id: str, section_ids: Sequence[str]) -> None:
    """Let the edition list the sections. Raises NotFound for one that is not of this organization."""
    for section_id in section_ids:
        require_here(tx, SECTION, org_id, section_id)
        tx.insert("edition_sections", edition_id=edition_id, section_id=section_id)


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone. Raises NotFound; triggers refuse it while a copy is out or a complaint refers to it."""
    edition = edition_here(tx, principal.scope, args["edition_id"])
    tx.execute("DELETE FROM editions WHERE id = :id", id=edition["id"])
    return {"id": edition["id"]}


_PUBLIC_DOMAIN = """
SELECT e.id, e.name, e.arranger, e.publisher, e.voicing, e.edition_type, e.notes, e.external_url,
       w.id AS work_id, w.title, w.composer, w.lyricist,
       o.id AS organization_id, o.name AS organization_name, o.subdomain
  FROM editions AS e JOIN works AS w ON w.id = e.work_id JOIN organizations AS o ON o.id = w.org_id
 WHERE e.license_type = 'public_domain' AND e.deleted_at IS NULL
 ORDER BY casefold(w.title), casefold(e.name), e.id
"""


def public_domain(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The public-domain editions of every organization of this vault, by work title, then edition name."""
    return [dict(row) for row in tx.rows(_PUBLIC_DOMAIN)]


_DESK = ("desk:librarian",)
_ONE = {"edition_id": Text(required=True)}
_NEW: dict[str, Field] = {"work_id": Text(required=True), **_CHANGEABLE}

VERBS = (
    Verb("edition.list", list_editions, False, "Editions, of one work or of all.", (), {"work_id": Text()}, "editions"),
    Verb("edition.get", get, False, "One edition with its sections.", (), _ONE, "editions"),
    Verb("edition.create", create, True, "Add an edition.", _DESK, _NEW, "editions"),
    Verb("edition.update", update, True, "Change an edition.", _DESK, {**_ONE, **changeable(_CHANGEABLE)}, "editions"),
    Verb("edition.delete", delete, True, "Delete an edition and everything below it.", ("scores:delete",), _ONE),
    Verb("catalogue.public_domain", public_domain, False, "Everything anybody may sing from."),
)
