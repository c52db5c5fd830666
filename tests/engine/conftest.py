"""Each kind of store, empty, and what the engine reports; the bucket's server is one for a whole session."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from tests.moto_s3 import MotoS3, moto_s3


@pytest.fixture(scope="session")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as running:
        yield running


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Each kind of store, empty."""
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    return request.getfixturevalue("s3").store(prefix=f"engine/{tmp_path.name}")


@pytest.fixture
def folder(tmp_path: Path) -> DirectoryStore:
    """A store in a folder, empty."""
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[str]]:
    """The reasons or paths of the events of a name so far."""
    caplog.set_level(logging.INFO, logger="vaultry")

    def named(name: str) -> list[str]:
        records = [json.loads(record.getMessage()) for record in caplog.records if record.name == "vaultry"]
        return [str(found.get("reason", found.get("path"))) for found in records if found["event"] == name]

    return named
