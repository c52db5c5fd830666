"""An account in the shape supabase clients parse: user, identities, factors. Knows names of fields; reads nothing."""

from typing import Any

from db.registry.accounts import Account
from db.registry.factors import Factor
from db.registry.identities import LinkedIdentity
from db.registry.profiles import Profile


def user(profile: Profile) -> dict[str, Any]:
    """The user object."""
    account = profile.account
    identities = [*_email_identity(account), *(_identity(known) for known in profile.identities)]
    providers = sorted({known["provider"] for known in identities}) or ["email"]
    name = {} if account.name is None else {"name": account.name}
    return {
        "id": account.id,
        "aud": "authenticated",
        "role": "authenticated",
        "email": account.email,
        "phone": "",
        "email_confirmed_at": account.email_confirmed_at,
        "confirmed_at": account.email_confirmed_at,
        "new_email": account.new_email,
        "last_sign_in_at": account.last_sign_in_at,
        "created_at": account.created_at,
        "updated_at": max(filter(None, (account.updated_at, account.last_sign_in_at, account.created_at))),
        "banned_until": account.banned_until or account.disabled_at,
        "app_metadata": {
            "provider": "email" if "email" in providers else providers[0],
            "providers": providers,
            **account.app_metadata,
        },
        "user_metadata": {**account.user_metadata, **name},
        "identities": identities,
        "factors": [factor(known) for known in profile.factors],
        "is_anonymous": False,
    }


def factor(known: Factor) -> dict[str, Any]:
    """One second factor."""
    return {
        "id": known.id,
        "friendly_name": known.friendly_name,
        "factor_type": known.kind,
        "status": "unverified" if known.verified_at is None else "verified",
        "created_at": known.created_at,
        "updated_at": known.updated_at,
    }


def unconfirmed_user(account_id: str, email: str, metadata: dict[str, Any], at: str) -> dict[str, Any]:
    """The user of a sign-up that nobody has confirmed: the same for an address that has an account already."""
    account = Account(account_id, email, None, None, at, None, None, None, metadata)
    return {**user(Profile(account)), "confirmation_sent_at": at}


def _email_identity(account: Account) -> list[dict[str, Any]]:
    """The mailbox as an identity: whoever reads it can sign in."""
    if account.email_confirmed_at is None:
        return []
    return [
        {
            "id": account.id,
            "identity_id": account.id,
            "user_id": account.id,
            "provider": "email",
            "identity_data": {"sub": account.id, "email": account.email, "email_verified": True},
            "created_at": account.created_at,
            "updated_at": account.email_confirmed_at,
            "last_sign_in_at": account.last_sign_in_at,
        }
    ]


def _identity(known: LinkedIdentity) -> dict[str, Any]:
    return {
        "id": known.subject,
        "identity_id": known.id,
        "user_id": known.account_id,
        "provider": known.provider,
        "identity_data": {**known.data, "sub": known.subject},
        "created_at": known.created_at,
        "updated_at": known.last_sign_in_at,
        "last_sign_in_at": known.last_sign_in_at,
    }
