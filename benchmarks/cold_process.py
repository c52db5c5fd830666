"""One fresh process that answers its first request from S3: `python -m benchmarks.cold_process ours|reference`.

Prints JSON: `import_s`, `first_s`, `second_s`, `answered_at` (seconds of a steady clock). The event comes as JSON on
standard input, the store in the environment. The reference is what people deploy today: it fetches a registry and the
tenant's database whole, in two calls, and queries them; it neither asks whether they are the newest, nor could another
process write to them meanwhile.
"""

import json
import sys
import time
from itertools import pairwise
from typing import Any

STARTED = time.monotonic()


def ours() -> Any:
    from handlers.api import handler

    return handler


def reference() -> Any:
    import os
    import tempfile
    from pathlib import Path

    import boto3
    from fastapi import FastAPI
    from mangum import Mangum
    from pydantic import BaseModel
    from sqlalchemy import create_engine, text

    app, folder, engines = FastAPI(), Path(tempfile.mkdtemp()), dict[str, Any]()
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=os.environ["REFERENCE_ENDPOINT"])

    class Member(BaseModel):
        id: str
        name: str

    def database(name: str) -> Any:
        if name not in engines:
            path = folder / name
            found = client.get_object(Bucket=os.environ["REFERENCE_BUCKET"], Key=f"reference/{name}")
            path.write_bytes(found["Body"].read())
            engines[name] = create_engine(f"sqlite:///{path}")
        return engines[name]

    @app.get("/{slug}/rest/v1/members")
    def members(slug: str) -> list[Member]:
        with database("registry").connect() as registry:
            found = registry.execute(text("SELECT vault_id FROM slugs WHERE slug = :slug"), {"slug": slug}).one()
        with database(found.vault_id).connect() as vault:
            rows = vault.execute(text("SELECT id, name FROM members"))
            return [Member(id=row.id, name=row.name) for row in rows]

    return Mangum(app, lifespan="off")


def main(side: str) -> None:
    event = json.load(sys.stdin)
    handler = (ours if side == "ours" else reference)()
    # A steady clock that the measuring process reads as well.
    times = [time.monotonic()]
    for _ in range(2):
        answer = handler(event, None)
        times.append(time.monotonic())
        if answer["statusCode"] != 200 or not json.loads(answer["body"]):
            raise SystemExit(f"{side}: {answer}")
    first, second = (after - before for before, after in pairwise(times))
    print(json.dumps({"import_s": times[0] - STARTED, "first_s": first, "second_s": second, "answered_at": times[1]}))


if __name__ == "__main__":
    main(sys.argv[1])
