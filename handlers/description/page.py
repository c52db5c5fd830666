"""`/docs` and `/{vault}/docs`: a page that shows the description, and the files it loads. Asks nothing of anybody else.

The renderer is openapi-explorer (Apache-2.0, in `assets`), chosen for its size: 0.75 MB in one file. So it goes along
everywhere, to AWS Lambda as well.
"""

from functools import cache
from pathlib import Path

from db.errors import NotFound
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

_ASSETS = Path(__file__).parent / "assets"
_EXPLORER = "openapi-explorer-2.4.820.min.js"
_TYPES = {
    "docs.js": "text/javascript; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
    _EXPLORER: "text/javascript; charset=utf-8",
}
# Styles may stand inside elements, because the renderer writes such; scripts and what they call are our own files.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)
_DAY_S, _YEAR_S = 86_400, 31_536_000


def show_platform(services: Services, call: Call) -> Reply:
    """The page for the platform's description."""
    return _page("")


def show_vault(services: Services, call: Call) -> Reply:
    """The page for a vault's description. Raises as every route into a vault does."""
    services.entry(call.path["vault"])
    return _page("../")


def send_file(services: Services, call: Call) -> Reply:
    """One of the files that the page loads. Raises NotFound for any other."""
    name = call.path["file"]
    if name not in _TYPES:
        raise NotFound(f"no file {name[:80]!r} belongs to the page", code="no_route")
    # The renderer's name changes with its version.
    kept = f"public, max-age={_YEAR_S}, immutable" if name == _EXPLORER else f"public, max-age={_DAY_S}"
    return Reply(200, _asset(name), _TYPES[name], (("cache-control", kept), *_HEADERS))


def _page(up: str) -> Reply:
    """The page. up: the way from its folder to that of `docs/`; relative, since a gateway may put a stage before it."""
    return Reply(200, _asset("docs.html").replace("{up}", up), "text/html; charset=utf-8", _HEADERS)


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
