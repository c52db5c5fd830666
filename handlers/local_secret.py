"""The secret of a store in a folder, made once and kept in a file. Knows that file; not what the secret is used for."""

import os
from pathlib import Path

from db.errors import Invalid


def local_secret(folder: Path) -> str:
    """The secret kept in the folder, made now if there is none. Raises Invalid when others may read the file."""
    kept = folder / "secret"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"secret.{os.urandom(8).hex()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(os.urandom(32).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link appears whole or not at all, and loses to a process that was first.
            kept.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if kept.stat().st_mode & 0o077:
        raise Invalid(
            f"{kept}: other users may read it; run `chmod 600 {kept}`", code="setting_invalid", field="secret"
        )
    return kept.read_text().strip()
