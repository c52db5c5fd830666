"""Access tokens at the door: whose, for which vault, by which key, until when. Forged ones by every trick known."""

import base64
import json
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from db.key_pairs import EDDSA, ES256, PrivateKey, make_private_key, public_jwk, sign
from db.registry import signing_keys as keys
from db.registry.signing_keys import create_signing_key, revoke_signing_key
from tests.handlers.http.site import OPERATOR, Clock, Site, error_of, make_choir, make_site, refused

KADRI = "kadri@x.example"


def scene(site: Site) -> str:
    """Kadri's access token."""
    site.add_member(make_choir(site, "aurora"), "Kadri", KADRI)
    return site.sign_in("aurora", KADRI).token


def part(text: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return parsed


def encoded(data: dict[str, Any] | bytes) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def resigned(token: str, key: PrivateKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    head, body, _ = token.split(".")
    signed = f"{encoded(part(head) | header)}.{encoded(part(body) | claims)}"
    return f"{signed}.{encoded(sign(key, signed.encode()))}"


def user(site: Site, token: str):
    return site.guest("aurora").with_token(token).auth("user", method="GET")


def works(site: Site, token: str):
    return site.guest("aurora").with_token(token).get("members")


def test_a_token_ends_with_its_fifteen_minutes(site, clock):
    token = scene(site)
    clock.tick(899)
    assert user(site, token).status == works(site, token).status == 200
    clock.tick(1)
    assert refused(user(site, token)) == (401, "token_expired")
    assert user(site, token).header("www-authenticate") == "Bearer"
    # As PostgREST says it, which clients refresh by.
    answer = works(site, token)
    assert refused(answer) == (401, "PGRST303")
    assert error_of(answer)["message"] == "JWT expired"
    assert answer.header("www-authenticate") == 'Bearer error="invalid_token", error_description="JWT expired"'


def test_a_token_of_one_vault_is_refused_at_another(site):
    token = scene(site)
    site.add_member(make_choir(site, "harmonia"), "Kadri", KADRI)
    there = site.guest("harmonia").with_token(token)
    assert refused(there.get("works")) == refused(there.auth("user", method="GET")) == (403, "wrong_audience")


def forged(token: str) -> dict[str, str]:
    """Tokens that look like this one and are none."""
    head, body, signature = token.split(".")
    own, edwards = (make_private_key(algorithm, os.urandom) for algorithm in (ES256, EDDSA))
    nothing = encoded({"alg": "none", "typ": "JWT"})
    broken = encoded(bytes([base64.urlsafe_b64decode(signature + "==")[0] ^ 1]) + bytes(63))
    jwk = public_jwk(own)
    return {
        "alg none": f"{nothing}.{body}.",
        "alg none with signature": f"{nothing}.{body}.{signature}",
        "alg None": f"{encoded({'alg': 'None', 'kid': part(head)['kid']})}.{body}.",
        "hmac": f"{encoded(part(head) | {'alg': 'HS256'})}.{body}.{signature}",
        "other claims": f"{head}.{encoded(part(body) | {'sub': 'somebody'})}.{signature}",
        "other vault": f"{head}.{encoded(part(body) | {'aud': 'other'})}.{signature}",
        "no end": f"{head}.{encoded(part(body) | {'exp': 2**40})}.{signature}",
        "other key": resigned(token, own, {}, {}),
        "other key of another kind": resigned(token, edwards, {"alg": "EdDSA"}, {}),
        "zeroes": f"{head}.{body}.{encoded(bytes(64))}",
        "other form of signature": f"{head}.{body}.{encoded(own.sign(b'x', ECDSA(SHA256())))}",
        "own key in the header": resigned(token, own, {"jwk": jwk}, {}),
        "own key by address": resigned(token, own, {"jku": "https://evil.example/jwks.json"}, {}),
        "unknown kid": resigned(token, own, {"kid": "0123456789abcdef"}, {}),
        "kid as a path": resigned(token, own, {"kid": "../../dev/null"}, {}),
        "kid as a list": resigned(token, own, {"kid": [part(head)["kid"]]}, {}),
        "crit": resigned(token, own, {"crit": ["exp"]}, {}),
        "broken signature": f"{head}.{body}.{broken}",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{token}.{signature}",
        "padding": f"{head}.{body}.{signature}==",
        "words": "a.b.c",
        "not ascii": "\xff\xfe.\xff.\xff",
        "long": "a" * 10_000,
        "dots": "." * 1000,
        "deep": f"{encoded(b'[' * 2000)}.{body}.{signature}",
    }  # fmt: skip


def test_a_forged_token_is_refused_by_every_trick_known(site):
    token = scene(site)
    for trick, forgery in forged(token).items():
        for answer, code in ((user(site, forgery), "token_invalid"), (works(site, forgery), "PGRST301")):
            assert (trick, *refused(answer)) == (trick, 401, code)
            assert forgery not in answer.text
    assert user(site, token).status == 200


@pytest.mark.parametrize(
    "value",
    ["Basic b3duZXI6b3duZXI=", "Bearer", "Bearer ", "Bearer  ", "Token abc", "vlt_abc", "Bearer a b", "Bearer null"],
)
def test_an_authorization_of_another_form_is_refused_and_never_a_guest(site, value):
    scene(site)
    answer = site.guest("aurora").get("works", authorization=value)
    assert refused(answer) == (401, "PGRST301")


def test_two_authorization_headers_are_refused_whatever_their_order(site):
    token = scene(site)
    for pair in ((token, "vlt_other"), ("vlt_other", token)):
        headers = [("authorization", f"Bearer {value}") for value in pair]
        answer = site.client.request("GET", "/aurora/rest/v1/members", headers=headers)
        assert refused(answer) == (401, "PGRST301")


def test_a_bad_token_is_refused_although_the_apikey_is_good(site):
    token = scene(site)
    guest = site.guest("aurora")
    assert refused(guest.with_token("vlt_bad").get("members", apikey=token)) == (401, "PGRST301")
    assert len(guest.get("members", apikey=token).json()) == 2
    assert guest.get("members", apikey="sb_publishable_x").json() == []
    assert len(guest.with_token(token).get("members", apikey="sb_publishable_x").json()) == 2


def test_api_tokens_expire_and_are_told_from_unknown_ones(site, clock):
    choir = make_choir(site, "aurora")
    token = site.api_token(choir, "member", expires_at=clock().later(seconds=60))
    door = site.guest("aurora").with_token(token)
    assert len(door.rows("members")) == 1
    clock.tick(60)
    assert refused(door.get("members")) == (401, "PGRST303")
    assert refused(door.with_token("vlt_" + "A" * 43).get("members")) == (401, "PGRST301")


def key_ids(site: Site, path: str = "/.well-known/jwks.json") -> list[str]:
    answer = site.client.request("GET", path)
    assert answer.header("cache-control") == "public, max-age=3600"
    published = answer.json()["keys"]
    assert all("d" not in key for key in published)
    return [key["kid"] for key in published]


def test_keys_rotate_without_breaking_a_session(site, clock):
    token = scene(site)
    first = part(token.split(".")[0])["kid"]
    services = site.services

    def registry(work) -> Any:
        return services.registry_write(work, OPERATOR, clock())

    clock.tick(1)
    second = registry(lambda tx: create_signing_key(tx, services.keyring, clock())).key_id
    assert key_ids(site) == key_ids(site, "/aurora/auth/v1/.well-known/jwks.json") == [first, second]
    session = site.session("aurora", KADRI)
    assert part(session["access_token"].split(".")[0])["kid"] == first
    clock.tick(3600)
    session = site.session("aurora", KADRI)
    registry(lambda tx: keys.activate_signing_key(tx, second, clock()))
    clock.tick(120)
    assert user(site, session["access_token"]).status == 200
    by_second = site.session("aurora", KADRI)
    assert part(by_second["access_token"].split(".")[0])["kid"] == second
    assert user(site, by_second["access_token"]).status == 200
    registry(lambda tx: revoke_signing_key(tx, first, clock()))
    assert key_ids(site) == [second]
    clock.tick(300)
    assert refused(user(site, session["access_token"])) == (401, "token_invalid")
    assert user(site, by_second["access_token"]).status == 200
    renewed = (
        site.guest("aurora").auth("token?grant_type=refresh_token", {"refresh_token": session["refresh_token"]}).json()
    )
    assert user(site, renewed["access_token"]).status == 200


def test_a_key_that_another_process_made_is_fetched_for_the_first_token_that_names_it(tmp_path, clock):
    one, other = make_site(tmp_path, clock), None
    try:
        scene(one)
        # The same store seen by a second process: a cache of its own.
        other = make_site(tmp_path, clock, cache=str(tmp_path / "other-cache"))
        assert user(other, one.sign_in("aurora", KADRI).token).status == 200
        # Made-up key ids must not cost a look each: two seconds pass between looks.
        clock.tick(2)
        services = one.services
        made = services.registry_write(lambda tx: create_signing_key(tx, services.keyring, clock()), OPERATOR, clock())
        services.registry_write(
            lambda tx: keys.activate_signing_key(tx, made.key_id, clock(), at_once=True), OPERATOR, clock()
        )
        token = one.sign_in("aurora", KADRI).token
        assert part(token.split(".")[0])["kid"] == made.key_id
        assert user(other, token).status == 200
    finally:
        one.services.close()
        if other is not None:
            other.services.close()


def test_without_an_active_key_nobody_signs_in_and_the_answer_says_why(site, clock):
    token = scene(site)
    kid = part(token.split(".")[0])["kid"]
    site.services.registry_write(lambda tx: revoke_signing_key(tx, kid, clock()), OPERATOR, clock())
    site.guest("aurora").auth("otp", {"email": KADRI})
    answer = site.guest("aurora").auth("verify", {"email": KADRI, "token": site.code(KADRI)})
    assert refused(answer) == (500, "misconfigured")
    assert "signing key" in error_of(answer)["message"]


def test_the_clock_of_the_site_is_the_only_one_that_counts(tmp_path):
    clock = Clock("2031-01-01T00:00:00Z")
    site = make_site(tmp_path, clock)
    try:
        token = scene(site)
        assert part(token.split(".")[1])["iat"] == clock.ms // 1000
        assert user(site, token).status == 200
    finally:
        site.services.close()
