"""Each kind of store, empty, for the proofs about the engine; the bucket's server is one for a whole session."""

from collections.abc import Iterator
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
