"""Who may do what below `/client/v4`: account, token, database. Knows tokens and the directory; runs no SQL.

An account is a view of the platform: every database, or those with one label. What a caller may do is the token's
to say: an operator's reaches every database, one made for SQL a single one.
"""

from dataclasses import dataclass, replace

from db.errors import Forbidden, NotAuthenticated, NotFound
from db.keyring import token_digest
from db.registry.api_tokens import ApiToken, is_expired, token_use_is_stale
from db.registry.database_names import find_database
from db.registry.directory import VaultEntry
from db.registry.labels import labels_of
from db.transaction import Actor, ReadTx
from handlers.http.call import Call
from handlers.http.identity import Identity, actor_of, api_token_in, identify_token
from handlers.services import ENTRIES_KEPT, Services


@dataclass(frozen=True, slots=True)
class Account:
    """One account id. label: of the databases it shows, None = all."""

    id: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Access:
    """A caller inside one database. identity: with its token. may_write: whether the token is for more than reading."""

    entry: VaultEntry
    identity: Identity
    may_write: bool

    def actor(self, call: Call, verb: str) -> Actor:
        """What the audit log says of the caller."""
        return actor_of(self.identity, call, verb)

    def require_write(self) -> None:
        """Raise Forbidden for a token that only reads."""
        if not self.may_write:
            raise Forbidden("this token may read the database, and change nothing", code="read_only")


def accounts(services: Services) -> tuple[Account, ...]:
    """The accounts of this platform, as its settings name them."""
    named = (text.partition("=") for text in services.settings.accounts)
    return tuple(Account(name, label or None) for name, _, label in named)


def caller(services: Services, call: Call) -> tuple[Identity, ApiToken]:
    """The caller by any of the three styles, and its token. Raises NotAuthenticated."""
    identity = identify_token(services, _with_bearer(call))
    if identity.token is None:
        raise NotAuthenticated("Authentication error")
    return identity, identity.token


def _with_bearer(call: Call) -> Call:
    """The call with its token where `Authorization` has it, whichever style it came in."""
    given = call.header("x-auth-key") or call.header("x-auth-user-service-key")
    if call.header("authorization") is None and given:
        return replace(call, headers=[*call.headers, ("authorization", f"Bearer {given}")])
    return call


def enter_account(services: Services, call: Call, *, writes: bool = False) -> tuple[Account, Identity, ApiToken]:
    """The account of the path and the caller. writes: the caller wants to make or remove databases.

    Raises NotAuthenticated, Forbidden: an unknown account; what a token for one database, or for reading, may not do.
    """
    identity, token = caller(services, call)
    account = next((known for known in accounts(services) if known.id == call.path["account"]), None)
    if account is None:
        raise Forbidden(
            "The given account is not valid or is not authorized to access this service", code="account_unknown"
        )
    if token.kind != "operator" and token.sql is None:
        raise Forbidden("this API token is not for SQL; make one with `--sql read` or `--sql write`", code="no_sql")
    if writes and (token.kind != "operator" or token.read_only):
        raise Forbidden("this needs the API token of an operator that may write", code="not_admin")
    return account, identity, token


def enter(services: Services, call: Call, *, writes: bool = False) -> Access:
    """The database of the path, by UUID or name, and the caller in it.

    Raises as `enter_account`, NotFound for a database that is not there, not in the account, or not the token's.
    """
    access = recall(services, call) or _found(services, call)
    if writes:
        access.require_write()
    services.requests.add(access.entry.id)
    return access


def recall(services: Services, call: Call) -> Access | None:
    """What `enter` found before for the same token and path, while the registry stands where it stood then.

    None where it is to look: at something else, or again; a request by a database's id takes 0.1 ms less without.
    Raises NotAuthenticated without a token. It is not counted.
    """
    bookmark, access = services.entered.get(_asked(call), ("", None))
    if access is None or bookmark != services.held_bookmark():
        return None
    token = access.identity.token
    # As long as it is in force and its last use is known.
    if token is None or token_use_is_stale(token, call.now) or is_expired(token, call.now):
        return None
    return access


def _asked(call: Call) -> tuple[str, str, str]:
    """By what an access is remembered; the token by its digest."""
    return call.path["account"], call.path["database"], token_digest(api_token_in(_with_bearer(call)))


def _found(services: Services, call: Call) -> Access:
    """The access as the registry has it, remembered if the registry stood still meanwhile."""
    before = services.registry.bookmark
    access = _looked_up(services, call)
    if services.registry.bookmark == before:
        if len(services.entered) >= ENTRIES_KEPT:
            services.entered.clear()
        services.entered[_asked(call)] = (before, access)
    return access


def _looked_up(services: Services, call: Call) -> Access:
    account, identity, token = enter_account(services, call)
    wanted = call.path["database"]

    def find(tx: ReadTx) -> VaultEntry | None:
        return visible(tx, account, token, find_database(tx, wanted))

    entry = services.registry_read(find) or services.registry_read(find, current=True)
    if entry is None:
        raise NotFound(f"The database {wanted[:80]} could not be found", code="database_unknown")
    if entry.status == "suspended":
        raise Forbidden("this database is suspended; resume it first", code="vault_suspended")
    return Access(entry, identity, not token.read_only if token.kind == "operator" else token.sql == "write")


def visible(tx: ReadTx, account: Account, token: ApiToken, entry: VaultEntry | None) -> VaultEntry | None:
    """The entry, if account and token show it."""
    if entry is None or entry.status == "deleted" or not token.reaches_sql(entry.id):
        return None
    return entry if account.label is None or account.label in labels_of(tx, entry.id) else None
