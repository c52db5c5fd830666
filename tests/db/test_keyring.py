import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.clock import Moment
from db.errors import VaultError
from db.keyring import KeyRing, decode_base64url, encode_base64url, random_token, token_digest

SECRET = "a platform secret only for tests 0123456789"
RING = KeyRing(SECRET)


@pytest.mark.parametrize("length", [0, 31])
def test_a_secret_under_32_characters_is_refused(length):
    with pytest.raises(VaultError, match=f"{length} characters, wanted 32") as caught:
        KeyRing("x" * length)
    assert caught.value.code == "misconfigured"


def test_a_secret_of_32_characters_is_taken():
    assert len(KeyRing("x" * 32).subkey("anything")) == 32


def test_a_subkey_stays_what_it_was_in_earlier_releases():
    assert RING.subkey("refresh token").hex() == "c5ca286b385ea63cc50987404aee58f113c1c989405466823e3e5a035b0d0fe7"


def test_subkeys_differ_by_purpose_and_by_secret():
    keys = {RING.subkey("a"), RING.subkey("b"), KeyRing(SECRET + "!").subkey("a")}
    assert len(keys) == 3


def test_a_mac_depends_on_purpose_and_text():
    macs = {RING.mac("a", "004217"), RING.mac("b", "004217"), RING.mac("a", "004218")}
    assert len(macs) == 3
    assert all(len(mac) == 64 for mac in macs)


@given(st.binary(max_size=100), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_wrapped_key_unwraps_in_its_own_context(key, context):
    assert RING.unwrap(RING.wrap(key, context), context) == key


def test_wrapping_twice_gives_two_texts():
    assert RING.wrap(b"k" * 32, "c") != RING.wrap(b"k" * 32, "c")


def test_unwrapping_in_another_context_is_refused():
    with pytest.raises(VaultError, match=r"stored for signing_keys\.2"):
        RING.unwrap(RING.wrap(b"k" * 32, "signing_keys.1"), "signing_keys.2")


def test_unwrapping_under_another_secret_names_the_setting():
    wrapped = RING.wrap(b"k" * 32, "c")
    with pytest.raises(VaultError, match="VAULTRY_SECRET differs") as caught:
        KeyRing("another platform secret 0123456789").unwrap(wrapped, "c")
    assert caught.value.code == "misconfigured"


@pytest.mark.parametrize("damaged", ["", "w1:", "w1:AAAA", "w1:!!!!", "x1:" + "A" * 80, "w1:" + "A" * 80])
def test_damaged_wrapped_text_is_refused(damaged):
    with pytest.raises(VaultError, match="cannot be unwrapped"):
        RING.unwrap(damaged, "c")


def test_neither_the_ring_nor_its_text_form_shows_the_secret():
    assert SECRET not in repr(RING)
    assert SECRET not in str(vars(RING))


def test_a_token_is_its_prefix_and_43_characters():
    token = random_token("vlt_", Moment(0))
    assert token.startswith("vlt_")
    assert len(token) == 4 + 43
    assert token != random_token("vlt_", Moment(0))


def test_a_token_digest_is_sha_256_in_hex():
    assert token_digest("vlt_abc") == hashlib.sha256(b"vlt_abc").hexdigest()


def test_a_token_digest_exists_for_any_text_a_client_can_send():
    assert len(token_digest("\ud800")) == 64


@given(st.binary(max_size=200))
def test_base64url_decodes_to_what_was_encoded(data):
    assert decode_base64url(encode_base64url(data)) == data


@given(st.text(max_size=20))
def test_base64url_decodes_one_text_only_for_each_value(text):
    data = decode_base64url(text)
    assert data is None or encode_base64url(data) == text


@pytest.mark.parametrize("text", ["QQ==", "QR", "Q", "Q+", "Q/", "Q Q", "ä", "QQ\n"])
def test_base64url_refuses_padding_strays_and_loose_bits(text):
    assert decode_base64url(text) is None
