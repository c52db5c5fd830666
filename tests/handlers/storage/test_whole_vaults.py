"""Files when something happens to the whole vault: a fork, an erasure, a process that is killed."""

import os
import signal
import socket
import subprocess
import sys
import time

from db.archive.erasure import remove_objects
from db.clock import system_moment
from handlers.tenant.provisioning import fork_tenant
from tests.handlers.http.site import OPERATOR, Site, make_choir, make_site
from tests.handlers.storage.desk import FILES, PDF, ask, fetch, refused, stored
from tests.moto_s3 import clean_environment


def test_a_fork_has_contents_of_its_own(desk):
    bucket = desk.bucket()
    for name, body in (("a.pdf", PDF), ("gone.pdf", PDF + b"2")):
        stored(desk.operator, f"{bucket}/{name}", body)
    ask(desk.operator, f"object/{bucket}", {"prefixes": ["gone.pdf"]}, "DELETE")
    fork = fork_tenant(desk.site.services, desk.choir.entry, "borealis", None, OPERATOR)
    listed = desk.site.services.site.store.list(f"vaults/{fork.id}/files/", op="test:list")
    assert [found.size for found in listed] == [len(PDF)]
    remove_objects(desk.site.services.site, desk.choir.entry.id)
    twin = desk.operator.at("borealis")
    assert fetch(twin, f"{bucket}/a.pdf").body == PDF
    assert refused(fetch(twin, f"{bucket}/gone.pdf")) == (404, "not_found")


def test_an_erased_vault_leaves_no_content(desk, site):
    stored(desk.operator, f"{desk.bucket()}/a.pdf", PDF)
    other = make_choir(site, "harmonia")
    assert desk.objects() != []
    remove_objects(site.services.site, desk.choir.entry.id)
    assert desk.objects() == []
    assert site.services.site.store.list(f"vaults/{other.entry.id}/", op="test:list") != []


def test_a_server_that_is_killed_in_an_upload_leaves_nothing_to_be_seen(tmp_path):
    site = make_site(tmp_path, system_moment)
    choir = make_choir(site, "aurora")
    token = site.api_token(None)
    ask(site.guest("aurora").with_token(token), "bucket", {"id": "notes"})
    site.services.close()
    half_an_upload_to_a_server_that_is_killed(tmp_path, token)
    again = make_site(tmp_path, system_moment)
    try:
        caller = again.guest("aurora").with_token(token)
        assert ask(caller, "object/list/notes", {"prefix": ""}) == []
        assert [key for key in keys(again, choir.entry.id) if "/files/" in key] == []
        # What it had received goes with the next upload.
        assert len(received(again)) == 1
        stored(caller, "notes/a.pdf", PDF)
        assert received(again) == []
        assert fetch(caller, "notes/a.pdf").body == PDF
    finally:
        again.services.close()


def keys(site: Site, vault_id: str) -> list[str]:
    return [found.key for found in site.services.site.store.list(f"vaults/{vault_id}/", op="test:list")]


def received(site: Site) -> list[str]:
    """Folders of uploads that are on their way."""
    return [found.name for found in (site.services.settings.cache / "uploads").iterdir() if found.is_dir()]


def half_an_upload_to_a_server_that_is_killed(folder, token: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = clean_environment() | {
        "VAULTRY_STORE": f"file:{folder / 'store'}",
        "VAULTRY_MAIL": f"folder:{folder / 'mail'}",
    }
    command = [sys.executable, "-m", "handlers.cli", "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connected(port, server) as client:
            head = (
                f"POST /aurora{FILES}/object/notes/a.pdf HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/pdf\r\nContent-Length: {8 << 20}\r\n\r\n"
            )
            client.sendall(head.encode() + PDF + bytes(2 << 20))
            spool = folder / "store" / "cache" / "uploads"
            wait_for(lambda: any(found.stat().st_size for found in spool.glob("*/content")))
            os.kill(server.pid, signal.SIGKILL)
    finally:
        server.kill()
        server.wait()


def connected(port: int, server: "subprocess.Popen[bytes]") -> socket.socket:
    made: list[socket.socket] = []

    def connect() -> bool:
        assert server.poll() is None
        try:
            made.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        except OSError:
            return False
        return True

    wait_for(connect)
    return made[0]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
