"""`/settings` and `/health`: what a client may ask before anybody has signed in. Gives no person away."""

import json

from db.errors import Invalid
from db.registry.identity_providers import list_providers
from handlers.auth.caller import settings_of
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services


def get_settings(services: Services, call: Call) -> Reply:
    """Which ways in this vault offers, in the shape supabase clients parse."""
    entry = services.entry(call.path["vault"])
    settings = settings_of(services, entry)
    providers = {known.name: True for known in services.registry_read(list_providers)}
    body = {
        "external": {"email": True, "phone": False, "anonymous_users": False, **providers},
        "disable_signup": settings.signup == "off",
        "signup": settings.signup,
        "mfa": settings.mfa,
        "mailer_autoconfirm": False,
        "phone_autoconfirm": False,
        "sms_provider": "",
        "mfa_enabled": True,
        "saml_enabled": False,
    }
    return Reply(200, json.dumps(body))


def refuse_sso(services: Services, call: Call) -> Reply:
    """Single sign-on by SAML is not offered: a provider that speaks OpenID Connect is."""
    services.entry(call.path["vault"])
    raise Invalid("SAML is not offered; sign in with a provider instead", code="saml_provider_disabled")


def get_health(services: Services, call: Call) -> Reply:
    """Alive, and able to find this vault in the directory."""
    services.entry(call.path["vault"])
    return Reply(200, json.dumps({"name": "vaultry", "description": "signing in", "version": "v1"}))
