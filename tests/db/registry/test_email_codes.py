import json

import pytest

from db.clock import Moment
from db.errors import Invalid, NotAuthenticated, RateLimited, VaultError
from db.registry.code_proofs import VerifiedEmail, verify_code
from db.registry.email_codes import purge_codes, request_code
from db.registry.refusal import Refused, accepted
from tests.db.registry.registry_rows import RING, after, at, make_vault

KADRI = "kadri@x.example"
NOW = at("10:00:00")


def drawing(now: Moment, *codes: int) -> Moment:
    """The same moment, whose random draws are these codes in turn; ids stay random."""
    left = list(codes)
    return Moment(now.ms, lambda count: left.pop(0).to_bytes(8, "big") if count == 8 else now.random_bytes(count))


def ask(tx, now=NOW, code=4217, email=KADRI, vault="v-aurora", **options) -> str:
    return request_code(tx, RING, email, vault, drawing(now, code), vault_name="Aurora", **options)


def guess(tx, code="004217", now=NOW, email=KADRI, vault="v-aurora") -> VerifiedEmail | Refused:
    return verify_code(tx, RING, email, code, vault, now)


def refusal(outcome) -> str:
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, NotAuthenticated)
    return outcome.error.code


def mails(tx) -> list[dict[str, str]]:
    return [json.loads(row["payload"]) for row in tx.rows("SELECT payload FROM vaultry_outbox ORDER BY created_at, id")]


@pytest.fixture(autouse=True)
def vaults(tx):
    make_vault(tx, "aurora")
    make_vault(tx, "harmonia")


def test_a_code_goes_out_by_mail_and_its_address_is_verified_by_it(tx):
    assert ask(tx) == at("10:05:00").text
    [mail] = mails(tx)
    assert mail["to"] == KADRI
    assert mail["subject"] == "004217 is your code for Aurora"
    assert "004217" in mail["text"]
    assert accepted(guess(tx)) == VerifiedEmail(KADRI, "v-aurora")


def test_the_mail_carries_the_link_made_of_the_code(tx):
    ask(tx, link_for=lambda code: f"https://aurora.example/verify?code={code}")
    assert "https://aurora.example/verify?code=004217" in mails(tx)[0]["text"]


def test_a_vault_name_cannot_add_lines_to_the_mail_subject(tx):
    request_code(tx, RING, KADRI, "v-aurora", drawing(NOW, 1), vault_name="Aurora\r\nBcc: all@x.example")
    assert mails(tx)[0]["subject"] == "000001 is your code for Aurora Bcc: all@x.example"


def test_the_registry_keeps_no_code(tx):
    ask(tx)
    stored = [str(tuple(row)) for row in tx.rows("SELECT * FROM email_codes")]
    assert "004217" not in "".join(stored)


def test_the_address_is_normalised_on_both_sides_and_blanks_in_the_code_do_not_matter(tx):
    ask(tx, email=" Kadri@X.example")
    assert accepted(guess(tx, " 004 217 ", email="KADRI@x.example")).email == KADRI


@pytest.mark.parametrize(
    ("clock", "outcome"), [("10:04:59", None), ("10:04:59.999", None), ("10:05:00", "code_expired")]
)
def test_a_code_lives_for_five_minutes(tx, clock, outcome):
    ask(tx)
    result = guess(tx, now=at(clock))
    assert (refusal(result) if outcome else None) == outcome


def test_a_code_works_once(tx):
    ask(tx)
    accepted(guess(tx))
    assert refusal(guess(tx)) == "code_used"
    assert refusal(guess(tx, now=at("11:00:00"))) == "code_used"


@pytest.mark.parametrize(
    "code", ["004218", "", "4217", "0042170", "abcdef", "\ud800", "\u0660\u0660\u0664\u0662\u0661\u0667"]
)
def test_a_wrong_code_is_invalid(tx, code):
    ask(tx)
    assert refusal(guess(tx, code)) == "code_invalid"


def test_a_code_is_for_one_address_and_one_vault(tx):
    ask(tx)
    assert refusal(guess(tx, email="anna@x.example")) == "code_invalid"
    assert refusal(guess(tx, vault="v-harmonia")) == "code_invalid"
    assert accepted(guess(tx)).email == KADRI


def test_an_unknown_address_gets_the_same_refusal_as_a_wrong_code(tx):
    ask(tx)
    known, unknown = guess(tx, "111111"), guess(tx, "111111", email="nobody@x.example")
    assert isinstance(known, Refused)
    assert isinstance(unknown, Refused)
    assert known.error.message == unknown.error.message


def test_an_earlier_code_stays_valid_beside_a_newer_one(tx):
    ask(tx, code=1)
    ask(tx, at("10:01:00"), code=2)
    accepted(guess(tx, "000002", at("10:02:00")))
    accepted(guess(tx, "000001", at("10:02:00")))


def test_four_wrong_guesses_leave_the_code_alive(tx):
    ask(tx)
    for _ in range(4):
        guess(tx, "999999")
    accepted(guess(tx))


