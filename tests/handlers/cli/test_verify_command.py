"""`vaultry verify`: everything it is meant to find is found, and named."""

import json
import os
from pathlib import Path

from db.transaction import Actor

ACTOR = Actor("test", "job", "", "test")


def log_files(shell) -> list[Path]:
    """The commits of the only tenant, oldest first."""
    vault_id = shell.json("tenants", "show", "bella")["id"]
    return sorted((shell.folder / "data" / "vaults" / vault_id / "ltx" / "0").glob("*.ltx"))


def findings(shell, *names: str) -> list[tuple[str, str]]:
    """What verify finds, after checking that its status says so."""
    result = shell.run("verify", *names, "--json")

    found = [
        (finding["check"], finding["message"]) for vault in json.loads(result.stdout) for finding in vault["findings"]
    ]
    assert result.exit_code == (1 if found else 0)
    return found


def alter(services, *statements: str, foreign_keys: bool = True) -> None:
    """Change the vault behind the guard and the audit log."""

    def work(connection) -> bool:
        for statement in statements:
            connection.execute(statement)
        return True

    with services.vault(services.entry("bella")) as vault:
        vault.alter(work, foreign_keys=foreign_keys)


def write_some(shell, times: int = 3) -> None:
    for number in range(times):
        shell.write(f"UPDATE members SET nickname = 'n{number}'")


def test_a_sound_store_is_sound(choir):
    write_some(choir)
    assert findings(choir, "--all") == []
    assert findings(choir, "bella", "registry") == []
    assert choir.ok("verify", "bella").startswith("bella: sound: 5 objects, ")


def test_a_flipped_byte_in_an_object_is_found(choir):
    write_some(choir)
    path = log_files(choir)[2]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = findings(choir, "bella")
    assert ("object", path.name) in [(check, message.partition(":")[0].rpartition("/")[2]) for check, message in found]
    assert "rebuild" in [check for check, _ in found]


def test_an_object_under_another_name_is_found(choir):
    write_some(choir)
    third, fourth = log_files(choir)[2:4]
    fourth.write_bytes(third.read_bytes())
    assert "object" in [check for check, _ in findings(choir, "bella")]


def test_a_missing_commit_is_named(choir):
    write_some(choir)
    log_files(choir)[2].unlink()
    assert ("chain", "commits 0000000000000003 to 0000000000000003 are missing") in findings(choir, "bella")


def test_a_local_copy_that_differs_is_found(choir):
    cache = choir.folder / "data" / "cache" / choir.json("tenants", "show", "bella")["id"] / "0" / "vault.sqlite"
    write_some(choir)
    status = cache.stat()
    content = bytearray(cache.read_bytes())
    position = content.index(b"Bella Voce")
    content[position] = ord("b")
    cache.write_bytes(content)
    # As a disk does it that forgets: the times stay.
    os.utime(cache, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [check for check, _ in findings(choir, "bella")] == ["copy"]


def test_a_reference_that_leads_nowhere_is_found(choir, open_services):
    alter(
        open_services(),
        "INSERT INTO works (id, org_id, title, created_at) VALUES ('w', 'gone', 'x', '2026-01-01T00:00:00.000Z')",
        foreign_keys=False,
    )
    ((check, message),) = findings(choir, "bella")
    assert check == "reference"
    assert message.startswith("works row ")


def test_a_changed_audit_row_is_found(choir, open_services):
    write_some(choir)
    alter(
        open_services(),
        "DROP TRIGGER vaultry_audit_is_append_only_update",
        "UPDATE vaultry_audit SET actor = 'nobody' WHERE seq = 2",
    )
    assert findings(choir, "bella") == [("audit", "audit row 2 was changed")]


def test_an_index_that_lacks_a_row_is_found(choir, open_services):
    choir.write("CREATE TABLE extra (id TEXT)")
    choir.write("INSERT INTO extra VALUES ('a')")
    alter(
        open_services(),
        "CREATE INDEX by_id ON extra (id)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX by_id ON extra (id) WHERE id > ''z''' WHERE name = 'by_id'",
    )
    assert "integrity" in [check for check, _ in findings(choir, "bella")]


def test_verify_wants_names_or_all(choir):
    choir.refused("verify", code=2)
    choir.refused("verify", "bella", "--all", code=2)
    assert "(not_found)" in choir.refused("verify", "nobody")
