import re
import sqlite3

import pytest

from db.errors import Invalid, NotAuthenticated, NotFound
from db.registry.api_tokens import (
    TokenReach,
    create_api_token,
    find_api_token,
    list_api_tokens,
    record_token_use,
    revoke_api_token,
    token_use_is_stale,
)
from tests.db.registry.registry_rows import at, make_vault

NOW = at("10:00:00")
OPERATOR = TokenReach()


@pytest.fixture(autouse=True)
def vaults(tx):
    make_vault(tx, "aurora")
    make_vault(tx, "harmonia")


def reach(**changes) -> TokenReach:
    return TokenReach(**{"vault_id": "v-aurora", "role": "librarian", **changes})


def make_token(tx, **changes):
    return create_api_token(tx, "Website", reach(**changes), NOW)


def refused_with(tx, token, now=NOW) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        find_api_token(tx, token, now)
    return caught.value.code


def test_a_token_is_shown_once_in_its_form_and_found_again(tx):
    token, record = make_token(tx)
    assert re.fullmatch(r"vlt_[A-Za-z0-9_-]{43}", token)
    assert record.prefix == token[:12]
    assert find_api_token(tx, token, NOW) == record
    assert token not in str([tuple(row) for row in tx.rows("SELECT * FROM api_tokens")])


def test_a_vault_token_reaches_its_vault_only_and_an_operator_token_all(tx):
    _, narrow = make_token(tx)
    _, wide = create_api_token(tx, "Deploy", OPERATOR, NOW)
    assert (narrow.kind, narrow.reaches("v-aurora", ""), narrow.reaches("v-harmonia", "")) == ("vault", True, False)
    assert not narrow.reaches("v-aurora", "another choir of the same vault")
    assert (wide.kind, wide.reaches("v-aurora", ""), wide.reaches("v-harmonia", "x")) == ("operator", True, True)


def test_without_lists_every_table_and_verb_of_the_role_is_open(tx):
    _, token = make_token(tx)
    assert token.may_read("works")
    assert token.may_write("works")
    assert token.may_call("copies.lend", writes=True)


def test_a_listed_table_is_open_and_no_other(tx):
    _, token = make_token(tx, tables=["works", "editions"])
    assert (token.may_read("works"), token.may_write("editions")) == (True, True)
    assert (token.may_read("members"), token.may_write("members"), token.may_read("Works")) == (False, False, False)


def test_a_listed_verb_is_open_and_no_other(tx):
    _, token = make_token(tx, verbs=["copies.lend"])
    assert token.may_call("copies.lend", writes=True)
    assert not token.may_call("copies.return", writes=True)


def test_an_empty_list_opens_nothing(tx):
    _, token = make_token(tx, tables=[], verbs=[])
    assert (token.may_read("works"), token.may_call("copies.list", writes=False)) == (False, False)


def test_a_reading_token_reads_and_calls_what_reads_only(tx):
    _, token = make_token(tx, read_only=True, tables=["works"], verbs=["works.list", "works.add"])
    assert (token.may_read("works"), token.may_write("works")) == (True, False)
    assert (token.may_call("works.list", writes=False), token.may_call("works.add", writes=True)) == (True, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": None},
        {"vault_id": None},
        {"vault_id": None, "role": None, "tables": ["works"]},
        {"vault_id": None, "role": None, "verbs": []},
        {"tables": "works"},
        {"tables": ["works; drop"]},
        {"verbs": [""]},
        {"verbs": ["v" * 101]},
        {"expires_at": "tomorrow"},
        {"expires_at": NOW.text},
    ],
)
def test_a_reach_that_makes_no_sense_is_refused(tx, wrong):
    with pytest.raises(Invalid):
        make_token(tx, **wrong)


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_a_name_is_1_to_200_characters(tx, name):
    with pytest.raises(Invalid, match="wanted 1 to 200"):
        create_api_token(tx, name, OPERATOR, NOW)
    assert create_api_token(tx, "x" * 200, OPERATOR, NOW)[1].name == "x" * 200


