"""Mail on its way out: one message, three ways to send it. Knows mail formats; not outboxes, vaults or templates.

Sending is at least once: a process may die between the sending and the note that it was done. A message keeps its id
through every attempt, so that a mail program can drop the second copy (Message-ID) and a folder overwrites it.
"""

import re
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from db.clock import timestamp_ms
from db.errors import Invalid, Unavailable
from db.fields import normalise_email

if TYPE_CHECKING:
    from email.headerregistry import Address
    from email.message import EmailMessage

SUBJECT_CHARACTERS = 300
SEND_TIMEOUT_S = 15
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to one person.

    id: the same for every attempt, letters, digits, - and _. to: one bare address. created_at: timestamp.
    html: an alternative to the text, or ''.
    """

    id: str
    to: str
    subject: str
    text: str
    created_at: str
    html: str = ""


class MailSender(Protocol):
    """A way out for mail."""

    def send(self, message: Mail) -> None:
        """Hand the message over. Raises Invalid (will never work) or Unavailable (may work later)."""
        ...


@dataclass(frozen=True, slots=True)
class FolderMail:
    """Keeps each message as one `.eml` file; for development and tests. folder: made when needed."""

    folder: Path
    mail_from: str

    def send(self, message: Mail) -> None:
        """Write `{id}.eml`, whole or not at all."""
        composed = compose(message, self.mail_from)
        body = composed.as_bytes(policy=composed.policy.clone(linesep="\n"))
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"{message.id}.unfinished"
        unfinished.write_bytes(body)
        unfinished.replace(self.folder / f"{message.id}.eml")


@dataclass(frozen=True, slots=True)
class SmtpMail:
    """Hands messages to an SMTP server. tls: from the start; otherwise STARTTLS is used whenever it is offered."""

    host: str
    port: int
    mail_from: str
    tls: bool = False
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Host and port; never the password."""
        return f"SmtpMail({self.host}:{self.port})"

    def send(self, message: Mail) -> None:
        """One connection, one message."""
        import smtplib  # here and below: mail leaves seldom, every cold start would pay for the import
        import ssl

        composed = compose(message, self.mail_from)
        context = ssl.create_default_context()
        try:
            if self.tls:
                server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=SEND_TIMEOUT_S, context=context)
            else:
                server = smtplib.SMTP(self.host, self.port, timeout=SEND_TIMEOUT_S)
            # Not as a context manager: a failing QUIT after the server took the mail would send it a second time.
            with closing(server):
                if not self.tls and server.has_extn("starttls"):
                    server.starttls(context=context)
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(composed)
                with suppress(smtplib.SMTPException, OSError):
                    server.quit()
        except smtplib.SMTPRecipientsRefused as exc:
            raise Invalid(f"mail {message.id}: the server refused the recipient", code="mail_refused") from exc
        except (smtplib.SMTPException, OSError) as exc:
            # The server's text may repeat the address or the credentials: only the kind of failure is passed on.
            raise Unavailable(f"mail {message.id}: {self!r}: {type(exc).__name__}", code="mail_unavailable") from exc


@dataclass(frozen=True, slots=True)
class SesMail:
    """Hands messages to Amazon SES with the credentials of the process."""

    region: str
    mail_from: str

    def send(self, message: Mail) -> None:
        """One call of SendEmail with the raw message."""
        # Here: 250 ms that only a delivery may cost. By name: boto3 makes its clients' types at run time.
        boto3: Any = import_module("boto3")
        failures: Any = import_module("botocore.exceptions")
        composed = compose(message, self.mail_from)
        client = boto3.client("sesv2", region_name=self.region)
        try:
            client.send_email(
                FromEmailAddress=str(composed["From"]),
                Destination={"ToAddresses": [str(composed["To"])]},
                Content={"Raw": {"Data": composed.as_bytes()}},
            )
        except failures.ClientError as exc:
            code = exc.response.get("Error", {}).get("Code", "")
            if code in ("MessageRejected", "BadRequestException"):
                raise Invalid(f"mail {message.id}: SES refused it: {code}", code="mail_refused") from exc
            raise Unavailable(f"mail {message.id}: SES answered {code}", code="mail_unavailable") from exc
        except failures.BotoCoreError as exc:
            raise Unavailable(f"mail {message.id}: SES: {type(exc).__name__}", code="mail_unavailable") from exc


