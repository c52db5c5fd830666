import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import JWKRegistry

from db.errors import Forbidden, NotAuthenticated
from db.key_pairs import EDDSA, ES256, algorithm_of, private_key_from, public_jwk, sign
from db.keyring import encode_base64url
from db.registry.access_tokens import mint_access_token, token_key_id, verify_access_token
from db.registry.signing_keys import Signer
from db.registry.verified_tokens import VerifiedTokens
from tests.db.registry.registry_rows import after, at

NOW = at("10:00:00")
ISSUER = "https://id.example"
SIGNER = Signer("k1", private_key_from(ES256, b"\x01" * 32))
OTHER = Signer("k2", private_key_from(ES256, b"\x02" * 32))
EDWARDS = Signer("k3", private_key_from(EDDSA, b"\x03" * 32))
KEYS = {signer.key_id: signer.private_key.public_key() for signer in (SIGNER, EDWARDS)}
CLAIMS = {
    "iss": ISSUER,
    "sub": "a-1",
    "aud": "v-aurora",
    "iat": NOW.ms // 1000,
    "exp": NOW.ms // 1000 + 900,
    "jti": "t-1",
    "email": "kadri@x.example",
    "session_id": "s-1",
}


def mint(now=NOW, vault_id="v-aurora", signer=SIGNER, issuer=ISSUER) -> str:
    return mint_access_token(
        signer,
        account_id="a-1",
        email="kadri@x.example",
        vault_id=vault_id,
        session_id="s-1",
        issuer=issuer,
        now=now,
    )


def signed(header, claims, signer=SIGNER) -> str:
    """A token with a good signature over any header and claims; text is taken as it is."""
    parts = [
        part if isinstance(part, str) else encode_base64url(json.dumps(part).encode()) for part in (header, claims)
    ]
    text = ".".join(parts)
    return f"{text}.{encode_base64url(sign(signer.private_key, text.encode()))}"


def crafted(header=None, **changes) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    return signed({"alg": "ES256", "typ": "JWT", "kid": "k1", **(header or {})}, claims)


def verify(token, now=NOW, keys=KEYS, vault_id="v-aurora"):
    return verify_access_token(token, keys, vault_id=vault_id, issuer=ISSUER, now=now)


def refused_with(token, **options) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        verify(token, **options)
    return caught.value.code


@pytest.mark.parametrize("signer", [SIGNER, EDWARDS])
def test_a_minted_token_verifies_to_what_it_was_minted_for(signer):
    claims = verify(mint(signer=signer))
    assert (claims.account_id, claims.email, claims.vault_id, claims.session_id) == (
        "a-1", "kadri@x.example", "v-aurora", "s-1",
    )  # fmt: skip
    assert (claims.issuer, claims.key_id, claims.expires_at_s - claims.issued_at_s) == (ISSUER, signer.key_id, 900)


# RFC 9864 prefers the name Ed25519 for the same signatures; the library says so.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
@pytest.mark.parametrize("signer", [SIGNER, EDWARDS])
def test_a_published_library_reads_the_token_with_the_claims_clients_look_for(signer):
    algorithm = algorithm_of(signer.private_key)
    token = jwt.decode(
        mint(signer=signer), JWKRegistry.import_key(public_jwk(signer.private_key)), algorithms=[algorithm]
    )
    assert token.header == {"alg": algorithm, "typ": "JWT", "kid": signer.key_id}
    assert {name: token.claims[name] for name in ("sub", "aud", "role", "aal", "iss")} == {
        "sub": "a-1", "aud": "v-aurora", "role": "authenticated", "aal": "aal1", "iss": ISSUER,
    }  # fmt: skip


def test_a_crafted_token_with_the_same_claims_verifies():
    assert verify(crafted()).account_id == "a-1"


def test_two_tokens_of_one_moment_have_ids_of_their_own():
    assert verify(mint()).token_id != verify(mint()).token_id


