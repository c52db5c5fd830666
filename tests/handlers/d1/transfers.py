"""Imports and exports as clients of D1 do them: for tests."""

import hashlib
from typing import Any

from tests.handlers.d1.desk import Desk

ORIGIN = "https://choirs.example"


def md5(text: bytes) -> str:
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def upload(desk: Desk, database: str, text: bytes) -> dict[str, Any]:
    """What `init` answered; the file is there afterwards."""
    begun: dict[str, Any] = desk.done("POST", f"/{database}/import", {"action": "init", "etag": md5(text)})
    if "upload_url" in begun:
        answer = desk.site.client.request("PUT", begun["upload_url"].removeprefix(ORIGIN), body=text)
        assert (answer.status, answer.header("etag")) == (200, f'"{md5(text)}"')
    return begun


def ingest(desk: Desk, database: str, text: bytes) -> dict[str, Any]:
    """The first answer to a file that was uploaded."""
    body = {"action": "ingest", "etag": md5(text), "filename": f"{md5(text)}.sql"}
    told: dict[str, Any] = desk.done("POST", f"/{database}/import", body)
    return told


def poll(desk: Desk, database: str, told: dict[str, Any]) -> dict[str, Any]:
    """How the import ended; asked as often as it takes."""
    while told.get("status") == "active":
        body = {"action": "poll", "current_bookmark": told["at_bookmark"]}
        told = desk.done("POST", f"/{database}/import", body)
    assert isinstance(told["messages"], list)
    assert isinstance(told["errors"], list)
    return told


def run_import(desk: Desk, database: str, text: bytes) -> dict[str, Any]:
    """How the import of a file ended."""
    begun = upload(desk, database, text)
    return poll(desk, database, begun if "status" in begun else ingest(desk, database, text))


def begin_export(desk: Desk, database: str, **options: Any) -> dict[str, Any]:
    body = {"output_format": "polling", "dump_options": options}
    told: dict[str, Any] = desk.done("POST", f"/{database}/export", body)
    return told


def run_export(desk: Desk, database: str, **options: Any) -> dict[str, Any]:
    """How an export ended."""
    told = begin_export(desk, database, **options)
    while told["status"] == "active":
        body = {"output_format": "polling", "current_bookmark": told["at_bookmark"]}
        told = desk.done("POST", f"/{database}/export", body)
    return told


def fetch(desk: Desk, told: dict[str, Any]) -> bytes:
    """The file of an export that went well."""
    assert told["status"] == "complete", told
    answer = desk.site.client.request("GET", told["result"]["signed_url"].removeprefix(ORIGIN))
    assert answer.status == 200
    assert answer.header("content-length") == str(len(answer.body))
    return answer.body
