"""Whose key signed an archive: by either kind of key, and by no other."""

import json
import os

import pytest

from db.archive.trust import (
    fingerprint,
    jwks_fingerprints,
    public_key_of,
    read_manifest,
    require_trusted,
    sign_manifest,
)
from db.errors import Forbidden, Invalid
from db.key_pairs import ALGORITHMS, make_private_key, public_jwk
from db.registry.signing_keys import Signer


def make_signer(algorithm: str) -> Signer:
    return Signer("k1", make_private_key(algorithm, os.urandom))


def signed_by(signer: Signer, key: Signer | None = None) -> str:
    return sign_manifest(signer, {"issuer": "https://id.example", "key": public_key_of(key or signer)})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_manifest_is_read_by_the_key_in_it_and_believed_by_its_fingerprint(algorithm):
    signer = make_signer(algorithm)
    manifest = read_manifest(signed_by(signer))
    assert manifest.content["issuer"] == "https://id.example"
    assert manifest.fingerprint == public_key_of(signer)["fingerprint"]
    require_trusted(manifest, [manifest.fingerprint])
    with pytest.raises(Forbidden, match="not known here"):
        require_trusted(manifest, [fingerprint(public_jwk(make_signer(algorithm).private_key))])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_manifest_that_names_another_key_than_signed_it_is_refused(algorithm):
    for other in map(make_signer, ALGORITHMS):
        with pytest.raises(Invalid) as caught:
            read_manifest(signed_by(make_signer(algorithm), other))
        assert caught.value.code == "signature_invalid"


def test_a_published_set_gives_the_fingerprints_of_keys_that_sign_here():
    ours = [public_jwk(make_signer(algorithm).private_key) for algorithm in ALGORITHMS]
    published = {"keys": [*({**jwk, "kid": "x", "use": "sig"} for jwk in ours), {"kty": "RSA", "n": "AQ", "e": "AQAB"}]}
    assert jwks_fingerprints(json.dumps(published)) == [fingerprint(jwk) for jwk in ours]


def test_the_fingerprint_is_the_thumbprint_of_the_standard():
    # RFC 8037 A.3.
    key = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert fingerprint({**key, "kid": "any"}) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    for wrong in (None, {}, {"kty": "RSA"}, {**key, "x": "AA"}):
        with pytest.raises(Invalid) as caught:
            fingerprint(wrong)
        assert caught.value.code == "signature_invalid"
