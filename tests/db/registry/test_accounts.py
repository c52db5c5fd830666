import pytest

from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.registry.account_changes import (
    disable_account,
    enable_account,
    replace_password_hash,
    set_account_name,
    set_password,
)
from db.registry.accounts import (
    create_account,
    find_account,
    find_account_by_email,
    record_sign_in,
    sign_in_by_mail,
)
from db.registry.identities import find_account_by_identity, link_identity
from db.registry.sessions import session_is_live, start_session
from tests.db.registry.registry_rows import at, make_account, make_vault

NOW = at("10:00:00")
HASH, OTHER_HASH = "$argon2id$one", "$argon2id$two"


def test_an_account_is_found_by_its_address_in_any_case(tx):
    account = create_account(tx, " Kadri@X.example ", NOW, name="Kadri")
    assert account.email == "kadri@x.example"
    assert find_account_by_email(tx, "KADRI@x.example") == account
    assert find_account(tx, account.id) == account


def test_a_second_account_of_one_address_is_refused(tx):
    create_account(tx, "kadri@x.example", NOW)
    with pytest.raises(Conflict) as caught:
        create_account(tx, "Kadri@x.example", NOW)
    assert caught.value.code == "already_registered"


def test_what_is_no_address_makes_no_account(tx):
    with pytest.raises(Invalid):
        create_account(tx, "anna@tamm", NOW)
    assert tx.value("SELECT count(*) FROM accounts") == 0


def test_unknown_accounts_are_none_and_cannot_be_changed(tx):
    assert find_account(tx, "nobody") is None
    assert find_account_by_email(tx, "nobody@x.example") is None
    for change in (lambda: set_password(tx, "nobody", HASH, NOW), lambda: disable_account(tx, "nobody", NOW)):
        with pytest.raises(NotFound):
            change()


def test_an_account_does_not_show_its_password_hash_in_its_text_form(tx):
    assert HASH not in repr(create_account(tx, "kadri@x.example", NOW, password_hash=HASH))


def test_signing_in_by_mail_makes_a_confirmed_account_once(tx):
    first = sign_in_by_mail(tx, "kadri@x.example", NOW)
    later = sign_in_by_mail(tx, "kadri@x.example", at("11:00:00"))
    assert first.email_confirmed_at == NOW.text
    assert (later.id, later.email_confirmed_at, later.last_sign_in_at) == (first.id, NOW.text, at("11:00:00").text)


def test_the_first_proof_of_a_mailbox_drops_a_password_and_sessions_from_before_it(tx):
    make_vault(tx)
    squatter = create_account(tx, "kadri@x.example", NOW, password_hash=HASH)
    session = start_session(tx, squatter.id, "v-aurora", NOW)
    assert sign_in_by_mail(tx, "kadri@x.example", NOW).password_hash is None
    assert not session_is_live(tx, session.session_id, NOW)


def test_a_proof_that_completes_a_sign_up_keeps_its_password(tx):
    create_account(tx, "kadri@x.example", NOW, password_hash=HASH)
    assert sign_in_by_mail(tx, "kadri@x.example", NOW, keep_password=True).password_hash == HASH


def test_later_proofs_keep_the_password(tx):
    account = sign_in_by_mail(tx, "kadri@x.example", NOW)
    set_password(tx, account.id, HASH, NOW)
    assert sign_in_by_mail(tx, "kadri@x.example", NOW).password_hash == HASH


def test_a_changed_password_ends_every_session_but_the_one_it_was_changed_in(tx):
    account = make_account(tx)
    make_vault(tx, "aurora")
    make_vault(tx, "meretuul")
    here, there = (start_session(tx, account.id, vault, NOW) for vault in ("v-aurora", "v-meretuul"))
    set_password(tx, account.id, HASH, NOW, keep_session_id=here.session_id)
    assert session_is_live(tx, here.session_id, NOW)
    assert not session_is_live(tx, there.session_id, NOW)


def test_a_rehash_does_not_undo_a_password_changed_meanwhile(tx):
    account = create_account(tx, "kadri@x.example", NOW, password_hash=HASH)
    replace_password_hash(tx, account.id, OTHER_HASH, "$argon2id$three")
    assert find_account(tx, account.id).password_hash == HASH
    replace_password_hash(tx, account.id, HASH, OTHER_HASH)
    assert find_account(tx, account.id).password_hash == OTHER_HASH


def test_a_disabled_account_loses_its_sessions_and_cannot_sign_in(tx):
    account = make_account(tx)
    make_vault(tx)
    session = start_session(tx, account.id, "v-aurora", NOW)
    disable_account(tx, account.id, NOW)
    assert not session_is_live(tx, session.session_id, NOW)
    attempts = (
        lambda: record_sign_in(tx, account.id, NOW),
        lambda: sign_in_by_mail(tx, account.email, NOW),
        lambda: start_session(tx, account.id, "v-aurora", NOW),
    )
    for attempt in attempts:
        with pytest.raises(Forbidden) as caught:
            attempt()
        assert caught.value.code == "account_disabled"


def test_disabling_twice_keeps_the_first_time_and_enabling_lets_in_again(tx):
    account = make_account(tx)
    disable_account(tx, account.id, NOW)
    disable_account(tx, account.id, at("11:00:00"))
    assert find_account(tx, account.id).disabled_at == NOW.text
    enable_account(tx, account.id)
    assert record_sign_in(tx, account.id, NOW).last_sign_in_at == NOW.text


def test_a_name_can_be_changed_and_cleared(tx):
    account = make_account(tx)
    assert set_account_name(tx, account.id, "Kadri Kask").name == "Kadri Kask"
    assert set_account_name(tx, account.id, None).name is None


def test_an_outside_identity_leads_to_one_account(tx):
    account = make_account(tx)
    link_identity(tx, account.id, "google", "sub-1", NOW)
    link_identity(tx, account.id, "google", "sub-1", NOW)
    assert find_account_by_identity(tx, "google", "sub-1") == account
    assert find_account_by_identity(tx, "github", "sub-1") is None
    with pytest.raises(Conflict, match="belongs to another account"):
        link_identity(tx, make_account(tx, "anna@x.example").id, "google", "sub-1", NOW)
