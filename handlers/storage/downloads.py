"""Handing out files: whole or in part, to their readers, to everybody, or by a signed link. Knows HTTP's rules of both.

A long file of an S3 store is handed out by a redirect to S3, signed for a minute: what stands between, Lambda and its
gateway, could not pass it on.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote

from db.clock import timestamp_ms
from db.errors import Forbidden, NotAuthenticated, RangeUnsatisfiable, VaultError
from db.files.buckets import Bucket
from db.files.contents import read_content
from db.files.declared import Reading
from db.files.links import Link, open_link
from db.files.names import check_name
from db.files.table import Caller
from db.principal import Principal
from db.transaction import ReadTx, Row
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.storage.handing_out import note_handed_out
from handlers.storage.objects import find_visible
from handlers.storage.presigned import s3_links
from handlers.storage.visit import Visit, enter, enter_by_link

REDIRECT_SECONDS = 60
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# Types a browser shows without running anything that is in them.
_INERT = re.compile(r"(image/(?!svg)|audio/|video/|font/|application/pdf$|text/plain)")


def own(services: Services, call: Call) -> Reply:
    """A file to somebody who may read it."""
    return _serve(enter(services, call))


def public(services: Services, call: Call) -> Reply:
    """A file that everybody may read; of a bucket made by hand only when it is public."""
    return _serve(enter_by_link(services, call))


def by_link(services: Services, call: Call) -> Reply:
    """A file to whoever brings the link. Raises Forbidden `link_invalid`, Gone `link_expired`, NotFound."""
    visit = enter_by_link(services, call)
    try:
        return _serve(visit.signed(_opened(services, visit).more))
    except VaultError as exc:
        known = visit.rules.declared.get(call.path["bucket"])
        exc.code = exc.code if known is None else known.code(exc.code)
        raise


def _opened(services: Services, visit: Visit) -> Link:
    """The link that the request brings. Raises as `by_link`."""
    call = visit.call
    place = (visit.entry.id, call.path["bucket"], check_name(call.path["name"]))
    token = call.parameter("token")
    if not token:
        known = visit.rules.declared.get(call.path["bucket"])
        if known is not None and "link_missing" in known.codes:
            raise NotAuthenticated("the link lacks its token", code="link_missing")
        raise Forbidden("the link lacks its token", code="link_invalid")
    return open_link(services.keyring, "file link", token, place, call.now)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that is to be handed out. reading: why, where that is judged file by file."""

    bucket: Bucket
    row: Row
    reading: Reading | None
    principal: Principal

    @property
    def name(self) -> str:
        """What the file is called."""
        name: str = self.row["name"]
        return name.rpartition("/")[2] if self.reading is None else self.reading.name


def _serve(visit: Visit) -> Reply:
    check_name(visit.call.path["name"])

    def work(tx: ReadTx, caller: Caller) -> _Found:
        return _Found(*find_visible(visit, tx, caller, content=visit.call.method != "HEAD"), caller.principal)

    found, bookmark = visit.read(work)
    row = found.row
    headers = (*_headers(visit.call, found), ("x-d1-bookmark", bookmark))
    if _is_known(visit.call, row):
        return Reply(304, headers=headers)
    if row["object"] is None:
        raise VaultError(f"file {row['id']}: the vault does not know its content", code="file_corrupt")
    wanted = _range(visit.call, row)
    start, count = (0, row["size"]) if wanted is None else wanted
    if address := _redirect(visit, found, count):
        _note(visit, found)
        return Reply(302, headers=(*headers, ("Location", address)))
    if wanted is not None:
        headers = (*headers, ("Content-Range", f"bytes {start}-{start + count - 1}/{row['size']}"))
    headers = (*headers, ("Content-Length", str(count)))
    empty = visit.call.method == "HEAD" or count == 0
    store = visit.services.site.store
    content: Iterable[bytes] = () if empty else read_content(store, visit.entry.id, row["object"], start, count)
    if not empty and found.reading is not None:
        content = _noted(visit, found, content)
    return Reply(200 if wanted is None else 206, "", row["content_type"], headers, content)


