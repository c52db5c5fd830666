"""The first request of a fresh process on S3: at most four round trips in turn; and what a warm process asks.

The registry's listing, its snapshot and commits, the vault's listing, its snapshot and commits. Calls that are made at
the same time count as one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.clock import system_moment
from db.log.retention import make_snapshot
from handlers.services import Services
from handlers.settings import Settings
from tests.fault_proxy import Fault, FaultProxy, fault_proxy, serial_depth
from tests.handlers.http.site import Caller, Choir, Site, make_choir
from tests.handlers.person_token import person_token
from tests.moto_s3 import MotoS3, moto_s3

# Calls that have not begun within this time of each other are taken for one waiting for the other.
QUIET_S = 0.06
ATTEMPTS = 3


@dataclass
class Stage:
    """A bucket with a choir in it, made past the proxy, and fresh processes that reach it through the proxy."""

    proxy: FaultProxy
    folder: Path
    environ: Callable[[str, Path], dict[str, str]]
    made: Site
    choir: Choir

    def fresh(self, name: str) -> Site:
        """A process that has nothing but its settings, and the folder of that name."""
        folder = self.folder / name
        environ = self.environ(self.proxy.endpoint, folder)
        return Site(folder, system_moment, Services(Settings.from_env(environ)))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("cold")
    with moto_s3() as s3, fault_proxy(s3.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
        environ = environment_of(s3)
        made = Site(folder / "made", system_moment, Services(Settings.from_env(environ(s3.endpoint, folder / "made"))))
        yield Stage(proxy, folder, environ, made, make_choir(made, "alto"))
        made.services.close()


def environment_of(s3: MotoS3) -> Callable[[str, Path], dict[str, str]]:
    def environ(endpoint: str, folder: Path) -> dict[str, str]:
        return {
            "VAULTRY_STORE": f"s3://{s3.bucket}/cold?region={s3.region}",
            "VAULTRY_S3_ENDPOINT": endpoint,
            "VAULTRY_SECRET": "test-secret-" * 4,
            "VAULTRY_CACHE": str(folder / "cache"),
            "VAULTRY_MAIL": f"folder:{folder / 'mail'}",
            "VAULTRY_BASE_URL": "https://choirs.example",
        }

    return environ


@pytest.fixture
def slow(stage: Stage) -> Iterator[Stage]:
    """The stage, with calls through the proxy answered when no more of them come."""
    stage.proxy.quiet_s = QUIET_S
    yield stage
    stage.proxy.quiet_s = 0


def caller(stage: Stage, site: Site, kind: str) -> Caller:
    """A guest, a signed-in person, or a program with a token that was not used yet."""
    if kind == "person":
        return site.guest("alto").with_token(person_token(stage.made.services, stage.choir))
    if kind == "token":
        return site.guest("alto").with_token(stage.made.api_token(stage.choir, "admin"))
    if kind == "operator":
        return site.guest("alto").with_token(stage.made.api_token(None))
    return site.guest("alto")


def depth_of(stage: Stage, request: Callable[[Site], None], name: str, enough: int = 4) -> int:
    """The fewest serial calls of a few fresh processes: one that is not run for a while seems to wait for an answer."""
    depths: list[int] = []
    for attempt in range(ATTEMPTS):
        site = stage.fresh(f"{name}-{attempt}")
        stage.proxy.exchanges.clear()
        request(site)
        depths.append(serial_depth(stage.proxy.exchanges))
        site.services.close()
        if depths[-1] <= enough:
            break
    return min(depths)


@pytest.mark.parametrize("kind", ["guest", "person", "token", "operator"])
def test_the_first_request_waits_for_four_round_trips(slow: Stage, kind: str) -> None:
    def ask(site: Site) -> None:
        answer = caller(slow, site, kind).get("members?select=id")
        assert answer.status == 200, answer.text
        assert (answer.json() != []) == (kind != "guest")

    assert depth_of(slow, ask, f"first-{kind}") <= 4


def test_a_verb_that_reads_waits_for_no_more(slow: Stage) -> None:
    def ask(site: Site) -> None:
        answer = caller(slow, site, "person").send("GET", "/rest/v1/rpc/member.list")
        assert answer.status == 200, answer.text

    assert depth_of(slow, ask, "verb") <= 4


def test_the_first_request_waits_for_a_fifth_round_trip_if_it_writes(slow: Stage) -> None:
    def ask(site: Site) -> None:
        answer = caller(slow, site, "token").call("member.add_roster", name=site.folder.name)
        assert answer.status == 200, answer.text

    assert depth_of(slow, ask, "write", 5) <= 5


def test_many_loose_commits_are_one_round_trip(slow: Stage) -> None:
    for number in range(25):
        slow.made.add_member(slow.choir, f"Singer {number}")

    def ask(site: Site) -> None:
        assert len(caller(slow, site, "token").rows("members?select=id")) > 25

    assert depth_of(slow, ask, "many") <= 4


def test_a_snapshot_and_what_follows_it_are_one_round_trip(slow: Stage) -> None:
    with slow.made.services.vault(slow.choir.entry) as vault:
        make_snapshot(vault)
    slow.made.add_member(slow.choir, "After the snapshot")

    def ask(site: Site) -> None:
        names = [row["name"] for row in caller(slow, site, "token").rows("members?select=name")]
        assert "After the snapshot" in names

    assert depth_of(slow, ask, "snapshot") <= 4
    assert [
        exchange.status for exchange in slow.proxy.exchanges if "0009/" in exchange.key and exchange.method == "GET"
    ]


def test_a_process_that_finds_its_folder_asks_two_questions_in_turn(slow: Stage) -> None:
    asking = caller(slow, slow.fresh("kept"), "person")
    assert asking.rows("members?select=id")
    depths: list[int] = []
    for _ in range(ATTEMPTS):
        site = slow.fresh("kept")
        slow.proxy.exchanges.clear()
        assert site.guest("alto").with_token(asking.token).rows("members?select=id")
        depths.append(serial_depth(slow.proxy.exchanges))
        site.services.close()
    assert min(depths) <= 2


def test_what_was_acknowledged_before_the_first_request_is_in_its_answer(stage: Stage) -> None:
    # Though listings lag by an object: the look beside the fetches finds the commit that they did not show.
    for number in range(3):
        stage.made.add_member(stage.choir, f"Late {number}")
        site = stage.fresh(f"lagging-{number}")
        with stage.proxy.breaking(Fault("stale", "LIST", "0000/", times=9)):
            names = {row["name"] for row in caller(stage, site, "token").rows("members?select=name")}
        assert f"Late {number}" in names
        site.services.close()


def test_a_name_that_was_given_before_the_first_request_is_found(stage: Stage) -> None:
    site = stage.fresh("first")
    assert site.guest("nowhere").get("members").status == 404
    choir = make_choir(stage.made, "tenor")
    assert site.guest("tenor").get("members").status == 200, "one that is not known is looked up at once"
    assert site.guest("tenor").with_token(person_token(stage.made.services, choir)).rows("members?select=id")
    site.services.close()


def test_a_warm_process_makes_one_look_for_a_current_read_and_none_for_another(stage: Stage) -> None:
    site = stage.fresh("warm")
    asking = caller(stage, site, "person")
    asking.rows("members?select=id")
    for headers, calls in (({}, 1), ({"x_d1_bookmark": "first-unconstrained"}, 0)):
        for _ in range(3):
            stage.proxy.exchanges.clear()
            answer = asking.get("members?select=id", **headers)
            assert answer.status == 200
            of_vault = [found for found in stage.proxy.exchanges if stage.choir.entry.id in found.key]
            assert [found.method for found in of_vault] == ["GET"] * calls
    stage.made.add_member(stage.choir, "Somebody")
    assert "Somebody" in {row["name"] for row in asking.rows("members?select=name")}
    site.services.close()
