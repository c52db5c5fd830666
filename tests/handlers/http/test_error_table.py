"""PostgREST's errors, one by one: the request that earns each, its status, code and text, over HTTP."""

import json
from typing import Any

import pytest

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import REST, Caller, Site, error_of, make_choir, make_site

SINGULAR = "application/vnd.pgrst.object+json"
MANY = [{"title": "A"}, {"title": "B"}]
NO_SUCH = "00000000-0000-7000-8000-000000000000"

# method, path, headers, body -> status, code, message; then what else is in the error.
TABLE: list[tuple[str, str, dict[str, str], Any, int, str, str, dict[str, Any]]] = [
    ("GET", "works?title=nope.x", {}, None, 400, "PGRST100",
     '"failed to parse filter (nope.x)" (line 1, column 1)', {}),
    ("GET", "works?select=title,", {}, None, 400, "PGRST100",
     '"failed to parse select parameter (title,)" (line 1, column 7)',
     {"details": "unexpected end of input expecting a name"}),
    ("GET", "works?order=title.up", {}, None, 400, "PGRST100",
     '"failed to parse order (title.up)" (line 1, column 9)', {}),
    ("GET", "works?or=(title.eq.a", {}, None, 400, "PGRST100",
     '"failed to parse logic tree ((title.eq.a)" (line 1, column 12)', {}),
    ("POST", "works?columns=a,", {}, {}, 400, "PGRST100",
     '"failed to parse columns parameter (a,)" (line 1, column 3)', {}),
    ("POST", "works?on_conflict=a,", {}, {}, 400, "PGRST100",
     '"failed to parse on_conflict parameter (a,)" (line 1, column 3)', {}),
    ("PUT", "rpc/work.list", {}, {}, 405, "PGRST101", "Cannot use the PUT method on RPC", {}),
    ("POST", "works", {}, b"}{", 400, "PGRST102", "Empty or invalid json", {}),
    ("POST", "works", {}, b"", 400, "PGRST102", "Empty or invalid json", {}),
    ("POST", "works", {}, [{"title": "A"}, {"composer": "B"}], 400, "PGRST102", "All object keys must match", {}),
    ("POST", "works", {}, [{"title": "A"}, 1], 400, "PGRST102", "All object keys must match", {}),
    ("POST", "works", {"content_type": "text/csv"}, b"title,composer\nA\n", 400, "PGRST102",
     "All lines must have same number of fields", {}),
    ("GET", "works?limit=-1", {}, None, 416, "PGRST103", "Requested range not satisfiable",
     {"details": "Limit should be greater than or equal to zero."}),
    ("GET", "works", {"range": "5-2"}, None, 416, "PGRST103", "Requested range not satisfiable",
     {"details": "The lower boundary must be lower than or equal to the upper boundary in the Range header."}),
    ("GET", "works?offset=9", {"prefer": "count=exact"}, None, 416, "PGRST103", "Requested range not satisfiable",
     {"details": "An offset of 9 was requested, but there are only 2 rows."}),
    ("PUT", "works?title=eq.A", {}, {"title": "A"}, 405, "PGRST105",
     "Filters must include all and only primary key columns with 'eq' operators", {}),
    ("GET", "works", {"accept_profile": "private"}, None, 406, "PGRST106", "Invalid schema: private",
     {"hint": "Only the following schemas are exposed: public"}),
    ("POST", "works", {"content_profile": "private"}, {}, 406, "PGRST106", "Invalid schema: private", {}),
    ("GET", "works", {"accept": "image/png"}, None, 406, "PGRST107",
     "None of these media types are available: image/png", {}),
    ("GET", "works?editions.name=eq.a", {}, None, 400, "PGRST108",
     "'editions' is not an embedded resource in this request",
     {"hint": "Verify that 'editions' is included in the 'select' query parameter."}),
    ("PUT", f"works?id=eq.{NO_SUCH}&limit=1", {}, {"id": NO_SUCH, "title": "A"}, 400, "PGRST114",
     "limit/offset querystring parameters are not allowed for PUT", {}),
    ("PUT", f"works?id=eq.{NO_SUCH}", {}, {"id": "other", "title": "A"}, 400, "PGRST115",
     "Payload values do not match URL in primary key column(s)", {}),
    ("GET", "works", {"accept": SINGULAR}, None, 406, "PGRST116", "Cannot coerce the result to a single JSON object",
     {"details": "The result contains 2 rows"}),
    ("PATCH", "works?title=eq.Z", {"accept": SINGULAR}, {"composer": "x"}, 406, "PGRST116",
     "Cannot coerce the result to a single JSON object", {"details": "The result contains 0 rows"}),
    ("BREW", "works", {}, None, 405, "PGRST117", "Unsupported HTTP method: BREW", {}),
    ("GET", "works?select=title,editions(name)&order=editions(name)", {}, None, 400, "PGRST118",
     "A related order on 'editions' is not possible",
     {"details": "'works' and 'editions' do not form a many-to-one or one-to-one relationship"}),
    ("GET", "works?select=editions()&editions=eq.1", {}, None, 400, "PGRST120",
     "Bad operator on the 'editions' embedded resource",
     {"details": "Only is null or not is null filters are allowed on embedded resources"}),
    ("GET", "works", {"prefer": "handling=strict, foo, bar"}, None, 400, "PGRST122",
     "Invalid preferences given with handling=strict", {"details": "Invalid preferences: foo, bar"}),
    ("GET", "works", {"prefer": "handling=strict, timezone=Nowhere"}, None, 400, "PGRST122",
     "Invalid preferences given with handling=strict", {"details": "Invalid preferences: timezone=Nowhere"}),
    ("DELETE", "works?title=not.is.null", {"prefer": "handling=strict, max-affected=1"}, None, 400, "PGRST124",
     "Query result exceeds max-affected preference constraint", {"details": "The query affects 2 rows"}),
    ("GET", "works/extra", {}, None, 404, "PGRST125", "Invalid path specified in request URL", {}),
    ("GET", "works?title=fts.x", {}, None, 400, "PGRST127", "Feature not implemented", {}),
    ("POST", "rpc/work.update", {"prefer": "handling=strict, max-affected=1"}, {"work_id": "<work>", "title": "A"}, 400,
     "PGRST128", "Function must return SETOF or TABLE when max-affected preference is used with handling=strict", {}),
    ("GET", "works?select=edition(name)", {}, None, 400, "PGRST200",
     "Could not find a relationship between 'works' and 'edition' in the schema cache",
     {"details": "Searched for a foreign key relationship between 'works' and 'edition' in the schema 'public', "
      "but no matches were found.", "hint": "Perhaps you meant 'editions' instead of 'edition'."}),
    ("GET", "works?select=editions!space(name)", {}, None, 400, "PGRST200",
     "Could not find a relationship between 'works' and 'editions' in the schema cache",
     {"details": "Searched for a foreign key relationship between 'works' and 'editions' using the hint 'space' "
      "in the schema 'public', but no matches were found.", "hint": None}),
    ("GET", "affiliations?select=organizations(name)", {}, None, 300, "PGRST201",
     "Could not embed because more than one relationship was found for 'affiliations' and 'organizations'",
     {"details": [
         {"cardinality": "many-to-one", "embedding": "affiliations with organizations",
          "relationship": "affiliations_collective_id_fkey using affiliations(collective_id) and organizations(id)"},
         {"cardinality": "many-to-one", "embedding": "affiliations with organizations",
          "relationship": "affiliations_umbrella_id_fkey using affiliations(umbrella_id) and organizations(id)"},
      ],
      "hint": "Try changing 'organizations' to one of the following: "
      "'organizations!affiliations_collective_id_fkey', 'organizations!affiliations_umbrella_id_fkey'. "
      "Find the desired relationship in the 'details' key."}),
    ("GET", "organizations?select=affiliations(id)", {}, None, 300, "PGRST201",
     "Could not embed because more than one relationship was found for 'organizations' and 'affiliations'",
     {"details": [
         {"cardinality": "one-to-many", "embedding": "organizations with affiliations",
          "relationship": "affiliations_collective_id_fkey using organizations(id) and affiliations(collective_id)"},
         {"cardinality": "one-to-many", "embedding": "organizations with affiliations",
          "relationship": "affiliations_umbrella_id_fkey using organizations(id) and affiliations(umbrella_id)"},
      ]}),
    ("GET", "rpc/work.lis", {}, None, 404, "PGRST202",
     "Could not find the function public.work.lis without parameters in the schema cache",
     {"details": "Searched for the function public.work.lis without parameters, "
      "but no matches were found in the schema cache.",
      "hint": "Perhaps you meant to call the function public.work.list"}),
    ("POST", "rpc/nothing.at.all", {}, {"a": 1, "b": 2}, 404, "PGRST202",
     "Could not find the function public.nothing.at.all(a, b) in the schema cache",
     {"details": "Searched for the function public.nothing.at.all with parameters a, b or with a single unnamed "
      "json/jsonb parameter, but no matches were found in the schema cache.", "hint": None}),
    ("POST", "works", {}, {"title": "A", "opus": 1}, 400, "PGRST204",
     "Could not find the 'opus' column of 'works' in the schema cache", {}),
    ("GET", "work", {}, None, 404, "PGRST205", "Could not find the table 'public.work' in the schema cache",
     {"hint": "Perhaps you meant the table 'public.works'"}),
    ("OPTIONS", "work", {}, None, 404, "PGRST205", "Could not find the table 'public.work' in the schema cache", {}),
    ("GET", "works", {"authorization": "Bearer a.b"}, None, 401, "PGRST301",
     "the access token was refused: it is not a signed token of at most 4096 characters; sign in again", {}),
    ("GET", "works?titel=eq.x", {}, None, 400, "42703", "column works.titel does not exist",
     {"hint": 'Perhaps you meant to reference the column "works.title".'}),
    ("GET", "members?select=email_id_lookup", {}, None, 400, "42703",
     "column members.email_id_lookup does not exist", {}),
    ("GET", "works?select=title::nope", {}, None, 400, "42704", 'type "nope" does not exist', {}),
    ("GET", "works?select=title.sum()", {}, None, 404, "42883", "function sum(text) does not exist", {}),
    ("GET", "works?select=count()&order=title", {}, None, 400, "42803",
     'column "title" must appear in the GROUP BY clause or be used in an aggregate function', {}),
    ("GET", "voices?display_order=eq.x", {}, None, 400, "22P02", 'invalid input syntax for type integer: "x"', {}),
    ("GET", "voices?display_order=eq.99999999999999999999", {}, None, 400, "22003",
     'value "99999999999999999999" is out of range for type integer (64 bits)', {}),
    ("GET", "works?title=match.(", {}, None, 400, "2201B", "invalid regular expression: missing ): (", {}),
    ("POST", "works?on_conflict=title", {"prefer": "resolution=merge-duplicates"}, {"title": "A"}, 400, "42P10",
     "there is no unique constraint matching the ON CONFLICT specification", {}),
    ("PATCH", "works", {}, {"composer": "x"}, 400, "21000", "UPDATE requires a filter", {}),
    ("DELETE", "works", {}, None, 400, "21000", "DELETE requires a filter", {}),
    ("POST", "members", {}, {"name": "x"}, 403, "42501", "permission denied for table members",
     {"details": None, "hint": "rows of members are written by verbs; /aurora/docs has them"}),
    ("POST", "events", {}, {"title": "x"}, 403, "42501", "permission denied for table events",
     {"details": "needs one of: events:create", "hint": "roles that have it: conductor"}),
    ("DELETE", "events?id=eq.x", {}, None, 403, "42501", "permission denied for table events",
     {"details": "needs one of: events:delete", "hint": "roles that have it: conductor"}),
    ("GET", "rpc/work.create?title=A", {}, None, 405, "25006", "work.create writes: call it by POST", {}),
    ("POST", "edition_sections", {}, {"edition_id": "<edition>", "section_id": "<section>"}, 409, "23505",
     'duplicate key value violates unique constraint on "edition_sections" (edition_id, section_id)', {}),
]  # fmt: skip


