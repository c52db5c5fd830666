import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.registry.factors import (
    answer_challenge,
    challenge_factor,
    enrol_factor,
    get_factor,
    has_factor,
    list_factors,
    matching_step,
    purge_challenges,
    remove_factor,
)
from db.registry.refusal import Refused, accepted
from db.registry.sessions import start_session
from tests.db.registry.registry_rows import RING, after, at, make_account, make_vault

NOW = at("10:00:00")
# RFC 6238, appendix B, the rows of SHA1: seconds since 1970 and eight digits.
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]
SECRET = b"12345678901234567890"


@pytest.mark.parametrize(("at_s", "digits"), VECTORS)
def test_the_codes_are_those_of_the_standard(at_s, digits):
    assert matching_step(SECRET, digits, at_s, 0, digits=8) == at_s // 30
    assert matching_step(SECRET, digits[2:], at_s, 0) == at_s // 30


@given(st.sampled_from(VECTORS), st.integers(-200, 200), st.integers(-5, 5))
def test_a_code_is_good_one_step_around_its_own_and_never_again_once_it_was_taken(vector, off_s, taken):
    at_s, digits = vector
    step, now_s = at_s // 30, max(at_s + off_s, 0)
    near = abs(now_s // 30 - step) <= 1
    found = matching_step(SECRET, digits, now_s, step + taken, digits=8)
    assert found == (step if near and taken < 0 else None)


@given(st.text(max_size=8))
def test_what_is_no_code_matches_nothing(text):
    expected = {"287082", "94287082"}
    assert "".join(text.split()) in expected or matching_step(SECRET, text, 59, 0) is None or len(text) >= 6


def scene(tx):
    account, vault = make_account(tx), make_vault(tx)
    session = start_session(tx, account.id, vault.id, NOW)
    return account, session, enrol_factor(tx, RING, account.id, None, NOW)


def code_at(made, now: Moment) -> str:
    import pyotp

    return pyotp.TOTP(made.secret).at(now.ms // 1000)


def answer(tx, account, session, made, code, now=NOW, challenge=None):
    asked = challenge or challenge_factor(tx, account.id, made.factor.id, session.session_id, now)
    return answer_challenge(tx, RING, account.id, made.factor.id, asked.id, session.session_id, code, now)


def refusal(outcome) -> str:
    assert isinstance(outcome, Refused)
    return outcome.error.code


def test_a_factor_counts_once_a_code_of_it_was_shown(tx):
    account, session, made = scene(tx)
    assert not has_factor(tx, account.id)
    assert accepted(answer(tx, account, session, made, code_at(made, NOW))).verified_at is None
    assert has_factor(tx, account.id)
    assert get_factor(tx, account.id, made.factor.id).verified_at == NOW.text


def test_a_code_that_was_taken_is_refused_although_its_time_is_not_over(tx):
    account, session, made = scene(tx)
    code = code_at(made, NOW)
    accepted(answer(tx, account, session, made, code))
    assert refusal(answer(tx, account, session, made, code, after(NOW, seconds=5))) == "mfa_verification_failed"
    later = after(NOW, seconds=30)
    accepted(answer(tx, account, session, made, code_at(made, later), later))
    assert refusal(answer(tx, account, session, made, code, later)) == "mfa_verification_failed"


def test_a_challenge_is_answered_once_in_its_session_and_in_time(tx):
    account, session, made = scene(tx)
    other = start_session(tx, account.id, session.vault_id, NOW)
    asked = challenge_factor(tx, account.id, made.factor.id, session.session_id, NOW)
    code = code_at(made, NOW)
    assert refusal(answer(tx, account, other, made, code, challenge=asked)) == "mfa_challenge_expired"
    late = after(NOW, seconds=300)
    assert refusal(answer(tx, account, session, made, code_at(made, late), late, asked)) == "mfa_challenge_expired"
    accepted(answer(tx, account, session, made, code, challenge=asked))
    soon = after(NOW, seconds=30)
    assert refusal(answer(tx, account, session, made, code_at(made, soon), soon, asked)) == "mfa_challenge_expired"


def test_the_registry_keeps_no_secret(tx):
    _, _, made = scene(tx)
    stored = str([tuple(row) for row in tx.rows("SELECT * FROM factors")])
    assert made.secret not in stored
    assert made.secret not in repr(made)


def test_nobody_reaches_the_factor_of_somebody_else(tx):
    _, _, made = scene(tx)
    stranger = make_account(tx, "stranger@x.example")
    for reach in (get_factor, remove_factor):
        with pytest.raises(NotFound) as caught:
            reach(tx, stranger.id, made.factor.id)
        assert caught.value.code == "mfa_factor_not_found"


def test_factors_have_names_of_their_own(tx):
    account, _, made = scene(tx)
    with pytest.raises(Conflict) as caught:
        enrol_factor(tx, RING, account.id, made.factor.friendly_name, NOW)
    assert caught.value.code == "mfa_factor_name_conflict"
    assert enrol_factor(tx, RING, account.id, None, NOW).factor.friendly_name == "Authenticator 2"


def test_ten_factors_are_the_limit_and_unshown_ones_are_forgotten(tx):
    account, _, _ = scene(tx)
    for _ in range(9):
        enrol_factor(tx, RING, account.id, None, NOW)
    with pytest.raises(Invalid) as caught:
        enrol_factor(tx, RING, account.id, None, NOW)
    assert caught.value.code == "too_many_enrolled_mfa_factors"
    enrol_factor(tx, RING, account.id, None, after(NOW, seconds=3601))
    assert len(list_factors(tx, account.id)) == 1


def test_challenges_that_are_over_are_forgotten(tx):
    account, session, made = scene(tx)
    challenge_factor(tx, account.id, made.factor.id, session.session_id, NOW)
    assert purge_challenges(tx, NOW) == 0
    assert purge_challenges(tx, after(NOW, seconds=300)) == 1
