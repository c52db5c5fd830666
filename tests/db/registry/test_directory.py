import sqlite3

import pytest

from db.errors import Conflict, Forbidden, Gone, Invalid, NotFound
from db.registry.directory import (
    NewVault,
    create_vault_entry,
    delete_vault,
    find_slug,
    find_vault,
    forget_vault,
    list_vaults,
    record_vault_state,
    require_active,
    resume_vault,
    suspend_vault,
    undelete_vault,
    vaults_to_forget,
)
from db.registry.memberships import forget_membership, list_memberships, record_membership
from db.registry.sessions import start_session
from db.registry.slugs import RESERVED, add_slug, remove_slug, set_slug_scope, slug_availability
from tests.db.registry.registry_rows import after, at, make_account, make_vault

NOW = at("10:00:00")
DAY = 86400


def slugs_of(page) -> list[str]:
    return [entry.slug for entry in page.entries]


def test_a_new_entry_is_active_and_found_by_slug_and_id(tx):
    new = NewVault("v-1", "choir", " Aurora ", "Aurora", schema={"kernel": 1, "choir": 3})
    entry = create_vault_entry(tx, new, NOW)
    assert (entry.name, entry.slug, entry.status, entry.schema) == (
        "Aurora",
        "aurora",
        "active",
        {"kernel": 1, "choir": 3},
    )
    assert find_slug(tx, "aurora") == find_slug(tx, "AURORA") == find_vault(tx, "v-1") == entry


def test_an_unknown_slug_or_id_is_none(tx):
    assert find_slug(tx, "aurora") is None
    assert find_vault(tx, "v-1") is None


def test_several_slugs_lead_into_one_vault_each_with_its_scope(tx):
    make_vault(tx, "union", scope="org-union")
    add_slug(tx, "aurora", "v-union", "org-aurora", at("11:00:00"))
    assert (find_slug(tx, "aurora").id, find_slug(tx, "aurora").scope) == ("v-union", "org-aurora")
    assert (find_vault(tx, "v-union").slug, find_vault(tx, "v-union").scope) == ("union", "org-union")


def test_the_scope_of_a_slug_can_be_set_once_the_vault_is_filled(tx):
    make_vault(tx, "aurora")
    set_slug_scope(tx, "aurora", "org-aurora")
    assert find_slug(tx, "aurora").scope == "org-aurora"
    with pytest.raises(NotFound):
        set_slug_scope(tx, "nowhere", "x")


@pytest.mark.parametrize("slug", ["abc", "a" * 30, "choir--two", "2-b-2", " Aurora "])
def test_a_slug_of_good_form_is_available(tx, slug):
    assert slug_availability(tx, slug) == "available"


@pytest.mark.parametrize(
    ("slug", "rule"),
    [
        ("ab", "got 2 characters"),
        ("", "got 0 characters"),
        ("a" * 31, "got 31 characters"),
        ("-coro", "no hyphen at either end"),
        ("coro-", "no hyphen at either end"),
        ("my_choir", "only letters a-z"),
        ("õie-koor", "only letters a-z"),
        ("coro\nx", "only letters a-z"),
        ("١٢٣", "only letters a-z"),
    ],
)
def test_a_slug_of_bad_form_is_refused_naming_the_rule(tx, slug, rule):
    with pytest.raises(Invalid, match=rule) as caught:
        slug_availability(tx, slug)
    assert caught.value.field == "slug"


@pytest.mark.parametrize("slug", ["STATUS", "docs", "www", "vpn", "client"])
def test_a_reserved_slug_is_not_available_and_cannot_be_had(tx, slug):
    assert slug_availability(tx, slug) == "reserved"
    with pytest.raises(Conflict, match="reserved") as caught:
        make_vault(tx, slug)
    assert caught.value.code == "duplicate"


def test_every_reserved_name_could_have_been_asked_for(tx):
    assert {slug_availability(tx, name) for name in RESERVED} == {"reserved"}


