"""A process that is killed in the middle of an import: `python -m tests.handlers.d1.import_child FOLDER DATABASE`."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from db.clock import system_moment
from db.transfer.importing import import_text
from handlers.d1 import work
from tests.handlers.d1.desk import make_desk
from tests.handlers.d1.transfers import ingest, upload


def hold() -> None:
    """The import has run some statements; it never runs the others."""
    print("half-way", flush=True)
    time.sleep(600)


def held(vault: Any, site: Any, kind: Any, text: Any, *more: Any) -> Any:
    return import_text(vault, site, kind, replace(text, go_on=hold), *more)


if __name__ == "__main__":
    work.import_text = held
    folder, database = Path(sys.argv[1]), sys.argv[2]
    desk = make_desk(folder, system_moment)
    text = (folder / "file.sql").read_bytes()
    upload(desk, database, text)
    ingest(desk, database, text)
    time.sleep(600)
