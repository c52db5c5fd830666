"""One empty library for each test of its description."""

from collections.abc import Iterator

import pytest

from tests.db.rest.library import Library, open_library


@pytest.fixture
def library() -> Iterator[Library]:
    opened = open_library()
    yield opened
    opened.connection.close()
