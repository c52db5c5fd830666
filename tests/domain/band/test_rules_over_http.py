"""Rules of a band that no scenario tells, over HTTP: the trash, safe pages, what is one's own, tables to take along."""

import csv
import io

import pytest

from tests.handlers.http.site import error_of


@pytest.mark.parametrize(
    ("who", "verb", "table", "name", "find"),
    [
        ("Ada", "member", "members", "member_id", lambda band: band.ids.members[16]),
        ("M21", "music", "music_pieces", "piece_id", lambda band: band.ids.pieces["Sea Songs"]),
        ("Dana", "event", "events", "event_id", lambda band: band.ids.e1),
        ("Ada", "page", "pages", "page_id", lambda band: band.done("Dana", "page.create", title="x", slug="x")["id"]),
    ],
)
def test_what_is_in_the_trash_is_listed_there_and_nowhere_else(riverside, who, verb, table, name, find):
    row_id = find(riverside)
    riverside.done(who, f"{verb}.delete", **{name: row_id})
    assert riverside.rows(who, f"{table}?id=eq.{row_id}") == []
    assert riverside.rows(who, f"{table}?deleted_at=not.is.null") == []
    (kept,) = riverside.done(who, f"{verb}.trash")
    assert (kept["id"], kept["restorable_until"]) == (row_id, "2026-05-10T12:00:00.000Z")
    riverside.at("2026-05-10T12:00:00.001Z")
    assert riverside.refused(who, f"{verb}.restore", **{name: row_id}) == (409, "restore_window_closed")
    riverside.at("2026-05-10T12:00:00.000Z")
    riverside.done(who, f"{verb}.restore", **{name: row_id})
    assert len(riverside.rows(who, f"{table}?id=eq.{row_id}")) == 1
    assert riverside.done(who, f"{verb}.trash") == []


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ({"html": "<p onclick='x()'>All<script>x()</script></p>"}, {"format": "html", "value": "<p>All</p>"}),
        ({"text": "a < b"}, {"format": "text", "value": "a < b"}),
        ("plain", {"format": "text", "value": "plain"}),
        ({"blocks": [1]}, {"format": "json", "value": {"blocks": [1]}}),
    ],
)  # fmt: skip
def test_a_page_is_shown_safely_and_its_source_only_to_editors(riverside, content, shown):
    page_id = riverside.done("Dana", "page.create", title="x", slug="x", content=content)["id"]
    riverside.done("Ada", "page.publish", page_id=page_id)
    assert riverside.done("", "site.read", slug="x")["body"] == shown
    assert riverside.rows("", "pages?select=content") == [{"content": None}]
    assert riverside.rows("Dana", "pages?select=content") == [{"content": content}]


@pytest.mark.parametrize("content", [None, "", "  ", {}, {"text": " "}, []])
def test_a_page_without_anything_on_it_is_not_published(riverside, content):
    page_id = riverside.done("Dana", "page.create", title="x", slug="x", content=content)["id"]
    assert riverside.refused("Ada", "page.publish", page_id=page_id) == (400, "empty_page")


def test_words_are_found_over_rest_by_their_stem_and_only_where_one_may_look(riverside):
    assert riverside.rows("M21", "music_pieces?select=title&title=fts.suites&order=title") == [
        {"title": "First Suite in E-flat"}, {"title": "Second Suite in F"},
    ]  # fmt: skip
    assert riverside.rows("M16", "music_pieces?title=fts.suites") == []
    for number, status in enumerate(("draft", "public")):
        page_id = riverside.done("Dana", "page.create", title="Concerts", slug=f"p{number}", raw_markdown=status)["id"]
    riverside.done("Ada", "page.publish", page_id=page_id)
    assert riverside.rows("", "pages?select=slug&title=fts.concert") == [{"slug": "p1"}]
    assert len(riverside.rows("Dana", "pages?title=fts.concert")) == 2


def test_an_address_finds_only_those_whom_the_caller_sees(riverside):
    for number in (16, 33):
        riverside.done("Dana", "member.update", member_id=riverside.ids.members[number], email="kin@example.org")
    seen = {who: [row["first_name"] for row in riverside.done(who, "member.find_by_email", email="Kin@Example.ORG")]
            for who in ("Dana", "M31", "M11", "M16", "M17")}  # fmt: skip
    assert seen == {"Dana": ["M16", "M33"], "M31": ["M33"], "M11": ["M16"], "M16": ["M16"], "M17": []}


@pytest.mark.parametrize(
    ("status", "dates"),
    [
        ("ACTIVE", ("2026-04-10T00:00:00.000Z", None)),
        ("ALUMNI", (None, "2026-04-10T00:00:00.000Z")),
        ("PENDING", (None, None)),
    ],
)
def test_who_is_taken_on_as_active_or_gone_has_the_day_of_it(riverside, status, dates):
    made = riverside.done("Dana", "member.create", first_name="A", last_name="B", status=status)["id"]
    (row,) = riverside.rows("Dana", f"members?id=eq.{made}")
    assert (row["join_date"], row["leave_date"]) == dates


def test_what_was_sent_to_somebody_without_a_role_is_hers(riverside):
    news = riverside.done("Ada", "announcement.create", title="x", content="x")["id"]
    riverside.done("Ada", "announcement.publish", announcement_id=news)
    assert [one["type"] for one in riverside.done("M54", "me.notifications")] == ["ANNOUNCEMENT"]
    assert len(riverside.rows("M54", "user_notifications")) == 1
    for verb in ("me.notifications", "me.read_all_notifications", "message.list"):
        answer = riverside.call("", verb)
        assert (answer.status, error_of(answer)["code"]) == (401, "not_authenticated")


COLUMNS = {
    "member.export": "First Name,Last Name,Email,Phone,Status,Section,Instrument,Role,Join Date,Emergency Contact,"
    "Emergency Phone,Emergency Email",
    "music.export": "Title,Subtitle,Composer,Arranger,Publisher,Genre,Style,Difficulty,Duration (seconds),"
    "Catalog Number,Notes,File Count,Assignment Count,Archived,Created At",
}


@pytest.mark.parametrize("verb", COLUMNS)
def test_a_table_to_take_along_is_csv_and_noted_in_the_audit_log(riverside, verb):
    nasty = 'A "quoted", title\nof two lines'
    riverside.caller("M21").add("music_pieces", {"title": nasty, "difficulty": "GRADE_3"})
    answer = riverside.caller("Dana").send("POST", f"/rest/v1/rpc/{verb}", {}, accept="text/csv")
    assert answer.status == 200
    header, *rows = list(csv.reader(io.StringIO(answer.text)))
    assert ",".join(header) == COLUMNS[verb]
    if verb == "music.export":
        assert (rows[0][0], rows[0][7], rows[0][13]) == (nasty, "Grade 3", "No")
    else:
        assert (rows[0][0], rows[0][8]) == ("M01", "2000-02-01")
    noted = riverside.stored("SELECT new_values FROM vaultry_audit WHERE operation = 'note' ORDER BY seq DESC LIMIT 1")
    assert '"EXPORT"' in noted[0]["new_values"]
    assert riverside.refused("M31", verb) == (403, "forbidden")
