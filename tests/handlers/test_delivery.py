"""Delivering an outbox: what leaves, what is tried again, what never stops the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from db.clock import Moment
from db.errors import Invalid, Unavailable
from db.keyring import KeyRing
from db.outbox import OutboxRow, enqueue
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.transaction import Actor
from db.vault.opening import Kind, Site, create_vault
from db.webhook_secrets import webhook_secrets
from handlers.upkeep.delivery import Delivery, Hooks, deliver_outbox, mail_of, webhook_of
from handlers.upkeep.mail import Mail
from handlers.upkeep.webhooks import Webhook

ACTOR = Actor("test", "job", "", "test")
START_MS = 1_777_662_000_000


def moment(minutes: int = 0) -> Moment:
    return Moment(START_MS + minutes * 60_000)


@dataclass
class Recorder:
    """Keeps what it is given; raises `failures[to]` for the addresses in it."""

    failures: dict[str, Exception] = field(default_factory=dict)
    sent: list[Mail] = field(default_factory=list)

    def send(self, message: Mail) -> None:
        if message.to in self.failures:
            raise self.failures[message.to]
        self.sent.append(message)


@dataclass
class HookRecorder:
    """Keeps what it is given, with the secrets it is to be signed with."""

    sent: list[tuple[Webhook, list[bytes]]] = field(default_factory=list)

    def send(self, hook: Webhook, secrets: Sequence[bytes], now: Moment) -> None:
        self.sent.append((hook, list(secrets)))


RING = KeyRing("s" * 32)


@pytest.fixture
def vault(tmp_path):
    site = Site(DirectoryStore(tmp_path / "store"), tmp_path / "cache", RING, clock=moment)
    vault = create_vault(site, "outbox", Kind((load_set("kernel"),)))
    yield vault
    vault.close()


def ask_for_mail(vault, to: str) -> str:
    payload = {"to": to, "subject": "Code", "text": "123456"}
    return vault.write(lambda tx: enqueue(tx, "mail", payload, moment()), ACTOR).value


def test_what_is_due_is_sent_once(vault):
    effect = ask_for_mail(vault, "anna@club.example")
    sender = Recorder()
    assert deliver_outbox(vault, sender, moment()) == Delivery(delivered=1)
    assert deliver_outbox(vault, sender, moment(1000)) == Delivery()
    assert [(mail.id, mail.to, mail.text) for mail in sender.sent] == [(effect, "anna@club.example", "123456")]


def test_a_vault_with_nothing_due_is_not_written(vault):
    before = vault.bookmark
    deliver_outbox(vault, Recorder(), moment())
    assert vault.bookmark == before


def test_a_poisoned_mail_never_stops_the_rest(vault):
    for name in ("a", "b", "c", "d"):
        ask_for_mail(vault, f"{name}@club.example")
    sender = Recorder(
        {
            "a@club.example": RuntimeError("a@club.example"),
            "b@club.example": Invalid("never"),
            "c@club.example": Unavailable("later"),
        }
    )
    assert deliver_outbox(vault, sender, moment()) == Delivery(delivered=1, failed=3)
    assert [mail.to for mail in sender.sent] == ["d@club.example"]
    errors = vault.read(
        lambda tx: [row[0] for row in tx.rows("SELECT last_error FROM vaultry_outbox ORDER BY 1")]
    ).value
    assert errors == [None, "RuntimeError", "invalid_input", "unavailable"]


def test_the_log_does_not_repeat_what_a_broken_message_held(vault, caplog):
    effect = ask_for_mail(vault, "a@club.example")
    deliver_outbox(vault, Recorder({"a@club.example": RuntimeError("a@club.example")}), moment())
    assert effect in caplog.text
    assert "a@club.example" not in caplog.text


def test_what_may_work_later_is_tried_again_and_what_never_will_is_not(vault):
    ask_for_mail(vault, "later@club.example")
    ask_for_mail(vault, "never@club.example")
    deliver_outbox(
        vault, Recorder({"later@club.example": Unavailable("x"), "never@club.example": Invalid("x")}), moment()
    )
    sender = Recorder()
    assert deliver_outbox(vault, sender, moment(10_000)) == Delivery(delivered=1)
    assert [mail.to for mail in sender.sent] == ["later@club.example"]


def test_nothing_is_sent_while_a_transaction_is_open(vault):
    ask_for_mail(vault, "anna@club.example")

    class WritesMeanwhile(Recorder):
        def send(self, message: Mail) -> None:
            if not self.sent:
                ask_for_mail(vault, "second@club.example")
            super().send(message)

    assert deliver_outbox(vault, WritesMeanwhile(), moment()) == Delivery(delivered=2)


def ask_for_hook(vault, number: int = 1) -> str:
    payload = {"url": "https://hooks.example/in", "event": "member.joined", "body": {"number": number}}
    return vault.write(lambda tx: enqueue(tx, "webhook", payload, moment()), ACTOR).value


def test_webhooks_are_left_to_a_round_that_sends_them(vault):
    ask_for_hook(vault)
    ask_for_mail(vault, "anna@club.example")
    sender, hooks = Recorder(), HookRecorder()
    assert deliver_outbox(vault, sender, moment()) == Delivery(delivered=1)
    assert deliver_outbox(vault, sender, moment(), hooks=Hooks(hooks, RING, moment)) == Delivery(delivered=1)
    assert [hook.body for hook, _ in hooks.sent] == [{"number": 1}]


def test_every_webhook_of_a_vault_is_signed_with_its_one_secret(vault):
    for number in range(12):
        ask_for_hook(vault, number)
    hooks = HookRecorder()
    deliver_outbox(vault, Recorder(), moment(), hooks=Hooks(hooks, RING, moment))
    secrets = vault.read(lambda tx: webhook_secrets(tx, RING, moment())).value
    assert len(secrets) == 1
    assert [signed for _, signed in hooks.sent] == [secrets] * 12


def test_time_that_runs_out_gives_back_what_was_not_tried(vault):
    for name in ("a", "b", "c"):
        ask_for_mail(vault, f"{name}@club.example")
    sender = Recorder()
    done = deliver_outbox(vault, sender, moment(), is_over=lambda: len(sender.sent) == 2)
    assert done == Delivery(delivered=2)
    # No wait, and no attempt counted: the next round sends it at once.
    assert deliver_outbox(vault, sender, moment()) == Delivery(delivered=1)
    assert vault.read(lambda tx: [row[0] for row in tx.rows("SELECT attempts FROM vaultry_outbox")]).value == [1, 1, 1]


def test_a_round_delivers_as_many_as_it_may_and_no_more(vault):
    for number in range(13):
        ask_for_mail(vault, f"{number}@club.example")
    sender = Recorder()
    assert deliver_outbox(vault, sender, moment(), limit=12) == Delivery(delivered=12)
    assert len(sender.sent) == 12


@pytest.mark.parametrize(
    ("kind", "payload"), [("pigeon", {}), ("mail", {"to": 5}), ("mail", {"to": "a@b.example", "text": None})]
)
def test_an_effect_that_is_no_mail_is_refused(kind, payload):
    with pytest.raises(Invalid):
        mail_of(OutboxRow("id", kind, payload, moment().text, 1))


@pytest.mark.parametrize("payload", [{}, {"url": "https://a.example"}, {"url": 5, "event": "x"}, {"event": "x"}])
def test_an_effect_that_is_no_webhook_is_refused(payload):
    with pytest.raises(Invalid):
        webhook_of(OutboxRow("id", "webhook", payload, moment().text, 1))
