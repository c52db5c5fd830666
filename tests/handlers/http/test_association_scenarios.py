"""An association over HTTP: affiliations, what an umbrella sees and shares, what storage costs; settings, languages."""

import pytest

from db.clock import Moment, timestamp_ms
from tests.handlers.http.shelves import JAAN, KADRI, LIIS, edition, make_aurora
from tests.handlers.http.site import make_choir, make_sister, refused
from tests.handlers.storage.desk import PDF, fetch, put

BOARD, OTHER, MERETUUL = "owner@union.example", "board@other.example", "owner@meretuul.example"
GB = 10**9


class Union:
    """The umbrella, Aurora and Meretuul in one vault; both are affiliated since they were registered."""

    def __init__(self, site):
        self.site = site
        self.choir = make_choir(site, "union", type="umbrella")
        self.sisters = {slug: make_sister(site, self.choir, slug, owner)
                        for slug, owner in (("aurora", LIIS), ("meretuul", MERETUUL))}  # fmt: skip

    @property
    def board(self):
        return self.site.sign_in("union", BOARD)

    def scope(self, slug):
        return self.sisters[slug].entry.scope

    def sing(self, slugs, count, prefix):
        """So many registered people, each in all of these choirs."""

        def add(tx):
            now = Moment(self.site.clock().ms)
            for number in range(count):
                member_id, email = now.new_id(), f"{prefix}{number}@x.example"
                tx.execute(
                    "INSERT INTO members (id, name, email_id, email_id_lookup)"
                    " VALUES (:id, :name, personal_seal('members.email_id', :email), personal_lookup(:email))",
                    id=member_id, name=f"{prefix} {number}", email=email)  # fmt: skip
                for slug in slugs:
                    tx.insert("member_organizations", member_id=member_id, org_id=self.scope(slug))

        self.site.vault_write(self.choir, add)

    def store(self, slug, size):
        """An edition in the choir's library whose file has so many bytes."""
        caller = self.site.sign_in(slug, {"aurora": LIIS, "meretuul": MERETUUL, "union": BOARD}[slug])
        made = edition(caller)
        self.site.vault_write(self.choir, lambda tx: tx.execute(
            "UPDATE editions SET file_size = :size, file_key = id WHERE id = :id", size=size, id=made))  # fmt: skip
        return made


@pytest.fixture
def union(site, clock):
    clock.at("2025-01-10T10:00:00Z")
    return Union(site)


def test_an_affiliation_keeps_its_history_and_gives_a_status(union, site, clock):
    meretuul = union.scope("meretuul")
    clock.at("2026-03-01T10:00:00Z")
    leaving = site.sign_in("meretuul", MERETUUL)
    ended = leaving.done("affiliation.end", umbrella_id=union.choir.entry.scope)
    assert ended["left_at"] == "2026-03-01T10:00:00.000Z"
    assert refused(union.board.call("affiliation.end", collective_id=meretuul)) == (404, "not_found")

    def status(at):
        clock.at(at)
        here = site.sign_in("meretuul", MERETUUL).done("affiliation.status")["status"]
        assert union.board.done("affiliation.status", collective_id=meretuul)["status"] == here
        return here

    assert [status("2026-03-20T10:00:00Z"), status("2026-03-31T09:59:59Z")] == ["grace", "grace"]
    assert [status("2026-03-31T10:00:00Z"), status("2026-04-15T10:00:00Z")] == ["independent", "independent"]
    clock.at("2026-09-01T10:00:00Z")
    board = union.board
    board.done("affiliation.create", collective_id=meretuul)
    assert refused(board.call("affiliation.create", collective_id=meretuul)) == (409, "active_affiliation")
    assert status("2026-09-02T10:00:00Z") == "affiliated"
    history = union.board.done("affiliation.history", collective_id=meretuul)
    assert [(line["joined_at"][:10], line["left_at"] and line["left_at"][:10]) for line in history] == [
        ("2026-09-01", None),
        ("2025-01-10", "2026-03-01"),
    ]
    assert [line["collective"] for line in union.board.done("affiliation.active")] == ["Aurora", "Meretuul"]


def test_affiliations_that_end_and_begin_within_one_millisecond_are_rows_of_their_own(union):
    meretuul, board = union.scope("meretuul"), union.board
    for _ in range(3):
        board.done("affiliation.end", collective_id=meretuul)
        board.done("affiliation.create", collective_id=meretuul)
        assert refused(board.call("affiliation.create", collective_id=meretuul)) == (409, "active_affiliation")
    history = board.done("affiliation.history", collective_id=meretuul)
    assert [line["left_at"] is None for line in history] == [True, False, False, False]
    assert len({line["joined_at"] for line in history}) == 4


