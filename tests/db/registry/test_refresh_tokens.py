import sqlite3

import pytest

from db.errors import Forbidden, NotAuthenticated
from db.registry.account_changes import disable_account
from db.registry.refresh_tokens import rotate_refresh_token
from db.registry.refusal import Refused, accepted
from db.registry.sessions import (
    Refreshed,
    purge_sessions,
    revoke_all_sessions,
    revoke_sessions,
    session_is_live,
    start_session,
)
from tests.db.registry.registry_rows import RING, after, at, make_account, make_vault

NOW = at("10:00:00")
DAY = 86400


@pytest.fixture
def kadri(tx) -> str:
    make_vault(tx, "aurora")
    make_vault(tx, "harmonia")
    return make_account(tx).id


def rotate(tx, token, now=NOW, vault="v-aurora") -> Refreshed | Refused:
    return rotate_refresh_token(tx, RING, token, vault, now)


def refusal(outcome) -> str:
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, NotAuthenticated | Forbidden)
    return outcome.error.code


def reason(tx, session: Refreshed) -> str | None:
    return tx.value("SELECT revoke_reason FROM sessions WHERE id = :id", id=session.session_id)


def test_a_session_begins_with_a_refresh_token_for_30_days(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    assert (session.account_id, session.email, session.vault_id) == (kadri, "kadri@x.example", "v-aurora")
    assert session.expires_at == at("10:00:00", "2026-03-03").text
    assert session.refresh_token.startswith("vlr_")
    assert session_is_live(tx, session.session_id, NOW)


def test_the_registry_keeps_no_refresh_token(tx, kadri):
    first = start_session(tx, kadri, "v-aurora", NOW)
    second = accepted(rotate(tx, first.refresh_token))
    stored = str([tuple(row) for row in tx.rows("SELECT * FROM refresh_tokens")])
    assert first.refresh_token not in stored
    assert second.refresh_token not in stored


def test_a_refresh_token_is_not_shown_in_the_text_form_of_its_session(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    assert session.refresh_token not in repr(session)


def test_rotating_gives_another_token_of_the_same_session(tx, kadri):
    first = start_session(tx, kadri, "v-aurora", NOW)
    second = accepted(rotate(tx, first.refresh_token, at("10:15:00")))
    third = accepted(rotate(tx, second.refresh_token, at("10:30:00")))
    assert {first.session_id, second.session_id, third.session_id} == {first.session_id}
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3


@pytest.mark.parametrize(("seconds", "outcome"), [(30 * DAY - 0.001, None), (30 * DAY, "token_expired")])
def test_an_unused_refresh_token_lives_for_30_days(tx, kadri, seconds, outcome):
    session = start_session(tx, kadri, "v-aurora", NOW)
    result = rotate(tx, session.refresh_token, after(NOW, seconds=seconds))
    assert (refusal(result) if outcome else None) == outcome


def test_an_expired_token_does_not_end_the_session_as_stolen(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    rotate(tx, session.refresh_token, after(NOW, seconds=30 * DAY))
    assert reason(tx, session) is None


def test_no_rotation_carries_a_session_past_90_days(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    for day in (25, 50, 75):
        session = accepted(rotate(tx, session.refresh_token, after(NOW, seconds=day * DAY)))
    assert session.expires_at == after(NOW, seconds=90 * DAY).text
    assert refusal(rotate(tx, session.refresh_token, after(NOW, seconds=90 * DAY))) == "token_expired"


@pytest.mark.parametrize("seconds", [0, 1, 9.999])
def test_a_repeat_within_ten_seconds_gets_the_very_same_successor(tx, kadri, seconds):
    session = start_session(tx, kadri, "v-aurora", NOW)
    answered = rotate(tx, session.refresh_token)
    assert rotate(tx, session.refresh_token, after(NOW, seconds=seconds)) == answered
    assert rotate(tx, session.refresh_token, after(NOW, seconds=seconds)) == answered
    assert reason(tx, session) is None


def test_a_repeat_at_ten_seconds_revokes_the_family_and_records_why(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    successor = accepted(rotate(tx, session.refresh_token))
    assert refusal(rotate(tx, session.refresh_token, after(NOW, seconds=10))) == "token_invalid"
    assert reason(tx, session) == "reuse"
    assert refusal(rotate(tx, successor.refresh_token, after(NOW, seconds=11))) == "token_invalid"
    assert not session_is_live(tx, session.session_id, after(NOW, seconds=11))


def test_a_repeat_after_the_successor_was_used_is_reuse_even_within_ten_seconds(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    successor = accepted(rotate(tx, session.refresh_token))
    rotate(tx, successor.refresh_token, after(NOW, seconds=1))
    assert refusal(rotate(tx, session.refresh_token, after(NOW, seconds=2))) == "token_invalid"
    assert reason(tx, session) == "reuse"


def test_an_old_token_of_the_chain_coming_back_days_later_is_reuse(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    second = accepted(rotate(tx, session.refresh_token, at("10:15:00")))
    third = accepted(rotate(tx, second.refresh_token, at("10:30:00")))
    assert refusal(rotate(tx, session.refresh_token, after(NOW, seconds=3 * DAY))) == "token_invalid"
    assert refusal(rotate(tx, third.refresh_token, after(NOW, seconds=3 * DAY))) == "token_invalid"


def test_reuse_ends_its_own_family_only(tx, kadri):
    stolen, other = (start_session(tx, kadri, "v-aurora", NOW) for _ in range(2))
    rotate(tx, stolen.refresh_token)
    rotate(tx, stolen.refresh_token, after(NOW, seconds=60))
    assert session_is_live(tx, other.session_id, NOW)


def test_a_thief_and_the_owner_who_rotate_together_are_parted_at_the_next_rotation(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    owner, thief = (accepted(rotate(tx, session.refresh_token)) for _ in range(2))
    accepted(rotate(tx, thief.refresh_token, at("10:14:00")))
    assert refusal(rotate(tx, owner.refresh_token, at("10:15:00"))) == "token_invalid"
    assert reason(tx, session) == "reuse"


def test_a_successor_cannot_be_told_from_the_old_token_without_the_database(tx, kadri):
    first, second = (start_session(tx, kadri, "v-aurora", NOW) for _ in range(2))
    tx.execute("UPDATE sessions SET revoked_at = :now, revoke_reason = 'signed_out' WHERE id = :id",
               now=NOW.text, id=first.session_id)  # fmt: skip
    assert accepted(rotate(tx, second.refresh_token)).refresh_token != first.refresh_token


@pytest.mark.parametrize("token", ["", "vlr_" + "A" * 43, "\ud800"])
def test_an_unknown_token_is_invalid(tx, kadri, token):
    start_session(tx, kadri, "v-aurora", NOW)
    assert refusal(rotate(tx, token)) == "token_invalid"


def test_a_token_of_one_vault_is_refused_in_another_and_stays_good_at_home(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    assert refusal(rotate(tx, session.refresh_token, vault="v-harmonia")) == "wrong_audience"
    accepted(rotate(tx, session.refresh_token))


def test_a_disabled_account_gets_no_successor(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    tx.execute("UPDATE accounts SET disabled_at = :now", now=NOW.text)
    assert refusal(rotate(tx, session.refresh_token)) == "account_disabled"


def test_a_token_of_an_account_disabled_with_its_sessions_is_invalid(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    disable_account(tx, kadri, NOW)
    assert refusal(rotate(tx, session.refresh_token)) == "token_invalid"
    assert reason(tx, session) == "account_disabled"


@pytest.mark.parametrize(
    ("scope", "ended"), [("local", {"here"}), ("others", {"phone"}), ("global", {"here", "phone"})]
)
def test_signing_out_reaches_as_far_as_its_scope_and_never_another_vault_or_account(tx, kadri, scope, ended):
    anna = make_account(tx, "anna@x.example").id
    sessions = {
        "here": start_session(tx, kadri, "v-aurora", NOW),
        "phone": start_session(tx, kadri, "v-aurora", NOW),
        "elsewhere": start_session(tx, kadri, "v-harmonia", NOW),
        "anna": start_session(tx, anna, "v-aurora", NOW),
    }
    assert revoke_sessions(tx, kadri, "v-aurora", sessions["here"].session_id, scope, NOW) == len(ended)
    assert {name for name, session in sessions.items() if not session_is_live(tx, session.session_id, NOW)} == ended


def test_a_session_of_somebody_else_cannot_be_signed_out(tx, kadri):
    anna = start_session(tx, make_account(tx, "anna@x.example").id, "v-aurora", NOW)
    assert revoke_sessions(tx, kadri, "v-aurora", anna.session_id, "local", NOW) == 0
    assert session_is_live(tx, anna.session_id, NOW)


def test_a_signed_out_token_is_refused_within_ten_seconds_of_its_rotation_too(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    rotate(tx, session.refresh_token)
    revoke_sessions(tx, kadri, "v-aurora", session.session_id, "local", NOW)
    assert refusal(rotate(tx, session.refresh_token)) == "token_invalid"
    assert reason(tx, session) == "signed_out"


def test_ending_all_sessions_twice_ends_none_the_second_time(tx, kadri):
    start_session(tx, kadri, "v-aurora", NOW)
    assert revoke_all_sessions(tx, kadri, "password_changed", NOW) == 1
    assert revoke_all_sessions(tx, kadri, "password_changed", NOW) == 0


@pytest.mark.parametrize(("seconds", "live"), [(90 * DAY - 0.001, True), (90 * DAY, False)])
def test_a_session_ends_after_90_days(tx, kadri, seconds, live):
    session = start_session(tx, kadri, "v-aurora", NOW)
    assert session_is_live(tx, session.session_id, after(NOW, seconds=seconds)) is live


def test_sessions_are_forgotten_30_days_after_they_ended(tx, kadri):
    kept, gone = (start_session(tx, kadri, "v-aurora", NOW) for _ in range(2))
    revoke_sessions(tx, kadri, "v-aurora", gone.session_id, "local", NOW)
    assert purge_sessions(tx, after(NOW, seconds=30 * DAY)) == 0
    assert purge_sessions(tx, after(NOW, seconds=30 * DAY + 1)) == 1
    assert [row["id"] for row in tx.rows("SELECT id FROM sessions")] == [kept.session_id]


def test_purging_keeps_the_token_in_force_of_a_living_session(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    for day in (29, 58, 87):
        session = accepted(rotate(tx, session.refresh_token, after(NOW, seconds=day * DAY)))
    purge_sessions(tx, after(NOW, seconds=88 * DAY))
    accepted(rotate(tx, session.refresh_token, after(NOW, seconds=89 * DAY)))


def test_the_database_keeps_one_token_in_force_for_each_session(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE constraint failed"):
        tx.insert("refresh_tokens", id="x", session_id=session.session_id, token_hash="0" * 64,
                  created_at=NOW.text, expires_at=session.expires_at)  # fmt: skip


def test_the_database_refuses_to_bring_a_revoked_session_back(tx, kadri):
    session = start_session(tx, kadri, "v-aurora", NOW)
    revoke_all_sessions(tx, kadri, "signed_out", NOW)
    with pytest.raises(sqlite3.IntegrityError, match="revoked once"):
        tx.execute("UPDATE sessions SET revoked_at = NULL, revoke_reason = NULL WHERE id = :id", id=session.session_id)
