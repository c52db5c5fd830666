"""Finding pieces by words, by a part of the title, by a name or a number. Knows the two indexes of the catalogue.

What a person types never becomes an index query as it is: words are cut out of it and quoted one by one.
"""

import re
from typing import Any, LiteralString

from db.clock import Moment
from db.fields import Choice, Field, Integer, Text
from db.principal import Principal
from db.transaction import ReadTx
from domain.band.music.catalogue import DIFFICULTIES
from domain.band.narrowing import Conditions, narrowed
from domain.band.visibility import ASSIGNED_PIECES
from domain.charter import Args, Verb

PAGE = 20
MOST = 100
TRIGRAM = 3
_WORD = re.compile(r"[^\W_]+")


def word_query(text: str) -> str:
    """The full-text query for what was typed: all of its words, the last one perhaps unfinished; '' without words."""
    words = [f'"{word}"' for word in _WORD.findall(text)]
    return " AND ".join(words) + "*" if words else ""


def substring_query(text: str) -> str:
    """The trigram query for what was typed as one run of characters; '' when it is shorter than a trigram."""
    return '"' + text.replace('"', '""') + '"' if len(text) >= TRIGRAM else ""


def like_pattern(text: str) -> str:
    """A LIKE pattern, with `!` as its escape, for any casefolded text that holds this one."""
    return "%" + re.sub(r"([!%_])", r"!\1", text.casefold()) + "%"


# Full-text hits by weight (title, subtitle, notes), then the title's substrings, then names and numbers.
_BY_WORDS: LiteralString = """
    SELECT piece_id AS id, 1 AS tier, bm25(music_pieces_fts, 0.0, 10.0, 5.0, 1.0) AS rank,
           snippet(music_pieces_fts, -1, '[', ']', '…', 12) AS snippet
      FROM music_pieces_fts WHERE music_pieces_fts MATCH :words
    UNION ALL
"""
_BY_SUBSTRING: LiteralString = """
    SELECT piece_id AS id, 2 AS tier, 0.0 AS rank, title AS snippet FROM music_pieces_title_tri
     WHERE music_pieces_title_tri MATCH :substring
"""
# Shorter than a trigram: every title is looked at.
_BY_LETTERS: LiteralString = """
    SELECT id, 2 AS tier, 0.0 AS rank, title AS snippet FROM music_pieces
     WHERE casefold(title) LIKE :pattern ESCAPE '!'
"""
_BY_NAMES: LiteralString = """
    UNION ALL
    SELECT p.id, 3, 0.0, NULL FROM persons AS who CROSS JOIN music_pieces AS p ON p.composer_id = who.id
     WHERE casefold(who.full_name) LIKE :pattern ESCAPE '!'
    UNION ALL
    SELECT p.id, 3, 0.0, NULL FROM persons AS who CROSS JOIN music_pieces AS p ON p.arranger_id = who.id
     WHERE casefold(who.full_name) LIKE :pattern ESCAPE '!'
    UNION ALL
    SELECT id, 3, 0.0, NULL FROM music_pieces
     WHERE catalog_number IS NOT NULL AND casefold(catalog_number) LIKE :pattern ESCAPE '!'
"""
_CARD: LiteralString = """
SELECT p.id, p.title, p.subtitle, c.full_name AS composer, a.full_name AS arranger, p.genre, p.difficulty,
       p.duration, p.catalog_number, p.is_archived
"""
_NAMES: LiteralString = """
  LEFT JOIN persons AS c ON c.id = p.composer_id LEFT JOIN persons AS a ON a.id = p.arranger_id
"""
_LIVE: LiteralString = " WHERE p.deleted_at IS NULL"
_NARROWED: Conditions = {
    "assigned": f"p.id IN {ASSIGNED_PIECES}",
    "archived": "p.is_archived = (:archived = 'only')",
    "genre": "p.genre = :genre",
    "difficulty": "+p.difficulty = :difficulty",
    "composer_id": "p.composer_id = :composer_id",
    "tag": "EXISTS (SELECT 1 FROM json_each(p.tags) WHERE value = :tag)",
}
_PAGED: LiteralString = " p.title COLLATE NOCASE, p.id LIMIT :limit OFFSET :offset"


def search(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """`{"total", "items"}`, the best first, without `q` by title; only assigned pieces for who sees no others."""
    text: str = args.get("q") or ""
    archived = args.get("archived") or "false"
    wanted = {**args, "archived": archived != "all" and archived, "assigned": not principal.may("music.view.all")}
    conditions, values = narrowed(wanted, _NARROWED)
    values |= {"principal_id": principal.id, "limit": args.get("limit") or PAGE, "offset": args.get("offset") or 0}
    if not text:
        total = tx.value(f"SELECT count(*) FROM music_pieces AS p{_LIVE}{conditions}", **values)
        listed = f"{_CARD}, NULL AS snippet FROM music_pieces AS p{_NAMES}{_LIVE}{conditions} ORDER BY {_PAGED}"
        return {"total": total, "items": [dict(row) for row in tx.rows(listed, **values)]}
    values |= {"words": word_query(text), "substring": substring_query(text), "pattern": like_pattern(text)}
    rows = [dict(row) for row in tx.rows(_ranked(text, conditions), **values)]
    total = rows[0]["total"] if rows else 0
    return {"total": total, "items": [{name: row[name] for name in row if name != "total"} for row in rows]}


def _ranked(text: str, conditions: LiteralString) -> LiteralString:
    """The statement for what was typed: each piece once, where it is hit best."""
    hits: LiteralString = _BY_WORDS if word_query(text) else ""
    hits += (_BY_SUBSTRING if substring_query(text) else _BY_LETTERS) + _BY_NAMES
    return f"""
WITH found AS (SELECT id, min(tier) AS tier, rank, snippet FROM ({hits}) GROUP BY id)
{_CARD}, f.snippet, count(*) OVER () AS total
  FROM found AS f CROSS JOIN music_pieces AS p ON p.id = f.id{_NAMES}{_LIVE}{conditions}
 ORDER BY f.tier, f.rank,{_PAGED}
"""


PARAMS: dict[str, Field] = {
    "q": Text(),
    "genre": Text(),
    "difficulty": Choice(DIFFICULTIES),
    "composer_id": Text(),
    "tag": Text(),
    "archived": Choice(("false", "only", "all")),
    "limit": Integer(minimum=1, maximum=MOST),
    "offset": Integer(minimum=0),
}

VERBS = (
    Verb(
        "music.search",
        search,
        False,
        "Find pieces by words, a part of the title, a name or a number.",
        ("music.view.all", "music.view.assigned"),
        PARAMS,
    ),
)
