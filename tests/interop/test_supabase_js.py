"""The published clients for JavaScript against a running server: every method of postgrest-js, supabase-js, auth-js.

Each script calls them all and tells what came back, which methods there are, and which no call covered.
"""

import json
from typing import Any

import pytest

from db.registry.identity_providers import add_provider
from tests.handlers.http.outside import CLIENT, SECRET, oidc_provider
from tests.handlers.http.site import OPERATOR
from tests.handlers.http.test_outside_sign_in import id_token_of
from tests.handlers.http.test_sign_up import setting
from tests.interop.clients_page import WORKS, check_methods, check_outcomes
from tests.interop.node import node, node_json
from tests.interop.papers import PAPERS, open_papers
from tests.interop.served import KADRI, MARI, open_aurora, served

NO_ROUTE = [404, "no_route"]


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the script about rows was told."""
    node()
    site, choir = open_papers(tmp_path_factory.mktemp("papers"))
    token = site.api_token(choir, "owner")
    with served(site.services) as address:
        return node_json("rest.mjs", f"{address}/aurora", token, json.dumps(PAPERS))


@pytest.fixture(scope="module")
def auth(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the script about signing in was told."""
    node()
    site, choir = open_aurora(tmp_path_factory.mktemp("aurora"))
    setting(site, choir, "auth.redirects", "https://app.example/*")
    for name in ("pille", "tiit", "anne"):
        site.add_member(choir, name.capitalize(), f"{name}@aurora.example")
    ring, now, operator = site.services.keyring, site.clock(), site.api_token(None)
    people = [{"sub": sub, "email": email, "email_verified": True} for sub, email in (("kadri", KADRI), ("mari", MARI))]
    with oidc_provider(*people, {"sub": "other"}) as issuer:
        site.services.registry_write(
            lambda tx: add_provider(tx, ring, "google", "oidc", now, client_id=CLIENT, secret=SECRET, issuer=issuer),
            OPERATOR,
            now,
        )
        tokens = [id_token_of(site, issuer, subject, "chosen") for subject in ("mari", "other")]
        with served(site.services) as address:
            given = (f"{address}/aurora", operator, str(site.folder / "mail"), "https://choirs.example")
            return node_json("auth.mjs", *given, *tokens)


def test_rows_are_inserted_upserted_updated_and_deleted(rest):
    assert rest["inserted"] == [{"id": 1, "name": "Bruckner"}]
    assert (rest["minimal"]["status"], rest["minimal"]["count"], rest["minimal"]["data"]) == (201, 3, None)
    assert [row["kind"] for row in rest["defaults"]] == ["score", "score"]
    assert rest["merged"] == {"id": 4, "title": "Ubi caritas", "pages": 3}
    assert rest["ignored"] == []
    assert rest["conflict"] == [409, "23505"]
    assert (rest["updated"]["status"], rest["updated"]["count"]) == (204, 1)
    assert (rest["limited"], rest["everything"]) == ([400, "PGRST124"], [400, "21000"])
    assert rest["tried"] == [{"id": 5}]
    assert rest["deleted"] == [{"id": 4}, {"id": 5}]
    assert rest["guest"] == [401, "42501"]


def test_every_filter_finds_what_it_is_for(rest):
    assert rest["filters"] == {
        "eq": [1], "neq": [2, 3], "gt": [2], "gte": [1, 2], "lt": [1], "lte": [1, 2], "like": [2, 3],
        "likeAllOf": [2], "likeAnyOf": [1, 3], "ilike": [1], "ilikeAllOf": [1], "ilikeAnyOf": [1, 3],
        "regexMatch": [3], "regexIMatch": [2], "is": [3], "isDistinct": [2, 3], "in": [2, 3], "notIn": [3],
        "contains": [1], "containsObject": [2], "containsRange": [1], "containedBy": [2, 3], "rangeGt": [3],
        "rangeGte": [2, 3], "rangeLt": [1, 2], "rangeLte": [1, 2], "rangeAdjacent": [2, 3], "overlaps": [1],
        "overlapsRange": [1, 2], "textSearch": [1], "textPlain": [2], "textPhrase": [3], "textWeb": [1, 3],
        "match": [2], "not": [1, 2], "or": [1, 3], "filter": [1],
    }  # fmt: skip


def test_answers_take_the_form_asked_for(rest):
    assert rest["embedded"] == {"title": "Ave Maria", "authors": {"name": "Bruckner"}}
    assert rest["ordered"] == [{"id": 2}, {"id": 1}]
    assert (rest["range"]["status"], rest["range"]["count"], rest["range"]["data"]) == (206, 3, [{"id": 2}, {"id": 3}])
    assert (rest["head"]["count"], rest["head"]["data"]) == (3, None)
    assert (rest["many"], rest["none"], rest["one"]) == ([406, "PGRST116"], None, {"id": 2})
    assert rest["csv"] == "id,title\n1,Ave Maria\n2,Locus iste\n3,Os justi\n"
    assert rest["geojson"] == [406, "PGRST107"]
    assert (rest["plan"][0]["Plan"]["Node Type"], rest["planText"]) == ("Query Plan", "string")
    assert rest["stripped"] == [{"id": 3}]
    assert rest["typed"] == rest["header"] == rest["going"] == [{"id": 1}]
    assert rest["aborted"].startswith("AbortError")
    assert (rest["thrown"]["name"], rest["thrown"]["code"]) == ("PostgrestError", "42703")
    assert rest["schema"] == [[{"id": 1}], [406, "PGRST106"]]


