"""The routes below `/client/v4`, as data: loading it loads no handler. Most requests are for rows."""

from typing import Final, NamedTuple

PREFIX: Final = "/client/v4"


class D1Route(NamedTuple):
    """A path below the prefix, its methods; the module below handlers/d1 and the function that serve it.

    streams: the handler reads the body itself.
    """

    path: str
    methods: tuple[str, ...]
    module: str
    name: str
    streams: bool = False


_GET, _POST, _PUT = ("GET",), ("POST",), ("PUT",)
_ACCOUNT = "/accounts/{account}"
_DATABASES = f"{_ACCOUNT}/d1/database"
_DATABASE = f"{_DATABASES}/{{database}}"
QUERY: Final = f"{_DATABASE}/query"

ROUTES: Final = (
    D1Route("/accounts", _GET, "accounts", "list_all"),
    D1Route(_ACCOUNT, _GET, "accounts", "get"),
    D1Route(f"{_ACCOUNT}/tokens/verify", _GET, "accounts", "verify_token"),
    D1Route("/memberships", _GET, "accounts", "list_memberships"),
    D1Route("/user", _GET, "accounts", "get_user"),
    D1Route("/user/tokens/verify", _GET, "accounts", "verify_token"),
    D1Route("/graphql", _POST, "analytics", "query"),
    D1Route(_DATABASES, _GET, "databases", "list_all"),
    D1Route(_DATABASES, _POST, "databases", "create"),
    D1Route(_DATABASE, _GET, "databases", "get"),
    D1Route(_DATABASE, _PUT, "databases", "update"),
    D1Route(_DATABASE, ("PATCH",), "databases", "edit"),
    D1Route(_DATABASE, ("DELETE",), "databases", "delete"),
    D1Route(QUERY, _POST, "query", "run_query"),
    D1Route(f"{_DATABASE}/raw", _POST, "query", "run_raw"),
    D1Route(f"{_DATABASE}/time_travel/bookmark", _GET, "time_travel", "get_bookmark"),
    D1Route(f"{_DATABASE}/time_travel/restore", _POST, "time_travel", "restore"),
    D1Route(f"{_DATABASE}/export", _POST, "exporting", "export"),
    D1Route(f"{_DATABASE}/export/{{file}}", _GET, "exporting", "download"),
    D1Route(f"{_DATABASE}/import", _POST, "importing", "take_in"),
    D1Route(f"{_DATABASE}/import/{{file}}", _PUT, "uploading", "begin", streams=True),
)
