"""Signed documents: what was signed is read again; nothing else is."""

import base64
import json
import os

import pytest

from db.errors import Invalid
from db.key_pairs import ALGORITHMS, algorithm_of, make_private_key
from db.registry.access_tokens import mint_access_token
from db.registry.signed_documents import read_document, sign_document
from db.registry.signing_keys import Signer, current_signer, revoke_signing_key, rotate_signing_keys
from tests.db.registry.registry_rows import RING, at

NOW = at("10:00:00")
KIND = "vaultry-test"


@pytest.fixture(params=ALGORITHMS)
def signer(tx, request):
    rotate_signing_keys(tx, RING, NOW, request.param)
    return current_signer(tx, RING, NOW)


def test_a_document_is_read_as_it_was_signed(tx, signer):
    content = {"name": "Õie", "rows": {"works": 3}, "findings": [], "passed": True}
    found = read_document(tx, KIND, sign_document(signer, KIND, content))
    assert (found.content, found.key_id, found.key_revoked_at) == (content, signer.key_id, None)


def test_a_key_that_was_retired_since_still_proves_it_and_says_so(tx, signer):
    signed = sign_document(signer, KIND, {})
    revoke_signing_key(tx, signer.key_id, at("11:00:00"))
    assert read_document(tx, KIND, signed).key_revoked_at == at("11:00:00").text


def segment(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_nothing_else_passes(tx, signer):
    signed = sign_document(signer, KIND, {"passed": False})
    header, payload, signature = signed.split(".")
    algorithm = algorithm_of(signer.private_key)
    stranger = Signer(signer.key_id, make_private_key(algorithm, os.urandom))
    other = next(known for known in ALGORITHMS if known != algorithm)
    other_kind = Signer(signer.key_id, make_private_key(other, os.urandom))
    unknown = Signer("0" * 16, signer.private_key)
    names = {"account_id": "a", "email": "a@x.example", "vault_id": "v", "session_id": "s", "issuer": "i"}
    forged = {
        "another payload": f"{header}.{segment({'passed': True})}.{signature}",
        "another kind": sign_document(signer, "vaultry-other", {}),
        "another key under our name": sign_document(stranger, KIND, {}),
        "a key of another kind under our name": sign_document(other_kind, KIND, {}),
        "a key nobody knows": sign_document(unknown, KIND, {}),
        "an access token": mint_access_token(signer, **names, now=NOW),
        "no algorithm": f"{segment({'alg': 'none', 'typ': KIND, 'kid': signer.key_id})}.{payload}.",
        "no key id": f"{segment({'alg': algorithm, 'typ': KIND})}.{payload}.{signature}",
        "no document": "a.b.c",
        "nothing": "",
        "not ascii": "ä.ä.ä",
    }
    for what, text in forged.items():
        with pytest.raises(Invalid) as refusal:
            read_document(tx, KIND, text)
        assert refusal.value.code == "signature_invalid", what
