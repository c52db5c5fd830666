"""Web pages: written, changed, and every state of their content kept. Publishing them is its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Forbidden, NotFound
from db.fields import Field, Integer, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.content.slugs import parse_slug
from domain.band.trash import Trashable
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes, refuse_null

# What makes a version; addresses, words for search engines and status do not.
_VERSIONED = ("title", "description", "content", "raw_markdown")


@dataclass(frozen=True, slots=True)
class AnyJson:
    """Any JSON value, kept as its text."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str:
        """The value as JSON text."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


PAGE_FIELDS: dict[str, Field] = {
    "title": Text(required=True),
    "slug": Text(required=True),
    "description": Text(max_characters=500),
    "content": AnyJson(),
    "raw_markdown": Text(max_characters=200_000, trim=False),
    "meta_title": Text(),
    "meta_description": Text(max_characters=500),
    "meta_keywords": ListOf(Text(max_characters=60), maximum=50),
    "og_image": Text(max_characters=500),
}
_NEVER_NULL = frozenset({"meta_keywords"})
EMPTY = '""'


PAGES = Trashable("pages", "page")
page_row, live_page = PAGES.row, PAGES.live


_SLUG_TAKEN = "SELECT 1 FROM pages WHERE slug = :slug AND id IS NOT :id"


def _refuse_taken_slug(tx: ReadTx, slug: str, page_id: str | None) -> None:
    if tx.value(_SLUG_TAKEN, slug=slug, id=page_id) is not None:
        raise Conflict(f"slug: there is a page at {slug}, archived or deleted perhaps", code="slug_taken", field="slug")


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as columns hold them."""
    stored = dict(values)
    if "content" in stored and stored["content"] is None:
        stored["content"] = EMPTY
    if isinstance(stored.get("meta_keywords"), list):
        stored["meta_keywords"] = json.dumps(stored["meta_keywords"], ensure_ascii=False)
    return stored


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id and version 1 of the new draft. Raises Invalid `bad_slug`, `reserved_slug`, Conflict `slug_taken`."""
    given = _stored({name: args.get(name) for name in PAGE_FIELDS})
    given["meta_keywords"] = given["meta_keywords"] or "[]"
    _refuse_taken_slug(tx, parse_slug(given["slug"]), None)
    page_id = now.new_id()
    tx.insert(
        "pages",
        id=page_id,
        created_at=now.text,
        updated_at=now.text,
        created_by=principal.id,
        updated_by=principal.id,
        **given,
    )
    _keep_version(tx, page_id, 1, given, principal.id, now)
    return {"id": page_id, "version": 1}


def _keep_version(
    tx: WriteTx, page_id: str, version: int, page: Mapping[str, Any], by: str | None, now: Moment
) -> None:
    """Keep this state of the page under its number."""
    snapshot = {name: page[name] for name in _VERSIONED}
    snapshot["content"] = json.loads(snapshot["content"])
    tx.insert(
        "page_versions",
        id=now.new_id(),
        page_id=page_id,
        version=version,
        content=json.dumps(snapshot, ensure_ascii=False),
        created_at=now.text,
        created_by=by,
    )


_SET = """
UPDATE pages
   SET title = :title, slug = :slug, description = :description, content = :content, raw_markdown = :raw_markdown,
       meta_title = :meta_title, meta_description = :meta_description, meta_keywords = :meta_keywords,
       og_image = :og_image, version = :version, parent_version_id = :parent, updated_at = :now, updated_by = :by
 WHERE id = :id
