"""x-d1-bookmark over HTTP: every answer carries one, a reader asks for what it wrote, and no foreign one passes."""

import re

import pytest
from starlette.routing import Route

from tests.handlers.http.site import REST, Caller, Site, error_of, make_choir, make_site, refused
from tests.handlers.http.test_isolation import PROBES


def scene(site: Site, slug: str = "aurora") -> Caller:
    return site.sign_in(slug, make_choir(site, slug).owner)


def test_every_read_and_write_carries_a_bookmark_and_writes_move_it_on(site):
    owner = scene(site)
    marks = [
        owner.get("works").header("x-d1-bookmark"),
        owner.add("works", {"title": "A"}).header("x-d1-bookmark"),
        owner.call("work.create", title="B").header("x-d1-bookmark"),
        owner.send("PATCH", f"{REST}/works?title=eq.A", {"title": "C"}).header("x-d1-bookmark"),
    ]
    assert marks == sorted(set(marks))
    assert owner.get("works").header("x-d1-bookmark") == owner.call("work.list").header("x-d1-bookmark") == marks[-1]


def test_an_error_tells_the_commit_at_which_it_was_one(site):
    owner = scene(site)
    mark = owner.add("works", {"title": "A"}).header("x-d1-bookmark")
    wrong = [
        owner.get("works?select=nope"),
        owner.get("works?title=eq.B", accept="application/vnd.pgrst.object+json"),
        owner.add("works", {"title": ""}),
        owner.call("work.get", work_id="none"),
        site.guest("aurora").add("works", {"title": "B"}),
    ]
    assert {answer.status for answer in wrong} == {400, 401, 404, 406}
    assert [answer.header("x-d1-bookmark") for answer in wrong if answer.header("x-d1-bookmark") != mark] == []


def test_a_process_that_lags_reads_its_own_copy_or_catches_up_as_asked(site, tmp_path, clock):
    owner = scene(site)
    other = make_site(tmp_path, clock, cache=str(tmp_path / "other-cache"))
    try:
        there = Caller(other.client, "aurora", owner.token)
        assert there.rows("works") == []
        mark = owner.add("works", {"title": "Locus iste"}).header("x-d1-bookmark")
        assert there.get("works", x_d1_bookmark="first-unconstrained").json() == []
        assert len(there.get("works", x_d1_bookmark=mark).json()) == 1
        assert len(there.get("works", x_d1_bookmark="first-unconstrained").json()) == 1
        owner.add("works", {"title": "Os justi"})
        assert len(there.get("works", x_d1_bookmark=mark).json()) == 1
        assert len(there.get("rpc/work.list", x_d1_bookmark="first-primary").json()) == 2
    finally:
        other.services.close()


@pytest.mark.parametrize("wish", ["garbage", "1", "first-second", "0" * 59, "'; DROP TABLE works"])
def test_a_bookmark_that_is_none_is_refused(site, wish):
    owner = scene(site)
    for read in ("works", "rpc/work.list"):
        assert refused(owner.get(read, x_d1_bookmark=wish)) == (400, "bookmark_invalid")


def test_a_bookmark_ahead_of_the_vault_is_refused(site):
    owner = scene(site)
    mark = owner.get("works").header("x-d1-bookmark")
    ahead = f"00000000-00ffffff-{mark[18:]}"
    assert refused(owner.get("works", x_d1_bookmark=ahead)) == (400, "bookmark_ahead")


def test_a_bookmark_of_another_vault_is_refused(site):
    ours, theirs = scene(site), scene(site, "harmonia")
    at_one_commit = theirs.get("works").header("x-d1-bookmark")
    assert refused(ours.get("works", x_d1_bookmark=at_one_commit)) == (400, "bookmark_unknown")
    for door in (theirs, ours, ours):
        # Behind, level with and ahead of this vault: nobody else's bookmark is good here.
        door.add("works", {"title": "Locus iste"})
        answer = ours.get("works", x_d1_bookmark=theirs.get("works").header("x-d1-bookmark"))
        assert refused(answer) == (400, "bookmark_unknown")
        assert "harmonia" not in error_of(answer)["message"]


# Refused, or answered, before anybody looks into the vault: a method, a link that is no link, a form of no page of
# ours, a protocol's version.
LOOKS_AT_NO_VAULT = re.compile(
    r"OPTIONS .*|(GET|HEAD) /\{vault\}/docs|(PUT|PATCH|DELETE) /\{vault\}/rest/v1/rpc/\{verb\}"
    r"|(GET|HEAD) /\{vault\}/storage/v1/(object/sign|render/image)/.*|DELETE /\{vault\}/storage/v1/cdn/.*"
    r"|\w+ /\{vault\}/storage/v1/upload/resumable.*|(POST|PUT) /\{vault\}/storage/v1/object/upload/direct/.*"
    r"|PUT /\{vault\}/storage/v1/object/upload/sign/.*|POST /\{vault\}/invite/accept"
)


def test_every_route_of_a_vault_carries_a_bookmark_that_the_vault_takes(site):
    """Signing in is the registry's: its commits mean nothing to a vault, so those answers carry none."""
    owner = scene(site, "harmonia")
    served = {
        (method, route.path)
        for route in site.client.app.routes
        if isinstance(route, Route) and route.path.startswith("/{vault}")
        for method in route.methods or ()
    }
    held = 0
    for method, path in sorted(served):
        if (method, path) not in PROBES or "/auth/v1/" in path or LOOKS_AT_NO_VAULT.fullmatch(f"{method} {path}"):
            continue
        probe = PROBES[method, path][0]
        mark = owner.send(method, probe.path, probe.body).header("x-d1-bookmark")
        assert mark is not None, (method, path)
        assert owner.get("works?limit=0", x_d1_bookmark=mark).status == 200, (method, path)
        held += 1
    assert held > 20
