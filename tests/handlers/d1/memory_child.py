"""A process that imports FOLDER/long.sql, and says its memory in kilobytes before and after, and how it ended."""

import hashlib
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from db.clock import system_moment
from handlers.d1 import uploading
from handlers.http.call import Call
from tests.handlers.d1.desk import make_desk
from tests.handlers.d1.transfers import ORIGIN, poll, run_import


def peak() -> int:
    """Of this process alone: what the system tells by `getrusage` begins with the one it was made by."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    desk = make_desk(folder, system_moment)
    database = desk.create()
    # What any import needs at all is taken before.
    run_import(desk, "shop", b"CREATE TABLE first (x); INSERT INTO first VALUES ('" + b"x" * 100_000 + b"');")
    before = peak()
    with (folder / "long.sql").open("rb") as file:
        etag = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    begun = desk.done("POST", "/shop/import", {"action": "init", "etag": etag})
    where = urlsplit(begun["upload_url"].removeprefix(ORIGIN))
    path = {"account": "vaultry", "database": database, "file": begun["filename"]}
    call = Call("PUT", where.path, path, parse_qsl(where.query), [], b"", "upload", system_moment())
    upload = uploading.begin(desk.site.services, call)
    with (folder / "long.sql").open("rb") as file:
        while part := file.read(1 << 20):
            upload.feed(part)
    upload.finish()
    upload.close()
    body = {"action": "ingest", "etag": etag, "filename": begun["filename"]}
    done = poll(desk, "shop", desk.done("POST", "/shop/import", body))
    print(before, peak(), done["status"])
    desk.site.services.close()
