"""Bookmarks and restores over the D1 face."""

import pytest

from db.clock import timestamp_ms
from tests.handlers.d1.desk import make_desk

ROWS = "SELECT x FROM t ORDER BY x"


@pytest.fixture
def desk(tmp_path):
    """A database with one row at 10:00:00 and a second one from 10:01:00 on."""
    desk = make_desk(tmp_path)
    desk.create()
    desk.query("shop", "CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    desk.site.clock.tick(60)
    desk.query("shop", "INSERT INTO t VALUES (2)")
    desk.site.clock.tick(60)
    yield desk
    desk.site.services.close()


def bookmark(desk, query=""):
    return desk.done("GET", f"/shop/time_travel/bookmark{query}")["bookmark"]


def test_bookmarks_rise_with_commits(desk):
    first = bookmark(desk)
    desk.query("shop", "INSERT INTO t VALUES (3)")
    assert first < bookmark(desk)
    assert bookmark(desk) == bookmark(desk)


def test_a_moment_is_given_in_any_of_the_usual_ways(desk):
    now = desk.site.clock.ms // 1000
    one_row = now - 90
    ways = [
        str(one_row),
        f"{one_row}.5",
        "2026-02-05T10:00:30Z",
        "2026-02-05T12:00:30.250%2B02:00",
        "2026-02-05T12:00:30+02:00",
    ]
    found = {bookmark(desk, f"?timestamp={text}") for text in ways}
    assert len(found) == 1
    assert found != {bookmark(desk)}
    assert bookmark(desk, f"?timestamp={now}") == bookmark(desk)


@pytest.mark.parametrize("text", ["yesterday", "2026-02-05T10:00:30", "1e9", "99999999999999", "2026-13-01T00:00:00Z"])
def test_a_moment_that_is_none_is_refused(desk, text):
    desk.refused(400, 7400, "GET", f"/shop/time_travel/bookmark?timestamp={text}")


def test_moments_ahead_and_before_the_beginning_are_refused(desk):
    assert "future" in desk.refused(400, 7400, "GET", "/shop/time_travel/bookmark?timestamp=2026-02-05T10:02:01Z")
    assert "oldest" in desk.refused(400, 7400, "GET", "/shop/time_travel/bookmark?timestamp=2026-02-05T09:59:59Z")
    assert "future" in desk.refused(400, 7400, "POST", "/shop/time_travel/restore?timestamp=2030-01-01T00:00:00Z")
    assert "oldest" in desk.refused(400, 7400, "POST", "/shop/time_travel/restore?timestamp=0")


def test_a_restore_is_undone_by_the_bookmark_before(desk):
    at = timestamp_ms("2026-02-05T10:00:30Z") // 1000
    before = bookmark(desk)
    done = desk.done("POST", f"/shop/time_travel/restore?timestamp={at}")
    assert done["previous_bookmark"] == before
    assert done["bookmark"] == bookmark(desk) > before
    assert desk.query("shop", ROWS) == [{"x": 1}]
    desk.done("POST", f"/shop/time_travel/restore?bookmark={before}")
    assert desk.query("shop", ROWS) == [{"x": 1}, {"x": 2}]


def test_a_bookmark_of_another_database_brings_nothing_back(desk):
    desk.create("other")
    foreign = desk.done("GET", "/other/time_travel/bookmark")["bookmark"]
    desk.refused(400, 7400, "POST", f"/shop/time_travel/restore?bookmark={foreign}")
    desk.refused(400, 7400, "POST", "/shop/time_travel/restore?bookmark=nonsense")
    ahead = bookmark(desk)[:8] + "-000fffff" + bookmark(desk)[17:]
    desk.refused(400, 7400, "POST", f"/shop/time_travel/restore?bookmark={ahead}")
    desk.refused(400, 7400, "POST", "/shop/time_travel/restore")
    desk.refused(400, 7400, "POST", f"/shop/time_travel/restore?bookmark={bookmark(desk)}&timestamp=1")
    assert len(desk.query("shop", ROWS)) == 2


def test_a_restore_is_in_the_audit_log_under_its_token(desk):
    before = bookmark(desk)
    desk.done("POST", f"/shop/time_travel/restore?bookmark={before}")
    sql = "SELECT actor, verb FROM vaultry_audit WHERE table_name = 'vault.restore'"
    [row] = desk.query("shop", sql)
    assert (row["actor"].startswith("token:"), row["verb"]) == (True, "d1.restore")
