import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.clock import Moment
from db.errors import Gone, Invalid, VaultError
from db.keyring import KeyRing
from db.personal import PersonalCipher, destroy_data_key, ensure_data_key, load_cipher
from db.sql_functions import register_functions
from db.transaction import WriteTx

RING = KeyRing("a platform secret only for tests 0123456789")
CIPHER = PersonalCipher(b"\x01" * 32)
DESTROYED = PersonalCipher(None)
NOW = Moment(1_769_940_000_000)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
KERNEL_STEP = Path(__file__).parents[2] / "migrations/kernel/0003_personal_keys.sql"


@pytest.fixture
def tx() -> Iterator[WriteTx]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(KERNEL_STEP.read_text())
        yield WriteTx(connection)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def unreadable(context: str, sealed: str, cipher: PersonalCipher = CIPHER) -> bool:
    with pytest.raises(VaultError) as caught:
        cipher.open(context, sealed)
    return caught.value.code == "personal_unreadable"


@given(TEXTS)
def test_sealed_text_opens_in_its_own_column(text):
    assert CIPHER.open("members.name", CIPHER.seal("members.name", text)) == text


@given(TEXTS)
def test_sealed_text_does_not_open_in_another_column(text):
    assert unreadable("members.phone", CIPHER.seal("members.name", text))


@given(TEXTS, st.integers(min_value=0), st.integers(1, 255))
def test_sealed_text_with_any_changed_character_does_not_open(text, place, shift):
    sealed = CIPHER.seal("members.name", text)
    index = place % len(sealed)
    changed = sealed[:index] + chr((ord(sealed[index]) + shift) % 128) + sealed[index + 1 :]
    if changed != sealed:
        assert unreadable("members.name", changed)


def test_sealed_text_does_not_open_under_another_key():
    assert unreadable("c", CIPHER.seal("c", "Anna"), PersonalCipher(b"\x02" * 32))


@pytest.mark.parametrize("stored", ["", "Anna", "p1:", "p1:AAAA", "p1:" + "A" * 36, "p1:" + "A" * 40, "p2:" + "A" * 80])
def test_text_that_is_not_sealed_raises_instead_of_reading_as_nothing(stored):
    assert unreadable("members.name", stored)


def test_a_value_sealed_by_an_earlier_release_still_opens():
    assert CIPHER.open("members.name", "p1:BQUFBQUFBQUFBQUFVXuZNAzon3AE0--W7WIeJW3L-7ko") == "Tõnu"


def test_the_same_text_seals_differently_each_time():
    assert CIPHER.seal("c", "Anna") != CIPHER.seal("c", "Anna")


def test_nothing_opens_to_nothing():
    assert CIPHER.open("c", None) is None


def test_half_a_surrogate_pair_is_refused_as_input():
    with pytest.raises(Invalid, match="surrogate"):
        CIPHER.seal("c", "\ud800")


def test_a_look_up_hash_is_equal_for_equal_texts_only():
    assert CIPHER.lookup("anna@x.example") == CIPHER.lookup("anna@x.example")
    assert CIPHER.lookup("anna@x.example") != CIPHER.lookup("Anna@x.example")
    assert CIPHER.lookup("anna@x.example") != PersonalCipher(b"\x02" * 32).lookup("anna@x.example")


@given(TEXTS)
def test_a_look_up_hash_has_a_form_of_its_own(text):
    assert CIPHER.lookup(text).startswith("h1:")
    assert len(CIPHER.lookup(text)) == 3 + 43


def test_after_destruction_values_open_to_nothing_and_none_can_be_sealed():
    assert DESTROYED.open("c", CIPHER.seal("c", "Anna")) is None
    with pytest.raises(Gone) as caught:
        DESTROYED.seal("c", "Anna")
    assert caught.value.code == "personal_key_destroyed"


def test_after_destruction_a_look_up_hash_equals_no_stored_one():
    assert DESTROYED.lookup("Anna") == "h1:"


def test_a_vault_gets_one_data_key_however_often_it_is_asked_for(tx):
    ensure_data_key(tx, RING, NOW)
    sealed = load_cipher(tx, RING).seal("c", "Anna")
    ensure_data_key(tx, RING, NOW)
    assert tx.value("SELECT count(*) FROM vaultry_personal_keys") == 1
    assert load_cipher(tx, RING).open("c", sealed) == "Anna"