def scene(site: Site) -> tuple[Caller, dict[str, str]]:
    """Somebody with the librarian's and the admin's desk, two works, an edition that is listed for a section."""
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Mari", "mari@aurora.example", ["admin", "librarian"])
    mari = site.sign_in("aurora", "mari@aurora.example")
    works = mari.add("works", MANY).json()
    edition = mari.add("editions", {"work_id": works[0]["id"], "name": "E"}).json()[0]["id"]
    section = mari.rows("sections?select=id&limit=1")[0]["id"]
    mari.add("edition_sections", {"edition_id": edition, "section_id": section})
    return mari, {"<work>": works[0]["id"], "<edition>": edition, "<section>": section}


def sent(caller: Caller, ids: dict[str, str], method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
    if body is not None and not isinstance(body, bytes):
        text = json.dumps(body)
        for name, value in ids.items():
            text = text.replace(name, value)
        body = text.encode()
    return caller.send(method, f"{REST}/{path}", body, **headers)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """One scene for the whole table: a refused request changes nothing, which the last test of it holds."""
    from tests.handlers.http.site import Clock

    site = make_site(tmp_path_factory.mktemp("errors"), Clock())
    mari, ids = scene(site)
    before = mari.get("works").header("x-d1-bookmark")
    yield mari, ids
    assert mari.get("works").header("x-d1-bookmark") == before
    site.services.close()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[5]} {row[0]} {row[1]}")
