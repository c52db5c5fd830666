from pathlib import Path

import pytest

from tests.domain.band.band_site import BandSite, Story, write_story
from tests.domain.band.stage import Stage


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Riverside on disk, written once."""
    return write_story(tmp_path_factory.mktemp("riverside"))


@pytest.fixture
def riverside(story: Story, tmp_path: Path):
    """A copy of Riverside behind its doors."""
    site = BandSite(story, tmp_path)
    yield site
    site.close()
