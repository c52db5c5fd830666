"""The band's library: what is found, who is given which part, what happens to it afterwards."""

import pytest

from db.errors import Conflict, Forbidden, Invalid, NotFound
from domain.band.music.desk import mark_overdue
from tests.domain.band.riverside import PROGRAMME, build

FIRST = "First Suite in E-flat"
SECOND = "Second Suite in F"


@pytest.fixture
def band(stage):
    stage.story = build(stage.tx, stage.now)
    return stage


def seat(band, **given):
    return band.call("music.assign_by_instrument", "M21", piece_id=band.story.pieces[FIRST], **given)


def players_of(band, part_name):
    rows = band.rows(
        "SELECT m.first_name FROM music_assignments AS a JOIN members AS m ON m.id = a.member_id"
        " WHERE a.part_name = ? ORDER BY m.first_name",
        part_name,
    )
    return [name for (name,) in rows]


def assignment_of(band, number, status="%"):
    return band.value(
        "SELECT id FROM music_assignments WHERE member_id = ? AND status LIKE ?", band.story.members[number], status
    )


def titles(band, caller, **given):
    return [item["title"] for item in band.call("music.search", caller, **given)["items"]]


def test_the_story_has_fifty_nine_users_and_fifty_four_active_members(band):
    assert band.value("SELECT count(*) FROM users") == 59
    assert band.value("SELECT count(*) FROM members WHERE status = 'ACTIVE'") == 54
    assert band.value("SELECT sum(duration) FROM music_pieces") == 3325


def test_first_suite_is_shared_out_and_every_part_is_covered(band):
    shared = seat(band, due_date="2026-04-28")
    assert shared == {"created": 54, "skipped": [], "without_part": [], "uncovered": []}
    assert players_of(band, "Clarinet 1") == ["M11", "M12", "M13", "M14"]
    assert players_of(band, "Clarinet 2") == ["M15", "M16", "M17"]
    assert players_of(band, "Clarinet 3") == ["M18", "M19", "M20"]
    assert players_of(band, "Flute 1") == ["M02", "M03", "M04"]
    assert players_of(band, "Flute 2") == ["M05", "M06"]
    assert [len(players_of(band, f"Trumpet {one}")) for one in (1, 2, 3)] == [3, 2, 2]
    quiet = [band.story.members[number] for number in (7, 30, 38, 47, 54, 59)]
    assert band.value("SELECT count(*) FROM music_assignments WHERE member_id IN (?, ?, ?, ?, ?, ?)", *quiet) == 0
    assert band.rows("SELECT DISTINCT due_date FROM music_assignments") == [("2026-04-28T23:59:59.999Z",)]
    assert band.rows("SELECT type, count(*) FROM user_notifications GROUP BY type") == [("MUSIC_ASSIGNMENT", 53)]


def test_sharing_out_again_gives_nobody_anything_and_tells_nobody(band):
    seat(band)
    again = seat(band)
    assert (again["created"], len(again["skipped"]), again["uncovered"]) == (0, 54, [])
    assert band.value("SELECT count(*) FROM user_notifications") == 53


def test_a_player_sees_the_assigned_part_and_the_others_of_the_instrument(band):
    seat(band)
    (mine,) = band.call("me.music", "M16")
    assert mine["assigned_part"]["part_name"] == "Clarinet 2"
    assert [part["part_name"] for part in mine["instrument_parts"]] == ["Clarinet 1", "Clarinet 3"]


def test_a_search_finds_only_what_one_may_see_by_the_stem_of_a_word(band):
    seat(band)
    assert titles(band, "M16", q="suites") == [FIRST]
    assert sorted(titles(band, "M21", q="suites")) == [FIRST, SECOND]
    with pytest.raises(Forbidden):
        band.call("music.search", "M54", q="suites")


@pytest.mark.parametrize("typed", ['AC/DC "', '"', "'", "NEAR(", "*", "a AND", "title:", "(", "^suite OR"])
def test_whatever_is_typed_is_no_query_of_its_own(band, typed):
    assert titles(band, "M21", q=typed) == []