def test_an_affiliation_joins_a_collective_to_the_umbrella_in_effect(union, site):
    board, liis = union.board, site.sign_in("aurora", LIIS)
    for wrong in ("nobody", union.choir.entry.scope):
        assert refused(board.call("affiliation.create", collective_id=wrong)) == (400, "invalid_input")
    assert refused(liis.call("affiliation.create", collective_id=union.scope("meretuul"))) == (403, "forbidden")
    assert refused(board.call("affiliation.history")) == (400, "invalid_input")
    for verb in ("umbrella.overview", "umbrella.public_events", "umbrella.storage_statement"):
        assert refused(liis.call(verb)) == (403, "forbidden")
    assert [line["umbrella"] for line in liis.rows("affiliations?select=umbrella:umbrella_id")] == [
        union.choir.entry.scope
    ]


def test_an_umbrella_sees_figures_and_public_events_only(union, site, clock):
    clock.at("2026-02-05T10:00:00Z")
    # The owners are members too.
    union.sing(["aurora"], 28, "a")
    union.sing(["meretuul"], 24, "m")
    union.sing(["aurora", "meretuul"], 3, "b")
    kinds = ["rehearsal"] * 9 + ["retreat"] + ["concert"] * 2
    aurora, meretuul = site.sign_in("aurora", LIIS), site.sign_in("meretuul", MERETUUL)
    own = next(member["id"] for member in aurora.done("member.list") if member["email_id"] == LIIS)
    aurora.done("role.grant", member_id=own, role="conductor")
    events = aurora.done("event.create_many", events=[
        {"title": f"{kind} {number}", "starts_at": f"2026-03-{number + 1:02d}T16:00:00Z", "event_type": kind,
         "location": "Hall", "description": "inner matters"}
        for number, kind in enumerate(kinds)])  # fmt: skip
    union.store("aurora", 1000)
    board = union.board
    overview = board.done("umbrella.overview")
    assert [(line["name"], line["member_count"], line["event_count"], line["active"]) for line in
            overview["collectives"]] == [("Aurora", 32, 12, True), ("Meretuul", 28, 0, False)]  # fmt: skip
    assert overview["totals"] == {
        "member_count": 57, "works_count": 1, "editions_count": 1, "event_count": 12,
        "storage_bytes": 1000}  # fmt: skip
    public = board.done("umbrella.public_events")
    assert [(line["title"], line["choir"]) for line in public] == [("concert 10", "Aurora"), ("concert 11", "Aurora")]
    assert "inner matters" not in str(public)
    assert refused(board.call("event.get", event_id=events[0]["id"])) == (404, "not_found")
    assert refused(board.call("member.get", member_id=own)) == (404, "not_found")
    assert board.rows("works") == board.rows("members?name=like.a*") == []
    assert refused(meretuul.call("event.get", event_id=events[0]["id"])) == (404, "not_found")
    aurora.done("affiliation.end", umbrella_id=union.choir.entry.scope)
    assert board.done("umbrella.public_events") == []
    assert board.done("umbrella.overview")["totals"]["member_count"] == 28


def test_a_collective_reads_the_umbrellas_material_while_it_is_affiliated(union, site):
    board, liis = union.board, site.sign_in("aurora", LIIS)
    invite = liis.done("invite.create", name="Kadri")
    kadri = site.guest("aurora").with_token(site.session("aurora", KADRI, invite_token=invite["token"])["access_token"])
    score = edition(board, "Festival mass", name="Vocal score")
    assert put(board, f"scores/{score}/mass.pdf", PDF).status == 200
    board.done("event.create_many", events=[
        {"title": "Song festival", "starts_at": "2026-07-01T10:00:00Z", "event_type": "festival"}])  # fmt: skip
    assert [event["title"] for event in kadri.done("shared.events")] == ["Song festival"]
    assert [(work["title"], [line["id"] for line in work["editions"]]) for work in kadri.done("shared.works")] == [
        ("Festival mass", [score])]  # fmt: skip
    place = kadri.done("shared.file", edition_id=score)
    assert fetch(kadri, f"{place['bucket']}/{place['path']}").body == PDF
    assert refused(kadri.call("work.update", work_id=kadri.done("shared.works")[0]["id"], title="x")) == (
        403, "forbidden")  # fmt: skip
    assert refused(liis.call("edition.update", edition_id=score, name="x")) == (404, "not_found")
    assert refused(site.guest("aurora").call("shared.works")) == (401, "not_authenticated")
    liis.done("affiliation.end", umbrella_id=union.choir.entry.scope)
    assert refused(kadri.call("shared.file", edition_id=score)) == (404, "not_found")
    assert kadri.done("shared.works") == kadri.done("shared.events") == []
    assert fetch(kadri, f"scores/{score}/mass.pdf").status >= 400


