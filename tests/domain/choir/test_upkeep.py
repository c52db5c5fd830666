"""What a choir's vault forgets by itself, and when."""

import pytest

from domain.choir.upkeep import purge_invites
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