def test_verbs_are_called(rest):
    assert rest["counted"] == 3
    assert rest["echoed"] == [{"names": ["a", "b"], "size": 2}]
    assert (rest["filtered"], rest["echoHead"]) == ([{"size": 2}], 1)
    assert rest["writesByGet"] == [405, "25006"]
    assert rest["client"] == [[{"id": 1}], [{"id": 2}], 3]


def test_realtime_and_functions_are_not_here(rest):
    assert (rest["realtime"], rest["socket"]) == ("/aurora/realtime/v1/websocket", 404)
    assert rest["channels"] == [1, 0]
    assert rest["invoked"] == 404


def test_people_sign_up_and_in(auth):
    assert (auth["signedUp"], auth["resent"]["session"], auth["confirmed"]) == (None, None, "alto")
    assert (auth["byPassword"], auth["wrong"]) == (MARI, [401, "invalid_credentials"])
    assert auth["events"] == ["INITIAL_SESSION", "SIGNED_IN"]
    assert (auth["throws"], auth["initialized"]) == (False, None)


def test_the_client_verifies_a_token_by_the_published_keys(auth):
    assert auth["claims"] == ["ES256", MARI, "authenticated"]
    assert auth["altered"] == [400, "invalid_jwt"]
    assert (auth["verifiedHere"], auth["taken"]) == (True, MARI)


def test_sessions_and_users_are_kept_changed_and_ended(auth):
    assert (auth["refreshed"], auth["user"]) == (True, MARI)
    assert auth["updated"] == {"section": "alto", "voice": 2}
    assert (auth["reset"], auth["reauthenticated"]) == ({}, None)
    assert auth["ended"] == [401, "token_invalid"]
    assert auth["others"] == [[401, "token_invalid"], None]
    assert (auth["local"], auth["global"]) == (None, [None, [401, "session_ended"]])


def test_providers_sign_in_and_are_linked(auth):
    assert (auth["exchanged"], auth["identities"], auth["linked"]) == (KADRI, ["email", "google"], 2)
    assert (auth["byIdToken"], auth["usedToken"], auth["linkedByToken"]) == (MARI, [401, "token_invalid"], 3)


def test_second_factors_raise_the_session(auth):
    assert (auth["before"]["currentLevel"], auth["after"]["currentLevel"]) == ("aal1", "aal2")
    assert auth["after"]["currentAuthenticationMethods"][0]["method"] == "totp"
    assert (auth["factors"], auth["again"], auth["unenrolled"]) == (["Phone"], True, True)
    assert auth["phone"] == [400, "mfa_phone_enroll_not_enabled"]
    assert [code for _, code in auth["webauthn"]] == [
        "mfa_webauthn_enroll_not_enabled", "mfa_factor_not_found", "invalid_input", "AuthUnknownError",
        "AuthUnknownError",
    ]  # fmt: skip


def test_operators_look_after_people(auth):
    assert (auth["created"], auth["listed"], auth["changed"]) == ("new@aurora.example", True, "x")
    assert (auth["link"], auth["invited"]) == ("magiclink", "anne@aurora.example")
    assert auth["signedOut"] == [None, [401, "session_ended"]]
    assert auth["adminFactors"] == [[], [404, "mfa_factor_not_found"]]
    assert auth["gone"][1] == [404, "user_not_found"]
    assert auth["noOperator"] == [401, "no_authorization"]


def test_what_is_not_offered_says_so(auth):
    said = auth["not"]
    assert {name: said.pop(name) for name in ("anonymous", "sso", "web3", "solana", "phone")} == {
        "anonymous": [400, "anonymous_provider_disabled"],
        "sso": [400, "saml_provider_disabled"],
        "web3": [400, "web3_provider_disabled"],
        "solana": [400, "web3_provider_disabled"],
        "phone": [400, "phone_provider_disabled"],
    }
    # They want a browser before they ask.
    assert {said.pop(name)[1] for name in ("passkey", "registerPasskey")} == {"AuthUnknownError"}
    assert {name for name, answer in said.items() if answer != NO_ROUTE} == set()


def test_no_method_is_left_out(rest, auth):
    """One that a new version of a package brings shows up here."""
    for package in (rest["postgrest"], rest["supabase"], auth["auth"]):
        assert len(package["methods"]) > 5
        assert package["uncalled"] == []
    assert rest["functions"] == ["setAuth", "invoke"]


def plain(outcomes: dict[str, str]) -> dict[str, str]:
    """By method alone: the page does not tell the classes of a package apart. What works in one of them works."""
    return {
        name.partition(".")[2]: outcome for name, outcome in sorted(outcomes.items(), key=lambda item: item[1] == WORKS)
    }


def test_the_page_says_of_every_method_what_came_of_it(rest, auth):
    for package in (rest["postgrest"], rest["supabase"]):
        check_methods(package["name"], {method.partition(".")[2] for method in package["methods"]})
        check_outcomes(package["name"], plain(package["outcomes"]))
    check_methods(auth["auth"]["name"], auth["auth"]["methods"])
    check_outcomes(auth["auth"]["name"], auth["auth"]["outcomes"])