def test_a_taken_slug_is_refused_in_any_case(tx):
    make_vault(tx, "harmonia")
    assert slug_availability(tx, "Harmonia") == "taken"
    with pytest.raises(Conflict) as caught:
        create_vault_entry(tx, NewVault("v-2", "choir", "Other", "Harmonia"), NOW)
    assert caught.value.code == "duplicate"


@pytest.mark.parametrize("slug", ["ab", "a" * 31, "-coro", "coro-", "my_choir", "Aurora"])
def test_the_database_itself_refuses_a_slug_of_bad_form(tx, slug):
    make_vault(tx, "aurora")
    with pytest.raises(sqlite3.IntegrityError):
        tx.insert("slugs", slug=slug, vault_id="v-aurora", created_at=NOW.text)


def test_a_removed_slug_is_free_again(tx):
    make_vault(tx, "aurora")
    remove_slug(tx, "aurora")
    assert slug_availability(tx, "aurora") == "available"
    assert find_vault(tx, "v-aurora").slug == ""
    with pytest.raises(NotFound):
        remove_slug(tx, "aurora")


def test_a_slug_for_an_unknown_vault_is_refused(tx):
    with pytest.raises(NotFound):
        add_slug(tx, "aurora", "v-nowhere", "", NOW)


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_vault_name_is_1_to_200_characters(tx, name):
    with pytest.raises(Invalid, match="wanted 1 to 200"):
        create_vault_entry(tx, NewVault("v-1", "choir", name, "aurora"), NOW)


def test_an_id_that_exists_is_refused(tx):
    make_vault(tx, "aurora")
    with pytest.raises(Conflict):
        create_vault_entry(tx, NewVault("v-aurora", "choir", "Again", "again"), NOW)


def test_a_fork_names_its_parent_and_the_point_in_time(tx):
    make_vault(tx, "aurora")
    fork = NewVault(
        "v-fork", "choir", "Aurora, copy", "aurora-copy", parent_vault_id="v-aurora", parent_bookmark="00-7"
    )
    entry = create_vault_entry(tx, fork, NOW)
    assert (entry.parent_vault_id, entry.parent_bookmark) == ("v-aurora", "00-7")
    with pytest.raises(NotFound):
        create_vault_entry(tx, NewVault("v-x", "choir", "X", "xxx", parent_vault_id="v-no", parent_bookmark="b"), NOW)


def test_a_suspended_vault_is_closed_until_it_is_resumed(tx):
    make_vault(tx, "aurora")
    assert suspend_vault(tx, "v-aurora", NOW).suspended_at == NOW.text
    assert suspend_vault(tx, "v-aurora", at("11:00:00")).suspended_at == NOW.text
    with pytest.raises(Forbidden) as caught:
        require_active(find_slug(tx, "aurora"))
    assert caught.value.code == "vault_suspended"
    assert require_active(resume_vault(tx, "v-aurora")).suspended_at is None


def test_a_deleted_vault_is_gone_and_keeps_its_slug(tx):
    make_vault(tx, "aurora")
    delete_vault(tx, "v-aurora", NOW)
    with pytest.raises(Gone) as caught:
        require_active(find_slug(tx, "aurora"))
    assert caught.value.code == "vault_deleted"
    assert slug_availability(tx, "aurora") == "taken"


def test_no_vault_at_all_is_not_found():
    with pytest.raises(NotFound):
        require_active(None)


@pytest.mark.parametrize(("seconds", "back"), [(30 * DAY - 0.001, True), (30 * DAY, False)])
def test_a_deleted_vault_can_be_brought_back_for_30_days(tx, seconds, back):
    make_vault(tx, "aurora")
    delete_vault(tx, "v-aurora", NOW)
    delete_vault(tx, "v-aurora", at("11:00:00"))
    now = after(NOW, seconds=seconds)
    if back:
        assert undelete_vault(tx, "v-aurora", now).status == "active"
        assert vaults_to_forget(tx, now) == []
    else:
        with pytest.raises(Gone):
            undelete_vault(tx, "v-aurora", now)
        assert vaults_to_forget(tx, now) == ["v-aurora"]


