import json
import sqlite3
from contextlib import closing

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from db.errors import Conflict, NotAuthenticated, NotFound, VaultError
from db.key_pairs import ALGORITHMS, EDDSA, ES256, public_jwk, secret_of
from db.keyring import KeyRing
from db.registry.access_tokens import mint_access_token, token_key_id, verify_access_token
from db.registry.signing_keys import (
    Rotation,
    activate_signing_key,
    create_signing_key,
    current_signer,
    jwks,
    list_signing_keys,
    revoke_signing_key,
    rotate_signing_keys,
    verification_keys,
)
from db.transaction import WriteTx
from tests.db.registry.registry_rows import MIGRATIONS, RING, after, at, open_registry

NOW = at("10:00:00")
DAY = 86400


def make_signer(tx, now=NOW) -> str:
    return activate_signing_key(tx, create_signing_key(tx, RING, now).key_id, now).key_id


def mint(tx, now) -> str:
    signer = current_signer(tx, RING, now)
    return mint_access_token(signer, account_id="a", email="kadri@x.example", vault_id="v", session_id="s",
                             issuer="https://id.example", now=now)  # fmt: skip


def passes(tx, token, now) -> bool:
    try:
        verify_access_token(token, verification_keys(tx), vault_id="v", issuer="https://id.example", now=now)
    except NotAuthenticated:
        return False
    return True


def published(tx) -> list[str]:
    return [key["kid"] for key in jwks(tx)["keys"]]


def test_keys_take_turns_without_breaking_living_tokens(tx):
    k1 = make_signer(tx)
    k2 = create_signing_key(tx, RING, NOW).key_id
    assert set(published(tx)) == {k1, k2}
    assert token_key_id(mint(tx, at("10:59:00"))) == k1

    old = mint(tx, at("10:58:00"))
    activate_signing_key(tx, k2, at("11:00:00"))
    assert token_key_id(mint(tx, at("11:00:00"))) == k2
    assert passes(tx, old, at("11:00:00"))

    revoke_signing_key(tx, k1, at("11:00:01"))
    assert published(tx) == [k2]
    assert not passes(tx, old, at("11:00:01"))
    assert passes(tx, mint(tx, at("11:00:01")), at("11:00:01"))


def test_without_an_activated_key_nobody_can_be_signed_in(tx):
    create_signing_key(tx, RING, NOW)
    with pytest.raises(VaultError, match="no signing key is activated") as caught:
        current_signer(tx, RING, NOW)
    assert caught.value.code == "misconfigured"


def test_when_the_only_activated_key_is_revoked_nobody_can_be_signed_in(tx):
    revoke_signing_key(tx, make_signer(tx), NOW)
    with pytest.raises(VaultError) as caught:
        current_signer(tx, RING, NOW)
    assert caught.value.code == "misconfigured"


def test_after_the_newest_key_is_revoked_the_one_before_it_signs(tx):
    k1 = make_signer(tx)
    k2 = create_signing_key(tx, RING, NOW).key_id
    activate_signing_key(tx, k2, at("11:00:00"))
    revoke_signing_key(tx, k2, at("11:30:00"))
    assert current_signer(tx, RING, at("11:30:00")).key_id == k1


@pytest.mark.parametrize(("clock", "ripe"), [("10:59:59.999", False), ("11:00:00", True)])
def test_a_successor_is_published_for_an_hour_before_it_signs(tx, clock, ripe):
    make_signer(tx)
    k2 = create_signing_key(tx, RING, NOW).key_id
    if ripe:
        assert activate_signing_key(tx, k2, at(clock)).activated_at == at(clock).text
    else:
        with pytest.raises(Conflict) as caught:
            activate_signing_key(tx, k2, at(clock))
        assert caught.value.code == "key_too_young"


def test_an_emergency_skips_the_hour(tx):
    make_signer(tx)
    k2 = create_signing_key(tx, RING, NOW).key_id
    assert activate_signing_key(tx, k2, NOW, at_once=True).activated_at == NOW.text


def test_activating_twice_keeps_the_first_time_and_a_revoked_key_is_refused(tx):
    k1 = make_signer(tx)
    assert activate_signing_key(tx, k1, at("12:00:00")).activated_at == NOW.text
    revoke_signing_key(tx, k1, NOW)
    with pytest.raises(Conflict) as caught:
        activate_signing_key(tx, k1, NOW)
    assert caught.value.code == "key_revoked"


def test_revoking_twice_keeps_the_first_time(tx):
    k1 = make_signer(tx)
    revoke_signing_key(tx, k1, NOW)
    assert revoke_signing_key(tx, k1, at("12:00:00")).revoked_at == NOW.text


def test_an_unknown_key_is_not_found(tx):
    for change in (activate_signing_key, revoke_signing_key):
        with pytest.raises(NotFound):
            change(tx, "nothing", NOW)


