"""The public site: a page by its address, the news, and a search. Shows what is published and nothing else."""

import json
from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import Field, Integer, Text
from db.principal import Principal
from db.transaction import ReadTx
from domain.band.content.rendering import body
from domain.band.music.search import word_query
from domain.charter import Args, Verb

# Pages as their readers see them.
_SHOWN = """
SELECT p.slug, p.title, p.description, p.content, p.raw_markdown, p.meta_title, p.meta_description, p.meta_keywords,
       p.og_image, p.published_at, p.updated_at
  FROM pages AS p
 WHERE p.status = 'PUBLISHED' AND p.deleted_at IS NULL AND p.published_at <= :now
"""
_WRITTEN = ("content", "raw_markdown")
_ONE = _SHOWN + "AND p.slug = :slug"
_LISTED = """
SELECT slug, title, description, og_image, published_at FROM pages
 WHERE status = 'PUBLISHED' AND deleted_at IS NULL AND published_at <= :now AND slug GLOB 'news/*'
 ORDER BY published_at DESC, id DESC LIMIT :limit OFFSET :offset
"""
_FOUND = """
SELECT p.slug, p.title, snippet(pages_fts, -1, '[', ']', '…', 12) AS snippet, p.published_at
  FROM pages_fts JOIN pages AS p ON p.id = pages_fts.page_id
 WHERE pages_fts MATCH :words
   AND p.status = 'PUBLISHED' AND p.deleted_at IS NULL AND p.published_at <= :now
 ORDER BY bm25(pages_fts, 0.0, 10.0, 5.0, 1.0), p.title LIMIT :limit
"""
_PAGE = 20
_MOST = 100


def read(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The page at this address, `body` ready to be shown. Raises NotFound for one that is not published."""
    found = tx.row(_ONE, slug=args["slug"], now=now.text)
    if found is None:
        raise NotFound(f"there is no page at {args['slug']}", field="slug")
    card = {name: found[name] for name in found.keys() if name not in _WRITTEN}  # noqa: SIM118
    return card | {"meta_keywords": json.loads(found["meta_keywords"]), "body": body(found)}


def news(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Articles, the latest first."""
    rows = tx.rows(_LISTED, now=now.text, limit=args.get("limit") or _PAGE, offset=args.get("offset") or 0)
    return [dict(row) for row in rows]


def search(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Pages that have every word, the best first, with the place of the hit."""
    words = word_query(args["q"])
    if not words:
        return []
    return [dict(row) for row in tx.rows(_FOUND, words=words, now=now.text, limit=args.get("limit") or _PAGE)]


_PAGING: dict[str, Field] = {"limit": Integer(minimum=1, maximum=_MOST), "offset": Integer(minimum=0)}

VERBS = (
    Verb("site.read", read, False, "A published page by its address.", (), {"slug": Text(required=True)}),
    Verb("site.news", news, False, "News articles, the latest first.", (), _PAGING),
    Verb(
        "site.search",
        search,
        False,
        "Find published pages by words.",
        (),
        {"q": Text(required=True), "limit": _PAGING["limit"]},
    ),
)
