"""Finding pieces by words, by a part of the title, by a name or a number. Knows the two indexes of the catalogue.

What a person types never becomes an index query as it is: words are cut out of it and quoted one by one.
"""

import re
from typing import Any

from db.clock import Moment
from db.fields import Choice, Field, Integer, Text
from db.principal import Principal
from db.transaction import ReadTx
from domain.band.music.catalogue import DIFFICULTIES
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
    """A LIKE pattern, with `!` as its escape, for anything that holds the text."""
    return "%" + re.sub(r"([!%_])", r"!\1", text) + "%"


# Full-text hits by weight (title, subtitle, notes), then the title's substrings, then names and numbers.
_HITS = """
WITH hits (id, tier, rank, snippet) AS (
    SELECT piece_id, 1, bm25(music_pieces_fts, 0.0, 10.0, 5.0, 1.0),
           snippet(music_pieces_fts, -1, '[', ']', '…', 12)
      FROM music_pieces_fts WHERE :words <> '' AND music_pieces_fts MATCH iif(:words = '', '""', :words)
    UNION ALL
    SELECT piece_id, 2, 0.0, title FROM music_pieces_title_tri
     WHERE :substring <> '' AND music_pieces_title_tri MATCH iif(:substring = '', '"   "', :substring)
    UNION ALL
    SELECT id, 2, 0.0, title FROM music_pieces WHERE :substring = '' AND title LIKE :pattern ESCAPE '!'
    UNION ALL
    SELECT p.id, 3, 0.0, NULL
      FROM persons AS who JOIN music_pieces AS p ON p.composer_id = who.id
     WHERE who.full_name LIKE :pattern ESCAPE '!'
    UNION ALL
    SELECT p.id, 3, 0.0, NULL
      FROM persons AS who JOIN music_pieces AS p ON p.arranger_id = who.id
     WHERE who.full_name LIKE :pattern ESCAPE '!'
    UNION ALL
    SELECT id, 3, 0.0, NULL FROM music_pieces WHERE catalog_number LIKE :pattern ESCAPE '!'
),
found (id, tier, rank, snippet) AS (SELECT id, min(tier), rank, snippet FROM hits GROUP BY id)
"""
_EVERY = "WITH found (id, tier, rank, snippet) AS (SELECT id, 0, 0.0, NULL FROM music_pieces)"
_SHOWN = f"""
SELECT p.id, p.title, p.subtitle, c.full_name AS composer, a.full_name AS arranger, p.genre, p.difficulty,
       p.duration, p.catalog_number, p.is_archived, f.snippet, count(*) OVER () AS total
  FROM found AS f JOIN music_pieces AS p ON p.id = f.id
  LEFT JOIN persons AS c ON c.id = p.composer_id LEFT JOIN persons AS a ON a.id = p.arranger_id
 WHERE p.deleted_at IS NULL
   AND (:all_music OR p.id IN {ASSIGNED_PIECES})
   AND (:archived = 'all' OR p.is_archived = (:archived = 'only'))
   AND (:genre IS NULL OR p.genre = :genre)
   AND (:difficulty IS NULL OR p.difficulty = :difficulty)
   AND (:composer_id IS NULL OR p.composer_id = :composer_id)
   AND (:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(p.tags) WHERE value = :tag))
 ORDER BY f.tier, f.rank, casefold(p.title), p.id LIMIT :limit OFFSET :offset
"""
_BY_WORDS = _HITS + _SHOWN
_BY_TITLE = _EVERY + _SHOWN


def search(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """`{"total", "items"}`, the best first, without `q` by title; only assigned pieces for who sees no others."""
    text: str = args.get("q") or ""
    values = {
        "words": word_query(text),
        "substring": substring_query(text),
        "pattern": like_pattern(text),
        "all_music": int(principal.may("music.view.all")),
        "principal_id": principal.id,
        "archived": args.get("archived") or "false",
        "limit": args.get("limit") or PAGE,
        "offset": args.get("offset") or 0,
        **{name: args.get(name) for name in ("genre", "difficulty", "composer_id", "tag")},
    }
    rows = [dict(row) for row in (tx.rows(_BY_WORDS, **values) if text else tx.rows(_BY_TITLE, **values))]
    total = rows[0]["total"] if rows else 0
    return {"total": total, "items": [{name: row[name] for name in row if name != "total"} for row in rows]}


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
