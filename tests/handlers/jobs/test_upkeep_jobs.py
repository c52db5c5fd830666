"""Outbox, log, what has expired, keys: each does its work once, however often it runs."""

import json
import time

import pytest
from standardwebhooks.webhooks import Webhook as Standard

from db.outbox import MAX_ATTEMPTS, enqueue
from db.registry.api_tokens import TokenReach, create_api_token, list_api_tokens, revoke_api_token
from db.registry.email_codes import request_code
from db.registry.signing_keys import list_signing_keys
from db.webhook_secrets import shown, webhook_secrets
from tests.handlers.hook_receiver import receiver
from tests.handlers.jobs.upkeep_site import DAY_MS, HOUR_MS, OPERATOR


@pytest.fixture
def choir(upkeep):
    return upkeep.choir()


def ask(upkeep, entry, kind: str, payload: dict[str, object]) -> None:
    with upkeep.services.quiet_vault(entry) as vault:
        vault.write(lambda tx: enqueue(tx, kind, payload, upkeep.clock()), OPERATOR, upkeep.clock())


def effects(upkeep, entry) -> list[tuple[bool, int, str | None]]:
    """Of each effect: whether it was delivered, its attempts, its error."""
    with upkeep.services.quiet_vault(entry) as vault:
        rows = vault.read(lambda tx: tx.rows("SELECT * FROM vaultry_outbox ORDER BY created_at, id")).value
    return [(row["delivered_at"] is not None, row["attempts"], row["last_error"]) for row in rows]


def test_a_mail_is_sent_by_the_first_run_and_by_no_other(upkeep, choir):
    ask(upkeep, choir, "mail", {"to": "anna@club.example", "subject": "s", "text": "t"})
    assert upkeep.round("outbox").jobs["outbox"].sums == {"delivered": 1}
    assert upkeep.round("outbox", force=True).jobs["outbox"].sums == {}
    assert len(list((upkeep.folder / "outbox").glob("*.eml"))) == 1


def test_a_webhook_that_is_refused_once_comes_again_by_itself(upkeep, choir):
    with receiver() as target:
        target.answers = [500, 200]
        ask(upkeep, choir, "webhook", {"url": target.url, "event": "work.added", "body": {"id": "w"}})
        assert upkeep.round("outbox").jobs["outbox"].sums == {"failed": 1, "waiting": 1}
        assert effects(upkeep, choir) == [(False, 1, "webhook_status_500")]
        # The outbox asks to be looked at when the next attempt is due, though its vault is closed by then.
        assert upkeep.round("outbox").runs == 0
        upkeep.clock.ms += 60_000
        assert upkeep.round("outbox").jobs["outbox"].sums == {"delivered": 1}
        assert effects(upkeep, choir) == [(True, 2, None)]
        (_, first, body), (_, second, again) = target.received
    assert first["webhook-id"] == second["webhook-id"]
    assert (body, json.loads(body)["data"]) == (again, {"id": "w"})


def test_a_receiver_verifies_webhooks_with_the_vaults_own_secret(upkeep, choir):
    # Receivers refuse what was signed more than five minutes ago.
    upkeep.clock.ms = time.time_ns() // 1_000_000
    with receiver() as target:
        ask(upkeep, choir, "webhook", {"url": target.url, "event": "work.added", "body": None})
        upkeep.round("outbox")
        ((_, headers, body),) = target.received
    with upkeep.services.quiet_vault(choir) as vault:
        (secret,) = vault.read(lambda tx: webhook_secrets(tx, upkeep.services.keyring, upkeep.clock())).value
    Standard(shown(secret)).verify(body, headers)


def test_a_webhook_is_given_up_after_the_last_attempt_and_stays_to_be_seen(upkeep, choir):
    with receiver() as target:
        target.answers = [503]
        ask(upkeep, choir, "webhook", {"url": target.url, "event": "x"})
        for _ in range(MAX_ATTEMPTS + 3):
            upkeep.round("outbox", vaults=[choir.id])
            upkeep.clock.ms += 7 * HOUR_MS
        assert len(target.received) == MAX_ATTEMPTS
    assert effects(upkeep, choir) == [(False, MAX_ATTEMPTS, "webhook_status_503")]
    assert upkeep.run(choir, "outbox").report == {"given_up": 1}


def test_a_webhook_into_a_private_network_is_given_up_at_once_and_holds_up_no_other(upkeep, choir):
    with receiver() as target:
        for url in ("https://169.254.169.254/latest/meta-data", "https://10.0.0.1/", "http://example.com/", target.url):
            ask(upkeep, choir, "webhook", {"url": url, "event": "x"})
        assert upkeep.round("outbox").jobs["outbox"].sums == {"delivered": 1, "failed": 3, "given_up": 3}
        assert len(target.received) == 1
    assert sorted(str(error) for _, _, error in effects(upkeep, choir)) == ["None"] + ["webhook_refused"] * 3


