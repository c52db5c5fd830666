"""Riverside's pages, announcements, reminders and messages, and a leader who leaves, over HTTP: scenarios 14 to 19."""

from tests.handlers.http.site import error_of

NEWS = "news/spring-concert-2026"


def page(band, slug=NEWS, who="Dana", **given):
    wanted = {"title": "Spring Concert", "content": {"text": "Come!"}, **given}
    return band.done(who, "page.create", slug=slug, **wanted)["id"]


def publish(band, who="Ada", **given):
    """The id of a new announcement, and how many were told of it."""
    wanted = {"title": "Bus", "content": "The bus leaves at 17:00.", **given}
    made = band.done(who, "announcement.create", **wanted)["id"]
    return made, band.done(who, "announcement.publish", announcement_id=made)["notified"]


def told(band, kind, **values):
    more = "".join(f" AND {name} = :{name}" for name in values)
    return band.value(f"SELECT count(*) FROM user_notifications WHERE type = :kind{more}", kind=kind, **values)


def test_14_a_scheduled_page_is_public_after_its_moment_and_the_next_run(riverside):
    page_id = page(riverside)
    riverside.done("Ada", "page.schedule", page_id=page_id, scheduled_for="2026-04-20T09:00:00.000Z")
    riverside.at("2026-04-20T09:00:05.000Z")
    assert riverside.refused("", "site.read", slug=NEWS) == (404, "not_found")
    riverside.at("2026-04-20T09:00:07.000Z")
    riverside.job("content.publish")
    (shown,) = riverside.rows("Ada", "pages?select=status,published_at,scheduled_for")
    assert shown == {"status": "PUBLISHED", "published_at": "2026-04-20T09:00:07.000Z", "scheduled_for": None}
    riverside.at("2026-04-20T09:00:08.000Z")
    assert riverside.done("", "site.read", slug=NEWS)["body"] == {"format": "text", "value": "Come!"}
    assert riverside.refused("Dana", "page.update", page_id=page_id, title="x") == (403, "forbidden")
    draft = page(riverside, "draft")
    assert riverside.refused("Dana", "page.update", page_id=draft, status="PUBLISHED")[0] == 400
    refusals = {"Spring Concert": "bad_slug", "news": "reserved_slug", "admin/x": "reserved_slug"}
    for slug, code in refusals.items():
        assert riverside.refused("Dana", "page.create", title="x", slug=slug) == (400, code)


def test_14_what_came_due_while_nothing_ran_is_published_by_the_first_run(riverside):
    page_id = page(riverside)
    riverside.done("Ada", "page.schedule", page_id=page_id, scheduled_for="2026-04-20T09:00:00Z")
    riverside.at("2026-04-20T11:00:20.000Z")
    riverside.job("content.publish")
    assert riverside.done("", "site.read", slug=NEWS)["published_at"] == "2026-04-20T11:00:20.000Z"


def test_15_content_makes_versions_and_an_old_one_comes_back_as_a_new_one(riverside):
    page_id = page(riverside)
    for text in ("two", "three"):
        riverside.done("Dana", "page.update", page_id=page_id, content={"text": text})
    assert riverside.done("Dana", "page.update", page_id=page_id, meta_title="SEO")["version"] == 3
    kept = riverside.rows("Dana", "page_versions?order=version")
    assert [row["version"] for row in kept] == [1, 2, 3]
    assert riverside.done("Dana", "page.restore_version", page_id=page_id, version=1)["version"] == 4
    (now,) = riverside.rows("Dana", "pages?select=content,parent_version_id")
    assert now == {"content": {"text": "Come!"}, "parent_version_id": kept[0]["id"]}
    stale = riverside.refused("Dana", "page.update", page_id=page_id, version=3, title="x")
    assert stale == (409, "version_conflict")
    assert riverside.refused("Dana", "page.restore_version", page_id=page_id, version=9) == (404, "not_found")


