"""API tokens made or revoked in one process, at the door of another whose copy of the registry is older."""

import pytest

from db.stores.directory import DirectoryStore
from handlers.services import TOKEN_LOOKS
from tests.handlers.http.site import Choir, Site, make_choir, make_site, refused

MADE_UP = "vlt_" + "x" * 40


@pytest.fixture
def processes(tmp_path, clock):
    """Two processes over one store; the second has read the registry at this very moment. Time stands still."""
    first = make_site(tmp_path, clock)
    choir = make_choir(first, "aurora")
    second = make_site(tmp_path, clock, cache=str(tmp_path / "other"))
    assert second.guest("aurora").get("members").status in (200, 401)
    yield first, second, choir
    first.services.close()
    second.services.close()


def asked(site: Site, token: str, at: str = "/rest/v1/works") -> int:
    return site.guest("aurora").with_token(token).send("GET", at).status


def test_a_token_just_made_is_taken_by_every_process(processes: tuple[Site, Site, Choir]):
    first, second, choir = processes
    assert asked(second, first.api_token(choir, "librarian")) == 200
    assert asked(second, first.api_token(None), "/auth/v1/admin/users") == 200
    databases = second.guest("client").with_token(first.api_token(None)).send("GET", "/v4/accounts/vaultry/d1/database")
    assert databases.status == 200


def test_made_up_tokens_cost_no_call_to_the_store_each(processes: tuple[Site, Site, Choir], monkeypatch):
    _, second, _ = processes
    looks: list[str] = []
    held = DirectoryStore.exists

    def counted(self, key, *args, **options):
        looks.append(key)
        return held(self, key, *args, **options)

    monkeypatch.setattr(DirectoryStore, "exists", counted)
    for number in range(TOKEN_LOOKS + 20):
        answer = second.guest("aurora").with_token(f"{MADE_UP}{number:03}").get("works")
        assert refused(answer) == (401, "PGRST301")
    assert len([key for key in looks if "registry" in key]) <= TOKEN_LOOKS


def test_when_the_looks_are_used_up_a_token_counts_once_the_copy_has_it(processes: tuple[Site, Site, Choir], clock):
    first, second, choir = processes
    for number in range(TOKEN_LOOKS):
        asked(second, f"{MADE_UP}{number:03}")
    token = first.api_token(choir, "librarian")
    assert asked(second, token) == 401
    clock.tick(2)
    assert asked(second, token) == 200
    clock.tick(60)
    assert asked(second, first.api_token(choir, "librarian")) == 200
