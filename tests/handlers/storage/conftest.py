from collections.abc import Iterator

import pytest

from tests.handlers.http.site import Clock, Site, make_site
from tests.handlers.storage.desk import Desk, open_desk


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(tmp_path, clock) -> Iterator[Site]:
    site = make_site(tmp_path, clock)
    yield site
    site.services.close()


@pytest.fixture
def desk(site) -> Desk:
    return open_desk(site)