def test_this_machine_is_no_target_once_others_reach_the_platform(upkeep, choir):
    public = upkeep.another(VAULTRY_BASE_URL="https://vaultry.example")
    with receiver() as target:
        ask(upkeep, choir, "webhook", {"url": target.url, "event": "x"})
        assert upkeep.round("outbox", services=public).jobs["outbox"].sums == {"failed": 1, "given_up": 1}
        assert target.received == []
    public.close()


def test_expired_things_are_forgotten_once_and_what_is_in_force_stays(upkeep, choir):
    services, now = upkeep.services, upkeep.clock()
    ring = services.keyring

    def fill(tx) -> None:
        request_code(tx, ring, "anna@club.example", choir.id, now, vault_name="Harmonia")
        _, gone = create_api_token(tx, "revoked", TokenReach(), now)
        revoke_api_token(tx, gone.id, None, now)
        create_api_token(tx, "expired", TokenReach(expires_at=now.later(seconds=60)), now)
        create_api_token(tx, "in force", TokenReach(), now)

    services.registry_write(fill, OPERATOR, now)
    upkeep.clock.ms += 2 * DAY_MS
    first = upkeep.round("tokens").jobs["tokens"].sums
    assert (first["codes"], "api_tokens" in first) == (1, False)
    upkeep.clock.ms += 89 * DAY_MS
    assert upkeep.round("tokens").jobs["tokens"].sums["api_tokens"] == 2
    assert [token.name for token in services.registry_read(lambda tx: list_api_tokens(tx, None), current=True)] == [
        "in force"
    ]
    assert upkeep.round("tokens", force=True).jobs["tokens"].sums == {}


def test_codes_are_looked_at_every_hour_and_vaults_every_day(upkeep, choir):
    upkeep.round("tokens")
    upkeep.clock.ms += HOUR_MS
    report = upkeep.round("tokens")
    assert (report.vaults, report.jobs["tokens"].done) == (1, 1)


def test_answers_kept_for_repeats_go_after_a_week(upkeep, choir):
    upkeep.write(
        choir,
        "INSERT INTO vaultry_idempotency (actor, key, digest, answer, created_at) "
        f"VALUES ('a', 'k', '{'0' * 64}', '{{}}', '{upkeep.clock().text}')",
    )
    assert upkeep.round("tokens").jobs["tokens"].sums == {}
    upkeep.clock.ms += 8 * DAY_MS
    assert upkeep.round("tokens", vaults=[choir.id]).jobs["tokens"].sums == {"answers": 1}


def test_signing_keys_are_succeeded_after_ninety_days_and_only_once(upkeep):
    upkeep.round("keys")
    assert len(upkeep.services.registry_read(list_signing_keys, current=True)) == 1
    upkeep.clock.ms += 90 * DAY_MS
    assert upkeep.round("keys").jobs["keys"].sums == {"created": 1}
    assert upkeep.round("keys", force=True).jobs["keys"].sums == {}
    assert len(upkeep.services.registry_read(list_signing_keys, current=True)) == 2


def test_another_algorithm_in_the_settings_gets_a_key_of_its_own_within_a_day(upkeep):
    upkeep.round("keys")
    edwards = upkeep.another(VAULTRY_SIGNING_ALGORITHM="EdDSA")
    try:
        upkeep.clock.ms += DAY_MS
        assert upkeep.round("keys", services=edwards).jobs["keys"].sums == {"created": 1}
        upkeep.clock.ms += DAY_MS
        assert upkeep.round("keys", services=edwards).jobs["keys"].sums == {"activated": 1}
        keys = edwards.registry_read(list_signing_keys, current=True)
        assert [(key.algorithm, key.activated_at is None) for key in keys] == [("EdDSA", False), ("ES256", False)]
    finally:
        edwards.close()


def test_a_log_is_folded_once_and_says_how_much_went(upkeep, choir):
    for number in range(5):
        upkeep.write(choir, f"UPDATE members SET nickname = 'n{number}'")
    upkeep.round("log")
    before = len(upkeep.log_files(choir))
    upkeep.clock.ms += 2 * DAY_MS
    assert upkeep.round("log", vaults=[choir.id]).jobs["log"].sums["objects_removed"] > 0
    assert len(upkeep.log_files(choir)) < before
    assert "objects_removed" not in upkeep.round("log", vaults=[choir.id], force=True).jobs["log"].sums


def test_a_busy_log_is_due_again_in_an_hour(upkeep, choir, monkeypatch):
    monkeypatch.setattr("handlers.jobs.upkeep._BUSY_COMMITS", 5)
    upkeep.round("log")
    for number in range(5):
        upkeep.write(choir, f"UPDATE members SET nickname = 'n{number}'")
    upkeep.clock.ms += DAY_MS
    upkeep.round("log", vaults=[choir.id])
    upkeep.clock.ms += HOUR_MS
    assert upkeep.round("log", vaults=[choir.id]).runs == 1
    upkeep.clock.ms += HOUR_MS
    assert upkeep.round("log", vaults=[choir.id]).runs == 0
