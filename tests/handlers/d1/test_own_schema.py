"""A blank vault as a full citizen: tables made by SQL, policies on them, and everything REST does with both."""

import json
from typing import Any

import pytest

from db.errors import Conflict, Invalid
from db.registry.api_tokens import create_api_token
from db.registry.directory import VaultEntry
from handlers.services import Services
from handlers.tenant.own_schema import charter_of
from handlers.tenant.policies import change_policies, read_policies
from handlers.tenant.provisioning import find_tenant
from handlers.tenant.token_reach import vault_reach
from tests.handlers.d1.desk import Desk, make_desk
from tests.handlers.http.site import OPERATOR

NOTES = """
CREATE TABLE members (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, role TEXT NOT NULL);
CREATE TABLE notes (
  id TEXT PRIMARY KEY, author_id TEXT REFERENCES members (id), title TEXT NOT NULL CHECK (title <> ''),
  shared INTEGER NOT NULL DEFAULT 0, price REAL, secret TEXT, tags TEXT, changed_at TEXT
);
INSERT INTO members VALUES ('m1', 'ann@shop.example', 'editor'), ('m2', 'ben@shop.example', 'reader');
INSERT INTO notes (id, author_id, title, shared, secret)
VALUES ('n1', 'm1', 'first', 1, 's'), ('n2', 'm1', 'second', 0, 's');
"""
PEOPLE = """
DROP VIEW principals; DROP VIEW grants;
CREATE VIEW principals (id, email, name, active) AS SELECT id, email, email, 1 FROM members;
CREATE VIEW grants (principal_id, permission, scope) AS SELECT id, 'notes:write', '' FROM members WHERE role = 'editor'
  UNION ALL SELECT id, 'here', '' FROM members;
"""
POLICIES: dict[str, Any] = {
    "roles": {"editor": ["notes:write"], "reader": []},
    "tables": {
        "notes": {
            "read": [{"where": "shared"}, {"permission": "notes:write"}],
            "insert": [{"permission": "notes:write", "where": "author_id IS :principal_id"}],
            "update": [{"permission": "notes:write", "where": "author_id IS :principal_id"}],
            "hidden": ["secret"],
            "json": ["tags"],
            "supplied": {"id": "new_id", "author_id": "caller"},
            "touched": {"changed_at": "now"},
        }
    },
}


@pytest.fixture
def desk(tmp_path):
    made = make_desk(tmp_path)
    made.query(made.create(), NOTES + "SELECT 1")
    yield made
    made.site.services.close()


def entry_of(desk: Desk) -> VaultEntry:
    return find_tenant(desk.site.services, "shop")


def declare(desk: Desk, document: Any = POLICIES) -> list[str]:
    return change_policies(desk.site.services, entry_of(desk), document, OPERATOR)[0]


def token(desk: Desk, role: str, *tables: str, **reach: Any) -> str:
    services, entry = desk.site.services, entry_of(desk)
    given = vault_reach(charter_of(services, entry), entry, role, tables, (), **reach)
    now = services.clock()
    return services.registry_write(lambda tx: create_api_token(tx, "test", given, now), OPERATOR, now)[0]


def test_a_table_made_by_sql_is_there_at_once_and_closed(desk):
    guest = desk.site.guest("shop")
    operator = guest.with_token(desk.token)
    assert guest.rows("notes") == []
    assert guest.add("notes", {"id": "x", "title": "x"}).status == 401
    assert [row["id"] for row in operator.rows("notes?order=id&select=id,members(email)")] == ["n1", "n2"]
    assert operator.add("members", {"id": "m3", "email": "c@shop.example", "role": "reader"}).status == 201
    desk.query("shop", "CREATE TABLE more (n INTEGER PRIMARY KEY, at DATETIME)")
    assert guest.rows("more") == []
    assert operator.add("more", {"at": "2026-05-01"}).json() == [{"n": 1, "at": "2026-05-01"}]
    desk.query("shop", "ALTER TABLE more ADD COLUMN x TEXT")
    assert operator.rows("more") == [{"n": 1, "at": "2026-05-01", "x": None}]
    desk.query("shop", "DROP TABLE more")
    assert operator.get("more").status == 404


def test_another_process_sees_a_new_table_at_once(desk):
    other = Services(desk.site.services.settings, clock=desk.site.clock)
    try:
        entry = find_tenant(other, "shop")
        assert {known.table for known in charter_of(other, entry).resources} == {"members", "notes"}
        desk.query("shop", "CREATE TABLE more (n INTEGER PRIMARY KEY)")
        declare(desk, {"tables": {"more": {"read": [{}]}}})
        assert {known.table for known in charter_of(other, entry).resources} == {"members", "more", "notes"}
        assert read_policies(other, entry).closed == ["members", "notes"]
    finally:
        other.close()


