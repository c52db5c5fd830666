"""Bookmarks: sortable text naming one commit of one vault. Knows the text form; not where commits are kept."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from db.errors import Invalid
from db.log.ltx import TXID

_FORM = re.compile(r"([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The commit `txid` whose identity is `digest` (32 hex digits). Its text sorts as the commits do."""

    txid: TXID
    digest: str

    def __str__(self) -> str:
        """`%08x-%08x-%08x-%032x`: TXID high, TXID low, 0, digest."""
        return f"{self.txid >> 32:08x}-{self.txid & 0xFFFFFFFF:08x}-{0:08x}-{self.digest}"


def bookmark_of(vault_id: str, txid: TXID, node_id: int) -> Bookmark:
    """The bookmark of a commit.

    node_id: the random u64 in the header of the commit's LTX file. Snapshots and ranges carry the one of their last
    commit, so a bookmark can be checked after the commit's own file was pruned; the vault id in the digest makes
    bookmarks of another vault worthless here.
    """
    identity = f"{vault_id}\n{txid:016x}\n{node_id:016x}".encode()
    return Bookmark(txid, _vault_half(vault_id) + hashlib.blake2b(identity, digest_size=8).hexdigest())


def is_of_vault(bookmark: Bookmark, vault_id: str) -> bool:
    """Whether the bookmark names a commit of this vault, the first half of its digest says, whichever commit it is."""
    return bookmark.digest.startswith(_vault_half(vault_id))


@lru_cache(maxsize=1_000)
def _vault_half(vault_id: str) -> str:
    return hashlib.blake2b(vault_id.encode(), digest_size=8).hexdigest()


def parse_bookmark(text: str) -> Bookmark:
    """The bookmark written as text. Raises Invalid (code bookmark_invalid) for any other form."""
    match = _FORM.fullmatch(text)
    if match is None or match[3] != "00000000":
        raise Invalid(
            f"got bookmark {text[:80]!r}, wanted the text of an x-d1-bookmark header", code="bookmark_invalid"
        )
    return Bookmark(TXID(int(match[1], 16) << 32 | int(match[2], 16)), match[4])
