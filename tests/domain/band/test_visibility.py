"""Who sees which row and which column: the answer over HTTP is that of the rules, told again in plain Python."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.band.permissions import MATRIX
from tests.domain.band.band_site import BandSite, Story, write_story
from tests.domain.band.riverside import Riverside
from tests.domain.band.worlds import NOW, World, make_world

OPEN = ("ASSIGNED", "PICKED_UP", "OVERDUE")
Row = dict[str, Any]


class Reader:
    """One of a world's people, or a guest for '', and what the rules let her see."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name, self.user_id = world, name, world.users.get(name)
        roles = world.held.get(name, set())
        self.roles = roles
        held = {right for right, holders in MATRIX.items() if holders & (roles or ({"PUBLIC"} if name else set()))}
        self.rights = set(MATRIX) if "SUPER_ADMIN" in roles else held
        own = [row for row in world.of("members") if row["user_id"] == self.user_id and not row["deleted_at"] and name]
        self.member = own[0]["id"] if own else None
        seats = world.of("member_sections")
        self.sections = {row["section_id"] for row in seats if row["member_id"] == self.member}
        led = {row["section_id"] for row in seats if row["member_id"] == self.member and row["is_leader"]}
        self.led = {row["member_id"] for row in seats if row["section_id"] in led}
        self.assigned = {
            row["piece_id"]
            for row in world.of("music_assignments")
            if row["member_id"] == self.member and row["status"] in OPEN
        }

    def may(self, right: str) -> bool:
        """Whether the right is held, by its own name or by `all` of the same action."""
        return right in self.rights or (right.count(".") == 2 and f"{right.rpartition('.')[0]}.all" in self.rights)

    def live(self, table: str, row_id: str) -> Row | None:
        """The row, unless it is in the trash."""
        return next((row for row in self.world.of(table) if row["id"] == row_id and not row["deleted_at"]), None)

    def sees_member(self, member_id: str, resource: str) -> bool:
        """By all, by section, or as oneself."""
        return (
            self.may(f"{resource}.view.all")
            or (self.may(f"{resource}.view.section") and member_id in self.led)
            or (self.may(f"{resource}.view.own") and member_id == self.member)
        )

    def sees_event(self, event_id: str) -> bool:
        """Published, or planned by oneself."""
        event = self.live("events", event_id)
        return event is not None and bool(event["is_published"] or self.may("event.edit"))


def member(reader: Reader, row: Row) -> bool:
    return not row["deleted_at"] and reader.sees_member(row["id"], "member")


def placement(reader: Reader, row: Row) -> bool:
    holder = reader.live("members", row["member_id"])
    if holder is None:
        return False
    on_roster = reader.may("music.assign") and holder["status"] in ("ACTIVE", "LEAVE_OF_ABSENCE")
    return on_roster or reader.sees_member(row["member_id"], "member")


def piece(reader: Reader, row: Row) -> bool:
    if row["deleted_at"]:
        return False
    return reader.may("music.view.all") or (reader.may("music.view.assigned") and row["id"] in reader.assigned)


def part(reader: Reader, row: Row) -> bool:
    found = reader.live("music_pieces", row["piece_id"])
    return found is not None and piece(reader, found)


def assignment(reader: Reader, row: Row) -> bool:
    mine = row["member_id"] == reader.member and reader.live("music_pieces", row["piece_id"]) is not None
    return reader.may("music.view.all") or (reader.may("music.view.assigned") and mine)


def note(reader: Reader, row: Row) -> bool:
    event = reader.live("events", row["event_id"])
    if event is None:
        return False
    if reader.may("event.edit"):
        return True
    inside = row["target_section"] is None or row["target_section"] in reader.sections
    return bool(event["is_published"]) and bool(row["is_public"] or (reader.may("event.view.all") and inside))


def mark(reader: Reader, row: Row) -> bool:
    return reader.live("events", row["event_id"]) is not None and reader.sees_member(row["member_id"], "attendance")


