"""Ways to put files to Riverside's pieces and to get them back. Knows the storage's paths; asserts what must work."""

import json
from typing import Any

from tests.domain.band.band_site import BandSite
from tests.handlers.http.asgi_client import Answer

FILES = "/storage/v1"
PDF = b"%PDF-1.7\n" + b"music " * 200
MP3 = b"ID3\x03\x00" + bytes(400)
FIRST, POSY = "First Suite in E-flat", "Lincolnshire Posy"


def put(
    band: BandSite, who: str, path: str, body: bytes, kind: str = "application/pdf", method: str = "POST", **said: Any
) -> Answer:
    """Put a file. path: bucket and name. said: of the file, its metadata."""
    caller = band.caller(who)
    boundary = "--------------------------riverside"
    fields = [f'--{boundary}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{json.dumps(said)}\r\n'] * bool(
        said
    )
    head = f'--{boundary}\r\nContent-Disposition: form-data; name=""; filename="x"\r\nContent-Type: {kind}\r\n\r\n'
    form = "".join([*fields, head]).encode() + body + f"\r\n--{boundary}--\r\n".encode()
    wanted = f"multipart/form-data; boundary={boundary}"
    return caller.send(method, f"{FILES}/object/{path}", form, content_type=wanted)


def stored(band: BandSite, name: str, title: str = FIRST, body: bytes = PDF, kind: str = "application/pdf",
           who: str = "M21", **said: Any) -> str:  # fmt: skip
    """Put a new file to a piece; its id."""
    answer = put(band, who, f"music/{band.ids.pieces[title]}/{name}", body, kind, **said)
    assert answer.status == 200, answer.text
    made: str = answer.json()["Id"]
    return made


def key(band: BandSite, file_id: str) -> str:
    """Where the music file is kept, bucket first."""
    found: str = band.value("SELECT storage_key FROM music_files WHERE id = :id", id=file_id)
    return found


def fetch(band: BandSite, who: str, path: str, **headers: str) -> Answer:
    """Get a file. path: bucket and name."""
    return band.caller(who).send("GET", f"{FILES}/object/{path}", **headers)


def link(band: BandSite, who: str, path: str, **wish: Any) -> str:
    """A signed link to a file."""
    answer = band.caller(who).send("POST", f"{FILES}/object/sign/{path}", wish)
    assert answer.status == 200, answer.text
    return FILES + str(answer.json()["signedURL"])


def refused(answer: Answer) -> tuple[int, str]:
    """Status and code."""
    return answer.status, answer.json()["code"]


def told(answer: Answer) -> tuple[int, str | None]:
    """Status, and why: of a refusal its details, of a file the header."""
    if answer.status == 200:
        return 200, answer.header("x-access-reason")
    body = answer.json()
    return answer.status, body["details"] if body["code"] == "download_denied" else body["code"]


def downloads(band: BandSite) -> list[dict[str, Any]]:
    """The log, the first first."""
    return band.stored("SELECT file_id, user_id, ip_address, user_agent FROM file_downloads ORDER BY rowid")