def test_a_part_of_a_title_a_composer_and_a_number_are_found(band):
    band.tx.execute("UPDATE music_pieces SET catalog_number = 'RCB-0007' WHERE title = :title", title="Sea Songs")
    searches = {"uite in f": [SECOND], "holst": [FIRST, SECOND], "cb-00": ["Sea Songs"], "ea": None, "posy": None}
    first = {text: titles(band, "M21", q=text) for text in searches}
    assert first["uite in f"] == [SECOND]
    assert sorted(first["holst"]) == [FIRST, SECOND]
    assert first["cb-00"] == ["Sea Songs"]
    assert first["ea"] == ["Sea Songs"]
    assert first["posy"] == ["Lincolnshire Posy"]
    band.connection.execute("VACUUM")
    assert {text: titles(band, "M21", q=text) for text in searches} == first


def test_an_unfinished_last_word_finds_and_the_hit_is_marked(band):
    found = band.call("music.search", "M21", q="american pat")["items"]
    assert [item["snippet"] for item in found] == ["[American] [Patrol]"]


def test_without_words_every_piece_comes_by_title_and_in_pages(band):
    listed = band.call("music.search", "M21", limit=3, offset=6)
    assert listed["total"] == 8
    assert [item["title"] for item in listed["items"]] == sorted(title for title, _ in PROGRAMME)[6:]


def test_an_archived_piece_is_behind_a_filter_and_gets_no_players(band):
    piece_id = band.story.pieces["Sea Songs"]
    band.call("music.archive", "M21", piece_id=piece_id)
    assert titles(band, "M21", q="sea songs") == []
    assert titles(band, "M21", q="sea songs", archived="only") == ["Sea Songs"]
    for verb, given in (("music.assign", {"member_ids": [band.story.members[1]]}), ("music.assign_by_instrument", {})):
        with pytest.raises(Conflict) as refused:
            band.call(verb, "M21", piece_id=piece_id, **given)
        assert refused.value.code == "piece_unavailable"
    with pytest.raises(Conflict) as refused:
        band.call("music.archive", "M21", piece_id=piece_id)
    assert refused.value.code == "invalid_transition"
    assert band.call("music.change_many", "M21", piece_ids=[piece_id], action="archive") == {"count": 0}


def test_only_the_permission_of_the_action_changes_many(band):
    with pytest.raises(Forbidden):
        band.call("music.change_many", "Dana", piece_ids=[band.story.pieces[FIRST]], action="delete")


def test_removing_a_composer_says_how_many_pieces_it_touched(band):
    holst = band.value("SELECT id FROM persons")
    assert band.call("person.add", "M21", first_name="gustav", last_name="HOLST")["id"] == holst
    assert band.call("person.add", "M21", first_name="Gustav", last_name="Holst", force=True)["id"] != holst
    assert band.call("person.remove", "M21", person_id=holst)["pieces"] == 2
    assert band.value("SELECT count(*) FROM music_pieces WHERE composer_id IS NOT NULL") == 0


def test_parts_are_picked_up_once_and_overdue_after_their_day(band):
    seat(band, due_date="2026-04-28")
    clarinets = [assignment_of(band, number) for number in range(11, 21)]
    assert band.call("assignment.pick_up_many", "M21", assignment_ids=clarinets) == {"count": 10}
    assert band.call("assignment.pick_up_many", "M21", assignment_ids=clarinets) == {"count": 0}
    band.at = "2026-04-29T03:00:00.000Z"
    assert mark_overdue(band.tx, band.now) == 54
    assert mark_overdue(band.tx, band.now) == 0
    assert band.call("music.desk", "M21")["overdue"] == 54


def test_a_damaged_part_is_final_and_a_lost_one_says_why(band):
    seat(band)
    band.call("assignment.pick_up_many", "M21", assignment_ids=[assignment_of(band, 15), assignment_of(band, 16)])
    returned = band.call(
        "assignment.return", "M21", assignment_id=assignment_of(band, 15), condition="damaged", notes="coffee"
    )
    assert returned["status"] == "DAMAGED"
    with pytest.raises(Invalid):
        band.call("assignment.report_lost", "M21", assignment_id=assignment_of(band, 16))
    band.call("assignment.report_lost", "M21", assignment_id=assignment_of(band, 16), notes="left on the bus")
    for number in (15, 16):
        with pytest.raises(Conflict) as refused:
            band.call("assignment.pick_up", "M21", assignment_id=assignment_of(band, number))
        assert refused.value.code == "invalid_transition"
    with pytest.raises(Conflict) as refused, band.transaction():
        band.connection.execute("UPDATE music_assignments SET status = 'ASSIGNED' WHERE status = 'LOST'")
    assert refused.value.code == "invalid_transition"


