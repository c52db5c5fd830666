import pytest
from argon2 import PasswordHasher

from db.clock import Moment
from db.errors import Invalid
from db.passwords import _DUMMY, hash_password, needs_rehash, verify_password

NOW = Moment(0)


def test_a_password_verifies_against_its_own_hash_only():
    stored = hash_password("correct horse", NOW)
    assert verify_password("correct horse", stored)
    assert not verify_password("correct horsf", stored)


def test_a_hash_names_argon2id_and_its_parameters():
    assert hash_password("correct horse", NOW).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_two_hashes_of_one_password_differ():
    assert hash_password("correct horse", NOW) != hash_password("correct horse", NOW)


@pytest.mark.parametrize("length", [8, 1024])
def test_a_password_at_a_limit_is_taken(length):
    assert verify_password("x" * length, hash_password("x" * length, NOW))


@pytest.mark.parametrize("length", [0, 7, 1025])
def test_a_password_past_a_limit_is_refused_and_the_message_names_it(length):
    with pytest.raises(Invalid, match=f"got {length} characters, wanted 8 to 1024") as caught:
        hash_password("x" * length, NOW)
    assert caught.value.field == "password"


def test_characters_are_counted_after_normalising():
    with pytest.raises(Invalid, match="got 7 characters"):
        hash_password("e\u0301" * 7, NOW)


def test_two_ways_to_type_one_password_are_one_password():
    assert verify_password("\u00e9tude en \ufb01", hash_password("e\u0301tude en fi", NOW))


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(Invalid, match="surrogate"):
        hash_password("\ud800" * 8, NOW)
    assert not verify_password("\ud800" * 8, hash_password("correct horse", NOW))


def test_no_password_verifies_for_an_unknown_account():
    assert not verify_password("correct horse", None)


def test_an_unknown_account_is_verified_against_a_hash_of_the_parameters_in_use():
    assert not needs_rehash(_DUMMY)


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=19456"])
def test_a_damaged_hash_verifies_nothing(stored):
    assert not verify_password("correct horse", stored)


def test_a_hash_with_weaker_parameters_wants_to_be_made_again():
    assert needs_rehash(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("correct horse"))
    assert not needs_rehash(hash_password("correct horse", NOW))
