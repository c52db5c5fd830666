"""The reference by hand: Starlette and sqlite3, nobody signed in, no rules.

`python -m benchmarks.starlette_rows FILE PORT`.

Each request is served on the event loop itself: for statements of some microseconds that is the fastest there is, and
at most one writes at a time, which WAL with FULL wants anyway.
"""

import sqlite3
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.http_rows import ADD_SQL, CREATED_AT, LIST_SQL, ONE_SQL, ORG_ID, nested, new_id

database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.row_factory = sqlite3.Row
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA synchronous = FULL")


async def one(request: Request) -> JSONResponse:
    row = database.execute(ONE_SQL, (request.path_params["id"],)).fetchone()
    if row is None:
        return JSONResponse({"message": "not found"}, 404)
    return JSONResponse(dict(row))


async def some(request: Request) -> JSONResponse:
    rows = database.execute(LIST_SQL, (int(request.query_params.get("limit", 50)),))
    return JSONResponse(nested(rows))


async def add(request: Request) -> JSONResponse:
    given = await request.json()
    values = (new_id(), ORG_ID, given["title"], given.get("composer"), None, CREATED_AT)
    row = database.execute(ADD_SQL, values).fetchall()[0]
    return JSONResponse(dict(row), 201)


app = Starlette(
    routes=[
        Route("/works/{id}", one),
        Route("/works", some),
        Route("/works", add, methods=["POST"]),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