def test_a_vault_deleted_while_suspended_comes_back_suspended(tx):
    make_vault(tx, "aurora")
    suspend_vault(tx, "v-aurora", NOW)
    delete_vault(tx, "v-aurora", NOW)
    assert undelete_vault(tx, "v-aurora", NOW).status == "suspended"


def test_bringing_back_a_vault_that_is_there_changes_nothing(tx):
    entry = make_vault(tx, "aurora")
    assert undelete_vault(tx, "v-aurora", NOW) == entry


def test_a_deleted_vault_is_neither_suspended_nor_resumed(tx):
    make_vault(tx, "aurora")
    delete_vault(tx, "v-aurora", NOW)
    for change in (lambda: suspend_vault(tx, "v-aurora", NOW), lambda: resume_vault(tx, "v-aurora")):
        with pytest.raises(Conflict) as caught:
            change()
        assert caught.value.code == "vault_deleted"


def test_every_change_of_an_unknown_vault_is_not_found(tx):
    changes = (
        lambda: suspend_vault(tx, "v", NOW),
        lambda: resume_vault(tx, "v"),
        lambda: delete_vault(tx, "v", NOW),
        lambda: undelete_vault(tx, "v", NOW),
    )
    for change in changes:
        with pytest.raises(NotFound):
            change()


def test_forgetting_takes_everything_of_the_vault_and_waits_its_30_days(tx):
    make_vault(tx, "aurora")
    account = make_account(tx)
    record_membership(tx, account.id, "v-aurora", NOW)
    start_session(tx, account.id, "v-aurora", NOW)
    delete_vault(tx, "v-aurora", NOW)
    with pytest.raises(Conflict):
        forget_vault(tx, "v-aurora", after(NOW, seconds=30 * DAY - 0.001))
    forget_vault(tx, "v-aurora", after(NOW, seconds=30 * DAY))
    for table in ("vaults", "slugs", "memberships", "sessions", "refresh_tokens"):
        assert tx.value(f"SELECT count(*) FROM {table}") == 0
    assert slug_availability(tx, "aurora") == "available"


def test_forgetting_a_parent_leaves_its_fork(tx):
    make_vault(tx, "aurora")
    create_vault_entry(
        tx, NewVault("v-fork", "choir", "Copy", "copy", parent_vault_id="v-aurora", parent_bookmark="b"), NOW
    )
    delete_vault(tx, "v-aurora", NOW)
    forget_vault(tx, "v-aurora", after(NOW, seconds=30 * DAY))
    assert find_vault(tx, "v-fork").parent_vault_id is None


def test_pages_go_by_age_and_end_empty(tx):
    for minute, slug in enumerate(("delta", "alfa", "coro")):
        make_vault(tx, slug, at(f"10:0{minute}:00"))
    first, second, third = (list_vaults(tx, page=page, per_page=2) for page in (1, 2, 3))
    assert (slugs_of(first), slugs_of(second), slugs_of(third)) == (["delta", "alfa"], ["coro"], [])
    assert (first.total, third.total) == (3, 3)


def test_a_vault_with_several_slugs_is_listed_once(tx):
    make_vault(tx, "union")
    add_slug(tx, "aurora", "v-union", "", at("11:00:00"))
    assert slugs_of(list_vaults(tx)) == ["union"]


def test_deleted_vaults_are_listed_only_when_asked_for(tx):
    make_vault(tx, "alfa")
    make_vault(tx, "coro")
    make_vault(tx, "delta")
    delete_vault(tx, "v-coro", NOW)
    suspend_vault(tx, "v-delta", NOW)
    assert slugs_of(list_vaults(tx)) == ["alfa", "delta"]
    assert slugs_of(list_vaults(tx, status="deleted")) == ["coro"]
    assert slugs_of(list_vaults(tx, status="suspended")) == ["delta"]


def test_a_search_looks_at_names_slugs_and_whole_ids(tx):
    create_vault_entry(tx, NewVault("v-1", "choir", "100 % Coro_", "song"), NOW)
    make_vault(tx, "aurora", at("11:00:00"))
    for search, found in (("CORO_", ["song"]), ("%", ["song"]), ("AUR", ["aurora"]), ("v-1", ["song"]), ("v-", [])):
        assert slugs_of(list_vaults(tx, search=search)) == found


