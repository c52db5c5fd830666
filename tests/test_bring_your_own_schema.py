"""docs/how-to/bring-your-own-schema.md, done: its files are written, its commands run, and what it says is so."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from handlers.cli import cli
from handlers.services import Services
from handlers.settings import Settings
from tests.handlers.http.site import Site
from tests.page_examples import fences

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "bring-your-own-schema.md"
_FILE = re.compile(r"`([\w/]+\.(?:sql|json))`:$")


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site over the store that the page's commands left."""
    monkeypatch.chdir(tmp_path)
    environ = {"VAULTRY_STORE": f"file:{tmp_path / 'data'}", "VAULTRY_MAIL": f"folder:{tmp_path / 'mail'}"}
    for fence in fences(PAGE):
        named = _FILE.search(fence.before)
        if named is not None:
            path = tmp_path / named[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(fence.text)
        elif fence.language == "bash":
            for line in fence.text.splitlines():
                words = shlex.split(line)
                assert words[0] == "vaultry", f"{fence}: {line}"
                ended = CliRunner().invoke(cli, words[1:], env=environ, catch_exceptions=False)
                # A dry run that finds something to do has status 1.
                assert ended.exit_code == int("--dry-run" in words), f"{fence}: {line}: {ended.output}"
    services = Services(Settings.from_env(environ))
    return Site(tmp_path, services.clock, services)


def test_what_the_page_says_is_so(done):
    guest = done.guest("shop")
    ann, ben = (done.sign_in("shop", f"{name}@shop.example") for name in ("ann", "ben"))
    assert [row["id"] for row in guest.rows("notes")] == ["n1"]
    assert guest.rows("members") == []
    assert [row["id"] for row in ben.rows("notes?order=id")] == ["n1", "n2"]
    assert set(ben.rows("members")[0]) == {"id", "role"}
    assert ben.add("notes", {"title": "x"}).status == 403
    [made] = ann.add("notes", {"title": "New", "draft": "..."}).json()
    assert (made["author_id"], made["shared"], made["changed_at"]) == ("m1", 0, None)
    assert len(ben.rows("notes")) == 2
    assert ann.send("PATCH", f"/rest/v1/notes?id=eq.{made['id']}", {"draft": None}).status == 204
    assert len(ben.rows("notes")) == 3
    assert ann.send("DELETE", "/rest/v1/notes?id=eq.n1").status == 403
    done.services.close()