def page(reader: Reader, row: Row) -> bool:
    shown = row["status"] == "PUBLISHED" and row["published_at"] <= NOW
    return not row["deleted_at"] and (shown or reader.may("cms.view.all"))


def version(reader: Reader, row: Row) -> bool:
    return reader.live("pages", row["page_id"]) is not None and reader.may("cms.view.all")


def announcement(reader: Reader, row: Row) -> bool:
    if reader.may("cms.edit") or (reader.may("announcement.create") and row["created_by"] == reader.user_id):
        return True
    shown = row["status"] == "PUBLISHED" and row["published_at"] <= NOW
    shown = shown and (row["expires_at"] is None or row["expires_at"] > NOW)
    wanted = set(json.loads(row["target_roles"]))
    meant = reader.may("announcement.view.all") and (not wanted or bool(wanted & reader.roles))
    return shown and (meant or "PUBLIC" in wanted)


def venue(reader: Reader, row: Row) -> bool:
    places = {
        event["venue_id"]
        for event in reader.world.of("events")
        if event["is_published"] and not event["deleted_at"]
    }  # fmt: skip
    return row["id"] in places or reader.may("event.view.all")


RULES: dict[str, Callable[[Reader, Row], bool]] = {
    "members": member,
    "member_sections": placement,
    "member_instruments": placement,
    "music_pieces": piece,
    "music_parts": part,
    "music_assignments": assignment,
    "events": lambda reader, row: reader.sees_event(row["id"]),
    "event_music": lambda reader, row: reader.sees_event(row["event_id"]),
    "event_notes": note,
    "venues": venue,
    "attendance": mark,
    "pages": page,
    "page_versions": version,
    "announcements": announcement,
    "user_notifications": lambda reader, row: bool(reader.name) and row["user_id"] == reader.user_id,
}


def _plays(reader: Reader, row: Row) -> bool:
    return reader.may("event.view.all")


# Columns that read as null unless the rule holds for reader and row.
MASKS: dict[tuple[str, str], Callable[[Reader, Row], bool]] = {
    ("members", "notes"): lambda reader, row: reader.may("member.edit.all"),
    ("members", "emergency_name"): lambda reader, row: (
        reader.may("member.view.all") or (reader.may("member.view.own") and row["id"] == reader.member)
    ),
    ("events", "call_time"): _plays,
    ("events", "dress_code"): _plays,
    ("event_music", "notes"): _plays,
    ("pages", "content"): lambda reader, row: reader.may("cms.view.all"),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A founded band without anybody in it but its owner."""
    return write_story(tmp_path_factory.mktemp("empty"), lambda tx, now: Riverside())


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_what_one_reads_over_http_is_what_the_rules_say(empty: Story, seed: int):
    with TemporaryDirectory() as folder:
        band = BandSite(empty, Path(folder))
        try:
            world = band.write(lambda tx: make_world(tx, seed, band.clock()))
            for name in ("", *world.users):
                _compare(band, Reader(world, name))
        finally:
            band.close()


def _compare(band: BandSite, reader: Reader) -> None:
    """Every table, row by row, and every column that may be masked."""
    for table, sees in RULES.items():
        got = {row["id"]: row for row in band.rows(reader.name, f"{table}?select=*")}
        wanted = {row["id"]: row for row in reader.world.of(table) if sees(reader, row)}
        assert got.keys() == wanted.keys(), (table, reader.name, reader.roles)
        for (masked, column), shows in MASKS.items():
            for row_id, row in wanted.items() if masked == table else ():
                shown = got[row_id][column] is not None
                assert shown == shows(reader, row), (table, column, reader.name, reader.roles)


def test_every_table_that_a_band_shows_is_in_the_rules_or_holds_nobodys_secrets():
    from domain.band.charter import BAND

    everybodys = {"roles", "permissions", "role_permissions", "instruments", "sections", "persons", "publishers"}
    elsewhere = {"users", "user_roles", "music_files", "file_downloads", "media_assets"}
    assert {resource.table for resource in BAND.resources} - everybodys - elsewhere == set(RULES)
