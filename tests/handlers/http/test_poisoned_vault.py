"""A vault whose migration failed, or was taken back, at the doors of a running server."""

import pytest

from db.schema.migrate import MigrationSet, Step
from db.vault.opening import Kind
from handlers.fleet.reversal import revert, select_vault
from handlers.fleet.rollout import Wish, begin_or_resume, work_on
from handlers.fleet.status import fleet_status
from handlers.services import Services
from tests.handlers.http.site import OPERATOR, error_of, make_choir, make_site

TITLES = "CREATE UNIQUE INDEX idx_works_one_title ON works (title)"


def quiet(label, done, total):
    """Nobody watches."""


@pytest.fixture
def next_release(monkeypatch):
    """The code goes on with a step that refuses two works of one title; call it to begin."""
    real = Services.kind

    def begin():
        def kind(services, charter):
            known = real(services, charter)
            *before, last = known.sets
            step = Step(last.name, len(last.steps) + 1, "one_title", TITLES, "0" * 64, foreign_keys=True)
            return Kind((*before, MigrationSet(last.name, (*last.steps, step))), known.redacted, known.unaudited)

        monkeypatch.setattr(Services, "kind", kind)

    return begin


@pytest.fixture
def poisoned(site, next_release):
    """The owner of a choir that the step fails for, at a server of the next release."""
    choir = make_choir(site, "bella")
    for _ in range(2):
        site.sign_in("bella", choir.owner).add("works", {"title": "Os justi"})
    next_release()
    site = site.restart()
    yield site, site.sign_in("bella", choir.owner)
    site.services.close()


def beside(site):
    """Another process over the same store, while the server runs."""
    return make_site(site.folder, site.clock).services


def roll(site):
    """An operator's roll, in a process of its own."""
    site.clock.tick(60)
    services = beside(site)
    rollout = begin_or_resume(services, Wish(rings="all", error_budget="1", new=True), OPERATOR)
    assert rollout is not None
    work_on(services, rollout, OPERATOR, 1, quiet)
    services.close()


def assert_read_only(owner, code, words):
    """Rows can be read; a write says why not, and when to come again."""
    assert len(owner.rows("works?select=title")) == 2
    for answer in (
        owner.add("works", {"title": "Locus iste"}),
        owner.send("PATCH", "/rest/v1/works?title=eq.Os%20justi", {"composer": "Bruckner"}),
        owner.send("DELETE", "/rest/v1/works?title=eq.Os%20justi"),
        owner.call("member.add_roster", name="Anna"),
    ):
        assert answer.status == 503, answer.text
        assert answer.header("retry-after") == "60"
        error = error_of(answer)
        assert error["code"] == code
        assert words in error["message"]
    assert len(owner.rows("works?select=title")) == 2


def test_a_poisoned_vault_answers_reads_and_says_for_writes_which_step_failed(poisoned):
    _site, owner = poisoned
    assert_read_only(owner, "migration_failed", "_one_title: UNIQUE constraint failed: works.title")


def test_a_poisoned_vault_is_listed(poisoned):
    site, _owner = poisoned
    roll(site)
    found = fleet_status(site.services)
    assert [(row.slug, row.error_code) for row in found.failed] == [("bella", "migration_failed")]
    assert [known.slug for known in found.refusing] == ["bella"]


def test_a_running_server_takes_writes_again_once_the_data_is_mended_and_rolled(poisoned):
    site, owner = poisoned
    assert owner.add("works", {"title": "Locus iste"}).status == 503
    services = beside(site)
    with services.vault(services.entry("bella")) as vault:
        mend = "DELETE FROM works WHERE id = (SELECT min(id) FROM works)"
        vault.alter(lambda connection: connection.execute(mend).rowcount == 1)
    services.close()
    roll(site)
    assert owner.add("works", {"title": "Locus iste"}).status == 201


def test_a_vault_taken_back_under_a_running_server_is_read_only_until_the_next_roll(site, next_release):
    choir = make_choir(site, "bella")
    owner = site.sign_in("bella", choir.owner)
    for title in ("Os justi", "Ave verum"):
        owner.add("works", {"title": title})
    next_release()
    site = site.restart()
    owner = site.sign_in("bella", choir.owner)
    roll(site)
    assert owner.add("works", {"title": "Locus iste"}).status == 201
    services = beside(site)
    selection = select_vault(services, "bella")
    assert [done.need for done in revert(services, selection, OPERATOR, 1, quiet)] == ["revert"]
    services.close()
    assert_read_only(owner, "migration_held", "_one_title was taken back at ")
    roll(site)
    assert owner.add("works", {"title": "Locus iste"}).status == 201
    site.services.close()
