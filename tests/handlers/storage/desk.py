"""A choir with editions to hang scores on, and short ways to send files to it."""

from dataclasses import dataclass
from typing import Any

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import Caller, Choir, Site, make_choir

FILES = "/storage/v1"
PDF = b"%PDF-1.7\n" + b"music " * 500
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
LIBRARIAN, SINGER = "mari@aurora.example", "kadri@aurora.example"


@dataclass(frozen=True)
class Desk:
    """librarian: may put scores. singer: may read them. operator: makes buckets. owned, free: ids of editions."""

    site: Site
    choir: Choir
    librarian: Caller
    singer: Caller
    operator: Caller
    owned: str
    free: str

    @property
    def guest(self) -> Caller:
        return self.site.guest(self.choir.slug)

    @property
    def prefix(self) -> str:
        return f"vaults/{self.choir.entry.id}/"

    def objects(self) -> list[str]:
        """Keys of the objects that hold contents or parts of uploads, below the vault's own."""
        listed = self.site.services.site.store.list(self.prefix, op="test:list")
        keys = [found.key.removeprefix(self.prefix) for found in listed]
        return [key for key in keys if key.startswith(("files/", "uploads/"))]

    def bucket(self, bucket_id: str = "notes", **wish: Any) -> str:
        answer = self.operator.send("POST", f"{FILES}/bucket", {"id": bucket_id, **wish})
        assert answer.status == 200, answer.text
        return bucket_id

    def maintain(self) -> dict[str, int]:
        """Run the job for files on the choir; its counts."""
        from handlers.jobs.files import collect_files

        now = self.site.clock()
        services = self.site.services
        with services.quiet_vault(self.choir.entry) as vault:
            return dict(collect_files(services, vault, self.choir.entry, now, now))


def put(caller: Caller, path: str, body: bytes, content_type: str = "application/pdf", **headers: str) -> Answer:
    """POST a file. path: bucket and name."""
    return caller.send("POST", f"{FILES}/object/{path}", body, **{"content_type": content_type, **headers})


def stored(caller: Caller, path: str, body: bytes, content_type: str = "application/pdf", **headers: str) -> Any:
    """POST a file that must be taken; the answer."""
    answer = put(caller, path, body, content_type, **headers)
    assert answer.status == 200, answer.text
    return answer.json()


def fetch(caller: Caller, path: str, **headers: str) -> Answer:
    return caller.send("GET", f"{FILES}/object/{path}", **headers)


def refused(answer: Answer) -> tuple[int, str]:
    """Status and code of an error in the shape storage clients read."""
    body = answer.json()
    assert set(body) == {"statusCode", "error", "code", "message", "details", "hint"}, body
    assert body["statusCode"] == str(answer.status)
    return answer.status, body["code"]


def ask(caller: Caller, path: str, body: Any = None, method: str = "POST", **headers: str) -> Any:
    """The JSON of a request for files that must succeed. path: below the prefix."""
    answer = caller.send(method, f"{FILES}/{path}", body, **headers)
    assert answer.status == 200, answer.text
    return answer.json()


def open_desk(site: Site) -> Desk:
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Mari", LIBRARIAN, ["librarian"])
    site.add_member(choir, "Kadri", SINGER)
    librarian = site.sign_in("aurora", LIBRARIAN)
    work = librarian.add("works", {"title": "Locus iste"}).json()[0]["id"]
    owned, free = (
        librarian.add("editions", {"work_id": work, "name": name, "license_type": licence}).json()[0]["id"]
        for name, licence in (("Urtext", "owned"), ("Old print", "public_domain"))
    )
    operator = site.guest("aurora").with_token(site.api_token(None))
    return Desk(site, choir, librarian, site.sign_in("aurora", SINGER), operator, owned, free)