@pytest.mark.parametrize(("seconds", "valid"), [(899.999, True), (900, False), (901, False)])
def test_a_token_expires_after_15_minutes_with_no_leeway(seconds, valid):
    now = after(NOW, seconds=seconds)
    assert (None if valid else refused_with(mint(), now=now)) == (None if valid else "token_expired")
    if valid:
        verify(mint(), now=now)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_clock_may_run_ahead_by_30_seconds(claim):
    assert verify(crafted(**{claim: NOW.ms // 1000 + 30})).account_id == "a-1"
    assert refused_with(crafted(**{claim: NOW.ms // 1000 + 31})) == "token_invalid"


def test_a_token_for_another_vault_is_forbidden_here():
    with pytest.raises(Forbidden) as caught:
        verify(mint(vault_id="v-harmonia"))
    assert caught.value.code == "wrong_audience"


def test_a_token_of_another_issuer_is_invalid():
    assert refused_with(mint(issuer="https://evil.example")) == "token_invalid"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "es256"},
        {"alg": "EdDSA"},
        {"alg": "ES256K"},
        {"alg": "HS256"},
        {"alg": None},
        {"alg": ["ES256"]},
        {"kid": "k3"},
        {"kid": "k3", "alg": "EdDSA"},
        {"typ": "dpop+jwt"},
        {"crit": ["exp"]},
        {"kid": "k9"},
        {"kid": None},
        {"kid": ["k1"]},
    ],
)
def test_only_the_one_header_form_by_a_trusted_key_is_taken(header):
    assert refused_with(crafted(header)) == "token_invalid"


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "eddsa", None])
def test_a_key_signs_with_its_own_algorithm_alone(algorithm):
    claims = {**CLAIMS, "jti": "t-2"}
    token = signed({"alg": algorithm, "typ": "JWT", "kid": "k3"}, claims, EDWARDS)
    assert refused_with(token) == "token_invalid"
    assert verify(signed({"alg": "EdDSA", "typ": "JWT", "kid": "k3"}, claims, EDWARDS)).key_id == "k3"


def test_an_unsigned_token_is_invalid():
    head, body, _ = crafted({"alg": "none"}).split(".")
    assert refused_with(f"{head}.{body}.") == "token_invalid"


def test_a_token_signed_by_another_key_under_a_trusted_key_id_is_invalid():
    assert refused_with(mint(signer=Signer("k1", OTHER.private_key))) == "token_invalid"


@pytest.mark.parametrize("name", ["sub", "email", "aud", "session_id", "iss", "jti", "iat", "exp"])
@pytest.mark.parametrize("value", [..., None, [], {}, True, 1.5, ""])
def test_a_missing_or_mistyped_claim_is_invalid(name, value):
    assert refused_with(crafted(**{name: value})) == "token_invalid"


@pytest.mark.parametrize("value", ["soon", None, True, 1.5])
def test_a_mistyped_not_before_is_invalid(value):
    assert refused_with(crafted(nbf=value)) == "token_invalid"


@pytest.mark.parametrize("audience", [["v-aurora"], ["v-aurora", "v-harmonia"]])
def test_a_token_for_several_audiences_is_invalid(audience):
    assert refused_with(crafted(aud=audience)) == "token_invalid"


@pytest.mark.parametrize("claims", ["", "e30=", "W10", encode_base64url(b"[" * 2000), encode_base64url(b"\xff")])
def test_claims_that_are_no_json_object_are_invalid(claims):
    assert refused_with(signed({"alg": "ES256", "kid": "k1"}, claims)) == "token_invalid"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "a.b.c.d", "ä.b.c", "\ud800.b.c", "vlt_" + "A" * 43])
def test_what_is_no_token_is_invalid(token):
    assert refused_with(token) == "token_invalid"


def test_a_token_over_4096_characters_is_refused_before_it_is_read():
    head, body, signature = mint().split(".")
    padded = crafted(pad="x" * 4096)
    assert len(padded) > 4096
    assert refused_with(padded) == "token_invalid"
    assert token_key_id(padded) is None
    assert verify(f"{head}.{body}.{signature}").account_id == "a-1"


TOKEN = mint()


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_a_token_with_any_changed_character_is_invalid(index, character):
    changed = TOKEN[:index] + character + TOKEN[index + 1 :]
    if changed != TOKEN:
        assert refused_with(changed) == "token_invalid"


def test_the_key_id_can_be_read_before_verifying():
    assert token_key_id(mint(signer=OTHER)) == "k2"
    assert token_key_id("nonsense") is None
    assert token_key_id(crafted({"kid": 7})) is None


def tokens(max_entries=10) -> VerifiedTokens:
    return VerifiedTokens(ISSUER, max_entries)


def test_a_token_seen_before_gives_the_same_claims():
    seen, token = tokens(), mint()
    first = seen.verify(token, KEYS, vault_id="v-aurora", now=NOW)
    assert seen.verify(token, KEYS, vault_id="v-aurora", now=NOW) is first
    assert len(seen) == 1


def test_a_token_seen_before_still_expires():
    seen, token = tokens(), mint()
    seen.verify(token, KEYS, vault_id="v-aurora", now=NOW)
    with pytest.raises(NotAuthenticated) as caught:
        seen.verify(token, KEYS, vault_id="v-aurora", now=after(NOW, seconds=900))
    assert caught.value.code == "token_expired"
    assert len(seen) == 0


def test_a_token_seen_before_fails_once_its_key_is_revoked():
    seen, token = tokens(), mint()
    seen.verify(token, KEYS, vault_id="v-aurora", now=NOW)
    with pytest.raises(NotAuthenticated) as caught:
        seen.verify(token, {}, vault_id="v-aurora", now=NOW)
    assert caught.value.code == "token_invalid"


def test_a_token_seen_in_one_vault_opens_no_other():
    seen, token = tokens(), mint()
    seen.verify(token, KEYS, vault_id="v-aurora", now=NOW)
    with pytest.raises(Forbidden):
        seen.verify(token, KEYS, vault_id="v-harmonia", now=NOW)


def test_a_refused_token_is_not_kept():
    seen = tokens()
    with pytest.raises(NotAuthenticated):
        seen.verify(mint(signer=OTHER), KEYS, vault_id="v-aurora", now=NOW)
    assert len(seen) == 0


def test_the_token_used_longest_ago_makes_room():
    seen = tokens(max_entries=2)
    first, second, third = mint(), mint(), mint()
    kept = seen.verify(first, KEYS, vault_id="v-aurora", now=NOW)
    dropped = seen.verify(second, KEYS, vault_id="v-aurora", now=NOW)
    seen.verify(first, KEYS, vault_id="v-aurora", now=NOW)
    seen.verify(third, KEYS, vault_id="v-aurora", now=NOW)
    assert len(seen) == 2
    assert seen.verify(first, KEYS, vault_id="v-aurora", now=NOW) is kept
    assert seen.verify(second, KEYS, vault_id="v-aurora", now=NOW) is not dropped
