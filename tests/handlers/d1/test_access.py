"""Who may do what over the D1 face: three ways to send a token, and what each token is good for."""

import pytest

from db.errors import Invalid
from db.registry.api_tokens import TokenReach, create_api_token, revoke_api_token
from db.registry.directory import suspend_vault
from tests.handlers.d1.desk import make_desk, make_token
from tests.handlers.http.site import OPERATOR

QUERY = {"sql": "SELECT 1 AS one"}


@pytest.fixture
def desk(tmp_path):
    desk = make_desk(tmp_path)
    yield desk
    desk.site.services.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {token}"},
        {"x-auth-email": "ops@example.org", "x-auth-key": "{token}"},
        {"x-auth-user-service-key": "{token}"},
    ],
)
def test_a_token_comes_in_three_ways(desk, headers):
    sent = {name: text.format(token=desk.token) for name, text in headers.items()}
    answer = desk.site.client.request("GET", "/client/v4/user/tokens/verify", headers=sent)
    assert (answer.status, answer.json()["result"]["status"]) == (200, "active")


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer nonsense"}, {"authorization": "Bearer vlt_" + "A" * 43}, {"x-auth-key": "x"}],
)
def test_without_a_token_in_force_nothing_is_told(desk, headers):
    desk.create()
    for path in ("/client/v4/accounts", "/client/v4/accounts/vaultry/d1/database/shop"):
        answer = desk.site.client.request("GET", path, headers=headers)
        assert (answer.status, answer.json()["errors"][0]["code"]) == (401, 10000)


def test_a_revoked_token_is_refused(desk):
    services, now = desk.site.services, desk.site.clock()
    token, known = services.registry_write(lambda tx: create_api_token(tx, "old", TokenReach(), now), OPERATOR, now)
    services.registry_write(lambda tx: revoke_api_token(tx, known.id, None, now), OPERATOR, now)
    desk.with_token(token).refused(401, 10000, "GET", "")


def test_a_token_for_sql_sees_one_database(desk):
    shop, other = desk.create("shop"), desk.create("other")
    reader = desk.sql_token(shop, "read")
    assert [known["name"] for known in reader.done("GET", "")] == ["shop"]
    assert reader.query("shop", "SELECT 1 AS one") == [{"one": 1}]
    for path in (f"/{other}", "/other"):
        reader.refused(404, 7404, "GET", path)
        reader.refused(404, 7404, "POST", f"{path}/query", QUERY)


def test_a_token_for_reading_writes_nowhere(desk):
    shop = desk.create("shop")
    desk.query("shop", "CREATE TABLE t (x)")
    before = desk.done("GET", "/shop/time_travel/bookmark")
    reader = desk.sql_token(shop, "read")
    for method, path, body in (
        ("POST", "/shop/query", {"sql": "INSERT INTO t VALUES (1)"}),
        ("POST", "/shop/query", {"sql": "SELECT 1; DELETE FROM t"}),
        ("POST", "/shop/import", {"action": "init", "etag": "0" * 32}),
        ("POST", f"/shop/time_travel/restore?bookmark={before['bookmark']}", None),
        ("PATCH", "/shop", {}),
        ("DELETE", "/shop", None),
        ("POST", "", {"name": "another"}),
    ):
        reader.refused(403, 7403, method, path, body)
    assert desk.done("GET", "/shop/time_travel/bookmark") == before
    assert reader.done("GET", "/shop/time_travel/bookmark") == before
    assert reader.done("POST", "/shop/export", {"output_format": "polling"})["success"] is True


def test_a_token_for_writing_makes_and_removes_no_database(desk):
    shop = desk.create("shop")
    writer = desk.sql_token(shop, "write")
    writer.query("shop", "CREATE TABLE t (x)")
    writer.refused(403, 7403, "DELETE", "/shop")
    writer.refused(403, 7403, "POST", "", {"name": "another"})


def test_an_operators_token_for_reading_makes_and_writes_nothing(desk):
    desk.create("shop")
    reader = desk.with_token(make_token(desk.site, TokenReach(read_only=True)))
    assert [known["name"] for known in reader.done("GET", "")] == ["shop"]
    reader.refused(403, 7403, "POST", "", {"name": "another"})
    reader.refused(403, 7403, "DELETE", "/shop")
    reader.refused(403, 7403, "POST", "/shop/query", {"sql": "CREATE TABLE t (x)"})


def test_a_token_for_sql_reaches_no_rows_over_rest(desk):
    shop = desk.create("shop")
    desk.query("shop", "CREATE TABLE t (x)")
    token = desk.sql_token(shop, "write").token
    assert desk.site.guest("shop").with_token(token).get("t").status in (403, 404)


def test_the_reach_of_a_token_for_sql_is_checked(desk):
    services, now, shop = desk.site.services, desk.site.clock(), desk.create()
    for reach in (
        TokenReach(sql="read"),
        TokenReach(shop, "owner", sql="read"),
        TokenReach(shop, sql="all"),
        TokenReach(shop, sql="read", tables=["t"]),
    ):
        with pytest.raises(Invalid, match=r"(?i)sql"):
            services.registry_write(lambda tx, reach=reach: create_api_token(tx, "x", reach, now), OPERATOR, now)


def test_a_suspended_database_is_closed(desk):
    shop, clock = desk.create(), desk.site.clock
    desk.site.services.registry_write(lambda tx: suspend_vault(tx, shop, clock()), OPERATOR, clock())
    clock.tick(3)
    desk.refused(403, 7403, "GET", "/shop")


def test_clients_find_accounts_and_memberships(desk):
    assert [known["id"] for known in desk.done("GET", "/client/v4/accounts")] == ["vaultry"]
    assert desk.done("GET", "/client/v4/accounts/vaultry")["name"] == "vaultry"
    assert desk.done("GET", "/client/v4/memberships")[0]["account"]["id"] == "vaultry"
    assert desk.done("GET", "/client/v4/user", x_auth_email="ops@example.org")["email"] == "ops@example.org"
    desk.refused(403, 7403, "GET", "/client/v4/accounts/nobody")