def test_a_token_for_an_unknown_vault_is_refused(tx):
    with pytest.raises(NotFound):
        make_token(tx, vault_id="v-nowhere")


def test_a_token_expires_at_its_moment_whatever_offset_it_was_given_in(tx):
    token, record = make_token(tx, expires_at="2026-02-01T13:00:00+02:00")
    assert record.expires_at == at("11:00:00").text
    assert find_api_token(tx, token, at("10:59:59.999")) == record
    assert refused_with(tx, token, at("11:00:00")) == "token_expired"


def test_a_revoked_token_is_invalid_and_revoking_twice_keeps_the_first_time(tx):
    token, record = make_token(tx)
    assert revoke_api_token(tx, record.id, "v-aurora", NOW).revoked_at == NOW.text
    assert revoke_api_token(tx, record.id, "v-aurora", at("11:00:00")).revoked_at == NOW.text
    assert refused_with(tx, token) == "token_invalid"


def test_a_revoked_token_that_expired_is_reported_as_invalid(tx):
    token, record = make_token(tx, expires_at=at("11:00:00").text)
    revoke_api_token(tx, record.id, "v-aurora", NOW)
    assert refused_with(tx, token, at("12:00:00")) == "token_invalid"


@pytest.mark.parametrize("token", ["", "vlt_", "vlt_" + "A" * 43, "vlr_" + "A" * 43, "\ud800"])
def test_an_unknown_token_is_invalid(tx, token):
    make_token(tx)
    assert refused_with(tx, token) == "token_invalid"


def test_another_vault_cannot_revoke_a_token_nor_learn_that_it_exists(tx):
    _, record = make_token(tx)
    for vault_id in ("v-harmonia", None):
        with pytest.raises(NotFound):
            revoke_api_token(tx, record.id, vault_id, NOW)
    with pytest.raises(NotFound):
        revoke_api_token(tx, "nothing", "v-aurora", NOW)


def test_listing_shows_the_tokens_of_one_vault_newest_first(tx):
    _, old = make_token(tx)
    _, new = create_api_token(tx, "Newer", reach(), at("11:00:00"))
    _, operator = create_api_token(tx, "Deploy", OPERATOR, NOW)
    assert list_api_tokens(tx, "v-aurora") == [new, old]
    assert list_api_tokens(tx, "v-harmonia") == []
    assert list_api_tokens(tx, None) == [operator]


def test_the_last_use_is_written_at_most_once_an_hour(tx):
    token, record = make_token(tx)
    assert token_use_is_stale(record, NOW)
    assert record_token_use(tx, record.id, NOW)
    used = find_api_token(tx, token, NOW)
    assert used.last_used_at == NOW.text
    assert (token_use_is_stale(used, at("10:59:59.999")), token_use_is_stale(used, at("11:00:00"))) == (False, True)
    assert not record_token_use(tx, record.id, at("10:59:59.999"))
    assert record_token_use(tx, record.id, at("11:00:00"))


@pytest.mark.parametrize(
    "widening", ["tables = NULL", "verbs = NULL", "read_only = 0", "expires_at = NULL", "role = 'owner'"]
)
def test_the_database_refuses_to_widen_a_token(tx, widening):
    make_token(tx, tables=[], verbs=[], read_only=True, expires_at=at("11:00:00").text)
    with pytest.raises(sqlite3.IntegrityError, match="keeps its reach"):
        tx.execute(f"UPDATE api_tokens SET {widening}")


def test_the_database_refuses_to_bring_a_revoked_token_back(tx):
    _, record = make_token(tx)
    revoke_api_token(tx, record.id, "v-aurora", NOW)
    with pytest.raises(sqlite3.IntegrityError, match="stays revoked"):
        tx.execute("UPDATE api_tokens SET revoked_at = NULL")
