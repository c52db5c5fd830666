"""What the routes of signing in take and give, where supabase's clients rely on it. Data only."""

from collections.abc import Mapping
from typing import NamedTuple

from db.description.json_schema import Shape
from handlers.description.vocabulary import parameter, ref

_TEXT: Shape = {"type": "string"}
_OBJECT: Shape = {"type": "object"}
_EMAIL: Shape = {"type": "string", "format": "email", "maxLength": 254}


class Exchange(NamedTuple):
    """body: what is sent, None for nothing. result: what is answered, None for no content. parameters: of the query."""

    body: Shape | None = None
    result: Shape | None = _OBJECT
    parameters: tuple[Shape, ...] = ()


def _body(needed: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    properties = {**needed, **(optional or {})}
    return {"type": "object", "properties": properties, **({"required": list(needed)} if needed else {})}


_USER, _SESSION = ref("schemas", "User"), ref("schemas", "Session")
_PKCE: Mapping[str, Shape] = {"code_challenge": _TEXT, "code_challenge_method": _TEXT}
_MAILED = Exchange(_body({"email": _EMAIL}, _PKCE), _OBJECT)
_GRANTS = ("password", "refresh_token", "pkce", "id_token")
_GRANT = parameter("query", "grant_type", "What the session is for", {"enum": list(_GRANTS)}, required=True)
_INVITATION = (
    parameter("query", "token", "Of the invitation", _TEXT, required=True),
    parameter("query", "redirect_to", "Where the session is to go in the end", _TEXT),
)
_ENDED = parameter("query", "scope", "Which sessions end", {"enum": ["local", "others", "global"]})

EXCHANGES: Mapping[tuple[str, str], Exchange] = {
    ("POST", "signup"): Exchange(_body({"email": _EMAIL, "password": _TEXT}, {"data": _OBJECT, **_PKCE})),
    ("POST", "otp"): _MAILED,
    ("POST", "magiclink"): _MAILED,
    ("POST", "recover"): _MAILED,
    ("POST", "resend"): Exchange(_body({"type": {"enum": ["signup", "email_change"]}, "email": _EMAIL})),
    ("POST", "verify"): Exchange(
        _body({}, {"type": _TEXT, "email": _EMAIL, "token": _TEXT, "token_hash": _TEXT, "invite_token": _TEXT})
    ),
    ("POST", "token"): Exchange(
        _body(
            {},
            {
                **dict.fromkeys(("password", "refresh_token", "auth_code", "id_token"), _TEXT),
                "email": _EMAIL,
                "link_identity": {"type": "boolean"},
            },
        ),
        _SESSION,
        (_GRANT,),
    ),
    ("GET", "invite/accept"): Exchange(parameters=_INVITATION),
    ("POST", "invite/accept"): Exchange(
        _body({"token": _TEXT, "email": _EMAIL}, {"code": _TEXT, "redirect_to": _TEXT}), _OBJECT
    ),
    ("POST", "logout"): Exchange(None, None, (_ENDED,)),
    ("GET", "user"): Exchange(None, _USER),
    ("PUT", "user"): Exchange(_body({}, {"email": _EMAIL, "password": _TEXT, "nonce": _TEXT, "data": _OBJECT}), _USER),
    ("GET", "vaults"): Exchange(None, {}),
    ("GET", "alerts"): Exchange(None, {}),
    ("POST", "vaults/{other}/token"): Exchange(None, _SESSION),
    ("POST", "factors"): Exchange(_body({"factor_type": {"enum": ["totp"]}}, {"friendly_name": _TEXT})),
    ("POST", "factors/{factor}/verify"): Exchange(_body({"challenge_id": _TEXT, "code": _TEXT}), _SESSION),
}

SCHEMAS: Mapping[str, Shape] = {
    "User": {
        "type": "object",
        "properties": {
            "id": _TEXT,
            "aud": _TEXT,
            "role": _TEXT,
            "email": _TEXT,
            "email_confirmed_at": {"type": ["string", "null"], "format": "date-time"},
            "created_at": {"type": "string", "format": "date-time"},
            "app_metadata": _OBJECT,
            "user_metadata": _OBJECT,
            "identities": {"type": "array", "items": _OBJECT},
            "factors": {"type": "array", "items": _OBJECT},
        },
        "required": ["id", "aud", "role", "email", "app_metadata", "user_metadata", "created_at"],
    },
    "Session": {
        "type": "object",
        "properties": {
            "access_token": _TEXT,
            "token_type": {"const": "bearer"},
            "expires_in": {"type": "integer"},
            "expires_at": {"type": "integer"},
            "refresh_token": _TEXT,
            "user": _USER,
        },
        "required": ["access_token", "token_type", "expires_in", "refresh_token", "user"],
    },
    "KeySet": {
        "type": "object",
        "properties": {"keys": {"type": "array", "items": _OBJECT}},
        "required": ["keys"],
    },
}