def test_16_an_announcement_tells_each_reader_once_and_mails_in_batches(riverside):
    made, notified = publish(riverside, is_urgent=True)
    assert (notified, told(riverside, "ANNOUNCEMENT")) == (59, 59)
    batches = riverside.stored(
        "SELECT next_attempt_at, count(*) AS n FROM vaultry_outbox WHERE kind = 'mail'"
        " GROUP BY next_attempt_at ORDER BY next_attempt_at"
    )
    assert [row["n"] for row in batches] == [10, 10, 10, 10, 10, 9]
    assert [row["next_attempt_at"][17:] for row in batches] == [f"0{second}.000Z" for second in range(6)]
    payloads = riverside.stored("SELECT payload ->> 'subject' AS subject FROM vaultry_outbox GROUP BY 1")
    assert payloads == [{"subject": "[URGENT] Bus"}]
    riverside.done("Ada", "announcement.archive", announcement_id=made)
    riverside.clock.tick(60)
    riverside.done("Ada", "announcement.publish", announcement_id=made)
    assert told(riverside, "ANNOUNCEMENT") == 59
    for roles, readers in ((["SECTION_LEADER"], 2), (["LIBRARIAN", "SECTION_LEADER"], 3), (["MUSICIAN"], 55)):
        assert publish(riverside, target_roles=roles)[1] == readers
    choir = riverside.call("Ada", "announcement.create", title="x", content="x", target_roles=["CHOIR"])
    assert choir.status == 400
    assert riverside.refused("M11", "announcement.update", announcement_id=made, title="x") == (403, "out_of_scope")
    for _ in range(5):
        publish(riverside)
    eleventh = riverside.done("Ada", "announcement.create", title="x", content="x")["id"]
    answer = riverside.call("Ada", "announcement.publish", announcement_id=eleventh)
    assert (answer.status, error_of(answer)["code"]) == (429, "rate_limited")
    assert answer.header("retry-after") == "3600"
    riverside.done("Ada", "announcement.remove", announcement_id=made)
    bare = "SELECT count(*) FROM user_notifications WHERE type = 'ANNOUNCEMENT' AND announcement_id IS NULL"
    assert riverside.value(bare) == 59


def test_16_an_announcement_is_invisible_from_its_end_on_and_archived_later(riverside):
    publish(riverside, expires_at="2026-04-10T18:00:00Z")
    riverside.at("2026-04-10T17:59:59.999Z")
    assert len(riverside.rows("M16", "announcements")) == 1
    riverside.at("2026-04-10T18:00:00.000Z")
    assert riverside.rows("M16", "announcements") == []
    riverside.at("2026-04-11T03:00:00.000Z")
    riverside.job("announcements.expire")
    assert [row["status"] for row in riverside.rows("Ada", "announcements")] == ["ARCHIVED"]


def test_17_players_are_reminded_a_day_and_an_hour_before_and_once_of_each(riverside):
    e1 = riverside.ids.e1
    riverside.done("M16", "event.rsvp", event_id=e1, status="NO")

    def run(at):
        before = told(riverside, "EVENT_REMINDER")
        riverside.at(at)
        riverside.job("events.remind")
        return told(riverside, "EVENT_REMINDER") - before

    assert run("2026-04-30T18:45:00.000Z") == 0
    assert run("2026-04-30T19:00:00.000Z") == 52
    # Every run between the two would be ninety-one; each of them sees what these see.
    for hour in (19, 23):
        assert run(f"2026-04-30T{hour}:15:00.000Z") == 0
    for minute in ("06:00", "17:45"):
        assert run(f"2026-05-01T{minute}:00.000Z") == 0
    assert run("2026-05-01T18:00:00.000Z") == 52
    # Moved: the new start is reminded of anew; a cancelled one is not.
    riverside.at("2026-04-30T20:00:00.000Z")
    riverside.done("Dana", "event.update", event_id=e1, start_time="2026-05-01T19:30:00Z")
    assert run("2026-04-30T20:00:00.000Z") == 52
    riverside.done("Dana", "event.cancel", event_id=e1)
    assert run("2026-05-01T18:45:00.000Z") == 0


