"""Identity providers on this machine: a real OpenID provider in a process of its own, and GitHub's few answers."""

import base64
import hashlib
import json
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET = "vaultry-client", "a client's secret"
VERIFIER = "w" * 64


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


CHALLENGE = s256(VERIFIER)


def fetch(
    method: str, address: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict, bytes]:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body or None, headers or {})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def oidc_provider(*people: dict[str, Any]) -> Iterator[str]:
    """The issuer of a running `oidc-provider-mock` that knows these people."""
    port = free_port()
    known = [argument for person in people for argument in ("--user-claims", json.dumps(person))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *known]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                fetch("GET", f"{issuer}/.well-known/openid-configuration")
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield issuer
    finally:
        process.terminate()
        process.wait(10)


def consent(address: str, subject: str) -> str:
    """Where the provider sends somebody who signs in with it as this subject."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    status, headers, body = fetch("POST", address, urlencode({"sub": subject}).encode(), form)
    assert status == 302, body
    return headers["location"]


@dataclass
class FakeGithub:
    """What GitHub Enterprise answers to the four requests of a sign-in. It checks the verifier it was promised."""

    address: str = ""
    emails: list[dict[str, Any]] = field(default_factory=list)
    challenges: dict[str, str] = field(default_factory=dict)

    def consent(self, address: str) -> str:
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = secrets.token_hex(8)
        self.challenges[code] = query["code_challenge"]
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def answer(self, path: str, form: dict[str, str], bearer: str) -> Any:
        if path == "/login/oauth/access_token":
            promised = self.challenges.pop(form["code"], "")
            held = s256(form["code_verifier"]) == promised
            return {"access_token": "gho_x", "token_type": "bearer"} if held else {"error": "bad_verification_code"}
        if bearer != "Bearer gho_x":
            return {"message": "Requires authentication"}
        if path == "/api/v3/user":
            return {"id": 4711, "login": "kadri", "name": "Kadri Kask", "avatar_url": None}
        return self.emails


@contextmanager
def fake_github(*emails: dict[str, Any]) -> Iterator[FakeGithub]:
    github = FakeGithub(emails=list(emails))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply({})

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["content-length"])).decode()
            self.reply({name: values[0] for name, values in parse_qs(sent).items()})

        def reply(self, form: dict[str, str]) -> None:
            body = json.dumps(github.answer(self.path, form, self.headers.get("authorization", ""))).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
