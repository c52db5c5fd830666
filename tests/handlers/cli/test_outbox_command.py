"""`vaultry outbox` and `vaultry settings`."""

import json
import os

from handlers.upkeep.mail import FolderMail, Mail


def mail(shell, number: int, text: str = "Your code is 123456.\n") -> None:
    """One mail in the folder, a second after the one before."""
    sender = FolderMail(shell.folder / "data" / "outbox", "Vaultry <no-reply@vaultry.example>")
    sender.send(Mail(f"m{number}", f"p{number}@bella.example", f"Mail {number}", text, "2026-05-01T19:00:00.000Z"))
    path = sender.folder / f"m{number}.eml"
    os.utime(path, (1_777_662_000 + number, 1_777_662_000 + number))


def test_mails_are_shown_newest_last(shell):
    mail(shell, 2)
    mail(shell, 1)
    shown = [json.loads(line) for line in shell.ok("outbox", "--json").splitlines()]
    assert [(kept["to"], kept["subject"], kept["text"]) for kept in shown] == [
        ("p1@bella.example", "Mail 1", "Your code is 123456.\n"),
        ("p2@bella.example", "Mail 2", "Your code is 123456.\n"),
    ]


def test_last_is_the_newest_alone(shell):
    mail(shell, 1)
    mail(shell, 2, "The other code.\n")
    shown = shell.ok("outbox", "--last")
    assert shown.startswith("To: p2@bella.example\nSubject: Mail 2\n")
    assert "The other code." in shown
    assert "Mail 1" not in shown


def test_a_mail_cannot_steer_the_terminal(shell):
    mail(shell, 1, "\x1b[2J gone\n")
    assert "\x1b" not in shell.ok("outbox")


def test_no_mail_is_said_to_be_none(shell):
    result = shell.run("outbox")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no mail in" in result.stderr


def test_mail_that_leaves_by_a_server_has_no_folder(shell, monkeypatch):
    monkeypatch.setenv("VAULTRY_MAIL", "smtp://user:hunter2@mail.example:25")
    monkeypatch.setenv("VAULTRY_MAIL_FROM", "no-reply@vaultry.example")
    refusal = shell.refused("outbox")
    assert "(no_mail_folder)" in refusal
    assert "hunter2" not in refusal + shell.ok("settings")


def test_settings_show_what_is_in_effect_and_no_secret(shell, monkeypatch):
    monkeypatch.setenv("VAULTRY_SECRET", "not-to-be-shown-" * 3)
    monkeypatch.setenv("VAULTRY_MAX_ROWS", "77")
    shown = {row["name"]: row["value"] for row in shell.json("settings")}
    assert (shown["VAULTRY_MAX_ROWS"], shown["VAULTRY_SECRET"]) == ("77", "(set)")
    assert "not-to-be-shown" not in shell.ok("settings")
    assert shell.ok("settings", "--markdown").startswith("# Settings\n")


def test_a_misspelt_setting_is_refused_by_every_command(choir, monkeypatch):
    monkeypatch.setenv("VAULTRY_MAX_ROW", "77")
    for words in (("settings",), ("tenants", "list"), ("verify", "--all")):
        assert "VAULTRY_MAX_ROW: no such setting; the closest is VAULTRY_MAX_ROWS" in choir.refused(*words)
