"""Riverside brought back to an earlier moment over HTTP, by whoever runs the platform: scenario 23.

Every commit is a point in time here: what comes back is the last one before the moment, not the last of five minutes.
"""

from typing import Any

import pytest

from tests.domain.band.band_site import BandSite

TO = "2026-04-10T14:32:00.000Z"


@pytest.fixture
def mishap(riverside: BandSite) -> BandSite:
    """Two pages, the last written at 14:30; M16 forgotten at 14:31; every page deleted by mistake at 14:33."""
    for minute, slug in ((20, "one"), (30, "two")):
        riverside.at(f"2026-04-10T14:{minute}:00.000Z")
        riverside.done("Dana", "page.create", title=slug, slug=slug, raw_markdown="x")
    riverside.at("2026-04-10T14:31:00.000Z")
    riverside.done("Ada", "member.anonymise", member_id=riverside.ids.members[16])
    riverside.at("2026-04-10T14:33:00.000Z")
    riverside.write(lambda tx: tx.execute("DELETE FROM pages"))
    riverside.at("2026-04-10T14:40:00.000Z")
    return riverside


def restored(band: BandSite, **to: str) -> tuple[int, Any]:
    """Status and body of the operator's call that brings the band back."""
    path = f"/client/v4/accounts/vaultry/d1/database/{band.tenant.entry.id}/time_travel/restore"
    token = ("authorization", f"Bearer {band.site.api_token(None)}")
    answer = band.site.client.request("POST", path, query=to, headers=[token])
    return answer.status, answer.json()


def name_of(band: BandSite, number: int) -> str:
    found: str = band.value("SELECT first_name FROM members WHERE id = :id", id=band.ids.members[number])
    return found


def test_23_what_was_deleted_comes_back_and_who_was_forgotten_does_not(mishap: BandSite):
    assert mishap.rows("Ada", "pages") == []
    status, _ = restored(mishap, timestamp=TO)
    assert status == 200
    assert [row["slug"] for row in mishap.rows("Ada", "pages?order=slug")] == ["one", "two"]
    # To before the forgetting: the register is replayed.
    assert restored(mishap, timestamp="2026-04-10T14:30:30.000Z")[0] == 200
    assert (name_of(mishap, 16), name_of(mishap, 17)) == ("DELETED", "M17")


@pytest.mark.parametrize("moment", ["2026-02-01T00:00:00.000Z", "2026-04-10T14:40:00.001Z"])
def test_23_there_is_no_way_to_before_the_window_or_into_the_future(mishap: BandSite, moment: str):
    assert restored(mishap, timestamp=moment)[0] == 400
    assert mishap.rows("Ada", "pages") == []


def test_23_a_damaged_log_leaves_the_band_as_it_is(mishap: BandSite):
    status, _ = restored(mishap, timestamp="2026-04-10T14:25:00.000Z")
    assert status == 200
    before = mishap.stored("SELECT id, slug FROM pages")
    log = mishap.site.folder / "store" / "vaults" / mishap.tenant.entry.id / "ltx"
    for page in log.glob("*/*.ltx"):
        body = page.read_bytes()
        page.chmod(0o644)
        page.write_bytes(body[:-20] + bytes(4) + body[-16:])
    status, body = restored(mishap, timestamp=TO)
    assert (status >= 400, body["success"]) == (True, False)
    assert mishap.stored("SELECT id, slug FROM pages") == before
