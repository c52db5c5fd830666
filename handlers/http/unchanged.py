"""Whether a read would give what the client has, known by the last commit alone. Reads no row and decides no right.

The tag of an answer ends in a mark: a digest of the commit it was read at and of all else it was made from. While the
vault stands at that commit, the same question of the same caller has the same answer, since rights are rows of the
vault too. So 304 costs the look at the log and nothing more. Answers that the time of day may change get no mark.
"""

import hashlib
from functools import lru_cache

from db.registry.directory import VaultEntry
from db.rest.limits import Limits
from domain.charter import Charter
from handlers.http.call import Call
from handlers.http.identity import Identity

_MARK_BYTES = 8
# Of the form of answers: it rises when the same rows are answered otherwise.
_FORM = 1
_HEADERS = frozenset({"accept", "prefer", "range", "range-unit", "accept-profile"})
_DECLARED: dict[int, tuple[Charter, str]] = {}


def question_of(call: Call, identity: Identity, entry: VaultEntry, charter: Charter, limits: Limits) -> bytes:
    """All that an answer is made from besides the vault's content."""
    token = identity.token
    reach = (
        None
        if token is None
        else (token.id, token.kind, token.role, token.scope, token.tables and sorted(token.tables))
    )
    who = (identity.kind, identity.email, identity.account_id, reach)
    wishes = [pair for pair in call.headers if pair[0] in _HEADERS]
    asked = (_FORM, entry.id, entry.scope, who, call.path["table"], list(call.query), wishes)
    return f"{_declared(charter)}{asked!r}{_shown(limits)}".encode("utf-8", "surrogatepass")


def mark_of(question: bytes, bookmark: str) -> str:
    """The mark of an answer read at the bookmark's commit."""
    return hashlib.blake2b(question, digest_size=_MARK_BYTES, key=bookmark.encode()).hexdigest()


@lru_cache(maxsize=8)
def _shown(limits: Limits) -> str:
    # They stay the same, and writing them out takes as long as all the rest of the question.
    return repr(limits)


def _declared(charter: Charter) -> str:
    """A digest of what the charter says of rights and forms: another release may say otherwise of the same rows."""
    known = _DECLARED.get(id(charter))
    if known is None:
        resources = [
            (
                resource.table,
                resource.read,
                sorted(resource.masks.items()),
                sorted(resource.hidden),
                sorted(resource.personal),
                sorted(resource.json),
                sorted(resource.search.items()),
                sorted((name, repr(rule)) for name, rule in resource.fields.items()),
            )
            for resource in charter.resources
        ]
        roles = sorted((role, sorted(held)) for role, held in charter.roles.items())
        text = f"{resources!r}{roles!r}".encode()
        # Kept with the charter, so that its id is not used again.
        known = _DECLARED[id(charter)] = (charter, hashlib.blake2b(text, digest_size=16).hexdigest())
    return known[1]
