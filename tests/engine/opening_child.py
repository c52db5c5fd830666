"""A process that opens a vault, and so migrates it, when it is told to by a line on stdin.

Arguments: folder of the store, of the caches, of the migration sets; vault id; name of the set. It says `ready`, waits,
opens, and prints the number of the newest commit it knows.
"""

import sys
from pathlib import Path

from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.vault.opening import Kind, open_vault
from tests.engine.desk import site


def main() -> None:
    store, caches, sets, vault_id, name = sys.argv[1:]
    kind = Kind((load_set("kernel"), load_set(name, Path(sets))))
    print("ready", flush=True)
    sys.stdin.readline()
    vault = open_vault(site(DirectoryStore(Path(store)), Path(caches)), vault_id, kind)
    print(vault.refusal or vault.head.txid, flush=True)
    vault.close()


if __name__ == "__main__":
    main()
