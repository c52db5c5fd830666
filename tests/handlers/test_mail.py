"""Mail: what a message may hold, and the three ways it leaves."""

import os
import socket
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import Invalid, Unavailable
from handlers.settings import Settings
from handlers.upkeep.mail import FolderMail, Mail, SesMail, SmtpMail, compose, mail_sender, read_folder

SENDER = "Vaultry <no-reply@vaultry.example>"


def make_mail(**changes) -> Mail:
    parts = {
        "id": "018f-1",
        "to": "anna@choir.example",
        "subject": "Ihr Anmeldecode für heute",
        "text": "Der Code ist 123456.\n",
        "created_at": "2026-05-01T19:00:00.000Z",
    }
    return Mail(**{**parts, **changes})


@dataclass
class SmtpServer:
    """One SMTP conversation on a loopback port; refuses the recipient `nobody`, and answers QUIT wrongly."""

    commands: list[str] = field(default_factory=list)
    data: str = ""

    def __enter__(self) -> "SmtpServer":
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, connection.makefile("rwb") as stream:
            self._say(stream, "220 ready")
            while line := stream.readline().decode().strip():
                self.commands.append(line)
                if line.upper().startswith("RCPT") and "nobody" in line:
                    self._say(stream, "550 no such person")
                elif line.upper() == "DATA":
                    self._say(stream, "354 go on")
                    while (text := stream.readline().decode()) != ".\r\n":
                        self.data += text
                    self._say(stream, "250 taken")
                else:
                    self._say(stream, "250 fine")

    def _say(self, stream, text: str) -> None:
        stream.write(f"{text}\r\n".encode())
        stream.flush()


def test_a_message_carries_its_id_through_every_attempt():
    composed = compose(make_mail(), SENDER)
    assert composed["Message-ID"] == "<018f-1@vaultry.example>"
    assert composed["Date"] == "Fri, 01 May 2026 19:00:00 -0000"
    assert composed["From"] == SENDER
    assert composed["To"] == "anna@choir.example"
    assert composed["Subject"] == "Ihr Anmeldecode für heute"


def test_html_is_an_alternative_to_the_text():
    composed = compose(make_mail(html="<p>123456</p>"), SENDER)
    assert [part.get_content_type() for part in composed.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    "to",
    [
        "anna@choir.example\r\nBcc: all@choir.example",
        "anna@choir.example\n",
        "anna@choir.example, eve@choir.example",
        "anna@choir.example,",
        "eve,anna@choir.example",
        "Anna <anna@choir.example>",
        "a:anna@choir.example",
        '"a b"@choir.example',
        "änna@choir.example",
        "anna@choir..example",
        "anna",
        "",
    ],
)
def test_a_recipient_that_is_not_one_bare_address_is_refused(to):
    with pytest.raises(Invalid):
        compose(make_mail(to=to), SENDER)


def test_a_domain_outside_ascii_is_sent_in_its_wire_form():
    assert compose(make_mail(to="anna@chör.example"), SENDER)["To"] == "anna@xn--chr-tna.example"


@pytest.mark.parametrize(
    "subject", ["a\r\nBcc: eve@x.example", "a\nb", "a\rb", "a\x00b", "a\u2028b", "", " ", "s" * 301]
)
def test_a_subject_that_is_not_one_short_line_is_refused(subject):
    with pytest.raises(Invalid) as caught:
        compose(make_mail(subject=subject), SENDER)
    assert caught.value.field == "subject"


def test_the_longest_subject_is_sent_whole():
    assert str(compose(make_mail(subject="ä" * 300), SENDER)["Subject"]) == "ä" * 300


