"""Anybody opens a choir where the platform lets them: who proves the mailbox gets the name, whoever dies meanwhile."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from db.clock import Moment
from db.errors import CommitUnknown, Unavailable
from db.registry.directory import find_slug
from handlers.public import registering
from handlers.upkeep.rounds import run_due
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import Site, error_of, make_choir, make_sister, make_site, refused

PATH = "/public/v1/choir/organization.register"
BOARD = "board@harmonia.example"
HARMONIA = {"name": "Harmonia", "subdomain": "harmonia", "type": "collective", "contact_email": BOARD}


@pytest.fixture
def site(tmp_path, clock):
    site = make_site(tmp_path, clock, registrations="3", public_writes="20", proxies="1")
    yield site
    site.services.close()


def ask(site: Site, network: int = 1, **changed: Any) -> Answer:
    headers = {"x-forwarded-for": f"192.0.2.{network}"}
    return site.client.request("POST", PATH, body={**HARMONIA, **changed}, headers=headers)


def opened(site: Site, **changed: Any) -> Answer:
    """Asked for, and the code of the mail sent back."""
    asked = ask(site, **changed)
    assert asked.status == 202, asked.text
    return ask(site, **changed, code=site.code(changed.get("contact_email", BOARD).strip().lower()))


def vaults(site: Site) -> int:
    """Every vault in the store but the registry, in the directory or not."""
    return len([path for path in (site.folder / "store" / "vaults").glob("*") if path.name != "registry"])


def count(site: Site, sql: Any) -> int:
    found: int = site.services.registry_read(lambda tx: tx.value(sql))
    return found


def test_a_choir_is_opened_by_whoever_has_the_mailbox(site):
    assert site.client.request("GET", "/public/v1/slugs/harmonia").json() == {"available": True}
    asked = ask(site, subdomain=" Harmonia ")
    assert (asked.status, asked.json()["status"], asked.json()["subdomain"]) == (202, "code_sent", "harmonia")
    assert (vaults(site), len(site.mails(BOARD))) == (0, 1)
    made = ask(site, code=site.code(BOARD))
    assert made.status == 201
    token = made.json()["link"].rpartition("token_hash=")[2]
    session = site.guest("harmonia").auth("verify", {"type": "magiclink", "token_hash": token}).json()
    owner = site.guest("harmonia").with_token(session["access_token"])
    (member,) = owner.done("member.list")
    assert (member["name"], member["registered"], member["roles"]) == (BOARD, True, ["owner"])
    voices, sections = owner.rows("voices"), owner.rows("sections")
    assert (len(voices), sum(row["is_active"] for row in voices)) == (13, 5)
    assert (len(sections), sum(row["is_active"] for row in sections)) == (13, 5)
    assert sum(row["parent_section_id"] is not None for row in sections) == 8
    assert owner.rows("vault_settings?select=key,value") == [{"key": "default_event_duration", "value": "120"}]
    assert owner.rows("organizations?select=id,type") == [{"id": made.json()["id"], "type": "collective"}]
    listed = site.client.request("GET", "/public/v1/choir/organization.list_public").json()
    assert [line["subdomain"] for line in listed] == ["harmonia"]


def test_a_second_registration_of_a_name_is_refused_and_changes_nothing(site):
    opened(site)
    before = vaults(site)
    answer = ask(site, subdomain="Harmonia", contact_email="other@x.example")
    assert (answer.status, error_of(answer)["code"], error_of(answer)["details"]) == (409, "duplicate", "taken")
    assert (vaults(site), site.mails("other@x.example")) == (before, [])


@pytest.mark.parametrize(
    ("changed", "status", "code", "details"),
    [
        ({"subdomain": "docs"}, 409, "duplicate", "reserved"),
        ({"subdomain": "ha"}, 400, "invalid_input", "subdomain"),
        ({"subdomain": "a" * 31}, 400, "invalid_input", "subdomain"),
        ({"subdomain": "harmonia-"}, 400, "invalid_input", "subdomain"),
        ({"subdomain": None}, 400, "invalid_input", "subdomain"),
        ({"type": "choir"}, 400, "invalid_input", "type"),
        ({"name": "  "}, 400, "invalid_input", "name"),
        ({"contact_email": "anna@tamm"}, 400, "invalid_input", "contact_email"),
        ({"owner": "x"}, 400, "invalid_input", "owner"),
    ],
)
def test_what_is_wrong_is_said_before_any_mail(site, changed, status, code, details):
    answer = ask(site, **changed)
    assert (answer.status, error_of(answer)["code"], error_of(answer)["details"]) == (status, code, details)
    assert (vaults(site), site.mails(BOARD)) == (0, [])


def test_a_platform_opens_nothing_on_request_unless_it_says_so(tmp_path, clock):
    site = make_site(tmp_path, clock)
    assert refused(ask(site)) == (403, "registration_off")
    assert site.mails(BOARD) == []
    for path in ("/public/v1/band/organization.register", "/public/v1/choir/work.create"):
        assert refused(site.client.request("POST", path, body={})) == (404, "no_route")
    site.services.close()


def test_a_code_opens_what_it_was_asked_for_and_lives_five_minutes(site, clock):
    ask(site)
    code = site.code(BOARD)
    assert refused(ask(site, code=code, subdomain="melodia")) == (401, "code_invalid")
    assert refused(ask(site, code=code, contact_email="other@x.example")) == (401, "code_invalid")
    clock.tick(300)
    assert refused(ask(site, code=code)) == (401, "code_expired")
    assert vaults(site) == 0


def test_five_wrong_guesses_end_every_code_of_the_address(site):
    ask(site)
    ask(site, subdomain="melodia")
    codes = [mail["Subject"][:6] for mail in site.mails(BOARD)]
    wrong = next(text for text in ("000000", "000001", "000002") if text not in codes)
    assert [ask(site, code=wrong).status for _ in range(5)] == [401] * 5
    assert refused(ask(site, code=codes[0])) == (401, "code_invalid")
    assert refused(ask(site, code=codes[1], subdomain="melodia")) == (401, "code_invalid")


def test_mails_to_an_address_and_asking_from_a_network_have_limits(tmp_path, clock):
    site = make_site(tmp_path, clock, registrations="3", public_writes="6", proxies="1")
    assert [ask(site, 1).status for _ in range(6)] == [202] * 5 + [429]
    assert ask(site, 1, contact_email="other@x.example").status == 202
    assert refused(ask(site, 1, contact_email="third@x.example")) == (429, "rate_limited")
    assert ask(site, 2, contact_email="third@x.example").status == 202
    site.services.close()


def test_so_many_are_opened_in_a_day_and_the_code_stays_good_for_another(site, clock):
    for number in range(3):
        assert opened(site, subdomain=f"choir-{number}", contact_email=f"c{number}@x.example").status == 201
    answer = opened(site)
    assert refused(answer) == (429, "rate_limited")
    assert vaults(site) == 3
    clock.tick(86400)
    assert opened(site).status == 201


def test_of_two_who_want_a_name_the_first_to_prove_a_mailbox_gets_it(site):
    ask(site)
    assert opened(site, contact_email="other@x.example").status == 201
    answer = ask(site, code=site.code(BOARD))
    assert (answer.status, error_of(answer)["details"]) == (409, "taken")
    assert vaults(site) == 1


def test_of_several_at_once_one_gets_the_name_and_the_rest_leave_nothing(site):
    emails = [f"c{number}@x.example" for number in range(3)]
    for email in emails:
        ask(site, contact_email=email)
    start, answers = threading.Barrier(3), []

    def go(email: str) -> None:
        start.wait()
        answers.append(ask(site, contact_email=email, code=site.code(email)))

    threads = [threading.Thread(target=go, args=(email,)) for email in emails]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [201, 409, 409]
    assert vaults(site) == 1
    assert count(site, "SELECT count(*) FROM scratch_vaults") == 0


def test_a_name_that_an_association_registers_meanwhile_is_taken(site):
    ask(site)
    union = make_choir(site, "union", type="umbrella")
    make_sister(site, union, "harmonia", "m@x.example")
    assert refused(ask(site, code=site.code(BOARD))) == (409, "duplicate")


def test_the_same_request_again_gives_the_same_choir(site):
    ask(site)
    code = site.code(BOARD)
    first, again = ask(site, code=code), ask(site, code=code)
    assert (first.status, again.status, vaults(site)) == (201, 201, 1)
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize("dies", ["prepare_vault", "enter_registration", "create_link_token"])
def test_who_is_interrupted_sends_the_code_again(site, clock, monkeypatch, dies):
    ask(site)
    code = site.code(BOARD)

    def killed(*_: Any, **__: Any) -> None:
        raise CommitUnknown("the process is gone")

    monkeypatch.setattr(registering, dies, killed)
    assert ask(site, code=code).status == 500
    monkeypatch.undo()
    assert site.services.registry_read(lambda tx: find_slug(tx, "harmonia")) is None
    clock.tick(600)
    assert ask(site, code=code).status == 201
    clock.tick(3601)
    run_due(site.services, jobs=["sweep"], deadline=Moment(clock().ms + 60_000))
    assert vaults(site) == 1
    assert site.sign_in("harmonia", BOARD).get("works").status == 200


def test_a_refusal_half_way_leaves_nothing(site, monkeypatch):
    ask(site)

    def slow(*_: Any, **__: Any) -> None:
        raise Unavailable("the store is away")

    monkeypatch.setattr(registering, "create_vault_entry", slow)
    assert ask(site, code=site.code(BOARD)).status == 503
    assert (vaults(site), count(site, "SELECT count(*) FROM scratch_vaults")) == (0, 0)


def test_an_attempt_that_another_one_overtook_does_not_enter(site, monkeypatch):
    ask(site)
    code = site.code(BOARD)
    prepare = registering.prepare_vault
    other: list[Answer] = []

    def overtaken(*args: Any) -> Any:
        made = prepare(*args)
        monkeypatch.setattr(registering, "prepare_vault", prepare)
        with ThreadPoolExecutor(1) as beside:
            other.append(beside.submit(ask, site, code=code).result())
        return made

    monkeypatch.setattr(registering, "prepare_vault", overtaken)
    assert refused(ask(site, code=code)) == (503, "contended")
    assert other[0].status == 201
    assert ask(site, code=code).json()["id"] == other[0].json()["id"]
    assert vaults(site) == 1


def test_what_was_asked_for_is_forgotten_after_a_day(site, clock):
    ask(site)
    clock.tick(86400 + 301)
    run_due(site.services, jobs=["tokens"], deadline=Moment(clock().ms + 60_000))
    assert count(site, "SELECT count(*) FROM registrations") == 0


def test_neither_the_log_nor_the_audit_says_who_asked(site, caplog):
    opened(site)
    assert BOARD not in caplog.text
    assert site.code(BOARD) not in caplog.text
    rows = site.services.registry_read(
        lambda tx: tx.rows("SELECT new_values FROM vaultry_audit WHERE table_name = 'registrations'")
    )
    values = [json.loads(row["new_values"]) for row in rows if row["new_values"]]
    assert values
    assert not any(re.fullmatch("[0-9a-f]{64}", str(text)) for told in values for text in told.values())


def test_the_mail_holds_no_word_of_a_stranger(site):
    ask(site, name="You won! https://evil.example")
    text = site.mails(BOARD)[0].get_content()
    assert "evil" not in text
    assert "code to open harmonia" in text
