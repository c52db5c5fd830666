"""Databases over the D1 face: made, listed, found, changed, deleted, as its clients do."""

import pytest

from db.registry.directory import find_vault, undelete_vault
from tests.handlers.d1.desk import DATABASES, Desk, make_desk
from tests.handlers.http.site import OPERATOR

FIELDS = {
    *("uuid", "name", "created_at", "version", "jurisdiction"),
    *("num_tables", "file_size", "running_in_region", "read_replication"),
}


@pytest.fixture
def desk(tmp_path):
    desk = make_desk(tmp_path)
    yield desk
    desk.site.services.close()


def names(desk: Desk, query: str = "") -> list[str]:
    return [known["name"] for known in desk.done("GET", query)]


def test_a_database_begins_blank(desk):
    made = desk.done("POST", "", {"name": "my_Shop", "primary_location_hint": "weur"})
    assert (made["name"], made["version"], made["num_tables"]) == ("my_Shop", "production", 0)
    assert (made["created_in_region"], made["running_in_region"]) == ("WEUR", "WEUR")
    assert set(made) == FIELDS | {"created_in_region"}
    tables = desk.query("my_Shop", "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
    assert {row["name"] for row in tables if not row["name"].startswith(("vaultry_", "sqlite_"))} == {
        "principals",
        "grants",
    }
    entry = desk.site.services.registry_read(lambda tx: find_vault(tx, made["uuid"]), current=True)
    assert entry is not None
    assert (entry.charter, entry.slug) == ("blank", "my-shop")


def test_tables_and_bytes_are_told_as_they_are(desk):
    desk.create()
    before = desk.done("GET", "/shop")
    desk.query(
        "shop",
        "CREATE TABLE a (x); CREATE TABLE b (x); CREATE VIRTUAL TABLE f USING fts5(x); CREATE VIEW v AS SELECT 1",
    )
    desk.query("shop", "INSERT INTO a SELECT zeroblob(100000)")
    after = desk.done("GET", "/shop")
    assert (before["num_tables"], after["num_tables"]) == (0, 3)
    assert after["file_size"] > before["file_size"] + 100_000


def test_a_database_is_found_by_uuid_in_any_case_and_by_name(desk):
    uuid = desk.create("shop")
    found = [desk.done("GET", path)["uuid"] for path in (f"/{uuid}", f"/{uuid.upper()}", "/shop")]
    assert found == [uuid] * 3
    message = desk.refused(404, 7404, "GET", "/00000000-0000-0000-0000-000000000000")
    assert message == "The database 00000000-0000-0000-0000-000000000000 could not be found"


def test_fields_come_repeated_or_joined(desk):
    desk.create()
    assert set(desk.done("GET", "/shop?fields=uuid&fields=name")) == {"uuid", "name"}
    assert set(desk.done("GET", "/shop?fields=uuid,file_size")) == {"uuid", "file_size"}
    assert "fields" in desk.refused(400, 7400, "GET", "/shop?fields=secret")


def test_the_list_ends_with_an_empty_page(desk):
    for number in range(12):
        desk.create(f"db-{number:02d}")
        desk.site.clock.tick(1)
    assert len(desk.done("GET", "?per_page=10")) == 10
    assert names(desk, "?per_page=10&page=2") == ["db-10", "db-11"]
    last = desk.send("GET", "?per_page=10&page=3").json()
    assert (last["result"], last["success"]) == ([], True)
    info = {"page": 3, "per_page": 10, "count": 0, "total_count": 12, "total_pages": 2}
    assert last["result_info"] == info
    assert names(desk, "?name=B-1") == ["db-10", "db-11"]
    assert names(desk, "?name=%25") == []


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=9", "per_page=10001", "per_page=-1"])
def test_a_page_outside_the_limits_is_refused(desk, query):
    desk.refused(400, 7400, "GET", f"?{query}")


@pytest.mark.parametrize("per_page", [10, 10_000])
def test_a_page_at_the_limits_is_given(desk, per_page):
    assert desk.done("GET", f"?per_page={per_page}") == []


def test_a_name_is_taken_once(desk):
    desk.create("shop")
    assert "already exists" in desk.refused(400, 7502, "POST", "", {"name": "shop"})


def test_names_that_share_a_slug_are_two_databases(desk):
    first, second = desk.create("My_Shop"), desk.create("my__shop")
    assert first != second
    slugs = {
        desk.site.services.registry_read(lambda tx, found=found: find_vault(tx, found)).slug
        for found in (first, second)
    }
    assert len(slugs) == 2


@pytest.mark.parametrize("name", ["", None, 7, "a b", "-a", "x" * 65, "shop/../x", "é"])
def test_a_bad_name_is_refused(desk, name):
    assert desk.refused(400, 7400, "POST", "", {"name": name}).startswith("Invalid property: name")
    assert names(desk) == []


@pytest.mark.parametrize("name", ["a", "x" * 64, "_prisma_shadow_0e1f7a36-6c1d-4d7e-8f0a-2f6f3c1d9b11", "9"])
def test_a_good_name_is_kept(desk, name):
    desk.create(name)
    assert names(desk) == [name]


def test_where_a_database_is_kept_is_promised_to_nobody(desk):
    assert "jurisdiction" in desk.refused(400, 7400, "POST", "", {"name": "shop", "jurisdiction": "eu"})
    desk.refused(400, 7400, "POST", "", {"name": "shop", "primary_location_hint": "mars"})


def test_settings_are_changed_and_kept(desk):
    desk.create()
    assert desk.done("PATCH", "/shop", {})["read_replication"] == {"mode": "disabled"}
    assert desk.done("PATCH", "/shop", {"read_replication": {"mode": "auto"}})["read_replication"] == {"mode": "auto"}
    assert desk.done("PATCH", "/shop", {})["read_replication"] == {"mode": "auto"}
    assert desk.done("GET", "/shop")["read_replication"] == {"mode": "auto"}
    assert "Required" in desk.refused(400, 7400, "PUT", "/shop", {})
    assert desk.done("PUT", "/shop", {"read_replication": {"mode": "disabled"}})["uuid"]
    desk.refused(400, 7400, "PATCH", "/shop", {"read_replication": {"mode": "sometimes"}})


def test_a_deleted_name_is_free_at_once(desk):
    first = desk.create("shop")
    desk.query("shop", "CREATE TABLE t (x)")
    assert desk.done("DELETE", "/shop") is None
    desk.refused(404, 7404, "GET", "/shop")
    desk.refused(404, 7404, "GET", f"/{first}")
    second = desk.create("shop")
    assert second != first
    assert desk.done("GET", "/shop")["num_tables"] == 0


def test_what_was_deleted_can_be_brought_back_under_another_name(desk):
    first = desk.create("shop")
    desk.query("shop", "CREATE TABLE t (x)")
    desk.done("DELETE", "/shop")
    desk.create("shop")
    clock = desk.site.clock
    back = desk.site.services.registry_write(lambda tx: undelete_vault(tx, first, clock()), OPERATOR, clock())
    assert back.slug.startswith("deleted-")
    assert desk.done("GET", f"/{first}")["num_tables"] == 1
    assert desk.done("GET", f"/{back.slug}")["uuid"] == first


def test_a_charter_is_chosen_by_header_or_by_the_end_of_the_name(desk):
    owner = {"x_vaultry_owner": "liis@aurora.example"}
    desk.create("aurora", x_vaultry_charter="choir", **owner)
    desk.create("nova--choir", x_auth_email="liis@nova.example")
    desk.create("shop--nothing")
    for name, charter in (("aurora", "choir"), ("nova--choir", "choir"), ("shop--nothing", "blank")):
        uuid = desk.done("GET", f"/{name}")["uuid"]
        assert desk.site.services.registry_read(lambda tx, found=uuid: find_vault(tx, found)).charter == charter
    assert "owner" in desk.refused(400, 7400, "POST", "", {"name": "vega"}, x_vaultry_charter="choir")
    desk.refused(400, 7400, "POST", "", {"name": "vega"}, x_vaultry_charter="circus", **owner)


def test_every_path_below_answers_in_the_envelope(desk):
    desk.refused(404, 7000, "GET", "/client/v4/zones")
    desk.refused(405, 7001, "POST", "/shop")
    desk.refused(413, 7413, "POST", "", b"x" * (6 * 2**20 + 1))
    desk.refused(400, 7400, "POST", "", b"{")
    assert desk.send("GET", "/client/v4").json()["code"] == "no_route"


def test_an_error_of_ours_says_nothing_but_where_to_look(desk, monkeypatch):
    def broken(services, call):
        raise RuntimeError("secret")

    monkeypatch.setattr("handlers.d1.databases.list_all", broken)
    answer = desk.send("GET", "")
    assert answer.status == 500
    assert answer.json()["errors"][0]["code"] == 7500
    assert answer.json()["errors"][0]["message"] == f"internal error; reference = {answer.header('x-request-id')}"
    assert answer.header("x-should-retry") == "false"


def test_an_account_can_show_some_of_the_databases(tmp_path):
    desk = make_desk(tmp_path, accounts="vaultry,acme=of-acme")
    acme = DATABASES.replace("/vaultry/", "/acme/")
    desk.create("ours")
    desk.done("POST", acme, {"name": "theirs"})
    assert sorted(names(desk)) == ["ours", "theirs"]
    assert [known["name"] for known in desk.done("GET", acme)] == ["theirs"]
    desk.refused(404, 7404, "GET", f"{acme}/ours")
    assert desk.done("GET", f"{acme}/theirs")["name"] == "theirs"
    desk.refused(403, 7403, "GET", DATABASES.replace("/vaultry/", "/nobody/"))
    told = desk.done("GET", "/client/v4/accounts")
    assert [known["id"] for known in told] == ["vaultry", "acme"]
    desk.site.services.close()
