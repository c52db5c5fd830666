"""`vaultry drills`: a sound backup is proven, and whatever is wrong with one is found and named."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from db.log.ltx import decode, encode
from db.transaction import Actor
from handlers.upkeep import drills
from handlers.upkeep.litestream import find_litestream

ROOT = Path(__file__).parents[3]
ACTOR = Actor("test", "job", "", "test")


@pytest.fixture(autouse=True)
def _never_litestream_by_chance(monkeypatch):
    monkeypatch.setattr(drills, "LITESTREAM_EVERY", 2**64)


def vault_id(shell, slug: str = "bella") -> str:
    return shell.json("tenants", "show", slug)["id"]


def commits(shell, slug: str = "bella") -> list[Path]:
    """The commits of a tenant, oldest first."""
    return sorted((shell.folder / "data" / "vaults" / vault_id(shell, slug) / "ltx" / "0").glob("*.ltx"))


def drill(shell, *words: str) -> list[dict]:
    """What a run of drills gives, after checking that its status says whether all went well."""
    result = shell.run("drills", "run", *words, "--json")
    found = json.loads(result.stdout)["drills"]
    assert result.exit_code == (0 if all(one.get("passed") for one in found) else 1)
    return found


def findings(shell, *words: str) -> list[tuple[str, str]]:
    """What a drill of one vault found."""
    (found,) = drill(shell, *(words or ("bella",)))
    return [(finding["check"], finding["message"]) for finding in found["findings"]]


def alter(services, *statements: str, foreign_keys: bool = True) -> None:
    """Change the vault behind the guard and the audit log."""

    def work(connection) -> bool:
        for statement in statements:
            connection.execute(statement)
        return True

    with services.vault(services.entry("bella")) as vault:
        vault.alter(work, foreign_keys=foreign_keys)


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    """Replace bytes in the pages of a stored commit that are not the audit log's; its checksum is right again."""
    file = decode(path.read_bytes())
    pages = {number: page if b'"nickname"' in page else page.replace(old, new) for number, page in file.pages.items()}
    assert pages != file.pages
    path.write_bytes(encode(file.header, pages))


def test_a_drill_proves_a_vault_and_keeps_a_signed_report_in_the_registry_and_in_the_store(choir):
    choir.write("UPDATE members SET nickname = 'n'")
    (report,) = drill(choir, "bella")
    assert (report["tenant"], report["restored_with"], report["litestream"]) == ("bella", "vaultry", "not_chosen")
    assert report["digest"] == report["live_digest"]
    assert report["bookmark"] == choir.ok("bookmark", "bella").strip()
    assert report["rows"]["members"] == choir.rows("SELECT count(*) AS n FROM members")[0]["n"] > 0
    shown = choir.json("drills", "show", "bella")
    assert {name: shown[name] for name in report} == report
    (stored,) = (choir.folder / "data" / "drills").rglob("*.json")
    assert stored.name == f"{report['vault_id']}.json"
    assert stored.parent.name == report["started_at"][:10]
    assert json.loads(stored.read_text())["report"] == report
    assert "the signature holds" in choir.run("drills", "show", "bella").stderr


def test_a_second_drill_of_a_day_has_a_report_of_its_own(choir):
    reports = [drill(choir, "bella")[0] for _ in range(2)]
    stored = [json.loads(path.read_text())["report"] for path in (choir.folder / "data" / "drills").rglob("*.json")]
    assert sorted(report["drill_id"] for report in stored) == sorted(report["drill_id"] for report in reports)
    assert choir.json("drills", "show", "bella")["drill_id"] == reports[1]["drill_id"]


def test_the_standing_of_all_vaults_is_shown_until_every_one_is_proven(choir):
    choir.choir("aurora")
    assert choir.ok("drills").startswith("0 of 3 vaults proven; 3 not proven yet\n")
    choir.ok("drills", "run", "bella")
    assert choir.ok("drills").startswith("1 of 3 vaults proven within 1 day; 2 not proven yet\noldest proof: bella, ")
    choir.ok("drills", "run", "--sample", "2")
    assert choir.ok("drills").startswith("every vault proven within 1 day (vaults: 3)\n")
    assert choir.json("drills", "--vault", "bella")["vaults"] == 1


def test_a_run_without_names_takes_the_share_of_the_day_and_then_nothing(choir):
    assert len(drill(choir)) == 1
    assert drill(choir) == []


def test_the_registry_is_drilled_like_a_vault(choir):
    (report,) = drill(choir, "registry")
    assert report["rows"]["vaults"] == 1
    assert choir.json("drills", "show", "registry")["passed"] is True


