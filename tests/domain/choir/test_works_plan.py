"""How SQLite finds the works somebody may see: by an index, and for members without a look at any edition."""

import pytest

from db.rest.planner import plan_read
from db.rest.request import ReadRequest, parse_request
from db.rest.sql import read_statement
from db.schema.schema import read_schema
from domain.choir.charter import CHOIR

OWNER = "liis@aurora.example"


def steps(stage, org: str, caller: str, query: tuple[tuple[str, str], ...]) -> list[str]:
    """The plan of a read of works over REST."""
    request = parse_request("GET", "works", query)
    assert isinstance(request, ReadRequest)
    resources = {resource.table: resource for resource in CHOIR.resources}
    plan = plan_read(read_schema(stage.tx), resources, stage.as_person(org, caller), request, stage.now)
    planned = read_statement(plan)
    return [row[3] for row in stage.connection.execute(f"EXPLAIN QUERY PLAN {planned.sql}", planned.parameters)]


@pytest.mark.parametrize("query", [(), (("order", "title"), ("limit", "20")), (("id", "eq.x"),)])
def test_a_members_works_are_found_by_index_and_no_edition_is_read(stage, query):
    org = stage.choir("aurora", owner=OWNER)
    found = steps(stage, org, OWNER, query)
    assert any(step.startswith("SEARCH") and "works" in step for step in found)
    assert not any(word in step for step in found for word in ("SCAN main.works", "editions", "SCAN works"))


@pytest.mark.parametrize("query", [(), (("order", "title"), ("limit", "20")), (("id", "eq.x"),)])
def test_a_guests_works_are_found_by_index_and_their_free_editions_by_another(stage, query):
    org = stage.choir("aurora", owner=OWNER)
    found = steps(stage, org, "", query)
    assert any(step.startswith("SEARCH") and "works" in step for step in found)
    assert any(step.startswith("SEARCH e USING") and "idx_editions_free" in step for step in found)
    assert not any(step.startswith("SCAN") and ("works" in step or "editions" in step) for step in found)


def test_a_guest_sees_the_works_of_which_an_edition_is_free(stage):
    org = stage.choir("aurora", owner=OWNER)
    for title, kind in (("Free", "public_domain"), ("Hired", "licensed")):
        work = stage.call("work.create", OWNER, org, title=title)
        stage.call("edition.create", OWNER, org, work_id=work["id"], name=title, license_type=kind)
    resources = {resource.table: resource for resource in CHOIR.resources}
    seen = {}
    for caller in ("", OWNER):
        request = parse_request("GET", "works", (("select", "title"), ("order", "title")))
        assert isinstance(request, ReadRequest)
        plan = plan_read(read_schema(stage.tx), resources, stage.as_person(org, caller), request, stage.now)
        seen[caller] = stage.tx.query(read_statement(plan))[0][0]
    assert "Hired" not in str(seen[""])
    assert "Free" in str(seen[""])
    assert "Hired" in str(seen[OWNER])
