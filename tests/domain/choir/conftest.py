from collections.abc import Iterator

import pytest

from benchmarks.choir_year import NOW, Year, fill
from tests.domain.choir.stage import Stage


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture(scope="session")
def plain_year() -> Iterator[tuple[Stage, Year]]:
    """A season of real size, made once. It is only read, or copied."""
    stage = Stage()
    stage.at = NOW
    with stage.transaction():
        year = fill(stage.tx)
    yield stage, year
    stage.close()


@pytest.fixture(scope="session", params=["without figures", "analysed"])
def filled(plain_year: tuple[Stage, Year], request: pytest.FixtureRequest) -> Iterator[tuple[Stage, Year]]:
    """The season as the planner sees it at first, and once it has counted."""
    made, year = plain_year
    stage = Stage()
    stage.at = NOW
    made.connection.backup(stage.connection)
    if request.param == "analysed":
        stage.connection.execute("ANALYZE")
    yield stage, year
    stage.close()
