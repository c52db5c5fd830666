"""The routes below `/{vault}/auth/v1`, as data: loading it loads no handler. Most requests are signed in already."""

from typing import NamedTuple


class AuthRoute(NamedTuple):
    """method and path of a route; the module below handlers/auth and the function that serve it."""

    method: str
    path: str
    module: str
    function: str


AUTH_ROUTES = (
    AuthRoute("GET", "settings", "about", "get_settings"),
    AuthRoute("GET", "health", "about", "get_health"),
    AuthRoute("POST", "sso", "about", "refuse_sso"),
    AuthRoute("POST", "signup", "signing_up", "sign_up"),
    AuthRoute("POST", "otp", "codes", "request_otp"),
    AuthRoute("POST", "magiclink", "codes", "request_otp"),
    AuthRoute("POST", "recover", "codes", "recover"),
    AuthRoute("POST", "resend", "codes", "resend"),
    AuthRoute("GET", "reauthenticate", "codes", "reauthenticate"),
    AuthRoute("GET", "verify", "link_page", "show"),
    AuthRoute("POST", "verify", "verify", "verify_otp"),
    AuthRoute("POST", "token", "tokens", "issue_token"),
    AuthRoute("POST", "logout", "user", "sign_out"),
    AuthRoute("GET", "user", "user", "get_user"),
    AuthRoute("PUT", "user", "user", "update_user"),
    AuthRoute("GET", "user/identities/authorize", "authorize", "link_with_provider"),
    AuthRoute("DELETE", "user/identities/{identity}", "identities", "unlink"),
    AuthRoute("GET", "alerts", "alerts", "list_own"),
    AuthRoute("POST", "factors", "factors", "enrol"),
    AuthRoute("POST", "factors/{factor}/challenge", "factors", "challenge"),
    AuthRoute("POST", "factors/{factor}/verify", "factors", "verify"),
    AuthRoute("DELETE", "factors/{factor}", "factors", "unenrol"),
    AuthRoute("GET", "vaults", "vaults", "list_vaults"),
    AuthRoute("POST", "vaults/{other}/token", "vaults", "enter_vault"),
    AuthRoute("GET", "authorize", "authorize", "authorize"),
    AuthRoute("POST", "invite", "admin_links", "invite"),
    AuthRoute("POST", "admin/generate_link", "admin_links", "generate_link"),
    AuthRoute("GET", "admin/users", "admin_users", "list_users"),
    AuthRoute("POST", "admin/users", "admin_users", "create_user"),
    AuthRoute("GET", "admin/users/{user}", "admin_users", "get_user"),
    AuthRoute("PUT", "admin/users/{user}", "admin_users", "update_user"),
    AuthRoute("DELETE", "admin/users/{user}", "admin_users", "delete_user"),
    AuthRoute("GET", "admin/users/{user}/factors", "admin_factors", "list_all"),
    AuthRoute("DELETE", "admin/users/{user}/factors/{factor}", "admin_factors", "delete"),
)
# Where identity providers send people back: one address for all vaults, as each provider has to be told it.
CALLBACK = AuthRoute("GET", "callback", "authorize", "callback")
# The page of an invitation's link, below the vault's own address: what people pass on to each other stays short.
INVITATION = "invite/accept"
INVITATION_ROUTES = (
    AuthRoute("GET", INVITATION, "invitation_page", "show"),
    AuthRoute("POST", INVITATION, "invitation_page", "go_on"),
)
