"""Access tokens verified a moment ago, so that a signature is checked once. Knows claims; owned by a door.

Kept by digest, never by token. A hit is judged anew: its key must still be trusted, its time and vault must fit.
"""

from collections import OrderedDict
from threading import Lock

from db.clock import Moment
from db.keyring import token_digest
from db.registry.access_tokens import AccessClaims, check_current, verify_access_token
from db.registry.signing_keys import VerificationKeys

DEFAULT_ENTRIES = 1000


class VerifiedTokens:
    """At most `max_entries` verified tokens of one issuer, the least recently used going first."""

    def __init__(self, issuer: str, max_entries: int = DEFAULT_ENTRIES) -> None:
        self._issuer = issuer
        self._max_entries = max_entries
        self._claims: OrderedDict[str, AccessClaims] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._claims)

    def verify(self, token: str, keys: VerificationKeys, *, vault_id: str, now: Moment) -> AccessClaims:
        """The claims of the token; errors are those of `verify_access_token`, and are not kept."""
        digest = token_digest(token)
        known = self._known(digest, keys, now)
        if known is not None:
            return check_current(known, vault_id, now)
        claims = verify_access_token(token, keys, vault_id=vault_id, issuer=self._issuer, now=now)
        with self._lock:
            self._claims[digest] = claims
            while len(self._claims) > self._max_entries:
                self._claims.popitem(last=False)
        return claims

    def recall(self, token: str, keys: VerificationKeys, *, vault_id: str, now: Moment) -> AccessClaims | None:
        """What `verify` would return without checking a signature; None where it would check one, or raise."""
        known = self._known(token_digest(token), keys, now)
        return known if known is not None and known.vault_id == vault_id else None

    def _known(self, digest: str, keys: VerificationKeys, now: Moment) -> AccessClaims | None:
        with self._lock:
            known = self._claims.get(digest)
            if known is not None and known.key_id in keys and now.ms < known.expires_at_s * 1000:
                self._claims.move_to_end(digest)
                return known
            self._claims.pop(digest, None)
            return None
