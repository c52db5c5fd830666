"""What vaults let anybody read, gathered in the registry: kept, and listed over all of them. Opens no vault.

The lines of a vault are a copy; the bookmark says of which commit. A late copy never replaces a newer one. A line is
shown only while its address leads into its vault and the vault is active: what a fork inherited, or what another tenant
is called by now, stays out without anybody having to remove it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.transaction import ReadTx, WriteTx

MAX_LINES = 1_000


@dataclass(frozen=True, slots=True)
class PublicLine:
    """One line. place: text it is sorted by. slug: the address that must lead into the vault. text: a JSON object."""

    place: str
    id: str
    slug: str
    text: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of a list ended."""

    place: str = ""
    id: str = ""
    vault_id: str = ""


@dataclass(frozen=True, slots=True)
class PublicPage:
    """Some lines in order. after: where to go on, None at the end."""

    texts: tuple[str, ...]
    after: Position | None


def published_mark(tx: ReadTx, vault_id: str) -> str | None:
    """The mark the vault had when its lines were gathered, or None when they never were."""
    found: str | None = tx.value("SELECT mark FROM published_vaults WHERE vault_id = :vault", vault=vault_id)
    return found


_NOTE = """
INSERT INTO published_vaults (vault_id, mark, bookmark, published_at)
SELECT id, :mark, :bookmark, :now FROM vaults WHERE id = :vault
ON CONFLICT (vault_id) DO UPDATE
   SET mark = excluded.mark, bookmark = excluded.bookmark, published_at = excluded.published_at
 WHERE excluded.bookmark >= bookmark
"""


def keep_public_lines(
    tx: WriteTx,
    vault_id: str,
    lists: Mapping[str, Iterable[PublicLine]],
    *,
    mark: str,
    bookmark: str,
    now: Moment,
) -> int:
    """Keep these lines as all that the vault lets anybody read; how many were added, changed or removed.

    lists: every list of the vault's charter by name. bookmark: of the commit they were read at; lines of an earlier
    commit than the kept ones, of the same mark, or of a vault that is gone, change nothing.
    """
    if published_mark(tx, vault_id) == mark:
        return 0
    if tx.execute(_NOTE, vault=vault_id, mark=mark, bookmark=bookmark, now=now.text) == 0:
        return 0
    wanted = {
        (name, line.place, line.id): {"slug": line.slug, "line": line.text}
        for name, lines in lists.items()
        for line in lines
    }
    kept = {
        (row["list"], row["place"], row["id"]): {"slug": row["slug"], "line": row["line"]}
        for row in tx.rows("SELECT * FROM public_lines WHERE vault_id = :vault", vault=vault_id)
    }
    stale = [key for key, line in kept.items() if wanted.get(key) != line]
    for name, place, line_id in stale:
        tx.execute(
            "DELETE FROM public_lines WHERE list = :list AND place = :place AND id = :id AND vault_id = :vault",
            list=name,
            place=place,
            id=line_id,
            vault=vault_id,
        )
    new = [key for key, line in wanted.items() if kept.get(key) != line]
    for name, place, line_id in new:
        line = wanted[name, place, line_id]
        tx.insert("public_lines", list=name, place=place, id=line_id, vault_id=vault_id, **line)
    return len({*stale, *new})


_PAGE = """
SELECT p.place, p.id, p.vault_id, p.line
  FROM public_lines AS p
 WHERE p.list = :list AND (p.place, p.id, p.vault_id) > (:place, :id, :vault)
   AND EXISTS (SELECT 1 FROM slugs AS s JOIN vaults AS v ON v.id = s.vault_id
                WHERE s.slug = p.slug AND s.vault_id = p.vault_id AND v.status = 'active')
 ORDER BY p.place, p.id, p.vault_id LIMIT :most
"""


def list_public_lines(tx: ReadTx, name: str, limit: int, after: Position = Position()) -> PublicPage:
    """One page of a list over all vaults. limit: 1 to 1000."""
    where = {"place": after.place, "id": after.id, "vault": after.vault_id}
    rows = tx.rows(_PAGE, list=name, most=limit + 1, **where)
    shown = rows[:limit]
    last = Position(shown[-1]["place"], shown[-1]["id"], shown[-1]["vault_id"]) if len(rows) > limit else None
    return PublicPage(tuple(row["line"] for row in shown), last)


def public_line(row: Mapping[str, Any], order: Iterable[str], slug: str) -> PublicLine:
    """The line of a row that has an `id`. order: the fields it is sorted by, ignoring case. slug: field of its address.

    U+001F sorts before every character of a text that was trimmed, so that a short text comes before its extensions.
    """
    place = "\x1f".join(str(row[name] or "").casefold() for name in order)
    text = json.dumps(dict(row), ensure_ascii=False, separators=(",", ":"))
    return PublicLine(place, str(row["id"]), str(row[slug]), text)