def test_the_published_set_holds_public_parts_only_of_either_kind(tx):
    make_signer(tx)
    create_signing_key(tx, RING, after(NOW, seconds=1), EDDSA)
    new, old = jwks(tx)["keys"]
    assert set(new) == {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"}
    assert (new["kty"], new["crv"], new["alg"]) == ("EC", "P-256", "ES256")
    assert set(old) == {"kty", "crv", "x", "kid", "alg", "use", "key_ops"}
    assert (old["kty"], old["crv"], old["alg"]) == ("OKP", "Ed25519", "EdDSA")


def test_tokens_of_either_kind_of_key_pass_side_by_side(tx):
    rotate_signing_keys(tx, RING, NOW, EDDSA)
    by_eddsa = mint(tx, NOW)
    [made] = rotate_signing_keys(tx, RING, after(NOW, seconds=1)).created
    later = after(NOW, seconds=3601)
    assert rotate_signing_keys(tx, RING, later) == Rotation(activated=(made,))
    by_es256 = mint(tx, later)
    assert [key.algorithm for key in list_signing_keys(tx)] == [ES256, EDDSA]
    assert token_key_id(by_es256) == made
    assert passes(tx, by_eddsa, NOW)
    assert passes(tx, by_es256, later)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rotation_leaves_a_signer_of_the_algorithm_asked_for_alone(tx, algorithm):
    rotate_signing_keys(tx, RING, NOW, algorithm)
    assert rotate_signing_keys(tx, RING, NOW, algorithm) == Rotation()
    other = next(known for known in ALGORITHMS if known != algorithm)
    assert len(rotate_signing_keys(tx, RING, NOW, other).created) == 1
    assert rotate_signing_keys(tx, RING, NOW, other) == Rotation(), "one waits already"


def test_a_key_made_before_there_was_another_algorithm_signs_on():
    """Written by the steps up to 13, read after the next."""
    with closing(open_registry(13)) as connection:
        key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
        connection.execute(
            "INSERT INTO signing_keys (id, key_id, public_key, private_key, created_at, activated_at)"
            " VALUES ('1', 'k1', ?, ?, ?, ?)",
            (json.dumps(public_jwk(key)), RING.wrap(secret_of(key), "signing_keys.k1"), NOW.text, NOW.text),
        )
        connection.executescript((MIGRATIONS / "registry" / "0014_sign_with_p256.sql").read_text())
        tx = WriteTx(connection)
        assert passes(tx, mint(tx, NOW), NOW)
        assert [known.algorithm for known in list_signing_keys(tx)] == [EDDSA]
        [made] = rotate_signing_keys(tx, RING, after(NOW, seconds=60)).created
        assert current_signer(tx, RING, after(NOW, seconds=60)).key_id == "k1", "until the new one was published"
        rotate_signing_keys(tx, RING, after(NOW, seconds=3660))
        assert current_signer(tx, RING, after(NOW, seconds=3660)).key_id == made


def test_the_private_half_is_stored_sealed_under_the_platform_secret(tx):
    make_signer(tx)
    assert tx.value("SELECT private_key FROM signing_keys").startswith("w1:")
    with pytest.raises(VaultError, match="VAULTRY_SECRET"):
        current_signer(tx, KeyRing("another platform secret 0123456789"), NOW)


def test_a_private_half_moved_to_another_row_does_not_open(tx):
    k1 = make_signer(tx)
    k2 = create_signing_key(tx, RING, NOW).key_id
    tx.execute("UPDATE signing_keys SET private_key = (SELECT private_key FROM signing_keys WHERE key_id = :k2)"
               " WHERE key_id = :k1", k1=k1, k2=k2)  # fmt: skip
    with pytest.raises(VaultError, match="cannot be unwrapped"):
        current_signer(tx, RING, NOW)


def test_rotation_gives_an_empty_platform_a_signer_at_once(tx):
    rotation = rotate_signing_keys(tx, RING, NOW)
    assert rotation.created == rotation.activated == (current_signer(tx, RING, NOW).key_id,)


def test_rotation_activates_a_waiting_key_when_nothing_signs(tx):
    k1 = create_signing_key(tx, RING, NOW).key_id
    assert rotate_signing_keys(tx, RING, NOW) == Rotation(activated=(k1,))


def test_rotation_run_again_does_nothing(tx):
    rotate_signing_keys(tx, RING, NOW)
    assert rotate_signing_keys(tx, RING, NOW) == Rotation()
    assert rotate_signing_keys(tx, RING, after(NOW, seconds=90 * DAY - 0.001)) == Rotation()


def test_rotation_prepares_activates_and_retires_in_its_time(tx):
    [k1] = rotate_signing_keys(tx, RING, NOW).activated
    prepared = after(NOW, seconds=90 * DAY)
    [k2] = rotate_signing_keys(tx, RING, prepared).created
    assert rotate_signing_keys(tx, RING, after(prepared, seconds=3599.999)) == Rotation()
    activated = after(prepared, seconds=3600)
    assert rotate_signing_keys(tx, RING, activated) == Rotation(activated=(k2,))
    assert rotate_signing_keys(tx, RING, after(activated, seconds=30 * DAY - 0.001)) == Rotation()
    assert rotate_signing_keys(tx, RING, after(activated, seconds=30 * DAY)) == Rotation(revoked=(k1,))
    assert [key.key_id for key in list_signing_keys(tx) if key.revoked_at is None] == [k2]


def test_rotation_never_retires_a_key_whose_successor_was_revoked(tx):
    k1 = make_signer(tx)
    k2 = create_signing_key(tx, RING, NOW).key_id
    activate_signing_key(tx, k2, at("11:00:00"))
    revoke_signing_key(tx, k2, at("12:00:00"))
    assert rotate_signing_keys(tx, RING, after(NOW, seconds=40 * DAY)) == Rotation()
    assert current_signer(tx, RING, after(NOW, seconds=40 * DAY)).key_id == k1


@pytest.mark.parametrize("change", ["revoked_at = NULL", 'public_key = \'{"crv":"P-256"}\'', "algorithm = 'EdDSA'"])
def test_the_database_refuses_to_trust_a_revoked_key_again(tx, change):
    revoke_signing_key(tx, make_signer(tx), NOW)
    with pytest.raises(sqlite3.IntegrityError, match="revoked once"):
        tx.execute(f"UPDATE signing_keys SET {change}")