def test_an_umbrella_pays_for_its_share_of_what_is_stored(union, site):
    other = union.board.done("organization.register", name="Other", subdomain="other", type="umbrella",
                             contact_email=OTHER)["id"]  # fmt: skip
    statement = union.board.done("umbrella.storage_statement")
    assert (statement["counted_bytes"], statement["amount_cents"]) == (0, 1000)
    union.store("aurora", 3_200_000_000)
    union.store("meretuul", 2 * GB)
    site.vault_write(union.choir, lambda tx: tx.insert(
        "affiliations", id="second", collective_id=union.scope("meretuul"), umbrella_id=other))  # fmt: skip
    statement = union.board.done("umbrella.storage_statement")
    assert (statement["counted_bytes"], statement["amount_cents"]) == (4_200_000_000, 1500)
    assert [line["umbrellas"] for line in statement["collectives"]] == [1, 2]


def test_a_choir_of_its_own_pays_by_steps_after_its_first_month(site, clock):
    choir = make_choir(site, "harmonia")

    def statement():
        return site.sign_in("harmonia", choir.owner).done("organization.storage_statement")

    made = edition(site.sign_in("harmonia", choir.owner))
    site.vault_write(choir, lambda tx: tx.execute(
        "UPDATE editions SET file_size = :size WHERE id = :id", size=2 * GB, id=made))  # fmt: skip
    assert (statement()["amount_cents"], statement()["status"]) == (0, "independent")
    clock.tick(30 * 86400)
    assert statement()["amount_cents"] == 1000
    site.vault_write(choir, lambda tx: tx.execute(
        "UPDATE editions SET file_size = :size WHERE id = :id", size=10 * GB + 1, id=made))  # fmt: skip
    assert (statement()["amount_cents"], statement()["over_limit"]) == (None, True)


def test_language_locale_and_time_zone_each_come_from_the_nearest_that_says(site):
    aurora = make_aurora(site)
    jaan, kadri = aurora.as_(JAAN), aurora.as_(KADRI)
    jaan.done("organization.update", language="et", locale="et-EE", timezone="Europe/Tallinn")
    chosen = kadri.done("preferences.update", language="en")
    assert (
        chosen
        == kadri.done("preferences.get")
        == {
            "language": {"value": "en", "source": "member"},
            "locale": {"value": "et-EE", "source": "organization"},
            "timezone": {"value": "Europe/Tallinn", "source": "organization"},
        }
    )
    assert aurora.guest.done("preferences.get")["language"] == {"value": "et", "source": "organization"}
    assert jaan.done("preferences.get")["language"] == {"value": "et", "source": "organization"}
    assert kadri.rows("member_preferences?select=language") == [{"language": "en"}]
    assert jaan.rows("member_preferences") == aurora.guest.rows("member_preferences") == []
    assert kadri.done("preferences.update", language=None)["language"]["source"] == "organization"
    kadri.done("preferences.update", locale="fi-FI", timezone=" ")
    assert kadri.done("preferences.get")["locale"]["value"] == "fi-FI"
    assert kadri.done("preferences.clear")["locale"]["source"] == "organization"
    make_choir(site, "harmonia")
    assert site.guest("harmonia").done("preferences.get") == {
        "language": {"value": "en", "source": "system"},
        "locale": {"value": "en-US", "source": "system"},
        "timezone": {"value": "UTC", "source": "system"},
    }


def test_settings_are_kept_as_text_with_who_and_when(site, clock):
    aurora = make_aurora(site)
    jaan = aurora.as_(JAAN)
    assert jaan.done("settings.get") == {"default_event_duration": "120", "conductor_id": None, "locale": None}
    clock.tick(60)
    changed = jaan.done("settings.update", default_event_duration=90, conductor_id=aurora.ids["Mari"], locale="system")
    assert changed == {"default_event_duration": "90", "conductor_id": aurora.ids["Mari"], "locale": "system"}
    rows = jaan.rows("vault_settings?select=key,updated_by,updated_at&order=key")
    assert {(row["updated_by"], row["updated_at"]) for row in rows} == {
        (aurora.ids["Jaan"], "2026-02-05T10:01:00.000Z")}  # fmt: skip
    assert jaan.done("settings.update", locale=None)["locale"] is None
    assert refused(aurora.as_(KADRI).call("settings.get")) == (403, "forbidden")
    make_choir(site, "harmonia")
    assert site.sign_in("harmonia", "owner@harmonia.example").done("settings.get")["default_event_duration"] == "120"
    assert timestamp_ms(rows[0]["updated_at"]) == clock.ms


def test_a_language_chosen_in_one_choir_says_nothing_where_somebody_is_a_guest(union, site):
    liis = site.sign_in("aurora", LIIS)
    liis.done("preferences.update", language="et")
    assert liis.at("meretuul").done("preferences.get")["language"] == {"value": "en", "source": "system"}
    assert refused(liis.at("meretuul").call("preferences.update", language="fi")) == (403, "forbidden")
