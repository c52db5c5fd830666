"""`vaultry archive` and `vaultry import-archive`: a tenant leaves one platform and arrives, whole, on another."""

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from db.archive.trust import KIND, fingerprint
from db.errors import VaultError
from db.personal import destroy_data_key
from db.registry.signed_documents import sign_document
from db.registry.signing_keys import current_signer, jwks
from db.stores.directory import DirectoryStore
from db.transaction import Actor
from handlers.services import Services
from handlers.settings import Settings
from tests.handlers.cli.conftest import Shell
from tests.handlers.cli.over_http import owner_of

PASSPHRASE = "correct horse battery"
TYPED = f"{PASSPHRASE}\n"
MEMBER = (
    "SELECT name, nickname, personal_open('members.email_id', email_id) AS email,"
    " email_id_lookup = personal_lookup('anna@bella.example') AS found FROM members"
)
ANNA = [{"name": "anna@bella.example", "nickname": "Annie", "email": "anna@bella.example", "found": 1}]


@pytest.fixture
def origin(shell, open_services):
    """A choir with works, an audit log, a personal value and a file; and the id of its vault."""
    owner = owner_of(shell, open_services)
    owner.add("r1", "works", {"title": "Ave"}, {"title": "Locus", "composer": "Bruckner"})
    shell.write("UPDATE members SET nickname = 'Annie'")
    services = open_services()
    key = f"vaults/{services.entry('bella').id}/files/scores/ave.pdf"
    services.site.store.put(key, b"%PDF" + bytes(range(256)) * 9000, timestamp_ms=1, op="test")
    return shell


