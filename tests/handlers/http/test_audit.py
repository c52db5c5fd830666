"""The audit log behind HTTP: who wrote, by which door, and nothing personal in it."""

from typing import Any

from tests.handlers.http.site import REST, Choir, Site, make_choir

LIIS, KADRI = "liis@aurora.example", "kadri@x.example"
_NEWEST = """
SELECT actor, actor_kind, request_id, verb, operation, table_name, old_values, new_values
  FROM vaultry_audit ORDER BY seq DESC LIMIT :count
"""


def newest(site: Site, choir: Choir, count: int = 1) -> list[dict[str, Any]]:
    """The last rows of the vault's log, the newest first."""
    return site.vault_rows(choir, _NEWEST, count=count)


def by(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in ("actor", "actor_kind", "verb", "operation", "table_name")) for row in rows]


def registry(site: Site, count: int = 50) -> list[dict[str, Any]]:
    return [dict(row) for row in site.services.registry_read(lambda tx: tx.rows(_NEWEST, count=count))]


def scene(site: Site) -> Choir:
    return make_choir(site, "aurora", owner=LIIS)


def test_a_write_over_rest_is_the_members(site):
    choir = scene(site)
    liis = site.sign_in("aurora", LIIS)
    member_id = liis.rows("members?select=id")[0]["id"]
    liis.add("works", {"title": "Locus iste"}, x_request_id="req-1")
    (row,) = newest(site, choir)
    assert by([row]) == [(member_id, "person", "post.works", "insert", "works")]
    assert row["request_id"] == "req-1"
    assert "Locus iste" in row["new_values"]
    liis.send("PATCH", f"{REST}/works?title=eq.Locus%20iste", {"title": "Os justi"})
    (row,) = newest(site, choir)
    assert by([row]) == [(member_id, "person", "patch.works", "update", "works")]
    assert ("Locus iste" in row["old_values"], "Os justi" in row["new_values"]) == (True, True)
    liis.done("role.grant", member_id=member_id, role="librarian")
    liis.send("DELETE", f"{REST}/works?title=eq.Os%20justi")
    assert by(newest(site, choir)) == [(member_id, "person", "delete.works", "delete", "works")]


def test_a_verb_is_the_members_and_named(site):
    choir = scene(site)
    liis = site.sign_in("aurora", LIIS)
    member_id = liis.rows("members?select=id")[0]["id"]
    liis.done("work.create", title="Locus iste")
    assert by(newest(site, choir)) == [(member_id, "person", "work.create", "insert", "works")]


def test_a_token_writes_in_its_own_name(site):
    choir = scene(site)
    door = site.guest("aurora")
    for role, of in (("librarian", choir), (None, None)):
        caller = door.with_token(site.api_token(of, role))
        caller.add("works", {"title": "x"})
        caller.done("work.create", title="y")
        kind = "token" if of else "operator"
        rows = newest(site, choir, 2)
        assert [row["verb"] for row in rows] == ["work.create", "post.works"]
        assert {row["actor_kind"] for row in rows} == {kind}
        assert len({row["actor"] for row in rows}) == 1
        assert rows[0]["actor"].startswith("token:")


def test_who_accepts_an_invitation_is_known_by_the_account(site):
    choir = scene(site)
    invite = site.sign_in("aurora", LIIS).done("invite.create", name="Kadri")
    session = site.session("aurora", KADRI, invite_token=invite["token"])
    rows = [row for row in newest(site, choir, 20) if row["verb"] == "invite.accept"]
    assert {row["actor"] for row in rows} == {f"account:{session['user']['id']}"}
    assert {row["table_name"] for row in rows} == {"members", "member_organizations", "invites"}


def test_a_sign_in_is_in_the_registrys_log(site):
    scene(site)
    session = site.session("aurora", LIIS)
    account = session["user"]["id"]
    written = {(row["actor"], row["verb"], row["table_name"]) for row in registry(site)}
    assert {
        ("guest", "auth.request_code", "email_codes"),
        ("guest", "auth.verify_code", "accounts"),
        (account, "auth.session", "sessions"),
    } <= written
    liis = site.guest("aurora").with_token(session["access_token"])
    liis.auth("user", {"data": {"name": "Liis"}}, "PUT")
    liis.auth("logout")
    assert {("auth.update_user", account), ("auth.sign_out", account)} <= {
        (row["verb"], row["actor"]) for row in registry(site, 5)
    }


def test_a_refused_write_leaves_no_trace(site):
    choir = scene(site)
    site.add_member(choir, "Kadri", KADRI)
    kadri = site.sign_in("aurora", KADRI)
    before = newest(site, choir, 100)
    kadri.add("works", {"title": "x"})
    kadri.call("work.create", title="x")
    site.guest("aurora").add("works", {"title": "x"})
    assert newest(site, choir, 100) == before


def test_no_log_holds_an_address_a_code_or_a_token(site, caplog):
    caplog.set_level("DEBUG")
    choir = scene(site)
    member_id = site.add_member(choir, "Kadri Kask", KADRI)
    session = site.session("aurora", KADRI)
    kadri = site.guest("aurora").with_token(session["access_token"])
    kadri.auth("user", {"password": "cello and oboe", "data": {"name": "Kadri Kask"}}, "PUT")
    site.guest("aurora").auth("token?grant_type=refresh_token", {"refresh_token": session["refresh_token"]})
    site.guest("aurora").auth("verify", {"email": KADRI, "token": "000000"})
    kadri.get(f"members?email_id=eq.{KADRI}&nothing=eq.{KADRI}")
    kadri.call("member.get", member_id=member_id, surname="Kask")
    secrets = [KADRI, site.code(KADRI), session["access_token"], session["refresh_token"], "cello and oboe"]
    kept = str(newest(site, choir, 1000)) + str(registry(site, 1000))
    assert [secret for secret in secrets if secret in kept] == []
    assert [secret for secret in [*secrets, "Kask"] if secret in caplog.text] == []
