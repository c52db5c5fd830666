"""How a vault behaves in this process. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VaultOptions:
    """How a vault behaves in this process.

    readers: read connections. commit_attempts: races lost before a write gives up. group_works: most works that share
    a commit. wal_bytes: length of the write-ahead file at which it is folded in. base_age_ms: after this long without
    a look at the whole log, a look at the next commit is not enough, for that commit may be pruned already.
    """

    readers: int = 1
    commit_attempts: int = 50
    group_works: int = 256
    wal_bytes: int = 4 << 20
    base_age_ms: int = 6 * 3600 * 1000
