"""Every method that the published PostgREST client for Python exports, in both its kinds, against a running server."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import postgrest
import pytest
from postgrest._async import client as async_client
from postgrest._async import request_builder as async_builders
from postgrest._sync import client as sync_client
from postgrest._sync import request_builder as sync_builders
from postgrest.exceptions import APIError
from postgrest.types import CountMethod, ReturnMethod

from tests.interop.clients_page import check_methods, check_outcomes
from tests.interop.papers import PAPERS, open_papers
from tests.interop.served import served
from tests.interop.watched import WORKS, Calls, defined_methods

pytestmark = pytest.mark.filterwarnings("ignore:.*from_table.*:DeprecationWarning", "ignore:Call to deprecated")
# What each finds of the three papers.
Filter = Callable[[Any], Any]
FILTERS: dict[str, tuple[Filter, list[int]]] = {
    "eq": (lambda asked: asked.eq("title", "Ave Maria"), [1]),
    "neq": (lambda asked: asked.neq("id", 1), [2, 3]),
    "gt": (lambda asked: asked.gt("pages", 4), [2]),
    "gte": (lambda asked: asked.gte("pages", 4), [1, 2]),
    "lt": (lambda asked: asked.lt("pages", 8), [1]),
    "lte": (lambda asked: asked.lte("pages", 8), [1, 2]),
    "is_": (lambda asked: asked.is_("pages", None), [3]),
    "like": (lambda asked: asked.like("title", "%us%"), [2, 3]),
    "like_all_of": (lambda asked: asked.like_all_of("title", "%us%,%L%"), [2]),
    "like_any_of": (lambda asked: asked.like_any_of("title", "Ave%,Os%"), [1, 3]),
    "ilike": (lambda asked: asked.ilike("title", "%MARIA"), [1]),
    "ilike_all_of": (lambda asked: asked.ilike_all_of("title", "%A%,%VE%"), [1]),
    "ilike_any_of": (lambda asked: asked.ilike_any_of("title", "%AVE%,%OS%"), [1, 3]),
    "or_": (lambda asked: asked.or_("id.eq.1,pages.is.null"), [1, 3]),
    "fts": (lambda asked: asked.fts("title", "ave & maria"), [1]),
    "plfts": (lambda asked: asked.plfts("title", "iste locus"), [2]),
    "phfts": (lambda asked: asked.phfts("title", "os justi"), [3]),
    "wfts": (lambda asked: asked.wfts("title", "maria or justi"), [1, 3]),
    "in_": (lambda asked: asked.in_("title", ["Os justi", "Locus iste", "a,b"]), [2, 3]),
    "not_": (lambda asked: asked.not_.in_("id", [1, 2]), [3]),
    "cs": (lambda asked: asked.cs("tags", ["a", "b"]), [1]),
    "cd": (lambda asked: asked.cd("tags", ["b", "c"]), [2, 3]),
    "contains": (lambda asked: asked.contains("data", {"n": 2}), [2]),
    "contained_by": (lambda asked: asked.contained_by("span", "[0,10)"), [1, 2]),
    "ov": (lambda asked: asked.ov("tags", ["a", "x"]), [1]),
    "overlaps": (lambda asked: asked.overlaps("span", "[4,6)"), [1, 2]),
    "sl": (lambda asked: asked.sl("span", (19, 30)), [1, 2]),
    "sr": (lambda asked: asked.sr("span", (0, 9)), [3]),
    "nxl": (lambda asked: asked.nxl("span", (4, 7)), [2, 3]),
    "nxr": (lambda asked: asked.nxr("span", (0, 9)), [1, 2]),
    "adj": (lambda asked: asked.adj("span", (8, 20)), [2, 3]),
    "range_gt": (lambda asked: asked.range_gt("span", (0, 9)), [3]),
    "range_gte": (lambda asked: asked.range_gte("span", (4, 7)), [2, 3]),
    "range_lt": (lambda asked: asked.range_lt("span", (19, 30)), [1, 2]),
    "range_lte": (lambda asked: asked.range_lte("span", (0, 9)), [1, 2]),
    "range_adjacent": (lambda asked: asked.range_adjacent("span", (8, 20)), [2, 3]),
    "match": (lambda asked: asked.match({"id": 2, "title": "Locus iste"}), [2]),
    "filter": (lambda asked: asked.filter("title", "imatch", "ISTE$"), [2]),
    "text_search": (lambda asked: asked.text_search("title", "os justi", {"type": "phrase"}), [3]),
}


def kinds(*modules: Any) -> tuple[type, ...]:
    """The clients and builders of the modules: a new one is found too."""
    return tuple(
        {
            kind
            for module in modules
            for name, kind in inspect.getmembers(module, inspect.isclass)
            if name.startswith(("Sync", "Async"))
            and name.endswith(("Client", "Builder"))
            and "postgrest" in kind.__module__
        }
    )


KINDS = {
    "sync": kinds(sync_client, sync_builders),
    "async": kinds(async_client, async_builders),
}


async def finished(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value


async def refused(build: Any) -> str:
    with pytest.raises(APIError) as caught:
        await finished(build.execute())
    return str(caught.value.code)


async def rows(build: Any) -> Any:
    return (await finished(build.execute())).data


async def write(client: Any) -> None:
    """Inserts, upserts, updates and deletes; leaves the three papers."""
    table = client.from_("papers")
    await rows(client.table("authors").insert({"id": 1, "name": "Bruckner"}))
    told = await finished(table.insert(list(PAPERS), count=CountMethod.exact, returning=ReturnMethod.minimal).execute())
    assert (told.data, told.count) == ([], 3)
    made = [{"id": 4, "title": "Ubi"}, {"id": 5, "title": "Ecce", "pages": 9}]
    inserted = await rows(table.insert(made, default_to_null=False))
    assert [row["kind"] for row in inserted] == ["score", "score"]
    assert (await rows(table.upsert({"id": 4, "title": "Ubi caritas"})))[0]["title"] == "Ubi caritas"
    again = table.upsert({"id": 99, "title": "Ubi caritas"}, on_conflict="title", ignore_duplicates=True)
    assert await rows(again) == []
    assert await refused(table.insert({"id": 9, "title": "Ecce"})) == "23505"
    assert await refused(table.update({"pages": 1}).gt("id", 0).max_affected(1)) == "PGRST124"
    assert await refused(table.delete()) == "21000"
    changed = await rows(table.update({"pages": 10}).eq("id", 5).max_affected(1).select("id", "pages").retry(False))
    assert changed == [{"id": 5, "pages": 10}]
    gone = await rows(table.delete(count=CountMethod.exact).in_("id", [4, 5]))
    assert [row["id"] for row in gone] == [4, 5]


async def read(client: Any) -> None:
    """Every form of the answer."""
    table = client.from_("papers")
    assert await rows(table.select("title", "authors(name)").eq("id", 1).single().retry(True)) == {
        "title": "Ave Maria", "authors": {"name": "Bruckner"},
    }  # fmt: skip
    assert await refused(table.select("*").single()) == "PGRST116"
    assert await finished(table.select("*").eq("id", 77).maybe_single().retry(True).execute()) is None
    found = await finished(table.select("id").eq("id", 2).maybe_single().execute())
    assert found.data == {"id": 2}
    page = table.select("id", count=CountMethod.exact).order("pages", desc=True, nullsfirst=False).range(0, 1)
    told = await finished(page.execute())
    assert (told.data, told.count) == ([{"id": 2}, {"id": 1}], 3)
    assert await rows(table.select("id").order("id").limit(1).offset(1)) == [{"id": 2}]
    assert (await finished(table.select("*", count=CountMethod.planned, head=True).execute())).count == 3
    assert await rows(table.select("id", "title").eq("id", 2).csv()) == "id,title\n2,Locus iste\n"
    assert "SEARCH" in await finished(table.select("*").eq("id", 1).explain(analyze=True).retry(True).execute())
    assert (await rows(table.select("*").explain(format="json")))[0]["Plan"]
    assert await rows(table.select("id", "pages").eq("id", 3).strip_nulls()) == [{"id": 3}]


async def call(client: Any) -> None:
    """Verbs, and what narrows their rows."""
    assert await rows(client.rpc("papers.count", {})) == 3
    echo = {"names": ["a", "b"], "size": 2}
    assert await rows(client.rpc("papers.echo", echo, get=True)) == [echo]
    assert (await finished(client.rpc("papers.echo", {"size": 2}, count="exact", head=True).execute())).count == 1
    assert await rows(client.rpc("papers.echo", echo).select("size").eq("size", 2).single()) == {"size": 2}
    assert await rows(client.rpc("papers.echo", echo).select("size").csv()) == "size\n2\n"
    assert (await finished(client.rpc("papers.echo", echo).select("size").maybe_single().execute())).data == {"size": 2}
    assert await refused(client.rpc("papers.count", {}, get=True)) == "25006"


async def every_method(client: Any, guest: Any, token: str) -> dict[str, list[int]]:
    """What the filters find; the rest is asserted here."""
    await write(client)
    await read(client)
    await call(client)
    assert await rows(client.from_table("papers").select("id").eq("id", 1)) == [{"id": 1}]
    assert await rows(client.schema("public").from_("papers").select("id").eq("id", 2)) == [{"id": 2}]
    assert await refused(client.schema("other").from_("papers").select("*")) == "PGRST106"
    assert await refused(guest.from_("papers").insert({"title": "x"})) == "42501"
    assert await rows(guest.auth(token).from_("authors").insert({"id": 2, "name": "Tormis"}))
    found: dict[str, list[int]] = {}
    for name, (narrowed, _) in FILTERS.items():
        found[name] = [row["id"] for row in await rows(narrowed(client.from_("papers").select("id").order("id")))]
    await finished(guest.aclose())
    await finished(client.aclose())
    return found


def run(kind: str, address: str, token: str) -> tuple[Calls, dict[str, list[int]]]:
    calls = Calls(KINDS[kind])
    headers = {"Authorization": f"Bearer {token}"}

    async def main() -> dict[str, list[int]]:
        made = postgrest.SyncPostgrestClient if kind == "sync" else postgrest.AsyncPostgrestClient
        opened = httpx.Client if kind == "sync" else httpx.AsyncClient
        # Past any proxy of this machine.
        client, guest = (
            made(f"{address}/aurora/rest/v1", headers=given, http_client=opened(trust_env=False))
            for given in (headers, {"apikey": "sb_publishable_none"})
        )
        return await every_method(calls.watch(client), calls.watch(guest), token)

    return calls, asyncio.run(main())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_every_method_is_called_and_does_what_it_says(tmp_path, kind):
    site, choir = open_papers(tmp_path)
    token = site.api_token(choir, "owner")
    with served(site.services) as address:
        calls, found = run(kind, address, token)
    assert found == {name: ids for name, (_, ids) in FILTERS.items()}
    assert {name for name, outcome in calls.outcomes.items() if outcome != WORKS} == set()
    # A method of a new version shows up here.
    assert defined_methods(KINDS[kind]) - set(calls.outcomes) == set()
    plain = {name.partition(".")[2]: outcome for name, outcome in calls.outcomes.items()}
    check_methods("postgrest", plain)
    check_outcomes("postgrest", plain)