@given(st.builds("{}@{}".format, st.text(max_size=8), st.text(max_size=8).map("x.{}".format)), st.text())
def test_no_text_makes_a_second_recipient_or_header(to, subject):
    try:
        composed = compose(make_mail(to=to, subject=subject), SENDER)
    except Invalid:
        return
    assert len(composed["To"].addresses) == 1
    assert set(composed.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
        "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip


@pytest.mark.parametrize("mail_id", ["../x", "", "a/b", "a.eml", "a" * 65])
def test_an_id_that_could_leave_the_folder_is_refused(tmp_path, mail_id):
    with pytest.raises(Invalid):
        FolderMail(tmp_path, SENDER).send(make_mail(id=mail_id))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_shows_its_mails_newest_last(tmp_path):
    sender = FolderMail(tmp_path / "outbox", SENDER)
    for number, (mail_id, subject) in enumerate([("b", "first"), ("a", "second"), ("c", "third")]):
        sender.send(make_mail(id=mail_id, subject=subject))
        os.utime(tmp_path / "outbox" / f"{mail_id}.eml", ns=(number, number))
    assert [mail["Subject"] for mail in read_folder(tmp_path / "outbox")] == ["first", "second", "third"]
    assert read_folder(tmp_path / "outbox")[0].get_content() == "Der Code ist 123456.\n"


def test_a_second_delivery_replaces_the_first(tmp_path):
    sender = FolderMail(tmp_path, SENDER)
    sender.send(make_mail())
    sender.send(make_mail())
    assert [path.name for path in tmp_path.iterdir()] == ["018f-1.eml"]


def test_a_folder_that_was_never_written_holds_no_mail(tmp_path):
    assert read_folder(tmp_path / "none") == []


def test_smtp_hands_over_one_message():
    with SmtpServer() as server:
        SmtpMail("127.0.0.1", server.port, SENDER).send(make_mail())
    assert "RCPT TO:<ANNA@CHOIR.EXAMPLE>" in [command.upper() for command in server.commands]
    assert "Message-ID: <018f-1@vaultry.example>" in server.data


def test_a_recipient_the_server_refuses_is_not_worth_another_attempt():
    with SmtpServer() as server, pytest.raises(Invalid) as caught:
        SmtpMail("127.0.0.1", server.port, SENDER).send(make_mail(to="nobody@choir.example"))
    assert caught.value.code == "mail_refused"


def test_a_server_that_is_away_is_worth_another_attempt_and_the_password_stays_secret():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable) as caught:
        SmtpMail("127.0.0.1", port, SENDER, user="anna", password="kiwi").send(make_mail())
    assert caught.value.code == "mail_unavailable"
    assert "kiwi" not in caught.value.message


@pytest.fixture
def ses(monkeypatch):
    """Amazon SES in this process, through moto."""
    import moto

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with moto.mock_aws():
        yield


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_ses_gets_the_raw_message(ses):
    import boto3
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ses.models import ses_backends

    boto3.client("sesv2", "eu-central-1").create_email_identity(EmailIdentity="no-reply@vaultry.example")
    SesMail("eu-central-1", SENDER).send(make_mail())
    (sent,) = ses_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].sent_messages
    assert set(sent.destinations) == {"anna@choir.example"}
    assert "Message-ID: <018f-1@vaultry.example>" in sent.raw_data


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_a_sender_that_ses_does_not_know_is_refused(ses):
    with pytest.raises(Invalid) as caught:
        SesMail("eu-central-1", "x@unverified.example").send(make_mail())
    assert caught.value.code == "mail_refused"


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("smtp://mail.example", SmtpMail("mail.example", 587, SENDER)),
        ("smtps://anna:p%40ss@mail.example", SmtpMail("mail.example", 465, SENDER, True, "anna", "p@ss")),
        ("smtp://mail.example:25", SmtpMail("mail.example", 25, SENDER)),
        ("ses:eu-west-1", SesMail("eu-west-1", SENDER)),
    ],
)
def test_the_address_of_the_setting_names_the_sender(address, sender):
    assert mail_sender(address, SENDER) == sender


def test_without_settings_mail_goes_to_the_folder_beside_the_vaults(tmp_path):
    settings = Settings.from_env({"VAULTRY_STORE": tmp_path.as_uri()})
    assert mail_sender(settings.mail, settings.mail_from) == FolderMail(tmp_path / "outbox", settings.mail_from)


@pytest.mark.parametrize(
    "address", ["smtp://", "smtp:mail.example", "smtp://a:kiwi@[x", "smtp://a:kiwi@h:port", "folder:", "x"]
)
def test_an_address_of_no_known_form_is_refused_without_repeating_it(address):
    with pytest.raises(Invalid) as caught:
        mail_sender(address, SENDER)
    assert "kiwi" not in caught.value.message


def test_a_password_is_not_part_of_the_repr():
    assert "kiwi" not in repr(mail_sender("smtp://anna:kiwi@mail.example", SENDER))