def _noted(visit: Visit, found: _Found, content: Iterable[bytes]) -> Iterator[bytes]:
    """The same content; once all of it was taken, that is noted."""
    yield from content
    _note(visit, found)


def _note(visit: Visit, found: _Found) -> None:
    if found.bucket.declared is not None and found.bucket.declared.reading is not None:
        note_handed_out(visit, found.bucket.declared.reading, found.row, found.principal)


def _headers(call: Call, found: _Found) -> tuple[tuple[str, str], ...]:
    bucket, row = found.bucket, found.row
    free = bucket.public and bucket.declared is None
    # A row's readers change from one request to the next: whoever keeps the file asks each time whether it still may.
    cache = f"public, {row['cache_control']}" if free else "private, no-cache"
    inert = _INERT.match(row["content_type"])
    return (
        ("ETag", f'"{row["sha256"]}"'),
        ("Last-Modified", http_date(row["updated_at"])),
        ("Accept-Ranges", "bytes"),
        ("Cache-Control", cache),
        ("X-Content-Type-Options", "nosniff"),
        *(() if inert else (("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),)),
        *(() if found.reading is None else (("x-access-reason", found.reading.reason),)),
        *_disposition(call, found.name),
    )


def _disposition(call: Call, name: str) -> tuple[tuple[str, str], ...]:
    """`?download` hands the file out as an attachment, under its own name or the one given."""
    given = call.parameter("download")
    if given is None:
        return ()
    shown = "".join(known for known in given if known.isprintable())[:200] or name
    plain = re.sub(r'[^ -~]|["\\%]', "_", shown)
    return (("Content-Disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(shown, safe='')}"),)


def _is_known(call: Call, row: Row) -> bool:
    """Whether the client has this very content already. Source: RFC 9110, 13.1."""
    tags = call.header("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return bool(known & {"*", f'"{row["sha256"]}"'})
    since = _date_ms(call.header("if-modified-since"))
    return since is not None and timestamp_ms(row["updated_at"]) // 1000 * 1000 <= since


def _range(call: Call, row: Row) -> tuple[int, int] | None:
    """First byte and count of the part that is asked for; None = the whole file, also for a range that is none.

    Several ranges are answered by the whole file, as RFC 9110 allows. Raises RangeUnsatisfiable.
    """
    # Source: RFC 9110, 14.2: of any method but GET a range is ignored.
    given = call.header("range") if call.method == "GET" else None
    match = _RANGE.fullmatch((given or "").replace(" ", ""))
    if match is None or not _holds(call.header("if-range"), row):
        return None
    size: int = row["size"]
    first, last = match[1], match[2]
    if not first and not last:
        return None
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size or end < start:
        message = f"got {match[0]}, the file has {size} bytes"
        raise RangeUnsatisfiable(message, details=f"bytes */{size}")
    return start, end - start + 1


def _holds(if_range: str | None, row: Row) -> bool:
    """Whether a part still goes with what the client has: the same tag, or the same moment."""
    if if_range is None:
        return True
    return if_range.strip() in (f'"{row["sha256"]}"', http_date(row["updated_at"]))


def _redirect(visit: Visit, found: _Found, count: int) -> str | None:
    """Where S3 hands the file out itself; None for one that goes through us, and for HEAD, which has no body."""
    long = visit.call.method == "GET" and count > visit.services.settings.file_redirect_bytes
    links = s3_links(visit.services) if long else None
    if links is None:
        return None
    row = found.row
    # S3 adds no policy of ours: what could run there is saved, not shown.
    unnamed = None if _INERT.match(row["content_type"]) else "attachment"
    disposition = dict(_disposition(visit.call, found.name)).get("Content-Disposition", unnamed)
    return links.get(visit.entry.id, row["object"], row["content_type"], disposition, REDIRECT_SECONDS)


def http_date(text: str) -> str:
    """A timestamp as HTTP writes dates."""
    return format_datetime(datetime.fromtimestamp(timestamp_ms(text) // 1000, UTC), usegmt=True)


def _date_ms(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None
