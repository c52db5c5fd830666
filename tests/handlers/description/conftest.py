import pytest

from tests.handlers.http.site import Clock, make_site


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def site(tmp_path, clock):
    site = make_site(tmp_path, clock)
    yield site
    site.services.close()
