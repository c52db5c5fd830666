"""The AWS Lambda Runtime API on loopback, around the real runtime client. Knows its five paths; not what handlers do.

Source: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. One `LambdaRuntime` is one execution environment: the
process starts with the first invocation and stays warm for the later ones.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

ROOT = Path(__file__).parents[1]
_API = "/2018-06-01/runtime"
_DEADLINE_MS = 30_000


class FunctionError(Exception):
    """The handler raised. body: what the runtime client reported."""

    def __init__(self, body: Any) -> None:
        super().__init__(json.dumps(body)[:2000])
        self.body = body


class InitError(FunctionError):
    """The handler's module could not be loaded."""


class ProcessEnded(Exception):
    """The runtime client ended without an answer; carries what it wrote."""


@dataclass
class _Pending:
    """One invocation on its way. answer: (outcome, body) with outcome response, error or init."""

    event: bytes
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: queue.Queue[tuple[str, bytes]] = field(default_factory=queue.Queue)


class LambdaRuntime:
    """One execution environment for `handler` (`module.function`), as a context manager.

    environ: added to a small environment that names this region and nothing of the machine's AWS account.
    """

    def __init__(self, handler: str, environ: Mapping[str, str] | None = None, *, path: Path = ROOT) -> None:
        self._handler = handler
        self._environ = dict(environ or {})
        self._path = path
        self._waiting: queue.Queue[_Pending | None] = queue.Queue()
        self._taken: dict[str, _Pending] = {}
        self._log = ""

    def __enter__(self) -> "LambdaRuntime":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _routes(self))
        self._serving = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._serving.start()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", self._handler],
            cwd=self._path,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reading = threading.Thread(target=self._read_log, daemon=True)
        self._reading.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._waiting.put(None)
        self._reading.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._server.shutdown()
        self._server.server_close()

    @property
    def log(self) -> str:
        """What the process wrote so far."""
        return self._log

    @property
    def pid(self) -> int:
        """The runtime client's process."""
        return self._process.pid

    def invoke(self, event: Mapping[str, Any], *, timeout_s: float = 60) -> Any:
        """The handler's answer. Raises FunctionError, InitError, ProcessEnded, TimeoutError."""
        pending = _Pending(json.dumps(event).encode())
        self._waiting.put(pending)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                outcome, body = pending.answer.get(timeout=0.05)
            except queue.Empty:
                if self._process.poll() is not None and pending.answer.empty():
                    raise ProcessEnded(f"exit code {self._process.returncode}\n{self._log}") from None
                continue
            answer = json.loads(body or b"null")
            if outcome == "response":
                return answer
            raise (InitError if outcome == "init" else FunctionError)(answer)
        raise TimeoutError(f"no answer within {timeout_s} s\n{self._log}")

    def take(self) -> _Pending | None:
        """The next invocation; waits for one. None when the environment ends."""
        pending = self._waiting.get()
        if pending is not None:
            self._taken[pending.id] = pending
        return pending

    def answer(self, request_id: str, outcome: str, body: bytes) -> None:
        """Hand an outcome to the caller of `invoke`."""
        self._taken.pop(request_id).answer.put((outcome, body))

    def fail_init(self, body: bytes) -> None:
        """Hand an initialisation failure to the invocation that waits for it."""
        pending = self._waiting.get()
        if pending is not None:
            pending.answer.put(("init", body))

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join((str(self._path), str(ROOT))),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "vaultry-test",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/vaultry-test",
            "AWS_LAMBDA_LOG_STREAM_NAME": "test",
            "AWS_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "_HANDLER": self._handler,
            "LAMBDA_TASK_ROOT": str(self._path),
            **self._environ,
        }

    def _read_log(self) -> None:
        for line in self._process.stdout or ():
            self._log += line


def _routes(runtime: LambdaRuntime) -> type[BaseHTTPRequestHandler]:
    """The five paths of the Runtime API."""

    class Routes(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            pending = runtime.take() if self.path == f"{_API}/invocation/next" else None
            if pending is None:
                self._reply(404, b"")
                return
            arn = "arn:aws:lambda:eu-central-1:123456789012:function:vaultry-test"
            deadline = str(time.time_ns() // 1_000_000 + _DEADLINE_MS)
            headers = {
                "Lambda-Runtime-Aws-Request-Id": pending.id,
                "Lambda-Runtime-Deadline-Ms": deadline,
                "Lambda-Runtime-Invoked-Function-Arn": arn,
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            }
            self._reply(200, pending.event, headers)

        def do_POST(self) -> None:
            body = self._body()
            if self.path == f"{_API}/init/error":
                self._reply(202, b"{}")
                runtime.fail_init(body)
                return
            request_id, _, outcome = self.path.removeprefix(f"{_API}/invocation/").partition("/")
            self._reply(202, b'{"status":"OK"}')
            runtime.answer(request_id, outcome, body)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            try:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # the process was killed while it waited for an invocation
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output stays theirs."""

    return Routes


def http_event(
    method: str,
    path: str,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    stage: str = "$default",
) -> dict[str, Any]:
    """An API Gateway HTTP API event, payload format 2.0.

    path: decoded, as the gateway sends it. query: raw, as in the address; parsed values are joined by commas.
    """
    parsed: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parsed[name] = f"{parsed[name]},{value}" if name in parsed else value
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "api.vaultry.example", "x-forwarded-proto": "https", **(headers or {})},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.vaultry.example",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "tests",
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": stage,
            "time": "01/May/2026:19:00:00 +0000",
            "timeEpoch": 1777662000000,
        },
        "isBase64Encoded": body is not None,
    }
    if parsed:
        event["queryStringParameters"] = parsed
    if body is not None:
        event["body"] = b64encode(body).decode()
    return event
