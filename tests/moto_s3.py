"""An S3 of this machine's own: moto's server as a child process on the loopback, with one empty bucket."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from db.stores.s3 import S3Store

_START_SECONDS = 30
_STRIPPED = ("proxy", "ca_bundle", "ssl_cert", "ca_certs")


@dataclass(frozen=True, slots=True)
class MotoS3:
    """Where the bucket is and what opens it; moto accepts any keys."""

    endpoint: str
    bucket: str = "vaultry-test"
    region: str = "us-east-1"
    access_key_id: str = "test"
    secret_access_key: str = "test"

    def store(self, prefix: str = "", **options: float) -> S3Store:
        return S3Store(
            self.bucket,
            prefix,
            endpoint=self.endpoint,
            region=self.region,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            **options,
        )

    def url(self, prefix: str) -> str:
        return f"s3://{self.bucket}/{prefix}?endpoint={self.endpoint}&region={self.region}"

    def environment(self) -> dict[str, str]:
        """For programs that read the ordinary AWS variables, the litestream binary among them."""
        return clean_environment() | {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
        }


def clean_environment() -> dict[str, str]:
    """This process's environment without proxies and private certificate stores, which a loopback must not meet."""
    return {name: value for name, value in os.environ.items() if not any(part in name.lower() for part in _STRIPPED)}


@contextmanager
def moto_s3() -> Iterator[MotoS3]:
    """Run the server while the block runs. Each user takes a prefix of its own in the one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        s3 = MotoS3(f"http://127.0.0.1:{port}")
        _make_bucket(s3, server)
        yield s3
    finally:
        server.terminate()
        server.wait()


def _make_bucket(s3: MotoS3, server: "subprocess.Popen[bytes]") -> None:
    # An opener without proxies; moto reads the region out of the signature and checks nothing else of it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    scope = f"{s3.access_key_id}/20260101/{s3.region}/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    request = urllib.request.Request(f"{s3.endpoint}/{s3.bucket}", method="PUT", headers=headers)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            opener.open(request, timeout=5).close()
        except urllib.error.HTTPError:
            raise
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
