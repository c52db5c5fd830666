"""What the band publishes and tells its people: pages and versions, announcements, reminders, messages, settings."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import Conflict, Forbidden, Invalid, NotFound
from domain.band.calendar.reminders import remind, remind_of_attendance
from domain.band.content.news_desk import expire_announcements, publish_content
from domain.band.content.slugs import RESERVED, parse_slug
from tests.domain.band.riverside import build

NEWS = "news/spring-concert-2026"


@pytest.fixture
def band(stage):
    stage.story = build(stage.tx, stage.now)
    return stage


def refused_code(kind, band, verb, caller, **given):
    with pytest.raises(kind) as refused:
        band.call(verb, caller, **given)
    return refused.value.code


def page(band, slug=NEWS, caller="Dana", **given):
    return band.call("page.create", caller, title="Spring Concert", slug=slug, content={"text": "Come!"}, **given)["id"]


def announce(band, caller="Ada", **given):
    return band.call("announcement.create", caller, **{"title": "Bus", "content": "The bus leaves at 17:00.", **given})[
        "id"
    ]


def test_a_scheduled_page_is_public_after_its_moment_and_the_next_run(band):
    page_id = page(band)
    band.call("page.schedule", "Ada", page_id=page_id, scheduled_for="2026-04-20T09:00:00Z")
    band.at = "2026-04-20T09:00:05.000Z"
    with pytest.raises(NotFound):
        band.call("site.read", "", slug=NEWS)
    band.at = "2026-04-20T09:00:07.000Z"
    assert publish_content(band.tx, band.now) == 1
    assert publish_content(band.tx, band.now) == 0
    band.at = "2026-04-20T09:00:08.000Z"
    assert band.call("site.read", "", slug=NEWS)["published_at"] == "2026-04-20T09:00:07.000Z"
    assert band.value("SELECT scheduled_for FROM pages") is None
    with pytest.raises(Forbidden):
        band.call("page.update", "Dana", page_id=page_id, title="Concert")
    with pytest.raises(Invalid):
        band.call("page.update", "Ada", page_id=page_id, status="DRAFT")


@pytest.mark.parametrize(
    ("slug", "code"),
    [("Spring Concert", "bad_slug"), ("news", "reserved_slug"), ("admin/x", "reserved_slug"), ("a//b", "bad_slug"),
     ("-a", "bad_slug"), ("a--b", "bad_slug"), ("a/", "bad_slug")],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused(band, slug, code):
    assert refused_code(Invalid, band, "page.create", "Dana", title="x", slug=slug) == code


@given(st.text(alphabet="abc-/ A0é", max_size=12))
def test_a_slug_is_either_refused_or_made_of_words_between_hyphens_and_slashes(text):
    try:
        slug = parse_slug(text)
    except Invalid:
        return
    assert slug.split("/")[0] not in RESERVED - {"news"}
    assert all(re.fullmatch("[a-z0-9]+", word) for part in slug.split("/") for word in part.split("-"))


def test_an_address_stays_taken_by_a_deleted_page(band):
    page_id = page(band)
    band.call("page.delete", "Ada", page_id=page_id)
    assert refused_code(Conflict, band, "page.create", "Dana", title="x", slug=NEWS) == "slug_taken"
    band.call("page.restore", "Ada", page_id=page_id)
    assert band.value("SELECT status FROM pages") == "DRAFT"


def test_content_makes_versions_and_an_old_one_comes_back_as_a_new_one(band):
    page_id = page(band)
    band.call("page.update", "Dana", page_id=page_id, content={"text": "2"})
    band.call("page.update", "Dana", page_id=page_id, content={"text": "3"})
    assert band.call("page.update", "Dana", page_id=page_id, meta_title="SEO")["version"] == 3
    assert band.value("SELECT count(*) FROM page_versions") == 3
    assert band.call("page.restore_version", "Dana", page_id=page_id, version=1)["version"] == 4
    assert band.value("SELECT content FROM pages") == '{"text":"Come!"}'
    parent = band.value("SELECT id FROM page_versions WHERE version = 1")
    assert band.value("SELECT parent_version_id FROM pages") == parent
    given = {"page_id": page_id, "version": 3, "title": "x"}
    assert refused_code(Conflict, band, "page.update", "Dana", **given) == "version_conflict"
    assert refused_code(Conflict, band, "page.restore_version", "Dana", page_id=page_id, version=4)
    with pytest.raises(NotFound):
        band.call("page.restore_version", "Dana", page_id=page_id, version=9)
    listed = band.call("page.versions", "Dana", page_id=page_id)
    assert [one["version"] for one in listed] == [4, 3, 2, 1]
    assert listed[0]["content"] == listed[3]["content"]


def test_an_empty_page_is_not_published_and_a_published_one_not_again(band):
    page_id = band.call("page.create", "Dana", title="x", slug="welcome")["id"]
    assert refused_code(Invalid, band, "page.publish", "Ada", page_id=page_id) == "empty_page"
    band.call("page.update", "Dana", page_id=page_id, raw_markdown="# Hi")
    with pytest.raises(Forbidden):
        band.call("page.publish", "Dana", page_id=page_id)
    first = band.call("page.publish", "Ada", page_id=page_id)["published_at"]
    assert refused_code(Conflict, band, "page.publish", "Ada", page_id=page_id) == "invalid_transition"
    assert band.value("SELECT published_at FROM pages") == first
    assert [found["slug"] for found in band.call("site.search", "", q="hi")] == ["welcome"]
    assert band.call("site.search", "", q='"') == []


def test_an_urgent_announcement_reaches_everybody_once_by_note_and_mail(band):
    announcement_id = announce(band, is_urgent=True)
    assert band.call("announcement.publish", "Ada", announcement_id=announcement_id)["notified"] == 59
    assert band.value("SELECT count(*) FROM vaultry_outbox") == 59
    assert band.value("SELECT payload ->> 'subject' FROM vaultry_outbox") == "[URGENT] Bus"
    band.call("announcement.archive", "Ada", announcement_id=announcement_id)
    assert band.call("announcement.publish", "Ada", announcement_id=announcement_id)["notified"] == 0
    assert band.value("SELECT count(*) FROM user_notifications") == 59
    band.call("announcement.remove", "Ada", announcement_id=announcement_id)
    assert band.value("SELECT count(*) FROM user_notifications WHERE announcement_id IS NULL") == 59


@pytest.mark.parametrize(
    ("roles", "count"),
    [(["SECTION_LEADER"], 2), (["LIBRARIAN", "SECTION_LEADER"], 3), (["MUSICIAN"], 55), ([], 59)],
)
def test_an_announcement_reaches_who_holds_one_of_its_roles(band, roles, count):
    announcement_id = announce(band, target_roles=roles)
    assert band.call("announcement.publish", "Ada", announcement_id=announcement_id)["notified"] == count


def test_an_unknown_role_is_refused_and_so_is_somebody_elses_announcement(band):
    with pytest.raises(Invalid):
        announce(band, target_roles=["CHOIR"])
    announcement_id = announce(band)
    assert refused_code(Forbidden, band, "announcement.update", "M11", announcement_id=announcement_id, title="x") == (
        "out_of_scope"
    )
    own = announce(band, caller="M11")
    band.call("announcement.update", "M11", announcement_id=own, title="Mine")


def test_an_announcement_that_expires_before_it_is_published_is_never_told(band):
    announcement_id = announce(band, expires_at="2026-04-11T00:00:00Z")
    band.call("announcement.schedule", "Ada", announcement_id=announcement_id, publish_at="2026-04-10T20:00:00Z")
    band.at = "2026-04-11T00:00:00.000Z"
    assert publish_content(band.tx, band.now) == 1
    assert band.rows("SELECT status FROM announcements") == [("ARCHIVED",)]
    assert band.value("SELECT count(*) FROM user_notifications") == 0


def test_expired_announcements_are_put_away(band):
    announcement_id = announce(band, expires_at="2026-04-10T18:00:00Z")
    band.call("announcement.publish", "Ada", announcement_id=announcement_id)
    band.at = "2026-04-10T18:00:00.000Z"
    assert expire_announcements(band.tx, band.now) == 0
    band.at = "2026-04-11T03:00:00.000Z"
    assert expire_announcements(band.tx, band.now) == 1


def test_a_concert_is_reminded_of_a_day_and_an_hour_before(band):
    e1, m16 = band.story.e1, band.story.members[16]
    band.call("event.rsvp", "M16", event_id=e1, status="NO")
    made = []
    for hour in range(24):
        for quarter in (0, 15, 30, 45):
            day, clock = ("30", hour + 19) if hour < 5 else ("01", hour - 5)
            month = "04" if day == "30" else "05"
            band.at = f"2026-{month}-{day}T{clock:02d}:{quarter:02d}:00.000Z"
            made.append(remind(band.tx, band.now))
    assert (made[0], made[92], sum(made)) == (52, 52, 104)
    band.at = "2026-05-01T12:00:00.000Z"
    band.call("event.update", "Dana", event_id=e1, start_time="2026-05-01T19:30:00Z")
    assert remind(band.tx, band.now) == 52
    band.call("event.cancel", "Dana", event_id=e1)
    band.at = "2026-05-01T19:00:00.000Z"
    assert remind(band.tx, band.now) == 0
    assert band.value("SELECT status FROM attendance WHERE member_id = ?", m16) == "ABSENT"


def test_an_event_at_short_notice_gives_one_reminder(band):
    given = {"title": "Extra", "type": "REHEARSAL", "start_time": "2026-04-10T12:40:00Z",
             "end_time": "2026-04-10T14:00:00Z"}  # fmt: skip
    band.call("event.publish", "Dana", event_id=band.call("event.create", "Dana", **given)["id"])
    assert [remind(band.tx, band.now), remind(band.tx, band.now)] == [53, 0]
    band.at = "2026-04-11T13:59:00.000Z"
    assert remind_of_attendance(band.tx, band.now) == 0
    band.at = "2026-04-11T14:00:00.000Z"
    assert [remind_of_attendance(band.tx, band.now), remind_of_attendance(band.tx, band.now)] == [1, 0]


def test_a_message_reaches_those_of_the_moment_it_was_sent(band):
    sent = {"subject": "Hi", "body": "x" * 300}
    brass, winds = band.named("sections", "Brass"), band.named("sections", "Woodwinds")
    reply = band.call("message.send", "M31", recipients=f"section:{brass}", **sent)
    assert reply["recipients"] == 20
    assert refused_code(Forbidden, band, "message.send", "M31", recipients=f"section:{winds}", **sent) == "out_of_scope"
    assert band.call("message.send", "Dana", recipients="all", **sent)["recipients"] == 55
    for recipients, code in ((["all", "u1"], "invalid_input"), ([], "empty_recipients"), (["u1"], "unknown_recipient")):
        assert refused_code(Invalid, band, "message.send", "Dana", recipients=recipients, **sent) == code
    assert band.rows("SELECT DISTINCT length(message) FROM user_notifications") == [(203,)]
    assert len(band.call("message.list", "M32")) == 2
    assert band.call("message.list", "M31", box="sent")[0]["id"] == reply["id"]
    with pytest.raises(NotFound):
        band.call("message.get", "M16", message_id=reply["id"])
    with pytest.raises(Conflict), band.transaction():
        band.connection.execute("UPDATE messages SET body = 'y'")


def test_a_notification_is_read_once_and_by_its_owner(band):
    announcement_id = announce(band)
    band.call("announcement.publish", "Ada", announcement_id=announcement_id)
    (mine,) = band.call("me.notifications", "M16", unread=True)
    first = band.call("me.read_notification", "M16", notification_id=mine["id"])["read_at"]
    band.at = "2026-04-12T00:00:00.000Z"
    assert band.call("me.read_notification", "M16", notification_id=mine["id"])["read_at"] == first
    with pytest.raises(NotFound):
        band.call("me.read_notification", "M17", notification_id=mine["id"])
    assert band.call("me.read_all_notifications", "M17") == {"count": 1}
    assert band.call("me.notifications", "M17", unread=True) == []


def test_settings_keep_their_rules_and_secrets_stay_unseen(band):
    with pytest.raises(Forbidden):
        band.call("settings.update", "Ada", settings={"band_name": "x"})
    set_to = {"strict_part_download": True, "contact_email": "A@B.example", "sms_key": "s3cret", "my.own": "1"}
    now = band.call("settings.update", "sam", settings=set_to)
    assert (now["strict_part_download"], now["contact_email"], now["sms_key"], now["my.own"]) == (
        "true", "a@b.example", "[redacted]", "1",
    )  # fmt: skip
    assert now["require_approval"] == "true"
    for wrong in ({"band_name": ""}, {"Bad Key": "x"}, {"password_min_length": "7"}, {"website_url": "ftp://x"},
                  {"require_approval": "yes"}, {}):  # fmt: skip
        with pytest.raises(Invalid):
            band.call("settings.update", "sam", settings={"my.own": "2", **wrong} if wrong else {})
    assert band.call("settings.get", "sam")["my.own"] == "1"
