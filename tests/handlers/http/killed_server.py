"""A process that serves one request and kills itself around its commit. For tests of what a repeat then gets.

Arguments: the site's folder, and a line of JSON with `kill_at` (such as `after commit:put`), `method`, `path`,
`headers` and `body`; `nth`: at which time the step is met, and `registry`: whether the registry's steps are meant
too. Nothing is answered: the process is dead before, or prints the status.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from tests.db.faulty_store import FaultyStore
from tests.handlers.http.site import Clock, make_site


def main() -> None:
    folder, told = Path(sys.argv[1]), json.loads(sys.argv[2])
    site = make_site(folder, Clock())
    # The registry and the vault are open, and what their opening commits is committed, before anything can happen.
    site.client.request("GET", told["warm"], headers=told["headers"])
    moment, _, op = told["kill_at"].partition(" ")

    left = told.get("nth", 1)

    def kill(called: str) -> None:
        nonlocal left
        left -= called == op
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    store = FaultyStore(site.services.site.store)
    store.before_call, store.after_call = (kill, store.after_call) if moment == "before" else (store.before_call, kill)
    site.services.pool.close_all()
    site.services.site = replace(site.services.site, store=store)
    if told.get("registry"):
        site.services.registry.close()
        site.services._registry = None
    answer = site.client.request(told["method"], told["path"], headers=told["headers"], body=told["body"])
    print(answer.status)


if __name__ == "__main__":
    main()