"""


def require_editor(principal: Principal, page: Row) -> None:
    """Raise Forbidden for a page that is published or about to be, unless the caller publishes."""
    if page["status"] in ("PUBLISHED", "SCHEDULED") and not principal.may("cms.publish"):
        raise Forbidden(f"a page that is {page['status']} is changed by those who publish")


def write_page(tx: WriteTx, page: Row, new: Mapping[str, Any], parent: str | None, by: str | None, now: Moment) -> int:
    """Write the columns; the page's version afterwards, a new one if its content changed."""
    changed = any(new[name] != page[name] for name in _VERSIONED)
    version = page["version"] + changed
    if all(new[name] == page[name] for name in PAGE_FIELDS):
        return int(page["version"])
    tx.execute(_SET, id=page["id"], now=now.text, by=by, version=version, parent=parent, **new)
    if changed:
        _keep_version(tx, page["id"], version, new, by, now)
    return int(version)


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id and version. Raises NotFound, Forbidden, Conflict `version_conflict`, `slug_taken`, Invalid."""
    page = live_page(tx, args["page_id"])
    require_editor(principal, page)
    expected: int | None = args.get("version")
    if expected is not None and expected != page["version"]:
        raise Conflict(
            f"version: the page is at {page['version']}, got {expected}; read it again",
            code="version_conflict",
            field="version",
        )
    given = changes(args, PAGE_FIELDS)
    refuse_null(given, _NEVER_NULL)
    new = {name: page[name] for name in PAGE_FIELDS} | _stored(given)
    if "slug" in given:
        _refuse_taken_slug(tx, parse_slug(given["slug"]), page["id"])
    version = write_page(tx, page, new, page["parent_version_id"], principal.id, now)
    return {"id": page["id"], "version": version}


_VERSION = "SELECT id, content FROM page_versions WHERE page_id = :id AND version = :version"


def restore_version(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id and the new version, which has the content of the old one. Raises NotFound, Forbidden, Conflict."""
    page, number = live_page(tx, args["page_id"]), args["version"]
    require_editor(principal, page)
    found = tx.row(_VERSION, id=page["id"], version=number)
    if found is None:
        raise NotFound(f"version {number}: the page has no such version", field="version")
    if number == page["version"]:
        raise Conflict(f"version: the page is at {number} already", code="invalid_transition", field="version")
    snapshot = json.loads(found["content"])
    snapshot["content"] = json.dumps(snapshot["content"], ensure_ascii=False, separators=(",", ":"))
    new = {name: page[name] for name in PAGE_FIELDS} | snapshot
    return {"id": page["id"], "version": _restored(tx, page, new, found["id"], principal.id, now)}


def _restored(tx: WriteTx, page: Row, new: Mapping[str, Any], parent: str, by: str | None, now: Moment) -> int:
    """The version after a restore; also where the old content is what the page has now, so that it is on record."""
    version = page["version"] + 1
    tx.execute(_SET, id=page["id"], now=now.text, by=by, version=version, parent=parent, **new)
    _keep_version(tx, page["id"], version, new, by, now)
    return int(version)


_VERSIONS = """
SELECT id, version, content, created_at, created_by FROM page_versions WHERE page_id = :id ORDER BY version DESC
"""


def versions(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every version of the page, the newest first. Raises NotFound."""
    page = live_page(tx, args["page_id"])
    return [dict(row) | {"content": json.loads(row["content"])} for row in tx.rows(_VERSIONS, id=page["id"])]


_EDIT = ("cms.edit",)
_PAGE: dict[str, Field] = {"page_id": Text(required=True)}

VERBS = (
    Verb("page.create", create, True, "Write a page; it is a draft.", _EDIT, PAGE_FIELDS),
    Verb(
        "page.update",
        update,
        True,
        "Change a page; a change of content is a new version.",
        _EDIT,
        {**_PAGE, **changeable(PAGE_FIELDS), "version": Integer(minimum=1)},
    ),
    Verb(
        "page.restore_version",
        restore_version,
        True,
        "Give a page the content of an earlier version.",
        _EDIT,
        {**_PAGE, "version": Integer(required=True, minimum=1)},
    ),
    Verb("page.versions", versions, False, "Every version of a page.", ("cms.view.all",), _PAGE),
)
