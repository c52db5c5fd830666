"""Riverside's rights, its library and what is handed out, told over HTTP: scenarios 1 to 4 and 6 to 8."""

import pytest

from db.errors import Invalid
from domain.band.first_run import load_first_run_data
from domain.charter import Founding
from handlers.tenant.provisioning import provision
from tests.domain.band.riverside import PROGRAMME, email
from tests.handlers.http.site import OPERATOR

FIRST, SECOND = "First Suite in E-flat", "Second Suite in F"
DUE = "2026-04-28"


def seat(band, **given):
    return band.done("M21", "music.assign_by_instrument", piece_id=band.ids.pieces[FIRST], due_date=DUE, **given)


def players(band, part_name):
    """Who has the part, by the names of the story."""
    rows = band.stored(
        "SELECT m.first_name FROM music_assignments AS a JOIN members AS m ON m.id = a.member_id"
        " WHERE a.part_name = :part_name ORDER BY m.first_name",
        part_name=part_name,
    )
    return [row["first_name"] for row in rows]


def assignment(band, number):
    return band.value("SELECT id FROM music_assignments WHERE member_id = :id", id=band.ids.members[number])


def found(band, who, text):
    return [item["title"] for item in band.done(who, "music.search", q=text)["items"]]


def test_1_first_run_data_is_the_same_however_often_it_is_loaded(riverside):
    tables = ("roles", "permissions", "role_permissions", "instruments", "sections")
    for _ in range(2):
        riverside.write(lambda tx: load_first_run_data(tx, riverside.clock()))
        counts = [riverside.value(f"SELECT count(*) FROM {table}") for table in tables]
        assert counts == [8, 42, 192, 31, 3]
    # Passwords are the platform's: what cannot be left out is the address by which the first user signs in.
    with pytest.raises(Invalid):
        provision(riverside.site.services, "band", Founding("lakeside", "Lakeside", ""), OPERATOR)
    assert riverside.site.guest("lakeside").get("events").status == 404


def test_2_rights_are_what_the_matrix_says(riverside):
    piece = {"title": "Festive Overture"}
    assert riverside.caller("Dana").add("music_pieces", piece).status == 403
    one = f"/rest/v1/music_pieces?id=eq.{riverside.ids.pieces[FIRST]}"
    assert riverside.caller("Dana").send("PATCH", one, {"style": "Suite"}).status == 204
    page_id = riverside.done("Dana", "page.create", title="x", slug="x", raw_markdown="x")["id"]
    assert riverside.refused("Dana", "page.publish", page_id=page_id) == (403, "forbidden")
    assert riverside.refused("Ada", "settings.update", settings={"band_name": "x"}) == (403, "forbidden")
    assert riverside.caller("M21").add("music_pieces", piece).status == 201
    m05 = f"members?id=eq.{riverside.ids.members[5]}"
    assert riverside.rows("M21", m05) == []
    roster = riverside.done("M21", "member.roster")
    assert len(roster) == 56
    assert set(roster[0]) == {"id", "first_name", "last_name", "status", "instruments", "sections"}


def test_2_a_super_administrator_whose_time_is_over_has_no_right(riverside):
    second_ago = "2026-04-10T11:59:59.000Z"
    riverside.write(lambda tx: tx.execute("UPDATE user_roles SET expires_at = :at WHERE user_id = :id",
                                          at=second_ago, id=riverside.ids.users["Sam"]))  # fmt: skip
    assert riverside.refused("Sam", "settings.get") == (403, "forbidden")


def test_3_ten_clarinets_share_three_parts_and_each_player_is_told_once(riverside):
    assert seat(riverside) == {"created": 54, "skipped": [], "without_part": [], "uncovered": []}
    assert players(riverside, "Clarinet 1") == ["M11", "M12", "M13", "M14"]
    assert players(riverside, "Clarinet 2") == ["M15", "M16", "M17"]
    assert players(riverside, "Clarinet 3") == ["M18", "M19", "M20"]
    assert players(riverside, "Flute 1") == ["M02", "M03", "M04"]
    assert players(riverside, "Flute 2") == ["M05", "M06"]
    assert [len(players(riverside, f"Trumpet {one}")) for one in (1, 2, 3)] == [3, 2, 2]
    for number in (7, 30, 38, 47, 54, 59):
        assert riverside.rows("M21", f"music_assignments?member_id=eq.{riverside.ids.members[number]}") == []
    told = "SELECT count(*) FROM user_notifications WHERE type = 'MUSIC_ASSIGNMENT'"
    assert riverside.value(told) == 53
    assert riverside.stored("SELECT DISTINCT due_date FROM music_assignments") == [
        {"due_date": "2026-04-28T23:59:59.999Z"}
    ]
    again = seat(riverside)
    assert (again["created"], len(again["skipped"]), riverside.value(told)) == (0, 54, 53)