def test_a_returned_part_can_be_given_out_again(band):
    piece_id = band.story.pieces[FIRST]
    given = {"piece_id": piece_id, "member_ids": [band.story.members[16]], "part_name": "clarinet 2"}
    assert band.call("music.assign", "M21", **given)["created"] == 1
    assert band.call("music.assign", "M21", **given) == {"created": 0, "skipped": [band.story.members[16]]}
    first = assignment_of(band, 16)
    band.call("assignment.pick_up", "M21", assignment_id=first)
    band.call("assignment.return", "M21", assignment_id=first)
    assert band.call("me.music", "M16") == []
    assert titles(band, "M16", q="suite") == []
    assert band.call("music.assign", "M21", **given)["created"] == 1


def test_nothing_is_written_when_one_member_or_the_part_is_wrong(band):
    piece_id, members = band.story.pieces[FIRST], band.story.members
    wrong = (
        {"member_ids": [members[1], "nobody"]},
        {"member_ids": [members[1], members[54]]},
        {"member_ids": [members[1]], "part_name": "Kazoo"},
        {"member_ids": [members[1]], "part_name": "Flute 1", "part_id": band.story.parts["Flute 2"]},
        {"member_ids": [members[1]], "due_date": "2026-04-09"},
        {"member_ids": []},
    )
    for given in wrong:
        with pytest.raises(Invalid):
            band.call("music.assign", "M21", piece_id=piece_id, **given)
    assert band.value("SELECT count(*) FROM music_assignments") == 0


def test_a_section_without_active_members_is_refused(band):
    empty = band.now.new_id()
    band.tx.insert("sections", id=empty, name="Kazoos")
    with pytest.raises(Invalid) as refused:
        band.call("music.assign_sections", "M21", piece_id=band.story.pieces[FIRST], section_ids=[empty])
    assert refused.value.code == "no_active_members"
    brass = band.named("sections", "Brass")
    given = band.call(
        "music.assign_sections", "M21", piece_id=band.story.pieces["Sea Songs"], section_ids=[brass, brass]
    )
    assert given["created"] == 21


def test_a_renamed_part_is_renamed_on_its_assignments_and_a_removed_one_leaves_its_name(band):
    seat(band)
    part_id = band.story.parts["Clarinet 2"]
    with pytest.raises(Conflict) as refused:
        band.call("part.update", "M21", part_id=part_id, part_name="clarinet 1")
    assert refused.value.code == "name_taken"
    band.call("part.update", "M21", part_id=part_id, part_name="Second Clarinet")
    assert players_of(band, "Second Clarinet") == ["M15", "M16", "M17"]
    band.call("part.remove", "M21", part_id=part_id)
    assert band.rows(
        "SELECT DISTINCT part_name, part_id FROM music_assignments WHERE part_name = 'Second Clarinet'"
    ) == [("Second Clarinet", None)]


def test_the_programme_is_shared_out_and_due_when_the_concert_starts(band):
    answers = band.call("event.assign_programme", "M21", event_id=band.story.e1)
    assert [answer["created"] for answer in answers] == [0, 54, 0, 0, 0, 0, 0, 0]
    assert band.rows("SELECT DISTINCT due_date FROM music_assignments") == [("2026-05-01T19:00:00.000Z",)]


def test_a_piece_is_played_at_concerts_that_took_place(band):
    assert band.call("music.performances", "M21", piece_id=band.story.pieces[FIRST]) == []
    band.at = "2026-05-02T08:00:00.000Z"
    (played,) = band.call("music.performances", "M21", piece_id=band.story.pieces[FIRST])
    assert played["title"] == "Spring Concert"
    with pytest.raises(NotFound):
        band.call("music.performances", "M16", piece_id=band.story.pieces[FIRST])
