import pytest

from tests.domain.band.stage import Stage


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.close()