def test_policies_hold_for_everybody(desk):
    desk.query("shop", PEOPLE + "SELECT 1")
    assert declare(desk) == ["editor", "notes", "reader"]
    guest = desk.site.guest("shop")
    ann, ben = (desk.site.sign_in("shop", f"{name}@shop.example") for name in ("ann", "ben"))
    assert [row["id"] for row in guest.rows("notes")] == ["n1"]
    assert "secret" not in guest.rows("notes")[0]
    assert [row["id"] for row in ben.rows("notes?order=id")] == ["n1"]
    assert [row["id"] for row in ann.rows("notes?order=id")] == ["n1", "n2"]
    assert ann.rows("members") == []
    assert ben.add("notes", {"title": "x"}).status == 403
    made = ann.add("notes", {"title": "third", "tags": ["a"], "price": 1.5}).json()[0]
    assert (made["author_id"], made["tags"], made["price"], made["shared"]) == ("m1", ["a"], 1.5, 0)
    changed = ann.send("PATCH", f"/rest/v1/notes?id=eq.{made['id']}", {"title": "new"}, prefer="return=representation")
    assert changed.json()[0]["changed_at"] is not None
    assert ann.send("DELETE", "/rest/v1/notes?id=eq.n1").status == 403
    assert ann.add("notes", {"title": ""}).json()["code"] == "23514"
    assert ann.add("notes", {"title": "x", "author_id": "m2"}).status == 400
    assert ann.add("notes", {"title": "x", "secret": "x"}).json()["code"] == "PGRST204"
    assert ann.add("notes", {"title": 7}).json()["code"] == "22P02"
    noted = desk.query(
        "shop", "SELECT actor, operation FROM vaultry_audit WHERE table_name = 'notes' ORDER BY seq DESC"
    )
    assert noted[0] == {"actor": "m1", "operation": "update"}


def test_tokens_keep_to_their_role_and_table(desk):
    document = json.loads(json.dumps(POLICIES))
    document["tables"]["members"] = {"read": [{"permission": "notes:write"}]}
    declare(desk, document)
    door = desk.site.guest("shop")
    reader, editor = (door.with_token(token(desk, role, "notes")) for role in ("reader", "editor"))
    assert [row["id"] for row in reader.rows("notes")] == ["n1"]
    assert len(editor.rows("notes")) == 2
    assert editor.get("members").status == 404
    assert reader.add("notes", {"title": "x"}).status == 403
    assert editor.add("notes", {"title": "x"}).json()[0]["author_id"] is None
    owner = door.with_token(token(desk, "owner", "members"))
    assert len(owner.rows("members")) == 2
    assert owner.add("members", {"id": "m9", "email": "d@shop.example", "role": "reader"}).status == 201
    only_reads = door.with_token(token(desk, "owner", read_only=True))
    assert only_reads.send("DELETE", "/rest/v1/members?id=eq.m9").status == 403
    with pytest.raises(Invalid):
        token(desk, "nobody")
    with pytest.raises(Invalid):
        token(desk, "editor", "vaultry_audit")


def test_policies_can_be_changed_and_taken_back(desk):
    declare(desk)
    guest = desk.site.guest("shop")
    tag = guest.get("notes").header("etag")
    assert guest.get("notes", if_none_match=tag).status == 304
    document = json.loads(json.dumps(POLICIES))
    document["tables"]["notes"]["read"] = [{}]
    assert change_policies(desk.site.services, entry_of(desk), document, OPERATOR, only_check=True)[0] == ["notes"]
    assert guest.get("notes", if_none_match=tag).status == 304
    assert declare(desk, document) == ["notes"]
    assert guest.get("notes", if_none_match=tag).status == 200
    assert len(guest.rows("notes")) == 2
    assert declare(desk, document) == []
    assert declare(desk, {}) == ["editor", "notes", "reader"]
    assert guest.rows("notes") == []


@pytest.mark.parametrize(
    "where",
    [
        "nope = 1", "1) OR (1", "1 /* x */", "1 -- x", "1; SELECT 1", "? = 1", ":other = 1", "", "'", "(1",
        "personal_open('a', title)", "load_extension('x')", "EXISTS (SELECT 1 FROM vaultry_settings)",
        "EXISTS (SELECT 1 FROM main.vaultry_audit)", "EXISTS (SELECT 1 FROM sqlite_schema)",
        "EXISTS (SELECT 1 FROM pragma_table_info('notes'))", "sum(shared) > 1", "1) UNION SELECT secret FROM (notes",
    ],
)  # fmt: skip
def test_a_condition_is_one_expression_over_own_tables(desk, where):
    with pytest.raises(Invalid) as refused:
        declare(desk, {"tables": {"notes": {"read": [{"where": where}]}}})
    assert refused.value.code == "policies_invalid"
    assert desk.site.guest("shop").rows("notes") == []


