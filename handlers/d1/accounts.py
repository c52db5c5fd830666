"""Accounts, memberships and tokens, as far as clients look for them before they go on. Shows names; changes nothing."""

from typing import Any

from db.errors import Forbidden
from handlers.d1.access import Account, accounts, caller
from handlers.d1.envelope import success
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

# The day the form of these answers was fixed: an account of the settings has no day of its own.
_CREATED = "2026-01-01T00:00:00.000Z"


def list_all(services: Services, call: Call) -> Reply:
    """Every account, for any valid token: an account is a view, and what a token may do in it is another matter."""
    caller(services, call)
    told = [_described(known) for known in accounts(services)]
    return success(told, info=_one_page(len(told)))


def get(services: Services, call: Call) -> Reply:
    """One account. Raises Forbidden for an unknown one."""
    caller(services, call)
    found = next((known for known in accounts(services) if known.id == call.path["account"]), None)
    if found is None:
        raise Forbidden(
            "The given account is not valid or is not authorized to access this service", code="account_unknown"
        )
    return success(_described(found))


def list_memberships(services: Services, call: Call) -> Reply:
    """The same accounts, as memberships of whoever asks."""
    caller(services, call)
    told = [
        {"id": known.id, "status": "accepted", "account": _described(known), "roles": ["Administrator"]}
        for known in accounts(services)
    ]
    return success(told, info=_one_page(len(told)))


def get_user(services: Services, call: Call) -> Reply:
    """Whose token it is: tokens belong to no person here, so its id and the address that was sent with it."""
    _, token = caller(services, call)
    return success({"id": token.id, "email": call.header("x-auth-email") or f"{token.prefix}@token.invalid"})


def verify_token(services: Services, call: Call) -> Reply:
    """Whether the token is in force; one that is not is refused as everywhere."""
    _, token = caller(services, call)
    told = {"id": token.id, "status": "active", "expires_on": token.expires_at}
    return success(told, messages=["This API Token is valid and active"])


def _described(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.id,
        "type": "standard",
        "settings": {"enforce_twofactor": False},
        "created_on": _CREATED,
    }


def _one_page(count: int) -> dict[str, int]:
    return {"page": 1, "per_page": max(count, 1), "count": count, "total_count": count, "total_pages": 1}
