import pytest

from tests.domain.choir.stage import Stage


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.close()
