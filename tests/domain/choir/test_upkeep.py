"""What a choir's vault forgets by itself, what it counts and checks."""

import pytest

from domain.choir.upkeep import check_files, count_figures, purge_invites
from tests.domain.choir.stage import Stage

JAAN = "jaan@aurora.example"


@pytest.mark.parametrize(("moment", "removed"), [("2026-03-09T10:00:00.000Z", 0), ("2026-03-09T10:00:00.001Z", 1)])
def test_an_invitation_is_forgotten_thirty_days_after_it_expired(stage: Stage, moment: str, removed: int):
    org = stage.choir("aurora")
    stage.singer(org, "Jaan", email=JAAN, roles=("admin",))
    # Good until 7 February at the same hour.
    stage.call("invite.create", JAAN, org, name="Anna", sections=["Alto"])
    stage.at = moment
    assert purge_invites(stage.tx, stage.now) == removed
    assert purge_invites(stage.tx, stage.now) == 0
    left = 1 - removed
    assert stage.rows("SELECT count(*) FROM invites") == [(left,)]
    assert stage.rows("SELECT count(*) FROM invite_sections") == [(left,)]


FIGURES = ("members", "organizations", "works", "editions", "file_bytes")
EVENTS = ("events_rehearsal", "events_concert", "events_retreat", "events_festival")


def test_the_figures_of_a_day_count_the_whole_vault_and_the_events_that_start_on_it(stage: Stage):
    org, other = stage.choir("aurora"), stage.choir("meretuul", owner="m@x.example")
    assert [count_figures(stage.tx, stage.now)[name] for name in (*FIGURES, *EVENTS)] == [2, 2, *[0] * 7]
    both = stage.singer(org, "Tom", email="tom@x.example")
    stage.join(other, both)
    stage.singer(org, "Roster only")
    gone = stage.singer(org, "Gone")
    stage.tx.execute("DELETE FROM member_organizations WHERE member_id = :id", id=gone)
    for number, deleted_at in enumerate((None, "2026-01-01T00:00:00.000Z")):
        stage.tx.insert("works", id=f"w{number}", org_id=org, title="x")
        stage.tx.insert("editions", id=f"e{number}", work_id=f"w{number}", name="x", file_key=f"e{number}",
                        file_size=1000, deleted_at=deleted_at)  # fmt: skip
    for number, (moment, kind) in enumerate((
        ("2026-02-04T23:59:59.999Z", "concert"), ("2026-02-05T00:00:00.000Z", "rehearsal"),
        ("2026-02-05T23:59:59.999Z", "rehearsal"), ("2026-02-05T10:00:00.000Z", "festival"),
        ("2026-02-06T00:00:00.000Z", "retreat"),
    )):  # fmt: skip
        stage.tx.insert("events", id=f"v{number}", org_id=(org, other)[number % 2], title="x", starts_at=moment,
                        event_type=kind)  # fmt: skip
    assert [count_figures(stage.tx, stage.now)[name] for name in FIGURES] == [4, 2, 2, 1, 2000]
    assert [count_figures(stage.tx, stage.now)[name] for name in EVENTS] == [2, 0, 0, 1]
    assert set(count_figures(stage.tx, stage.now)) == {*FIGURES, *EVENTS}
    stage.at = "2026-02-04T00:00:00Z"
    assert [count_figures(stage.tx, stage.now)[name] for name in EVENTS] == [0, 1, 0, 0]


def store_score(stage: Stage, edition_id: str, size: int) -> None:
    """The rows of a stored score of so many bytes."""
    sha256 = f"{len(stage.rows('SELECT 1 FROM vaultry_blobs')):064x}"
    at = stage.now.text
    stage.tx.insert("vaultry_blobs", sha256=sha256, size=size, object=stage.now.new_id(), created_at=at)
    stage.tx.insert("vaultry_files", id=stage.now.new_id(), bucket="scores", name=f"{edition_id}/a.pdf",
                    row_key=edition_id, sha256=sha256, size=size, content_type="application/pdf",
                    cache_control="no-cache", uploaded_by="test", created_at=at, updated_at=at)  # fmt: skip


def test_editions_and_the_files_stored_for_them_are_compared(stage: Stage):
    org = stage.choir("aurora")
    stage.tx.insert("works", id="w", org_id=org, title="x")
    for name, noted in (("sound", 10), ("longer", 11), ("empty", 12), ("silent", None), ("bare", None)):
        key = None if noted is None else name
        stage.tx.insert("editions", id=name, work_id="w", name=name, file_key=key, file_size=noted)
    for name in ("sound", "longer", "silent"):
        store_score(stage, name, 10)
    before = stage.connection.total_changes
    found = check_files(stage.tx, stage.now)
    assert found == check_files(stage.tx, stage.now) == {"unmatched": 2, "unnoted": 1}
    assert stage.connection.total_changes == before
    stage.tx.execute("UPDATE editions SET file_key = NULL, file_size = NULL WHERE id IN ('longer', 'empty')")
    stage.tx.execute("DELETE FROM vaultry_files WHERE row_key IN ('longer', 'silent')")
    assert check_files(stage.tx, stage.now) == {}
