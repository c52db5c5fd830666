from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.handlers.jobs.upkeep_site import Upkeep, upkeep_site


@pytest.fixture
def upkeep(tmp_path: Path) -> Iterator[Upkeep]:
    with upkeep_site(tmp_path / "store") as site:
        yield site
