"""The archive as a file: members of a zip with their digests, written and read in pieces. Knows bytes; no database.

A zip, because everybody can open one, and because its table of contents stands at the end: a truncated archive is none.
"""

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.log.ltx_stream import CHUNK_BYTES, read_file

MANIFEST = "manifest.json"
SIGNATURE = "manifest.jws"
README = "README.txt"
_BESIDE = frozenset({MANIFEST, SIGNATURE, README})
_LARGEST_MANIFEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One file in the archive. size: bytes, unpacked. sha256: of these."""

    name: str
    size: int
    sha256: str


class ArchiveWriter:
    """Writes one archive to a new file. Add the members, then `finish`."""

    def __init__(self, path: Path, now: Moment) -> None:
        """now: the time its members get."""
        self._zip = zipfile.ZipFile(path, "w", allowZip64=True)
        year, month, day, hour, minute, second, *_ = time.gmtime(now.ms // 1000)
        self._time = (year, month, day, hour, minute, second)
        self.members: list[Member] = []

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def add(self, name: str, chunks: Iterable[bytes]) -> Member:
        """Add a member of any size."""
        digest, size = hashlib.sha256(), 0
        with self._zip.open(self._entry(name), "w", force_zip64=True) as target:
            for chunk in chunks:
                target.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self.members.append(Member(name, size, digest.hexdigest()))
        return self.members[-1]

    def add_file(self, name: str, path: Path) -> Member:
        """Add a file as a member."""
        return self.add(name, read_file(path))

    def finish(self, manifest: str, signed: str, readme: str) -> None:
        """Add what the archive says of itself. manifest: the very text that was signed."""
        for name, text in ((README, readme), (MANIFEST, manifest), (SIGNATURE, signed)):
            self._zip.writestr(self._entry(name), text)
        self._zip.close()

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, self._time)
        entry.compress_type = zipfile.ZIP_DEFLATED
        return entry


Done = Callable[[int], object]


class ArchiveReader:
    """Reads one archive. signed: its signed manifest, not yet judged. Nothing in it is trusted before `check`."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._zip = file
        self.signed = self._text(SIGNATURE)
        self.manifest = self._text(MANIFEST)

    def check(self, members: Iterable[Mapping[str, Any]], done: Done = lambda _: None) -> list[Member]:
        """The members, each of them read through and compared with what the manifest says. done: told bytes read.

        Raises Invalid `archive_damaged` naming what is missing, too much, or not as it was.
        """
        wanted = [Member(str(m["name"]), int(m["size"]), str(m["sha256"])) for m in members]
        names = self._zip.namelist()
        expected = sorted([*(member.name for member in wanted), *_BESIDE])
        if sorted(names) != expected:
            odd = sorted(set(names) ^ set(expected)) or sorted(name for name in names if names.count(name) > 1)
            raise damaged(f"what is in it is not what its manifest lists: {', '.join(odd[:5])}")
        for member in wanted:
            for chunk in self.read(member):
                done(len(chunk))
        return wanted

    def read(self, member: Member) -> Iterator[bytes]:
        """The content in pieces, compared with size and digest; trust it when the iteration has ended.

        Raises Invalid `archive_damaged`.
        """
        digest, size = hashlib.sha256(), 0
        try:
            with self._zip.open(member.name) as source:
                while chunk := source.read(CHUNK_BYTES):
                    size += len(chunk)
                    if size > member.size:
                        break
                    digest.update(chunk)
                    yield chunk
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as exc:
            raise damaged(f"{member.name} cannot be read: {exc}") from exc
        if (size, digest.hexdigest()) != (member.size, member.sha256):
            raise damaged(f"{member.name} is not what the manifest says")

    def extract(self, member: Member, path: Path) -> None:
        """Write the content to a new file. Raises Invalid `archive_damaged`."""
        with path.open("xb") as target:
            for chunk in self.read(member):
                target.write(chunk)

    def _text(self, name: str) -> str:
        try:
            if self._zip.getinfo(name).file_size > _LARGEST_MANIFEST:
                raise damaged(f"{name} has more than {_LARGEST_MANIFEST} bytes")
            return self._zip.read(name).decode()
        except (KeyError, ValueError, zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as exc:
            raise damaged(f"it has no {name} that can be read") from exc


@contextmanager
def opened_archive(path: Path) -> Generator[ArchiveReader]:
    """The archive, for reading. Raises Invalid `archive_damaged` for a file that is none."""
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as exc:
        raise damaged(f"{path} is no archive, or not a whole one: {exc}") from exc
    with file:
        yield ArchiveReader(file)


def manifest_text(content: Mapping[str, Any]) -> str:
    """The manifest as the text that is signed."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def member_list(members: Iterable[Member]) -> list[dict[str, Any]]:
    """Members as the manifest lists them."""
    return [asdict(member) for member in members]


def damaged(why: str) -> Invalid:
    """The error for an archive that is not as it was written."""
    return Invalid(f"the archive is damaged: {why}", code="archive_damaged")
