"""A name for an organization of an association: one vault gets it, whoever dies or races in between."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from db.clock import Moment
from db.errors import CommitUnknown
from db.registry.directory import find_slug
from db.registry.slugs import add_slug
from db.vault.vault import Vault
from handlers.public import address
from handlers.rest import verbs
from handlers.upkeep.rounds import run_due
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import OPERATOR, Caller, Choir, Site, error_of, make_choir, refused

NEW = {"name": "Meretuul", "type": "collective", "contact_email": "m@meretuul.example"}


def union(site: Site, slug: str = "union") -> tuple[Choir, Caller]:
    made = make_choir(site, slug, type="umbrella")
    return made, site.sign_in(slug, made.owner)


def register(board: Caller, slug: str = "meretuul", **more: str) -> Answer:
    return board.call("organization.register", subdomain=slug, **{**NEW, **more})


def leads_to(site: Site, slug: str = "meretuul") -> tuple[str, str] | None:
    """The vault and the organization a name leads to."""
    found = site.services.registry_read(lambda tx: find_slug(tx, slug), current=True)
    return None if found is None else (found.id, found.scope)


def held(site: Site) -> int:
    count: int = site.services.registry_read(lambda tx: tx.value("SELECT count(*) FROM slug_reservations"))
    return count


def settle(site: Site) -> dict[str, int]:
    deadline = Moment(site.clock().ms + 60_000)
    return run_due(site.services, jobs=["names"], deadline=deadline).jobs["names"].sums


def test_a_registered_organization_answers_at_its_name_at_once(site):
    made, board = union(site)
    org_id = register(board, " MereTuul ").json()["id"]
    assert leads_to(site) == (made.entry.id, org_id)
    assert site.sign_in("meretuul", NEW["contact_email"]).rows("organizations?select=id") == [{"id": org_id}]
    assert held(site) == 0


@pytest.mark.parametrize(
    ("slug", "status", "details"), [("aurora", 409, "taken"), ("docs", 409, "reserved"), ("union", 409, "taken")]
)
def test_a_name_of_another_vault_is_refused_and_nothing_is_written(site, slug, status, details):
    make_choir(site, "aurora")
    made, board = union(site)
    answer = register(board, slug)
    assert (answer.status, error_of(answer)["code"], error_of(answer)["details"]) == (status, "duplicate", details)
    assert len(site.vault_rows(made, "SELECT id FROM organizations")) == 1
    assert held(site) == 0


def test_a_malformed_name_is_refused_by_its_rule(site):
    _, board = union(site)
    body = error_of(register(board, "my_choir"))
    assert (body["code"], body["details"]) == ("invalid_input", "subdomain")
    assert "subdomain: 'my_choir' is not available" in body["message"]


def test_who_may_not_register_holds_no_name(site, monkeypatch):
    made, _ = union(site)
    site.add_member(made, "Adam", "adam@union.example", ["admin"])
    monkeypatch.setattr(address, "reserve_slug", None)
    assert refused(register(site.guest("union")))[0] == 401
    assert refused(register(site.sign_in("union", "adam@union.example"))) == (403, "forbidden")


def test_a_refused_registration_frees_the_name(site):
    choir = make_choir(site, "aurora")
    assert refused(register(site.sign_in("aurora", choir.owner))) == (403, "forbidden")
    assert (held(site), leads_to(site)) == (0, None)


def test_a_rehearsed_registration_keeps_no_name(site):
    _, board = union(site)
    answer = board.send("POST", "/rest/v1/rpc/organization.register", {**NEW, "subdomain": "meretuul"},
                        prefer="tx=rollback")  # fmt: skip
    assert answer.status == 200
    assert (held(site), leads_to(site)) == (0, None)


def test_a_repeat_under_its_key_gives_the_same_organization(site):
    made, board = union(site)
    body = {**NEW, "subdomain": "meretuul"}
    first, again = (
        board.send("POST", "/rest/v1/rpc/organization.register", body, idempotency_key="k1") for _ in range(2)
    )
    assert first.json() == again.json()
    assert leads_to(site) == (made.entry.id, first.json()["id"])


def test_a_second_name_of_the_vault_is_not_taken_over(site):
    made, board = union(site)
    now = site.clock()
    site.services.registry_write(
        lambda tx: add_slug(tx, "meretuul", made.entry.id, made.entry.scope, now), OPERATOR, now
    )
    assert refused(register(board)) == (409, "duplicate")
    assert leads_to(site) == (made.entry.id, made.entry.scope)


def test_of_two_vaults_that_register_one_name_at_once_one_gets_it(site):
    boards = [union(site, f"union-{number}")[1] for number in range(4)]
    start = threading.Barrier(len(boards))
    answers: list[Answer] = []

    def go(board: Caller) -> None:
        start.wait()
        answers.append(register(board))

    threads = [threading.Thread(target=go, args=(board,)) for board in boards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    won = next(answer.json()["id"] for answer in answers if answer.status == 200)
    found = leads_to(site)
    assert found is not None
    assert found[1] == won
    assert held(site) == 0


def test_while_one_vault_writes_another_cannot_have_the_name(site, monkeypatch):
    first, board = union(site, "union-a")
    _, other = union(site, "union-b")
    before: list[Answer] = []
    write = Vault.write

    def interrupted(vault, work, *args, **kwargs):
        if vault.id == first.entry.id and not before:
            with ThreadPoolExecutor(1) as beside:
                before.append(beside.submit(register, other).result())
                before.append(beside.submit(site.client.request, "GET", "/public/v1/slugs/meretuul").result())
        return write(vault, work, *args, **kwargs)

    monkeypatch.setattr(Vault, "write", interrupted)
    assert register(board).status == 200
    assert refused(before[0]) == (409, "duplicate")
    assert before[1].json() == {"available": False, "reason": "taken"}


def test_a_writer_that_dies_after_its_commit_leaves_a_name_that_maintenance_gives(site, monkeypatch):
    made, board = union(site)
    _, other = union(site, "union-b")
    monkeypatch.setattr(address, "settle_address", lambda *_, **__: False)
    org_id = register(board).json()["id"]
    assert (held(site), leads_to(site)) == (1, None)
    monkeypatch.undo()
    assert refused(register(other)) == (409, "duplicate")
    site.clock.tick(61)
    assert settle(site) == {"settled": 1}
    assert leads_to(site) == (made.entry.id, org_id)
    assert held(site) == 0


def test_a_writer_that_dies_before_its_commit_holds_the_name_for_an_hour(site, monkeypatch):
    _, board = union(site)
    _, other = union(site, "union-b")

    def unknown(*_, **__):
        raise CommitUnknown("nobody can tell")

    monkeypatch.setattr("handlers.rest.verbs.written", unknown)
    assert register(board).status == 500
    monkeypatch.undo()
    assert held(site) == 1
    site.clock.tick(61)
    assert settle(site) == {"held": 1}
    assert refused(register(other)) == (409, "duplicate")
    site.clock.tick(3600)
    assert settle(site) == {"settled": 1}
    assert register(site.sign_in("union-b", "owner@union-b.example")).status == 200


def test_who_died_may_try_again_at_once(site, monkeypatch):
    made, board = union(site)

    def unknown(*_, **__):
        raise CommitUnknown("nobody can tell")

    monkeypatch.setattr("handlers.rest.verbs.written", unknown)
    register(board)
    monkeypatch.undo()
    org_id = register(board).json()["id"]
    assert leads_to(site) == (made.entry.id, org_id)
    site.clock.tick(7200)
    assert settle(site) == {"settled": 1}
    assert (held(site), leads_to(site)) == (0, (made.entry.id, org_id))


def test_a_write_that_comes_too_late_for_its_name_is_refused(site, monkeypatch):
    made, board = union(site)
    write = Vault.write

    def late(vault, work, *args, **kwargs):
        if vault.id == made.entry.id:
            site.clock.tick(1801)
        return write(vault, work, *args, **kwargs)

    monkeypatch.setattr(Vault, "write", late)
    assert refused(register(board)) == (503, "contended")
    monkeypatch.undo()
    assert (held(site), leads_to(site)) == (0, None)


def a_month_passes(site: Site) -> None:
    site.clock.tick(30 * 86400 + 61)


def delete(caller: Caller, slug: str = "aurora", **headers: str) -> Answer:
    return caller.send("POST", "/rest/v1/rpc/organization.delete", {"subdomain": slug}, **headers)


def test_the_name_of_a_deleted_organization_is_free_after_30_days(site):
    choir = make_choir(site, "aurora")
    union(site)
    assert delete(site.sign_in("aurora", choir.owner)).status == 200
    site.clock.tick(29 * 86400)
    assert settle(site) == {}
    assert refused(register(site.sign_in("union", "owner@union.example"), "aurora")) == (409, "duplicate")
    site.clock.tick(86400 + 61)
    assert settle(site) == {"settled": 1}
    assert (held(site), leads_to(site, "aurora")) == (0, None)
    assert register(site.sign_in("union", "owner@union.example"), "aurora").status == 200


def test_an_organization_that_came_back_has_kept_its_name(site):
    choir = make_choir(site, "aurora")
    rows = site.vault_rows(choir, "SELECT id, name, subdomain, type, contact_email FROM organizations")
    delete(site.sign_in("aurora", choir.owner))
    site.vault_write(choir, lambda tx: tx.insert("organizations", **rows[0]))
    a_month_passes(site)
    assert settle(site) == {"settled": 1}
    assert leads_to(site, "aurora") == (choir.entry.id, choir.entry.scope)


def test_one_organization_of_an_association_gives_up_its_own_name_alone(site):
    made, board = union(site)
    assert register(board).status == 200
    delete(site.sign_in("meretuul", NEW["contact_email"]), "meretuul")
    a_month_passes(site)
    assert settle(site) == {"settled": 1}
    assert (leads_to(site), leads_to(site, "union")) == (None, (made.entry.id, made.entry.scope))


@pytest.mark.parametrize(("slug", "headers"), [("wrong", {}), ("aurora", {"prefer": "tx=rollback"})])
def test_a_deletion_that_does_not_happen_leaves_no_mark(site, slug, headers):
    choir = make_choir(site, "aurora")
    assert delete(site.sign_in("aurora", choir.owner), slug, **headers).status in (200, 400)
    assert held(site) == 0
    assert refused(delete(site.guest("aurora"))) == (401, "not_authenticated")
    assert held(site) == 0


@pytest.mark.parametrize("committed", [True, False])
def test_a_deletion_whose_process_dies_gives_up_the_name_exactly_if_it_happened(site, monkeypatch, committed):
    choir = make_choir(site, "aurora")
    owner = site.sign_in("aurora", choir.owner)
    written = verbs.written

    def dies(*args, **kwargs):
        if committed:
            written(*args, **kwargs)
        raise CommitUnknown("nobody can tell")

    monkeypatch.setattr(verbs, "written", dies)
    assert delete(owner).status == 500
    monkeypatch.undo()
    assert held(site) == 1
    a_month_passes(site)
    assert settle(site) == {"settled": 1}
    assert leads_to(site, "aurora") == (None if committed else (choir.entry.id, choir.entry.scope))