def test_the_fifth_wrong_guess_kills_every_live_code_of_the_address(tx):
    ask(tx, code=1)
    ask(tx, code=2, vault="v-harmonia")
    for vault in ("v-aurora", "v-harmonia", "v-aurora", "v-harmonia"):
        guess(tx, "999999", vault=vault)
    ask(tx, code=3)
    guess(tx, "999999")
    assert refusal(guess(tx, "000001")) == "code_invalid"
    assert refusal(guess(tx, "000002", vault="v-harmonia")) == "code_invalid"
    assert refusal(guess(tx, "000003")) == "code_invalid"


def test_wrong_guesses_do_not_touch_codes_of_other_addresses(tx):
    ask(tx)
    ask(tx, code=2, email="anna@x.example")
    for _ in range(5):
        guess(tx, "999999")
    accepted(guess(tx, "000002", email="anna@x.example"))


def test_a_code_asked_for_after_the_kill_is_alive_with_no_guesses_counted(tx):
    ask(tx)
    for _ in range(5):
        guess(tx, "999999")
    ask(tx, code=2)
    for _ in range(4):
        guess(tx, "999999")
    accepted(guess(tx, "000002"))


def test_used_and_expired_codes_do_not_count_as_wrong_guesses(tx):
    ask(tx, code=1)
    accepted(guess(tx, "000001"))
    ask(tx, code=2)
    for _ in range(6):
        assert refusal(guess(tx, "000001")) == "code_used"
    accepted(guess(tx, "000002"))


def test_guesses_are_counted_only_while_a_code_is_live(tx):
    ask(tx, code=1)
    for _ in range(6):
        guess(tx, "999999", at("10:05:00"))
    assert refusal(guess(tx, "000001", at("10:05:00"))) == "code_expired"


def test_five_mails_pass_within_the_hour_and_the_sixth_says_how_long_to_wait(tx):
    for index, minute in enumerate((0, 5, 10, 15, 20)):
        ask(tx, at(f"10:{minute:02}:00"), code=index)
    with pytest.raises(RateLimited) as caught:
        ask(tx, at("10:30:00"))
    assert caught.value.retry_after_s == 30 * 60
    assert len(mails(tx)) == 5


@pytest.mark.parametrize(("clock", "wait_s"), [("10:59:59", 1), ("10:59:58.500", 2), ("10:59:59.999", 1)])
def test_the_wait_is_rounded_up_to_whole_seconds(tx, clock, wait_s):
    for index in range(5):
        ask(tx, code=index)
    with pytest.raises(RateLimited) as caught:
        ask(tx, at(clock))
    assert caught.value.retry_after_s == wait_s


def test_the_count_restarts_at_one_when_the_hour_is_over(tx):
    for index in range(5):
        ask(tx, code=index)
    ask(tx, at("11:00:00"), code=9)
    row = tx.row("SELECT count, window_start FROM email_rate_limits WHERE email = :email", email=KADRI)
    assert tuple(row) == (1, at("11:00:00").text)


def test_the_throttle_is_per_address_over_all_vaults(tx):
    for index in range(4):
        ask(tx, code=index)
    ask(tx, vault="v-harmonia")
    ask(tx, email="anna@x.example")
    with pytest.raises(RateLimited):
        ask(tx, vault="v-harmonia")


def test_a_draw_that_clashes_with_an_unused_code_is_drawn_again(tx):
    ask(tx, code=7)
    request_code(tx, RING, KADRI, "v-aurora", drawing(NOW, 7, 7, 8), vault_name="Aurora")
    accepted(guess(tx, "000008"))
    accepted(guess(tx, "000007"))


def test_a_draw_may_repeat_a_used_code_which_then_works_again(tx):
    ask(tx, code=7)
    accepted(guess(tx, "000007"))
    ask(tx, at("10:01:00"), code=7)
    accepted(guess(tx, "000007", at("10:02:00")))


def test_randomness_that_repeats_itself_for_ever_is_reported(tx):
    stuck = Moment(NOW.ms, lambda count: b"\x07" * count)
    request_code(tx, RING, KADRI, "v-aurora", stuck, vault_name="Aurora")
    with pytest.raises(VaultError, match="source of randomness is broken"):
        request_code(tx, RING, KADRI, "v-aurora", stuck, vault_name="Aurora")


def test_what_is_no_address_is_refused_before_anything_is_written(tx):
    with pytest.raises(Invalid):
        ask(tx, email="kadri@x")
    assert tx.value("SELECT count(*) FROM email_rate_limits") == 0


def test_codes_and_windows_are_forgotten_a_day_later(tx):
    ask(tx)
    assert purge_codes(tx, at("10:05:00", "2026-02-02")) == 0
    assert purge_codes(tx, after(at("10:05:00", "2026-02-02"), seconds=0.001)) == 1
    assert tx.value("SELECT count(*) FROM email_rate_limits") == 0
