"""Signing links: to read a file, several files, or to put one. Parses and answers; opening them is for others."""

import json
from typing import Any
from urllib.parse import quote

from db.errors import Forbidden, Gone, Invalid, NotAuthenticated, NotFound
from db.fields import is_json_list
from db.files.links import Link, Purpose, sign_link
from db.files.names import check_name
from db.files.table import Caller, NewFile, check_put, find_file
from db.principal import Principal
from db.transaction import ReadTx
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.storage.objects import no_transformation, wants_upsert
from handlers.storage.visit import Visit, enter

UPLOAD_LINK_SECONDS = 2 * 3600
_MOST_PATHS = 1_000
_FILE: Purpose = "file link"


def sign_one(services: Services, call: Call) -> Reply:
    """A link to a file the caller may read."""
    visit, body = enter(services, call), call.json_object()
    seconds, name = _seconds(visit, body), call.path["name"]
    if body.get("transform"):
        raise no_transformation()

    def work(tx: ReadTx, caller: Caller) -> Principal:
        bucket = caller.rules.bucket(tx, call.path["bucket"])
        visit.check_token(bucket, writes=False)
        find_file(tx, bucket, name, caller)
        return caller.principal

    signer, bookmark = visit.read(work)
    return _reply({"signedURL": _file_link(visit, signer, name, seconds)}, bookmark)


def sign_several(services: Services, call: Call) -> Reply:
    """Links to several files; those the caller cannot read have an error in place of a link."""
    visit, body = enter(services, call), call.json_object()
    seconds, paths = _seconds(visit, body), body.get("paths")
    if not is_json_list(paths) or len(paths) > _MOST_PATHS:
        raise Invalid(f"paths: wanted a list of at most {_MOST_PATHS} paths", field="paths")
    names = [str(path) for path in paths]

    def work(tx: ReadTx, caller: Caller) -> tuple[Principal, set[str]]:
        bucket = caller.rules.bucket(tx, call.path["bucket"])
        visit.check_token(bucket, writes=False)
        found: set[str] = set()
        for name in names:
            try:
                find_file(tx, bucket, name, caller)
            except (NotFound, NotAuthenticated, Forbidden, Gone):
                continue
            found.add(name)
        return caller.principal, found

    (signer, found), bookmark = visit.read(work)
    missing = "Either the object does not exist or you do not have access to it"
    told = [
        {"error": None, "path": name, "signedURL": _file_link(visit, signer, name, seconds)}
        if name in found
        else {"error": missing, "path": name, "signedURL": None}
        for name in names
    ]
    return _reply(told, bookmark)


def sign_upload(services: Services, call: Call) -> Reply:
    """A link by which anybody can put one file under this name for two hours, as the caller could."""
    visit, name = enter(services, call), check_name(call.path["name"])
    new = NewFile(call.path["bucket"], name, "", replace=wants_upsert(call))

    def work(tx: ReadTx, caller: Caller) -> Principal:
        visit.check_token(caller.rules.bucket(tx, new.bucket), writes=True)
        check_put(tx, new, caller)
        return caller.principal

    signer, bookmark = visit.read(work)
    more = {"signer": visit.signed_by(signer, new.bucket), "replace": new.replace}
    link = Link(visit.entry.id, new.bucket, name, more)
    token = sign_link(services.keyring, "upload link", link, UPLOAD_LINK_SECONDS, call.now)
    return _reply({"url": f"/object/upload/sign/{_place(call)}?token={token}", "token": token}, bookmark)


def _file_link(visit: Visit, signer: Principal, name: str, seconds: int) -> str:
    call = visit.call
    bucket = call.path["bucket"]
    link = Link(visit.entry.id, bucket, name, visit.signed_by(signer, bucket))
    token = sign_link(visit.services.keyring, _FILE, link, seconds, call.now)
    # As supabase's: its JavaScript client encodes the rest itself, and would encode `%` twice.
    place = f"{bucket}/{name}".replace("#", "%23").replace("?", "%3F")
    return f"/object/sign/{place}?token={token}"


def _place(call: Call) -> str:
    return f"{quote(call.path['bucket'])}/{quote(call.path['name'])}"


def _seconds(visit: Visit, body: dict[str, Any]) -> int:
    known = visit.rules.declared.get(visit.call.path["bucket"])
    reading = None if known is None else known.reading
    given = body.get("expiresIn")
    if given is None and reading is not None:
        return reading.link_seconds[2]
    text = str(given)
    if isinstance(given, bool) or not text.isdecimal() or len(text) > 12:
        raise Invalid(f"expiresIn: got {text[:40]!r}, wanted seconds", field="expiresIn")
    if reading is not None and not reading.link_seconds[0] <= int(text) <= reading.link_seconds[1]:
        fewest, most, _ = reading.link_seconds
        raise Invalid(f"expiresIn: got {text}, wanted {fewest} to {most} seconds", field="expiresIn")
    return int(text)


def _reply(body: Any, bookmark: str) -> Reply:
    return Reply(200, json.dumps(body, ensure_ascii=False), headers=(("x-d1-bookmark", bookmark),))
