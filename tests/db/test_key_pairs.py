"""Key pairs: what one signs its public half takes, and a published library too; nothing else is taken."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import JWKRegistry

from db.errors import Invalid
from db.key_pairs import (
    ALGORITHMS,
    EDDSA,
    ES256,
    algorithm_of,
    is_signature,
    make_private_key,
    private_key_from,
    public_jwk,
    public_key_from,
    secret_of,
    sign,
)
from db.keyring import decode_base64url, encode_base64url

KEYS = {algorithm: private_key_from(algorithm, b"\x05" * 32) for algorithm in ALGORITHMS}
# RFC 7515 A.3: a key and what it signed.
RFC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RFC_SECRET = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
RFC_SIGNED = (
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC_SIGNATURE = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"


def test_the_example_of_the_standard_is_read():
    secret, signature = decode_base64url(RFC_SECRET), decode_base64url(RFC_SIGNATURE)
    assert secret is not None
    assert signature is not None
    assert public_jwk(private_key_from(ES256, secret)) == RFC_KEY
    assert is_signature(public_key_from({**RFC_KEY, "kid": "1"}), signature, RFC_SIGNED.encode())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_comes_back_from_its_secret_and_its_jwk(algorithm):
    key = make_private_key(algorithm, os.urandom)
    assert len(secret_of(key)) == 32
    assert public_jwk(private_key_from(algorithm, secret_of(key))) == public_jwk(key)
    assert public_jwk(public_key_from(public_jwk(key))) == public_jwk(key)
    assert algorithm_of(key) == algorithm_of(public_key_from(public_jwk(key))) == algorithm


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("filler", [b"\x00", b"\xff"])
def test_the_least_and_the_most_random_bytes_make_a_key(algorithm, filler):
    key = make_private_key(algorithm, lambda size: filler * size)
    assert is_signature(key.public_key(), sign(key, b"data"), b"data")


@given(st.sampled_from(ALGORITHMS), st.binary(max_size=64), st.integers(0, 63), st.integers(1, 255))
def test_a_signature_is_64_bytes_that_hold_for_this_data_and_key_alone(algorithm, data, index, flip):
    key = KEYS[algorithm]
    signature = sign(key, data)
    assert len(signature) == 64
    assert is_signature(key.public_key(), signature, data)
    assert not is_signature(key.public_key(), signature, data + b".")
    assert not is_signature(make_private_key(algorithm, os.urandom).public_key(), signature, data)
    changed = bytearray(signature)
    changed[index] ^= flip
    assert not is_signature(key.public_key(), bytes(changed), data)


@given(st.sampled_from(ALGORITHMS), st.binary(max_size=130))
def test_any_other_bytes_are_no_signature(algorithm, signature):
    assert not is_signature(KEYS[algorithm].public_key(), signature, b"data")


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_published_library_takes_the_signature(algorithm):
    key = KEYS[algorithm]
    text = f"{encode_base64url(json.dumps({'alg': algorithm}).encode())}.{encode_base64url(b'words')}"
    token = f"{text}.{encode_base64url(sign(key, text.encode()))}"
    found = jws.deserialize_compact(token, JWKRegistry.import_key(public_jwk(key)), algorithms=[algorithm])
    assert found.payload == b"words"


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        [],
        {},
        {"kty": "EC", "crv": "P-384", "x": RFC_KEY["x"], "y": RFC_KEY["y"]},
        {"kty": "OKP", "crv": "P-256", "x": RFC_KEY["x"], "y": RFC_KEY["y"]},
        {**RFC_KEY, "y": RFC_KEY["x"]},
        {**RFC_KEY, "y": None},
        {**RFC_KEY, "x": RFC_KEY["x"][:-1]},
        {**RFC_KEY, "x": RFC_KEY["x"] + "AA"},
        {"kty": "RSA", "n": "AQ", "e": "AQAB"},
        {"kty": "OKP", "crv": "Ed25519", "x": 7},
        {"kty": ["EC"], "crv": {}},
    ],
)
def test_what_is_no_such_key_is_refused(jwk):
    with pytest.raises(Invalid) as caught:
        public_key_from(jwk)
    assert caught.value.code == "key_invalid"


def test_an_algorithm_is_told_by_the_key():
    assert [algorithm_of(KEYS[name]) for name in (ES256, EDDSA)] == ["ES256", "EdDSA"]