def test_17_all_ninety_one_runs_between_the_reminders_send_nothing(riverside):
    riverside.at("2026-04-30T19:00:00.000Z")
    riverside.job("events.remind")
    before = told(riverside, "EVENT_REMINDER")
    for _ in range(91):
        riverside.clock.tick(15 * 60)
        riverside.job("events.remind")
    assert told(riverside, "EVENT_REMINDER") == before == 53
    riverside.clock.tick(15 * 60)
    riverside.job("events.remind")
    assert told(riverside, "EVENT_REMINDER") == 106


def test_17_an_event_at_short_notice_gives_one_reminder(riverside):
    given = {"type": "REHEARSAL", "start_time": "2026-04-10T12:40:00Z", "end_time": "2026-04-10T14:00:00Z"}
    event_id = riverside.done("Dana", "event.create", title="Extra", **given)["id"]
    riverside.done("Dana", "event.publish", event_id=event_id)
    for _ in range(2):
        riverside.job("events.remind")
        assert told(riverside, "EVENT_REMINDER") == 53
    assert riverside.value("SELECT count(*) FROM user_notifications WHERE dedupe_key LIKE 'evt:%:1h:%'") == 53


def test_18_a_message_reaches_those_of_the_moment_it_was_sent(riverside):
    brass, winds = (f"section:{riverside.named('sections', name)}" for name in ("Brass", "Woodwinds"))
    text = {"subject": "Sectional", "body": "Tomorrow at six."}
    sent = riverside.done("M31", "message.send", recipients=brass, **text)
    assert sent["recipients"] == 20
    assert riverside.refused("M31", "message.send", recipients=winds, **text) == (403, "out_of_scope")
    riverside.clock.tick(60)
    everybody = riverside.done("Dana", "message.send", recipients="all", **text)
    assert everybody["recipients"] == 55
    assert riverside.refused("Dana", "message.send", recipients=["all", "u1"], **text)[0] == 400
    assert riverside.refused("Dana", "message.send", recipients=[], **text) == (400, "empty_recipients")
    # Next day M47 comes back, with a user.
    riverside.at("2026-04-11T12:00:00.000Z")
    m47 = riverside.ids.members[47]
    riverside.done("Dana", "member.set_status", member_id=m47, status="ACTIVE")
    user_id = riverside.done("Sam", "user.create", email="m47@riverside.example")["id"]
    riverside.done("Dana", "member.link_user", member_id=m47, user_id=user_id)
    assert riverside.done("M47", "message.list") == []
    assert riverside.refused("M47", "message.get", message_id=sent["id"]) == (404, "not_found")
    assert [one["id"] for one in riverside.done("M32", "message.list")] == [everybody["id"], sent["id"]]


def test_19_who_leaves_gives_up_leading_and_gets_only_playing_back(riverside):
    m31, user = riverside.ids.members[31], riverside.ids.users["M31"]
    first_suite = riverside.ids.pieces["First Suite in E-flat"]
    riverside.done("M21", "music.assign", piece_id=first_suite, member_ids=[m31], part_name="Trumpet 1")

    def roles():
        rows = riverside.rows("Sam", f"user_roles?user_id=eq.{user}&select=roles(name)")
        return {row["roles"]["name"] for row in rows}

    def leads():
        return [row["is_leader"] for row in riverside.rows("Dana", f"member_sections?member_id=eq.{m31}")]

    assert (roles(), leads()) == ({"MUSICIAN", "SECTION_LEADER"}, [1])
    early = riverside.call("Dana", "member.set_status", member_id=m31, status="ALUMNI", leave_date="1999-01-01")
    assert (early.status, early.json()["details"]) == (400, "leave_date")
    left = riverside.done("Dana", "member.set_status", member_id=m31, status="ALUMNI", leave_date="2026-06-30")
    assert [one["part_name"] for one in left["open_assignments"]] == ["Trumpet 1"]
    assert (roles(), leads()) == (set(), [0])
    away = riverside.refused("Dana", "member.set_status", member_id=m31, status="LEAVE_OF_ABSENCE")
    assert away == (409, "invalid_transition")
    back = riverside.done("Dana", "member.set_status", member_id=m31, status="ACTIVE")
    assert back["leave_date"] is None
    assert (roles(), leads()) == ({"MUSICIAN"}, [0])
