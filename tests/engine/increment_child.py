"""A process whose threads count up one row, one commit after the other; prints every request that was acknowledged.

Arguments as JSON: `store` and `keys` of the store, `folder` of the cache, `name` of the process, `threads`, `times`.
"""

import json
import sys
import threading
from pathlib import Path

from db.errors import Contended
from db.stores import open_store
from db.transaction import WriteTx
from db.vault.vault import Vault
from tests.engine.desk import ACTOR, open_desk


def count_up(vault: Vault, name: str, times: int, acknowledged: list[str]) -> None:
    for number in range(times):
        request = f"{name}-{number:04}"

        def work(tx: WriteTx, request: str = request) -> None:
            value = tx.value("SELECT value FROM counters WHERE id = 'visits'")
            tx.execute("UPDATE counters SET value = :value WHERE id = 'visits'", value=value + 1)
            tx.insert("requests", id=request, note=str(value + 1))

        while True:
            try:
                vault.write(work, ACTOR)
            except Contended:
                continue
            break
        acknowledged.append(request)


def main(job: dict[str, object]) -> None:
    store = open_store(str(job["store"]), **dict(job["keys"]))
    vault = open_desk(store, Path(str(job["folder"])))
    acknowledged: list[str] = []
    threads = [
        threading.Thread(target=count_up, args=(vault, f"{job['name']}-{number}", job["times"], acknowledged))
        for number in range(int(str(job["threads"])))
    ]
    print("ready", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vault.close()
    print("\n".join(acknowledged), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