@pytest.mark.parametrize(("page", "per_page"), [(0, 10), (1, 0), (1, 10_001)])
def test_a_page_outside_its_limits_is_refused(tx, page, per_page):
    with pytest.raises(Invalid):
        list_vaults(tx, page=page, per_page=per_page)
    assert list_vaults(tx, page=1, per_page=10_000).total == 0


def test_what_was_seen_of_a_vault_is_kept_and_never_goes_back(tx):
    make_vault(tx, "aurora")
    assert record_vault_state(tx, "v-aurora", schema={"choir": 4}, bookmark="00000002", size_bytes=8192)
    assert not record_vault_state(tx, "v-aurora", bookmark="00000001", size_bytes=4096)
    assert record_vault_state(tx, "v-aurora", size_bytes=12288)
    entry = find_vault(tx, "v-aurora")
    assert (entry.schema, entry.bookmark, entry.size_bytes) == ({"choir": 4}, "00000002", 12288)
    assert not record_vault_state(tx, "v-nowhere", size_bytes=1)


def test_the_schema_of_a_vault_is_kept_and_a_hash_of_other_numbers_is_not(tx):
    make_vault(tx, "aurora")

    def seen(**state):
        assert record_vault_state(tx, "v-aurora", **state)
        entry = find_vault(tx, "v-aurora")
        return entry.schema_hash, entry.schema_hold, entry.refusal

    digest, hold = "a" * 64, {"choir": 3}
    assert seen(schema={"choir": 4}, schema_hash=digest, schema_hold=hold, refusal="why") == (digest, hold, "why")
    assert seen(size_bytes=1) == (digest, hold, "why")
    assert seen(schema={"choir": 4}) == (digest, hold, "why")
    assert seen(schema={"choir": 5}) == (None, hold, "why")
    assert seen(schema_hash=digest, schema_hold={}, refusal="") == (digest, None, None)


def test_equal_numbers_are_kept_as_equal_text(tx):
    for slug, schema in (("aurora", {"kernel": 6, "choir": 4}), ("bella", {"choir": 4, "kernel": 6})):
        make_vault(tx, slug)
        record_vault_state(tx, f"v-{slug}", schema=schema)
    assert tx.value("SELECT count(DISTINCT schema_numbers) FROM vaults") == 1


def test_memberships_list_active_vaults_by_name_once_each(tx):
    account = make_account(tx)
    for slug in ("meretuul", "aurora", "harmonia"):
        make_vault(tx, slug)
        record_membership(tx, account.id, f"v-{slug}", NOW)
        record_membership(tx, account.id, f"v-{slug}", at("11:00:00"))
    suspend_vault(tx, "v-harmonia", NOW)
    assert [(m.name, m.slug, m.created_at) for m in list_memberships(tx, account.id)] == [
        ("Aurora", "aurora", NOW.text),
        ("Meretuul", "meretuul", NOW.text),
    ]
    assert forget_membership(tx, account.id, "v-aurora")
    assert not forget_membership(tx, account.id, "v-aurora")
    assert [m.slug for m in list_memberships(tx, account.id)] == ["meretuul"]


@pytest.mark.parametrize(
    "change",
    ["id = 'v-2'", "charter = 'band'", "status = 'closed'", "deleted_at = created_at", "schema_numbers = '[]'"],
)
def test_the_database_refuses_a_vault_row_that_makes_no_sense(tx, change):
    make_vault(tx, "aurora")
    with pytest.raises(sqlite3.IntegrityError):
        tx.execute(f"UPDATE vaults SET {change}")


def test_the_database_refuses_to_move_a_slug_to_another_vault(tx):
    make_vault(tx, "aurora")
    make_vault(tx, "harmonia")
    with pytest.raises(sqlite3.IntegrityError, match="stays with its vault"):
        tx.execute("UPDATE slugs SET vault_id = 'v-harmonia' WHERE slug = 'aurora'")