def test_the_stored_data_key_is_wrapped(tx):
    ensure_data_key(tx, RING, Moment(NOW.ms, lambda count: b"\x07" * count))
    wrapped = tx.value("SELECT wrapped_key FROM vaultry_personal_keys")
    assert wrapped.startswith("w1:")
    assert "BwcHBwcHBwcH" not in wrapped


def test_a_vault_without_a_data_key_is_misconfigured(tx):
    with pytest.raises(VaultError, match="no personal-data key") as caught:
        load_cipher(tx, RING)
    assert caught.value.code == "misconfigured"


def test_another_platform_secret_cannot_load_the_data_key(tx):
    ensure_data_key(tx, RING, NOW)
    with pytest.raises(VaultError, match="VAULTRY_SECRET"):
        load_cipher(tx, KeyRing("another platform secret 0123456789"))


def test_a_data_key_copied_into_another_row_does_not_unwrap(tx):
    ensure_data_key(tx, RING, NOW)
    tx.execute("UPDATE vaultry_personal_keys SET id = 'elsewhere'")
    with pytest.raises(VaultError, match="cannot be unwrapped"):
        load_cipher(tx, RING)


def test_a_destroyed_data_key_leaves_no_wrapped_form_and_is_not_replaced(tx):
    ensure_data_key(tx, RING, NOW)
    sealed = load_cipher(tx, RING).seal("c", "Anna")
    destroy_data_key(tx, NOW)
    ensure_data_key(tx, RING, NOW)
    assert [tuple(row) for row in tx.rows("SELECT wrapped_key, destroyed_at FROM vaultry_personal_keys")] == [
        ("", NOW.text)
    ]
    assert load_cipher(tx, RING).open("c", sealed) is None


def test_sql_seals_opens_and_hashes_like_the_cipher(connection):
    register_functions(connection, CIPHER)
    sealed, hashed = connection.execute("SELECT personal_seal('t.c', 'Anna'), personal_lookup('Anna')").fetchone()
    assert CIPHER.open("t.c", sealed) == "Anna"
    assert hashed == CIPHER.lookup("Anna")
    assert connection.execute("SELECT personal_open('t.c', ?)", (sealed,)).fetchone() == ("Anna",)


def test_sql_null_stays_null(connection):
    register_functions(connection, CIPHER)
    row = connection.execute(
        "SELECT personal_seal('c', NULL), personal_open('c', NULL), personal_lookup(NULL)"
    ).fetchone()
    assert row == (None, None, None)


def test_sql_rows_of_one_statement_get_nonces_of_their_own(connection):
    register_functions(connection, CIPHER)
    rows = connection.execute(
        "SELECT personal_seal('c', 'Anna') FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)"
    ).fetchall()
    assert len(set(rows)) == 3


@pytest.mark.parametrize(
    "sql", ["SELECT personal_open('c', 'Anna')", "SELECT personal_seal('c', 7)", "SELECT personal_lookup(x'00')"]
)
def test_sql_fails_for_damaged_values_and_for_what_is_not_text(connection, sql):
    register_functions(connection, CIPHER)
    with pytest.raises(sqlite3.OperationalError, match="user-defined function raised exception"):
        connection.execute(sql).fetchone()


def test_sql_without_a_cipher_keeps_nothing_of_the_vault_before(connection):
    register_functions(connection, CIPHER)
    register_functions(connection, None)
    with pytest.raises(sqlite3.OperationalError, match="user-defined function raised exception"):
        connection.execute("SELECT personal_lookup('Anna')").fetchone()


def test_sql_of_the_next_vault_uses_its_own_cipher(connection):
    register_functions(connection, CIPHER)
    other = PersonalCipher(b"\x02" * 32)
    register_functions(connection, other)
    assert connection.execute("SELECT personal_lookup('Anna')").fetchone() == (other.lookup("Anna"),)


def test_sql_casefold_meets_letters_beyond_ascii_and_leaves_other_values(connection):
    register_functions(connection, None)
    row = connection.execute(
        "SELECT casefold('ÕIE') = casefold('õie'), casefold('Straße'), casefold(7), casefold(NULL)"
    )
    assert row.fetchone() == (1, "strasse", 7, None)
