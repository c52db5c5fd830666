"""Throttles on attempts: passwords, codes and mails, per account and per network. Knows counts; not what is guessed.

An attempt is counted before it is judged, in a commit of its own, so that a thousand at once are a thousand. What is
over its limit is refused without a write, so that a flood costs reads alone. Nobody is locked out for longer than a
window, and never from a network from which the account has signed in: attempts from there have a counter of their own.
Accounts and networks stand here as keyed hashes.
"""

import ipaddress
from dataclasses import dataclass

from db.clock import Moment, timestamp_ms
from db.errors import RateLimited
from db.keyring import KeyRing
from db.transaction import ReadTx, WriteTx

KNOWN_SECONDS = 90 * 86400
# A household or an office shares an IPv6 prefix, and one machine has all addresses of it.
_IPV6_PREFIX = 64
_KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Limit:
    """So many attempts within so many seconds from the first."""

    kind: str
    count: int
    window_s: int


PASSWORD_BY_ACCOUNT = Limit("password account", 10, 15 * 60)
PASSWORD_BY_KNOWN_NETWORK = Limit("password known network", 10, 15 * 60)
PASSWORD_BY_NETWORK = Limit("password network", 60, 15 * 60)
CODE_BY_NETWORK = Limit("code network", 60, 15 * 60)
MAIL_BY_NETWORK = Limit("mail network", 60, 60 * 60)
FACTOR_BY_ACCOUNT = Limit("factor account", 5, 15 * 60)


@dataclass(frozen=True, slots=True)
class Counter:
    """One limit for one subject, an address or a network. subject: its keyed hash."""

    limit: Limit
    subject: str


def counter(ring: KeyRing, limit: Limit, *who: str) -> Counter:
    """The counter of a limit for somebody."""
    return Counter(limit, ring.mac(f"attempts {limit.kind}", "\n".join(who)))


def network_of(address: str) -> str:
    """What one attacker holds at once: an IPv4 address, or the /64 of an IPv6 one; other text as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
    return str(parsed)


def password_counters(tx: ReadTx, ring: KeyRing, email: str, network: str, now: Moment) -> tuple[Counter, ...]:
    """What a password attempt counts against. email: normalised, of an account or of nobody, without a difference."""
    pair = counter(ring, PASSWORD_BY_KNOWN_NETWORK, email, network)
    known_until = tx.value("SELECT known_until FROM attempt_counters WHERE subject = :subject", subject=pair.subject)
    if known_until is not None and now.text < known_until:
        return (pair,)
    return (
        counter(ring, PASSWORD_BY_ACCOUNT, email),
        counter(ring, PASSWORD_BY_NETWORK, network),
    )


_COUNT = "SELECT count, window_start FROM attempt_counters WHERE subject = :subject"
_ADD = """
INSERT INTO attempt_counters (subject, count, window_start) VALUES (:subject, 1, :now)
ON CONFLICT (subject) DO UPDATE
   SET count = CASE WHEN window_start <= :began THEN 1 ELSE count + 1 END,
       window_start = CASE WHEN window_start <= :began THEN :now ELSE window_start END
"""


def require_attempt(tx: ReadTx, counters: tuple[Counter, ...], now: Moment) -> None:
    """Raise RateLimited, with retry_after_s, when one of the counters is at its limit."""
    for known in counters:
        row = tx.row(_COUNT, subject=known.subject)
        if row is None:
            continue
        left_ms = timestamp_ms(row["window_start"]) + known.limit.window_s * 1000 - now.ms
        if left_ms > 0 and row["count"] >= known.limit.count:
            raise RateLimited(
                f"{known.limit.count} attempts within {known.limit.window_s // 60} minutes, the limit; wait",
                retry_after_s=-(-left_ms // 1000),
            )


def take_attempt(tx: WriteTx, counters: tuple[Counter, ...], now: Moment) -> bool:
    """Count one attempt; whether it is the last that one of the counters allows. Raises as `require_attempt`."""
    require_attempt(tx, counters, now)
    last = False
    for known in counters:
        tx.execute(_ADD, subject=known.subject, now=now.text, began=now.later(seconds=-known.limit.window_s))
        last = last or tx.value(_COUNT, subject=known.subject) >= known.limit.count
    return last


def give_back(tx: WriteTx, counters: tuple[Counter, ...]) -> None:
    """Take one attempt off the counters, as it turned out to be no guess."""
    for known in counters:
        back = "UPDATE attempt_counters SET count = count - 1 WHERE subject = :subject AND count > 0"
        tx.execute(back, subject=known.subject)


_KNOW = """
INSERT INTO attempt_counters (subject, count, window_start, known_until) VALUES (:subject, 0, :now, :until)
ON CONFLICT (subject) DO UPDATE SET count = 0, known_until = :until
"""


def know_network(tx: WriteTx, ring: KeyRing, email: str, network: str, now: Moment) -> None:
    """Remember for 90 days that the account signed in from this network."""
    pair = counter(ring, PASSWORD_BY_KNOWN_NETWORK, email, network)
    tx.execute(_KNOW, subject=pair.subject, now=now.text, until=now.later(seconds=KNOWN_SECONDS))


def purge_attempts(tx: WriteTx, now: Moment) -> int:
    """Forget counters whose window began more than 24 h ago and networks no longer known; the number removed."""
    over = """
    DELETE FROM attempt_counters WHERE window_start < :then AND (known_until IS NULL OR known_until <= :now)
    """
    return tx.execute(over, then=now.later(seconds=-_KEPT_SECONDS), now=now.text)