def test_the_error_is_postgrests(desk, row):
    method, path, headers, body, status, code, message, more = row
    mari, ids = desk
    caller = mari.with_token("") if "authorization" in headers else mari
    answer = sent(caller, ids, method, path, headers, body)
    error = error_of(answer)
    assert (answer.status, error["code"], error["message"]) == (status, code, message)
    assert {name: error[name] for name in more} == more
    assert answer.header("proxy-status") == f"vaultry; error={code}"


def test_a_page_behind_the_last_row_says_how_many_there_are(desk):
    mari, _ = desk
    assert mari.get("works?offset=9", prefer="count=exact").header("content-range") == "*/2"


def test_guests_are_asked_to_sign_in_where_members_are_refused(desk):
    mari, _ = desk
    guest = mari.with_token("")
    answer = guest.add("works", {"title": "A"})
    assert (answer.status, error_of(answer)["code"]) == (401, "42501")
    assert answer.header("www-authenticate") == "Bearer"


def test_aggregates_can_be_turned_off(tmp_path, clock):
    site = make_site(tmp_path, clock, rest_aggregates="off")
    try:
        make_choir(site, "aurora")
        answer = site.guest("aurora").get("works?select=count()")
        assert (answer.status, error_of(answer)["code"]) == (400, "PGRST123")
        assert error_of(answer)["message"] == "Use of aggregate functions is not allowed"
    finally:
        site.services.close()