def test_4_a_player_sees_the_own_part_and_only_assigned_pieces(riverside):
    seat(riverside)
    (mine,) = riverside.done("M16", "me.music")
    assert mine["assigned_part"]["part_name"] == "Clarinet 2"
    assert [part["part_name"] for part in mine["instrument_parts"]] == ["Clarinet 1", "Clarinet 3"]
    assert found(riverside, "M16", "suites") == [FIRST]
    assert sorted(found(riverside, "M21", "suites")) == [FIRST, SECOND]
    assert [row["title"] for row in riverside.rows("M16", "music_pieces?select=title")] == [FIRST]


def test_6_whatever_is_typed_searches_safely_and_alike_after_vacuum(riverside):
    searches = {'AC/DC "': [], "uite in f": [SECOND], "holst": [FIRST, SECOND]}

    def results():
        return {text: sorted(found(riverside, "M21", text)) for text in searches}

    before = results()
    assert before == searches
    # The whole vault written anew by VACUUM, as one commit.
    with riverside.site.services.vault(riverside.tenant.entry) as vault:
        vault.replace(lambda path: None, lambda head, path: head.execute("VACUUM INTO ?", (str(path),)))
    assert results() == before


def test_7_numbers_stay_taken_and_what_is_in_use_stays(riverside):
    librarian = riverside.caller("M21")
    assert [librarian.add("music_pieces", {"title": title}).status for title in ("A", "B")] == [201, 201]
    numbered = {"title": "C", "catalog_number": "RCB-0007"}
    first = librarian.add("music_pieces", numbered).json()[0]["id"]
    for _ in range(2):
        taken = librarian.add("music_pieces", numbered)
        assert (taken.status, taken.json()["code"]) == (409, "catalog_number_taken")
        librarian.call("music.delete", piece_id=first)
    holst = riverside.value("SELECT id FROM persons")
    assert riverside.done("M21", "person.remove", person_id=holst)["pieces"] == 2
    assert riverside.value("SELECT count(*) FROM music_pieces WHERE composer_id IS NOT NULL") == 0
    clarinet = riverside.named("instruments", "B♭ Clarinet")
    kept = riverside.caller("Dana").send("DELETE", f"/rest/v1/instruments?id=eq.{clarinet}")
    assert (kept.status, kept.json()["code"]) == (409, "in_use")


def test_8_a_part_goes_out_comes_back_and_its_end_is_final(riverside):
    seat(riverside)
    clarinets = [assignment(riverside, number) for number in range(11, 21)]
    for count in (10, 0):
        assert riverside.done("M21", "assignment.pick_up_many", assignment_ids=clarinets) == {"count": count}
    riverside.at("2026-04-29T03:00:00.000Z")
    assert riverside.job("assignments.overdue") == 0
    assert riverside.done("M21", "music.desk")["by_status"]["OVERDUE"] == 54
    m15 = assignment(riverside, 15)
    returned = riverside.done("M21", "assignment.return", assignment_id=m15, condition="damaged")
    assert returned["status"] == "DAMAGED"
    lost = riverside.call("M21", "assignment.report_lost", assignment_id=assignment(riverside, 17))
    assert (lost.status, lost.json()["details"]) == (400, "notes")
    m16 = assignment(riverside, 16)
    assert riverside.done("M21", "assignment.return", assignment_id=m16)["status"] == "RETURNED"
    assert riverside.refused("M21", "assignment.pick_up", assignment_id=m16) == (409, "invalid_transition")


def test_the_story_is_as_it_is_told(riverside):
    assert riverside.value("SELECT count(*) FROM users") == 59
    by_section = riverside.stored(
        "SELECT s.name, sum(m.status = 'ACTIVE') AS n FROM sections AS s JOIN member_sections AS p"
        " ON p.section_id = s.id JOIN members AS m ON m.id = p.member_id GROUP BY s.name ORDER BY s.name"
    )
    assert [row["n"] for row in by_section] == [21, 5, 28]
    assert sum(seconds for _, seconds in PROGRAMME) == 3325
    assert riverside.done("Sam", "me.permissions")["roles"] == [{"name": "SUPER_ADMIN", "expires_at": None}]
    assert email("M16") == "m16@riverside.example"