@pytest.fixture
def elsewhere(tmp_path) -> Shell:
    """Another platform, with a secret of its own."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return Shell(folder)


def archived(shell, name: str = "bella.zip", *words: str) -> str:
    typed = "" if "--with-personal-data" in words else TYPED * 2
    shell.ok("archive", "bella", name, *words, typed=typed)
    return str(shell.folder / name)


def print_of(file: str) -> str:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("manifest.json"))["key"]["fingerprint"]


def rewritten(file: str, **changed: bytes | None) -> str:
    """The archive with members replaced (`_` for `.`), or left out for None."""
    target = file.replace(".zip", "-changed.zip")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            body = changed.get(name.replace(".", "_"), source.read(name))
            if body is not None:
                archive.writestr(name, body)
        for name, body in changed.items():
            if body is not None and name.replace("_", ".") not in source.namelist():
                archive.writestr(name.replace("_", "."), body)
    return target


def vaults_of(shell: Shell) -> list[str]:
    """The vaults of which the store holds objects."""
    return sorted({path.relative_to(shell.folder / "data" / "vaults").parts[0]
                   for path in (shell.folder / "data" / "vaults").rglob("*") if path.is_file()})  # fmt: skip


def test_the_archive_is_a_zip_that_anybodys_tools_read(origin):
    file = archived(origin)
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        assert names == [
            "database.sqlite", "audit.jsonl", "files/scores/ave.pdf", "README.txt", "manifest.json", "manifest.jws",
        ]  # fmt: skip
        manifest = json.loads(archive.read("manifest.json"))
        lines = [json.loads(line) for line in archive.read("audit.jsonl").splitlines()]
        archive.extract("database.sqlite", origin.folder)
    assert [line["seq"] for line in lines] == list(range(1, manifest["audit"]["rows"] + 1))
    assert (manifest["audit"]["chain"], manifest["audit"]["head"]) == ("whole", lines[-1]["mac"])
    assert manifest["tables"]["works"] == 2
    assert manifest["bookmark"] == origin.ok("bookmark", "bella").strip()
    assert Path(file).stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(origin.folder / "database.sqlite")) as database:
        assert database.execute("SELECT title FROM works ORDER BY title").fetchall() == [("Ave",), ("Locus",)]
        assert database.execute("SELECT email_id FROM members").fetchone()[0].startswith("p1:")
        assert database.execute("SELECT wrapped_key FROM vaultry_personal_keys").fetchall() == [("",)]


def test_another_platform_with_another_secret_brings_it_back_whole(origin, elsewhere):
    file = archived(origin)
    made = json.loads(
        elsewhere.ok("import-archive", file, "--slug", "canta", "--fingerprint", print_of(file), "--json", typed=TYPED)
    )
    assert (made["slug"], made["charter"], made["status"]) == ("canta", "choir", "active")
    assert elsewhere.rows(MEMBER, "canta") == ANNA
    works = "SELECT * FROM works ORDER BY title"
    assert elsewhere.rows(works, "canta") == origin.rows(works)
    assert "token_hash=vll_" in elsewhere.ok("tenants", "link", "canta", "anna@bella.example")
    stored = elsewhere.folder / "data" / "vaults" / made["id"] / "files" / "scores" / "ave.pdf"
    assert stored.read_bytes() == b"%PDF" + bytes(range(256)) * 9000
    assert "canta: sound" in elsewhere.ok("verify", "canta")


def test_its_audit_log_is_kept_as_a_section_that_the_new_chain_vouches_for(origin, elsewhere, open_services):
    before = origin.rows("SELECT * FROM vaultry_audit ORDER BY seq")
    file = archived(origin)
    words = ("--slug", "bella", "--fingerprint", print_of(file))
    elsewhere.ok("import-archive", file, *words, typed=TYPED)
    kept = elsewhere.rows("SELECT * FROM vaultry_audit_imported ORDER BY seq")
    assert [{name: value for name, value in row.items() if name != "section"} for row in kept] == before
    (note,) = elsewhere.rows("SELECT seq, table_name, new_values FROM vaultry_audit")
    assert (note["seq"], note["table_name"]) == (1, "vault.import")
    assert json.loads(note["new_values"])["head"] == before[-1]["mac"]
    elsewhere.write("UPDATE works SET composer = 'X'")
    assert "sound" in elsewhere.ok("verify", "bella")
    # A second journey keeps both sections.
    again = str(elsewhere.folder / "again.zip")
    elsewhere.ok("archive", "bella", again, typed=TYPED * 2)
    elsewhere.ok("import-archive", again, "--slug", "third", typed=TYPED)
    sections = "SELECT section, count(*) AS rows FROM vaultry_audit_imported GROUP BY section"
    assert elsewhere.rows(sections, "third") == [
        {"section": 1, "rows": len(before)}, {"section": 2, "rows": 3},
    ]  # fmt: skip
    assert "sound" in elsewhere.ok("verify", "third")


def test_open_values_need_no_passphrase_and_are_sealed_again_on_arrival(origin, elsewhere):
    file = archived(origin, "open.zip", "--with-personal-data")
    with zipfile.ZipFile(file) as archive:
        archive.extract("database.sqlite", origin.folder)
    with closing(sqlite3.connect(origin.folder / "database.sqlite")) as database:
        assert database.execute("SELECT email_id FROM members").fetchall() == [("anna@bella.example",)]
    elsewhere.ok("import-archive", file, "--slug", "bella", "--fingerprint", print_of(file))
    assert elsewhere.rows(MEMBER) == ANNA
    assert elsewhere.rows("SELECT email_id FROM members")[0]["email_id"].startswith("p1:")
    assert elsewhere.rows("SELECT count(*) AS n FROM vaultry_personal_keys") == [{"n": 1}]
    assert "sound" in elsewhere.ok("verify", "bella")


def test_a_wrong_or_short_passphrase_is_refused_and_leaves_nothing(origin, elsewhere):
    assert "(passphrase_short)" in origin.refused("archive", "bella", "short.zip", typed="short\nshort\n")
    assert not (origin.folder / "short.zip").exists()
    file = archived(origin)
    words = ("import-archive", file, "--slug", "bella", "--fingerprint", print_of(file))
    assert "(passphrase_wrong)" in elsewhere.refused(*words, typed="wrong horse battery\n")
    assert vaults_of(elsewhere) == ["registry"]


def test_whose_key_signed_it_must_be_known(origin, elsewhere, open_services):
    file = archived(origin)
    words = ("import-archive", file, "--check")
    assert "(signer_unknown)" in elsewhere.refused(*words)
    assert "(signer_unknown)" in elsewhere.refused(*words, "--fingerprint", "A" * 43)
    published = open_services().registry_read(jwks)
    keys = elsewhere.file("jwks.json", json.dumps(published))
    assert "sound: bella" in elsewhere.ok(*words, "--jwks", keys)
    assert fingerprint(published["keys"][0]) == print_of(file)
    assert "(jwks_invalid)" in elsewhere.refused(*words, "--jwks", elsewhere.file("no.json", "{}"))
    # At home its own keys are known.
    assert "sound: bella" in origin.ok(*words)


def test_a_manifest_that_another_key_signed_does_not_pass_for_ours(origin, elsewhere, open_services):
    file = archived(origin)
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    elsewhere.choir("other")
    theirs = json.loads(json.dumps(manifest))
    forger = elsewhere_services(elsewhere)
    try:
        signer = forger.registry_read(lambda tx: current_signer(tx, forger.keyring, forger.clock()))
    finally:
        forger.close()
    theirs["tables"]["works"] = 3
    forged = sign_document(signer, KIND, theirs)
    text = json.dumps(theirs, ensure_ascii=False, separators=(",", ":"))
    changed = rewritten(file, manifest_json=text.encode(), manifest_jws=forged.encode())
    assert "(signature_invalid)" in origin.refused("import-archive", changed, "--check")


def elsewhere_services(shell: Shell) -> Services:
    return Services(Settings.from_env(shell.environ))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"database_sqlite": b"SQLite format 3\0 of another kind"}, "archive_damaged"),
        ({"audit_jsonl": b"{}\n"}, "archive_damaged"),
        ({"files/scores/ave_pdf": b"%PDF"}, "archive_damaged"),
        ({"files/scores/ave_pdf": None}, "archive_damaged"),
        ({"files/more_pdf": b"%PDF"}, "archive_damaged"),
        ({"manifest_json": b"{}"}, "archive_damaged"),
        ({"manifest_jws": b"a.b.c"}, "signature_invalid"),
        ({"manifest_jws": None}, "archive_damaged"),
    ],
)
def test_whatever_was_changed_is_found_before_anything_is_made(origin, changed, code):
    file = rewritten(archived(origin), **changed)
    before = vaults_of(origin)
    assert f"({code})" in origin.refused("import-archive", file, "--slug", "canta", typed=TYPED)
    assert vaults_of(origin) == before
    assert origin.json("tenants", "list")["total"] == 1


def test_half_an_archive_is_none(origin):
    file = Path(archived(origin))
    half = origin.folder / "half.zip"
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert "(archive_damaged)" in origin.refused("import-archive", str(half), "--check")


@pytest.mark.parametrize("step", ["import:file", "commit:put", "registry"])
def test_an_import_that_fails_leaves_nothing_and_can_be_run_again(origin, monkeypatch, step):
    file = archived(origin)
    before = vaults_of(origin)
    words = ("import-archive", file, "--slug", "canta")
    with monkeypatch.context() as patch:
        break_at(patch, step)
        assert "(store_unavailable)" in origin.refused(*words, typed=TYPED)
    assert vaults_of(origin) == before
    assert origin.json("tenants", "list")["total"] == 1
    origin.ok(*words, typed=TYPED)
    assert origin.rows(MEMBER, "canta") == ANNA


@pytest.mark.parametrize("step", ["import:file", "commit:put", "registry"])
def test_an_import_that_is_killed_is_cleared_away_by_the_next(origin, monkeypatch, step):
    file = archived(origin)
    before = vaults_of(origin)
    words = ("import-archive", file, "--slug", "canta")
    with monkeypatch.context() as patch:
        break_at(patch, step)
        # A killed process tidies nothing up.
        patch.setattr("handlers.tenant.arriving.drop_scratch", lambda *_: None)
        origin.refused(*words, typed=TYPED)
    assert origin.json("tenants", "list")["total"] == 1
    origin.ok(*words, typed=TYPED)
    assert len(vaults_of(origin)) == len(before) + 1


def break_at(patch: pytest.MonkeyPatch, step: str) -> None:
    """Let the store, or the last write to the registry, fail from that step of an import on."""
    inner = DirectoryStore.put

    def put(self, key, body, *, timestamp_ms, op):
        vault = key.split("/")[1]
        if op == step and vault != "registry":
            raise VaultError("no", code="store_unavailable")
        inner(self, key, body, timestamp_ms=timestamp_ms, op=op)

    def refuse(*_):
        raise VaultError("no", code="store_unavailable")

    if step == "registry":
        patch.setattr("handlers.tenant.arriving.create_vault_entry", refuse)
    else:
        patch.setattr(DirectoryStore, "put", put)


def test_a_name_that_is_taken_is_refused_before_the_passphrase_is_asked_for(origin):
    file = archived(origin)
    assert "(duplicate)" in origin.refused("import-archive", file, "--slug", "bella")


def test_an_earlier_state_can_be_archived_and_what_was_erased_stays_erased(origin, open_services, elsewhere):
    at = origin.ok("bookmark", "bella").strip()
    origin.write("UPDATE members SET nickname = 'Later'")
    services = open_services()
    now = services.clock()
    with services.vault(services.entry("bella")) as vault:
        vault.write(lambda tx: destroy_data_key(tx, now), Actor("test", "job", "", "test"), now)
    file = archived(origin, "bella.zip", "--at", at)
    elsewhere.ok("import-archive", file, "--slug", "bella", "--fingerprint", print_of(file))
    assert elsewhere.rows(MEMBER) == [{"name": "anna@bella.example", "nickname": "Annie", "email": None, "found": 0}]


def test_an_audit_log_that_is_tampered_with_after_the_import_is_found(origin, elsewhere):
    file = archived(origin)
    elsewhere.ok("import-archive", file, "--slug", "bella", "--fingerprint", print_of(file), typed=TYPED)
    for table in ("vaultry_audit_imported", "vaultry_audit_sections"):
        assert "(sql_forbidden)" in elsewhere.refused("sql", "bella", f"DELETE FROM {table}", "--write")
    services = elsewhere_services(elsewhere)
    try:
        with services.vault(services.entry("bella")) as vault:
            vault.alter(
                lambda writer: bool(
                    writer.execute("DROP TRIGGER vaultry_audit_imported_stay_update")
                    and writer.execute("UPDATE vaultry_audit_imported SET actor = 'somebody' WHERE seq = 2")
                )
            )
    finally:
        services.close()
    assert "audit: imported section 1 was changed" in elsewhere.run("verify", "bella").stdout


def test_a_file_that_is_there_is_overwritten_only_when_told_to(origin):
    file = Path(origin.file("bella.zip", "mine"))
    assert "(file_exists)" in origin.refused("archive", "bella", "bella.zip")
    assert file.read_text() == "mine"
    origin.ok("archive", "bella", "bella.zip", "--force", typed=TYPED * 2)
    assert zipfile.is_zipfile(file)