def mail_sender(mail: str, mail_from: str) -> MailSender:
    """The sender of an address as in VAULTRY_MAIL. Raises Invalid (setting_invalid), never repeating a password."""
    way, _, rest = mail.partition(":")
    if way == "folder" and rest:
        return FolderMail(Path(rest), mail_from)
    if way == "ses" and rest:
        return SesMail(rest, mail_from)
    try:
        parts = urlsplit(mail)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if way not in ("smtp", "smtps") or not host:
        raise Invalid(
            "VAULTRY_MAIL: got another form, wanted folder:PATH, smtp://user:password@host:port or ses:region",
            code="setting_invalid",
            field="VAULTRY_MAIL",
        )
    tls = way == "smtps"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return SmtpMail(host, port or (465 if tls else 587), mail_from, tls, user, password)


def compose(message: Mail, mail_from: str) -> "EmailMessage":
    """The message ready to send. Raises Invalid when a header would hold a line break or more than one address."""
    import email.utils
    from email.message import EmailMessage
    from email.policy import SMTP

    if not _ID.fullmatch(message.id):
        raise Invalid(f"mail id: got {message.id!r}, wanted letters, digits, - and _", field="id")
    subject = message.subject.strip()
    if _UNPRINTABLE.search(subject) or not 0 < len(subject) <= SUBJECT_CHARACTERS:
        raise Invalid(
            f"subject: got {subject!r}, wanted one line of 1 to {SUBJECT_CHARACTERS} characters", field="subject"
        )
    sender = _address(mail_from, "VAULTRY_MAIL_FROM")
    composed = EmailMessage(policy=SMTP)
    composed["From"] = sender
    composed["To"] = _address(message.to, "to", bare=True)
    composed["Subject"] = subject
    composed["Date"] = email.utils.formatdate(timestamp_ms(message.created_at) / 1000)
    composed["Message-ID"] = f"<{message.id}@{sender.domain}>"
    composed["Auto-Submitted"] = "auto-generated"
    composed.set_content(message.text)
    if message.html:
        composed.add_alternative(message.html, subtype="html")
    return composed


def read_folder(folder: Path) -> list["EmailMessage"]:
    """The messages a FolderMail kept, newest last; none when there is no folder."""
    import email
    from email.policy import default

    kept = [(path.stat().st_mtime_ns, path.name, path) for path in folder.glob("*.eml")]
    return [email.message_from_bytes(path.read_bytes(), policy=default) for _, _, path in sorted(kept)]


def _address(text: str, field: str, *, bare: bool = False) -> "Address":
    """One address with its display name. bare: refuse a display name. Raises Invalid."""
    from email.headerregistry import Address
    from email.utils import parseaddr

    named = re.fullmatch(r'\s*"?([^"<>]*?)"?\s*<([^<>]+)>\s*', text)
    name, spec = (named[1], named[2]) if named and not bare else ("", text)
    address = normalise_email(spec, field)
    local, _, host = address.partition("@")
    if _UNPRINTABLE.search(text) or parseaddr(address)[1] != address or not local.isascii():
        raise Invalid(f"{field}: got {text!r}, wanted one address such as anna@choir.example", field=field)
    try:
        return Address(name, addr_spec=f"{local}@{host.encode('idna').decode()}")
    except (ValueError, IndexError, UnicodeError) as exc:
        raise Invalid(f"{field}: got {text!r}, wanted one address such as anna@choir.example", field=field) from exc