def test_a_corrupted_newest_commit_fails_its_vault_by_name_and_the_others_pass(choir):
    for slug in ("aurora", "corda"):
        choir.choir(slug)
    newest = commits(choir)[-1]
    body = bytearray(newest.read_bytes())
    body[len(body) // 2] ^= 1
    newest.write_bytes(body)
    found = drill(choir, "--all")
    assert {report["tenant"] for report in found if report["passed"]} == {"registry", "aurora", "corda"}
    (failed,) = [report for report in found if not report["passed"]]
    assert failed["tenant"] == "bella"
    assert [finding["check"] for finding in failed["findings"]] == ["restore"]
    assert newest.name in failed["findings"][0]["message"]
    shown = choir.run("drills")
    assert shown.exit_code == 1
    assert "bella" in shown.stdout
    assert "the last drill failed" in shown.stdout
    assert choir.run("drills", "show", "bella").exit_code == 1
    assert choir.run("drills", "--vault", "aurora").exit_code == 0


def test_a_missing_newest_commit_is_found_by_who_has_seen_it_and_the_only_copy_of_it_is_kept(choir):
    choir.write("UPDATE members SET nickname = 'only here'")
    seen = choir.ok("bookmark", "bella").strip()
    commits(choir)[-1].unlink()
    ((check, message),) = findings(choir)
    assert check == "log"
    assert f"{seen} was durable before" in message
    assert choir.rows("SELECT nickname FROM members") == [{"nickname": None}]
    with closing(sqlite3.connect(message.rpartition(" ")[2])) as kept:
        assert kept.execute("SELECT nickname FROM members").fetchall() == [("only here",)]
    assert [check for check, _ in findings(choir)] == ["log"], "a loss is no success the next day"
    for number in range(2):
        choir.write(f"UPDATE members SET nickname = 'n{number}'")
    assert findings(choir) == []


def test_a_missing_newest_commit_is_found_by_the_last_drill_when_every_cache_is_lost(choir):
    choir.write("UPDATE members SET nickname = 'n'")
    choir.ok("drills", "run", "bella")
    commits(choir)[-1].unlink()
    shutil.rmtree(choir.folder / "data" / "cache")
    assert [check for check, _ in findings(choir)] == ["log"]


def test_a_commit_that_is_missing_in_the_middle_is_named(choir):
    for number in range(3):
        choir.write(f"UPDATE members SET nickname = 'n{number}'")
    commits(choir)[2].unlink()
    ((check, message),) = findings(choir)
    assert check == "restore"
    assert "lacks commit 0000000000000003" in message


def test_a_row_that_was_changed_silently_in_the_log_is_found_by_the_digest(choir):
    choir.write("UPDATE members SET nickname = 'truetrue'")
    rewrite(commits(choir)[-1], b"truetrue", b"falsefal")
    assert findings(choir) == [("content", "members: 1 rows in both, of other content")]
    assert choir.rows("SELECT nickname FROM members") == [{"nickname": "truetrue"}]


def test_a_row_that_was_changed_silently_is_found_by_the_last_drill_when_every_cache_is_lost(choir):
    choir.write("UPDATE members SET nickname = 'truetrue'")
    choir.ok("drills", "run", "bella")
    rewrite(commits(choir)[-1], b"truetrue", b"falsefal")
    shutil.rmtree(choir.folder / "data" / "cache")
    ((check, message),) = findings(choir)
    assert check == "content"
    assert "at this very commit" in message


def test_another_commit_under_the_same_number_is_found(choir):
    choir.write("UPDATE members SET nickname = 'n'")
    newest = commits(choir)[-1]
    file = decode(newest.read_bytes())
    newest.write_bytes(encode(replace(file.header, node_id=file.header.node_id ^ 1), file.pages))
    assert [check for check, _ in findings(choir)] == ["log"]


def test_a_broken_audit_chain_and_a_reference_that_leads_nowhere_are_found_with_counts(choir, open_services):
    services = open_services()
    alter(services, "DROP TRIGGER vaultry_audit_is_append_only_delete", "DELETE FROM vaultry_audit WHERE seq = 2")
    lost = "INSERT INTO works (id, org_id, title, created_at) VALUES ('w', 'gone', 'x', '2026-01-01T00:00:00.000Z')"
    alter(services, lost, foreign_keys=False)
    services.close()
    found = findings(choir)
    assert ("audit", "audit row 2 is missing") in found
    assert ("reference", "works: 1 rows refer to rows of organizations that are not there") in found


def test_a_vault_that_is_not_proven_for_over_thirty_days_is_an_alarm(choir, open_services):
    drill(choir, "--all")
    services = open_services()
    old = "UPDATE drills SET drilled_at = :then, proven_at = :then"
    services.registry_write(lambda tx: tx.execute(old, then="2026-01-01T00:00:00.000Z"), ACTOR, services.clock())
    services.close()
    shown = choir.run("drills")
    assert shown.exit_code == 1
    assert "not proven for over 30 days" in shown.stdout
    assert {report["tenant"] for report in drill(choir)} == {"registry", "bella"}
    assert choir.run("drills").exit_code == 0


def test_a_report_that_was_changed_in_the_registry_is_refused_and_the_next_drill_says_so(choir, open_services):
    choir.ok("drills", "run", "bella")
    services = open_services()
    forge = "UPDATE drills SET report = substr(report, 1, length(report) - 8) || 'AAAAAAAA'"
    services.registry_write(lambda tx: tx.execute(forge), ACTOR, services.clock())
    services.close()
    assert "(signature_invalid)" in choir.refused("drills", "show", "bella")
    assert [check for check, _ in findings(choir)] == ["report"]
    assert findings(choir) == []


def test_only_active_tenants_are_drilled_in_the_round(choir):
    for slug in ("aurora", "corda"):
        choir.choir(slug)
    choir.ok("tenants", "suspend", "aurora")
    choir.ok("tenants", "delete", "corda", "--yes")
    assert {report["tenant"] for report in drill(choir, "--all")} == {"registry", "bella"}
    assert [report["tenant"] for report in drill(choir, "aurora")] == ["aurora"]
    assert "(vault_deleted)" in choir.refused("drills", "run", "corda")


def test_litestream_restores_where_it_is_asked_to_or_where_it_is_its_turn(choir, monkeypatch):
    (report,) = drill(choir, "bella", "--litestream")
    assert report["passed"] is True
    assert report["litestream"] == "used"
    assert report["restored_with"].startswith("litestream 0.")
    monkeypatch.setattr(drills, "LITESTREAM_EVERY", 1)
    assert [one["litestream"] for one in drill(choir, "--all")] == ["used", "used"]
    assert "last restored by litestream: 2\n" in choir.ok("drills")


def test_litestream_finds_what_the_engine_finds(choir):
    choir.write("UPDATE members SET nickname = 'truetrue'")
    rewrite(commits(choir)[-1], b"truetrue", b"falsefal")
    assert findings(choir, "bella", "--litestream") == [("content", "members: 1 rows in both, of other content")]
    commits(choir)[-2].write_bytes(b"nothing that anybody can read")
    (first, of_program), (second, of_engine) = findings(choir, "bella", "--litestream")
    assert (first, second) == ("litestream", "restore")
    assert of_program.startswith("litestream restore: ")
    assert commits(choir)[-2].name in of_engine


def test_a_litestream_that_is_not_there_is_said_and_never_passed_over(choir, monkeypatch):
    monkeypatch.setenv("VAULTRY_LITESTREAM", str(choir.folder / "absent"))
    assert "the program was not found" in choir.refused("drills", "run", "bella", "--litestream", code=2)
    monkeypatch.setattr(drills, "LITESTREAM_EVERY", 1)
    result = choir.run("drills", "run", "bella")
    assert result.exit_code == 0
    assert "litestream was not found" in result.stderr
    assert choir.json("drills", "show", "bella")["litestream"] == "not_found"
    assert "for it was not found: 1\n" in choir.ok("drills")


def test_one_in_ten_is_litestreams_by_vault_and_date(open_services, monkeypatch):
    monkeypatch.setattr(drills, "LITESTREAM_EVERY", 10)
    now = open_services().clock()
    turns = [drills.is_litestreams_turn(f"vault-{number}", now) for number in range(1000)]
    assert 60 < sum(turns) < 140
    assert turns == [drills.is_litestreams_turn(f"vault-{number}", now) for number in range(1000)]
    tomorrow = replace(now, ms=now.ms + 86_400_000)
    assert turns != [drills.is_litestreams_turn(f"vault-{number}", tomorrow) for number in range(1000)]


def test_litestream_gets_none_of_our_settings(choir, monkeypatch, open_services):
    program = Path(choir.file("litestream", "#!/bin/sh\nenv > $(dirname $0)/environment\nexit 3\n"))
    program.chmod(0o700)
    monkeypatch.setenv("VAULTRY_LITESTREAM", str(program))
    monkeypatch.setenv("VAULTRY_SECRET", choir.folder.joinpath("data", "secret").read_text())
    assert findings(choir, "bella", "--litestream") == [("litestream", "litestream version: status 3")]
    assert "VAULTRY" not in program.with_name("environment").read_text()
    assert find_litestream(replace(open_services().settings, litestream=str(program))) == program


KILLED = """
import os, signal
from handlers.upkeep import drills
def dies(*arguments): os.kill(os.getpid(), signal.SIGKILL)
drills.examine = dies
from handlers.cli import cli
cli(["drills", "run", "bella"])
"""


def test_what_a_killed_drill_left_is_removed_by_the_next(choir):
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, env=choir.environ | {"PATH": ""}, check=False)
    assert killed.returncode == -signal.SIGKILL
    work = choir.folder / "data" / "cache" / ".drills"
    assert len(list(work.rglob("*.sqlite"))) == 2
    assert "(not_drilled)" in choir.refused("drills", "show", "bella")
    assert findings(choir) == []
    assert list(work.iterdir()) == [work / "lock"]


def test_what_to_drill_is_named_in_one_way(choir):
    assert "one of them only" in choir.refused("drills", "run", "bella", "--all", code=2)
    assert "one of them only" in choir.refused("drills", "run", "--sample", "1", "--all", code=2)
