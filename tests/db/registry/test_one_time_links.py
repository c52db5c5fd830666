import pytest

from db.errors import Forbidden, NotAuthenticated
from db.registry.account_changes import disable_account
from db.registry.accounts import find_account_by_email
from db.registry.one_time_links import create_link_token, purge_links, use_link_token
from tests.db.registry.registry_rows import at, make_account, make_vault

NOW = at("10:00:00")
TOMORROW = "2026-02-02"


@pytest.fixture(autouse=True)
def vaults(tx):
    make_vault(tx, "aurora")
    make_vault(tx, "harmonia")


def code_of(call) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        call()
    return caught.value.code


def test_a_link_signs_its_owner_in_and_makes_the_account_without_confirming_its_address(tx):
    signed_in = use_link_token(tx, create_link_token(tx, "Board@x.example", "v-aurora", NOW), NOW)
    assert signed_in.vault_id == "v-aurora"
    assert (signed_in.account.email, signed_in.account.last_sign_in_at) == ("board@x.example", NOW.text)
    assert signed_in.account.email_confirmed_at is None


def test_a_link_works_once(tx):
    token = create_link_token(tx, "board@x.example", "v-aurora", NOW)
    use_link_token(tx, token, NOW)
    assert code_of(lambda: use_link_token(tx, token, NOW)) == "code_used"


def test_a_link_lives_for_24_hours(tx):
    token = create_link_token(tx, "board@x.example", "v-aurora", NOW)
    assert code_of(lambda: use_link_token(tx, token, at("10:00:00", TOMORROW))) == "code_expired"
    assert use_link_token(tx, token, at("09:59:59.999", TOMORROW)).vault_id == "v-aurora"


@pytest.mark.parametrize("token", ["", "vll_" + "A" * 43, "\ud800"])
def test_an_unknown_link_is_invalid(tx, token):
    create_link_token(tx, "board@x.example", "v-aurora", NOW)
    assert code_of(lambda: use_link_token(tx, token, NOW)) == "code_invalid"


def test_a_new_link_replaces_the_unused_ones_to_the_same_vault_only(tx):
    lost, elsewhere = (create_link_token(tx, "board@x.example", vault, NOW) for vault in ("v-aurora", "v-harmonia"))
    create_link_token(tx, "board@x.example", "v-aurora", NOW)
    assert code_of(lambda: use_link_token(tx, lost, NOW)) == "code_invalid"
    assert use_link_token(tx, elsewhere, NOW).vault_id == "v-harmonia"


def test_the_registry_keeps_no_link_token(tx):
    token = create_link_token(tx, "board@x.example", "v-aurora", NOW)
    assert token not in str([tuple(row) for row in tx.rows("SELECT * FROM one_time_links")])


def test_a_disabled_account_gets_no_link_and_cannot_use_one(tx):
    account = make_account(tx)
    token = create_link_token(tx, account.email, "v-aurora", NOW)
    disable_account(tx, account.id, NOW)
    for attempt in (
        lambda: use_link_token(tx, token, NOW),
        lambda: create_link_token(tx, account.email, "v-aurora", NOW),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_links_are_forgotten_a_day_after_they_expired(tx):
    create_link_token(tx, "board@x.example", "v-aurora", NOW)
    assert purge_links(tx, at("10:00:00", "2026-02-03")) == 0
    assert purge_links(tx, at("10:00:00.001", "2026-02-03")) == 1
    assert find_account_by_email(tx, "board@x.example") is not None