@pytest.mark.parametrize(
    "document",
    [
        [], {"table": {}}, {"tables": {"nope": {}}}, {"tables": {"vaultry_settings": {"read": [{}]}}},
        {"tables": {"notes": {"select": []}}}, {"tables": {"notes": {"read": {}}}}, {"roles": {"a": "b"}},
        {"tables": {"notes": {"read": [{"permission": ""}]}}}, {"tables": {"notes": {"hidden": ["nope"]}}},
        {"tables": {"notes": {"supplied": {"id": "dice"}}}}, {"roles": {"owner": []}},
    ],
)  # fmt: skip
def test_a_document_must_name_what_is_there(desk, document):
    with pytest.raises(Invalid) as refused:
        declare(desk, document)
    assert refused.value.code == "policies_invalid"


def test_a_policy_that_lost_its_meaning_allows_nothing(desk):
    declare(
        desk, {"tables": {"notes": {"read": [{"where": "shared"}, {"where": "title = 'second'"}], "hidden": ["tags"]}}}
    )
    guest = desk.site.guest("shop")
    assert len(guest.rows("notes")) == 2
    desk.query("shop", "ALTER TABLE notes RENAME COLUMN shared TO is_shared")
    assert [row["id"] for row in guest.rows("notes")] == ["n2"]
    assert read_policies(desk.site.services, entry_of(desk)).broken == [
        "notes: read: the condition 'shared' has no meaning"
    ]
    desk.query("shop", "ALTER TABLE notes RENAME TO papers")
    assert guest.rows("papers") == []


def test_conditions_may_look_at_other_tables(desk):
    desk.query("shop", PEOPLE + "SELECT 1")
    where = "EXISTS (SELECT 1 FROM main.members WHERE id = :principal_id AND role = 'reader')"
    declare(desk, {"tables": {"notes": {"read": [{"where": where}]}}})
    assert len(desk.site.sign_in("shop", "ben@shop.example").rows("notes")) == 2
    assert desk.site.sign_in("shop", "ann@shop.example").rows("notes") == []


def test_the_description_tells_what_the_caller_may(desk):
    declare(desk)
    guest = desk.site.guest("shop")
    paths = guest.send("GET", "/openapi.json").json()["paths"]
    assert set(paths["/rest/v1/notes"]) >= {"get"}
    assert "post" not in paths["/rest/v1/notes"]
    assert "/rest/v1/members" not in paths
    described = guest.with_token(desk.token).send("GET", "/openapi.json").json()
    assert "post" in described["paths"]["/rest/v1/members"]
    assert "secret" not in described["components"]["schemas"]["notes"]["properties"]
    assert guest.send("OPTIONS", "/rest/v1/notes").header("allow")


def test_a_table_without_a_key_can_be_read(desk):
    desk.query("shop", "CREATE TABLE log (line TEXT); INSERT INTO log VALUES ('a')")
    operator = desk.site.guest("shop").with_token(desk.token)
    assert operator.rows("log") == [{"line": "a"}]
    refused = operator.add("log", {"line": "b"})
    assert (refused.status, refused.json()["code"]) == (400, "0A000")


def test_a_charter_that_declares_takes_no_policies(desk):
    uuid = desk.create("aurora--choir", x_vaultry_owner="liis@aurora.example")
    with pytest.raises(Conflict) as refused:
        read_policies(desk.site.services, find_tenant(desk.site.services, uuid))
    assert refused.value.code == "charter_declares"


def test_raw_sql_does_not_change_policies(desk):
    message = desk.refused(400, 7500, "POST", "/shop/query", {"sql": "DELETE FROM vaultry_policies"})
    assert message == "not authorized: SQLITE_AUTH"


def test_tools_see_own_tables_only_and_leave_nothing_behind(desk):
    names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
    own = [{"name": "members"}, {"name": "notes"}]
    assert desk.query("shop", names) == own
    # On the writer as well, twice in one call, and after a statement that failed there.
    assert desk.query("shop", f"CREATE TABLE a (x); {names}; DROP TABLE a; {names}") == own
    desk.refused(400, 7500, "POST", "/shop/query", {"sql": f"CREATE TABLE a (x); {names}; SELEC"})
    assert desk.query("shop", names.replace("sqlite_master", "m.x").replace("m.x", "sqlite_master AS m")) == own
    assert desk.query("shop", "SELECT sqlite_master.name FROM sqlite_master, pragma_table_info(sqlite_master.name)")
    everything = desk.query("shop", names.replace("sqlite_master", "sqlite_schema"))
    assert {"name": "vaultry_audit"} in everything
    assert desk.query("shop", "SELECT count(*) AS n FROM pragma_table_list WHERE schema = 'temp'") == [{"n": 1}]
    desk.refused(400, 7500, "POST", "/shop/query", {"sql": "SELECT * FROM vaultry_names"})
