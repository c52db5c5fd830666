"""What anybody may write is counted: by network and by vault, before it is judged."""

import pytest

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.shelves import edition
from tests.handlers.http.site import Choir, Site, make_choir, make_site, refused

COMPLAINT = {"claimant_name": "C", "claimant_email": "c@x.example", "reason": "mine", "attestation": True}


@pytest.fixture
def site(tmp_path, clock):
    site = make_site(tmp_path, clock, public_writes="3", public_vault_writes="5", proxies="1")
    yield site
    site.services.close()


def open_choir(site: Site, slug: str = "aurora") -> tuple[Choir, str]:
    choir = make_choir(site, slug)
    return choir, edition(site.sign_in(slug, choir.owner), license_type="public_domain")


def complain(site: Site, edition_id: str, network: int = 1, slug: str = "aurora", **changed: object) -> Answer:
    body = {**COMPLAINT, "edition_id": edition_id, **changed}
    address = f"192.0.2.{network}"
    return site.guest(slug).send("POST", "/rest/v1/rpc/takedown.submit", body, x_forwarded_for=address)


def test_one_network_may_complain_so_often_in_an_hour(site, clock):
    choir, known = open_choir(site)
    assert [complain(site, known).status for _ in range(4)] == [200, 200, 200, 429]
    clock.tick(1800)
    answer = complain(site, known)
    assert refused(answer) == (429, "rate_limited")
    assert answer.header("retry-after") == "1800"
    clock.tick(1800)
    assert complain(site, known).status == 200
    assert len(site.vault_rows(choir, "SELECT id FROM takedowns")) == 4


def test_one_vault_takes_so_many_complaints_from_everywhere(site):
    _, known = open_choir(site)
    _, other = open_choir(site, "bella")
    assert [complain(site, known, number).status for number in range(6)] == [200] * 5 + [429]
    assert complain(site, other, 9, "bella").status == 200


def test_a_complaint_about_nothing_counts_and_a_malformed_one_does_not(site):
    _, known = open_choir(site)
    assert [complain(site, known, attestation="true").status for _ in range(4)] == [400] * 4
    assert [complain(site, "unknown").status for _ in range(4)] == [404, 404, 404, 429]


def test_a_flood_writes_nothing(site):
    _, known = open_choir(site)
    for _ in range(3):
        complain(site, known)
    before = site.services.registry.bookmark
    assert complain(site, known).status == 429
    assert site.services.registry.bookmark == before
