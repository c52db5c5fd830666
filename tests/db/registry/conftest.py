from collections.abc import Iterator
from contextlib import closing

import pytest

from db.transaction import WriteTx
from tests.db.registry.registry_rows import open_registry


@pytest.fixture
def tx() -> Iterator[WriteTx]:
    with closing(open_registry()) as connection:
        yield WriteTx(connection)
