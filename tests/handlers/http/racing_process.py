"""A process of its own over one store that makes its calls at once when it is told to. For races between processes.

Arguments: the site's folder, and a line of JSON with `settings` of the site, `at` (its clock), `warm` (a path to ask
for first) and `calls`, each a list of method, path, headers and body. Prints `ready`, waits for a line, then prints
status and code of every answer as JSON, in the order of the calls.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from handlers.server import server_app
from tests.handlers.http.asgi_client import Client
from tests.handlers.http.site import Clock, make_site


def main() -> None:
    folder, told = Path(sys.argv[1]), json.loads(sys.argv[2])
    site = make_site(folder, Clock(told["at"]), **told["settings"])
    client = Client(server_app(site.services))
    # The registry and the vault are open, and what their opening commits is committed, before the race begins.
    client.request("GET", told["warm"])
    print("ready", flush=True)
    sys.stdin.readline()

    def send(call: list[Any]) -> list[Any]:
        method, path, headers, body = call
        answer = client.request(method, path, headers=headers, body=body)
        return [answer.status, answer.json().get("code", "") if answer.status >= 400 else ""]

    with ThreadPoolExecutor(len(told["calls"])) as pool:
        print(json.dumps(list(pool.map(send, told["calls"]))), flush=True)
    site.services.close()


if __name__ == "__main__":
    main()
