"""REST over HTTP beyond rows in JSON: other forms, tags, tried writes, methods, limits, and verbs that return rows."""

from dataclasses import replace

import pytest

from db.errors import Conflict
from db.fields import Flag, Integer, JsonObject, ListOf, Text
from domain.charter import Verb
from domain.choir.charter import CHOIR
from tests.handlers.http.site import REST, Caller, Site, error_of, make_choir, make_site, refused

SINGULAR = "application/vnd.pgrst.object+json"
STRIPPED = "application/vnd.pgrst.array+json;nulls=stripped"
PLAN = "application/vnd.pgrst.plan+json"


def library(site: Site) -> Caller:
    """A librarian's three works, two of them by one composer."""
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Mari", "mari@aurora.example", ["librarian"])
    mari = site.sign_in("aurora", "mari@aurora.example")
    mari.add("works", [{"title": t, "composer": c} for t, c in (("Ave", "B"), ("Locus", "B"), ("Os", None))])
    return mari


def test_csv_goes_out_and_in(site):
    mari = library(site)
    out = mari.get("works?select=title,composer&order=title", accept="text/csv")
    assert (out.status, out.header("content-type")) == (200, "text/csv; charset=utf-8")
    assert out.text == "title,composer\nAve,B\nLocus,B\nOs,\n"
    made = mari.send("POST", f"{REST}/works", b"title,composer\nUbi,NULL\n", content_type="text/csv")
    assert made.status == 201
    assert mari.rows("works?title=eq.Ubi&select=composer") == [{"composer": None}]


def test_nulls_are_left_out_on_request(site):
    answer = library(site).get("works?select=title,composer&title=eq.Os", accept=STRIPPED)
    assert (answer.header("content-type"), answer.json()) == (f"{STRIPPED}; charset=utf-8", [{"title": "Os"}])


def test_groups_are_counted(site):
    mari = library(site)
    assert mari.rows("works?select=composer,count()&order=composer") == [
        {"composer": "B", "count": 2}, {"composer": None, "count": 1},
    ]  # fmt: skip


def test_a_query_plan_needs_the_setting(tmp_path, clock, site):
    assert refused(library(site).get("works", accept=PLAN)) == (406, "PGRST107")
    site.services.close()
    other = make_site(tmp_path, clock, rest_plans="on")
    try:
        mari = other.sign_in("aurora", "mari@aurora.example")
        plan = mari.get("works?title=eq.Ave", accept=PLAN)
        assert (plan.status, plan.header("content-type")) == (200, f"{PLAN}; charset=utf-8")
        assert plan.json()[0]["Plan"]
        assert refused(other.guest("aurora").get("works", accept=PLAN)) == (406, "PGRST107")
    finally:
        other.services.close()


def test_what_the_client_has_is_not_sent_again(site):
    mari = library(site)
    for query, form in (("works?order=title", "application/json"), ("works?title=eq.Os", SINGULAR)):
        first = mari.get(query, accept=form)
        tag = first.header("etag") or ""
        again = mari.get(query, accept=form, if_none_match=tag)
        assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
        assert again.header("content-type") is None
        assert mari.get(query, accept=form, if_none_match='"other"').status == 200
    tag = mari.get("works?order=title").header("etag") or ""
    mari.add("works", {"title": "Ubi"})
    assert mari.get("works?order=title", if_none_match=tag).status == 200


def test_a_row_is_changed_only_as_it_was_read(site):
    mari = library(site)
    read = mari.get("works?title=eq.Os&select=id", accept=SINGULAR)
    path, tag = f"{REST}/works?id=eq.{read.json()['id']}", read.header("etag") or ""
    first = mari.send("PATCH", path, {"composer": "x"}, if_match=tag, accept=SINGULAR, prefer="return=representation")
    assert first.status == 200
    late = mari.send("PATCH", path, {"composer": "y"}, if_match=tag)
    assert refused(late) == (412, "precondition_failed")
    assert mari.send("DELETE", path, if_match=tag).status == 412
    assert mari.rows("works?title=eq.Os&select=composer") == [{"composer": "x"}]
    assert mari.send("DELETE", path, if_match=first.header("etag") or "").status == 204


def test_a_write_may_be_tried_and_leaves_no_trace(site):
    mari = library(site)
    wish = "tx=rollback,return=representation"
    made = mari.add("works?select=title", {"title": "Ubi"}, prefer=wish, idempotency_key="k1")
    assert (made.status, made.json()) == (201, [{"title": "Ubi"}])
    assert made.header("preference-applied") == "return=representation, tx=rollback"
    assert made.header("x-d1-bookmark") == mari.get("works").header("x-d1-bookmark")
    gone = mari.send("DELETE", f"{REST}/works?title=not.is.null", prefer=wish)
    assert len(gone.json()) == 3
    assert mari.call("work.create", title="Ubi").status == 200
    tried = mari.send("POST", f"{REST}/rpc/work.create", {"title": "Ubi 2"}, prefer="tx=rollback")
    assert tried.status == 200
    assert [row["title"] for row in mari.rows("works?select=title&order=title")] == ["Ave", "Locus", "Os", "Ubi"]
    # The key of a write that was only tried is free.
    assert mari.add("works", {"title": "Ubi 3"}, idempotency_key="k1").status == 201


def test_an_address_says_which_methods_it_takes(site):
    mari = library(site)
    for path, allowed in (
        ("works", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("members", "OPTIONS,GET,HEAD"),
        ("rpc/work.list", "OPTIONS,GET,HEAD,POST"),
        ("rpc/work.create", "OPTIONS,POST"),
        ("", "OPTIONS,GET,HEAD"),
    ):
        answer = mari.send("OPTIONS", f"{REST}/{path}")
        assert (answer.status, answer.body, answer.header("allow")) == (200, b"", allowed)
    assert refused(mari.send("OPTIONS", f"{REST}/vaultry_audit")) == (404, "PGRST205")
    assert refused(mari.send("OPTIONS", f"{REST}/rpc/no.verb")) == (404, "PGRST202")


def test_a_read_says_where_it_came_from_and_in_which_schema(site):
    answer = library(site).get("works?select=title&order=title", accept_profile="public")
    assert answer.header("content-location") == "/works?order=title&select=title"
    assert answer.header("content-profile") == "public"
    assert "Prefer" in (answer.header("vary") or "")


def test_an_error_names_itself_in_a_header(site):
    answer = library(site).get("works?nothing=eq.1")
    assert refused(answer) == (400, "42703")
    assert answer.header("proxy-status") == "vaultry; error=42703"
    near = library_free(site).get("work")
    assert error_of(near)["hint"] == "Perhaps you meant the table 'public.works'"


def library_free(site: Site) -> Caller:
    """A guest of the same choir."""
    return site.guest("aurora")


def test_a_table_filtered_beside_its_alias_gets_a_warning(site):
    answer = library(site).get("works?select=title,prints:editions(name)&editions.name=eq.x")
    assert answer.header("warning") == "299 - \"'editions' has the alias 'prints': filter by the alias\""


@pytest.mark.parametrize(
    ("setting", "value", "query", "code"),
    [
        ("rest_query_characters", "256", f"works?title=eq.{'x' * 256}", "too_large"),
        ("rest_embed_depth", "1", "works?select=id,editions(id,works(id))", "too_large"),
        ("rest_aggregates", "off", "works?select=count()", "PGRST123"),
    ],
)
def test_a_limit_is_a_setting(tmp_path, clock, setting, value, query, code):
    site = make_site(tmp_path, clock, **{setting: value})
    try:
        assert refused(library(site).get(query))[1] == code
    finally:
        site.services.close()


def test_an_insert_has_as_many_rows_as_the_setting_says(tmp_path, clock):
    site = make_site(tmp_path, clock, rest_insert_rows="2")
    try:
        answer = library_of_one(site).add("works", [{"title": t} for t in "ABC"])
        assert refused(answer) == (413, "too_large")
        assert "the limit is 2" in error_of(answer)["message"]
    finally:
        site.services.close()


def library_of_one(site: Site) -> Caller:
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Mari", "mari@aurora.example", ["librarian"])
    return site.sign_in("aurora", "mari@aurora.example")


ROWS = [
    {"name": "a", "size": 3, "ratio": 0.5, "on": True, "tags": ["x"], "mixed": 1},
    {"name": "b", "size": 1, "ratio": 2.0, "on": False, "tags": [], "mixed": "1"},
    {"name": "c", "size": None, "ratio": 1.5, "on": None, "tags": ["x", "y"], "mixed": None},
]


def verbs(site: Site) -> Caller:
    """A guest of a choir with verbs that return rows, one object, a number and what they were given."""
    make_choir(site, "aurora")
    params = {"names": ListOf(Text()), "size": Integer(), "on": Flag(), "order": Text()}
    added = (
        Verb("t.rows", lambda tx, p, args, now: ROWS, False, "Rows."),
        Verb("t.none", lambda tx, p, args, now: [], False, "No rows."),
        Verb("t.one", lambda tx, p, args, now: ROWS[0], False, "One."),
        Verb("t.number", lambda tx, p, args, now: 7, False, "A number."),
        Verb("t.echo", lambda tx, p, args, now: dict(args), False, "Echo.", (), params),
        Verb("t.whole", lambda tx, p, args, now: args["rows"], False, "Echo.", (), {"rows": ListOf(JsonObject())}),
        Verb("t.object", lambda tx, p, args, now: args["data"], False, "Echo.", (), {"data": JsonObject()}),
        Verb("t.text", lambda tx, p, args, now: args["text"], False, "Echo.", (), {"text": Text()}),
        Verb("t.write", lambda tx, p, args, now: ROWS, True, "Rows."),
        Verb("t.void", lambda tx, p, args, now: None, True, "Nothing."),
        Verb("t.fail", lambda tx, p, args, now: (_ for _ in ()).throw(Conflict("no")), True, "Fails."),
    )
    charter = replace(CHOIR, verbs=(*CHOIR.verbs, *added))
    site.services.charter = lambda _: charter
    return site.guest("aurora")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select=name&size=gt.1", [{"name": "a"}]),
        ("select=n:name,size&order=size.desc.nullslast&limit=2", [{"n": "a", "size": 3}, {"n": "b", "size": 1}]),
        ("select=name&order=name.desc&offset=2", [{"name": "a"}]),
        ("select=on,tags&name=in.(a,b)", [{"on": True, "tags": ["x"]}, {"on": False, "tags": []}]),
        ("select=name&on=is.true", [{"name": "a"}]),
        ("select=name&tags=cs.{y}", [{"name": "c"}]),
        ("select=name&or=(ratio.gt.1.8,size.eq.3)", [{"name": "a"}, {"name": "b"}]),
        ("select=name&not.or=(name.eq.a,name.eq.b)", [{"name": "c"}]),
        ("select=mixed", [{"mixed": 1}, {"mixed": "1"}, {"mixed": None}]),
        ("select=size.sum(),count()", [{"sum": 4, "count": 3}]),
        ("select=tags->0&name=eq.c", [{"tags": "x"}]),
    ],
)
def test_rows_of_a_verb_are_read_like_a_table(site, query, expected):
    guest = verbs(site)
    by_get = guest.get(f"rpc/t.rows?{query}")
    assert (by_get.status, by_get.json()) == (200, expected)
    assert guest.send("POST", f"{REST}/rpc/t.rows?{query}", {}).json() == expected


def test_rows_of_a_verb_are_counted_paged_and_formed(site):
    guest = verbs(site)
    page = guest.get("rpc/t.rows?limit=2", prefer="count=exact")
    assert (page.status, page.header("content-range"), len(page.json())) == (206, "0-1/3", 2)
    ranged = guest.get("rpc/t.rows", range="1-1", range_unit="items")
    assert (ranged.header("content-range"), ranged.json()) == ("1-1/*", [ROWS[1]])
    assert guest.send("HEAD", f"{REST}/rpc/t.rows", prefer="count=exact").header("content-range") == "0-2/3"
    assert guest.get("rpc/t.rows?select=name,size", accept="text/csv").text == "name,size\na,3\nb,1\nc,\n"
    assert guest.get("rpc/t.rows?name=eq.a&select=name", accept=SINGULAR).json() == {"name": "a"}
    assert refused(guest.get("rpc/t.rows", accept=SINGULAR)) == (406, "PGRST116")
    assert refused(guest.get("rpc/t.rows?nothing=eq.1"))[1] == "42703"
    assert refused(guest.get("rpc/t.rows?select=works(id)"))[1] == "PGRST200"
    assert guest.get("rpc/t.rows").json() == ROWS
    assert guest.get("rpc/t.none?limit=1").json() == []


def test_an_object_or_a_scalar_of_a_verb_keeps_its_shape(site):
    guest = verbs(site)
    assert guest.get("rpc/t.one").json() == ROWS[0]
    assert guest.get("rpc/t.one?select=name,on").json() == {"name": "a", "on": True}
    assert guest.get("rpc/t.one", accept=SINGULAR).json() == ROWS[0]
    assert guest.get("rpc/t.number").json() == guest.get("rpc/t.number", accept=SINGULAR).json() == 7
    assert refused(guest.get("rpc/t.number?select=a")) == (400, "PGRST100")
    counted = guest.get("rpc/t.number", prefer="count=exact")
    assert (counted.json(), counted.header("content-range")) == (7, "0-0/1")
    assert guest.get("rpc/t.number").header("content-range") is None


def test_arguments_come_from_the_query_or_the_body(site):
    guest = verbs(site)
    assert guest.get("rpc/t.echo?names={a,\"b,c\"}&size=5&on=true".replace('"', "%22")).json() == {
        "names": ["a", "b,c"], "size": 5, "on": 1,
    }  # fmt: skip
    assert guest.get("rpc/t.echo?names=a&names=b").json() == {"names": ["a", "b"]}
    assert guest.get('rpc/t.echo?names=["a"]&order=eq.5'.replace('"', "%22")).json() == {
        "names": ["a"],
        "order": "eq.5",
    }
    assert guest.call("t.whole", rows=[{"a": 1}]).json() == [{"a": 1}]
    assert guest.send("POST", f"{REST}/rpc/t.whole", [{"a": 1}]).json() == [{"a": 1}]
    assert guest.send("POST", f"{REST}/rpc/t.object", {"a": {"b": 1}}).json() == {"a": {"b": 1}}
    assert guest.send("POST", f"{REST}/rpc/t.object", {"data": {"b": 1}}).json() == {"b": 1}
    assert guest.send("POST", f"{REST}/rpc/t.text", b"hello", content_type="text/plain").json() == "hello"
    form = guest.send(
        "POST", f"{REST}/rpc/t.echo", b"size=5&names={a}", content_type="application/x-www-form-urlencoded"
    )
    assert form.json() == {"size": 5, "names": ["a"]}
    assert guest.send("POST", f"{REST}/rpc/t.echo?columns=size", {"size": 1, "junk": 2}).json() == {"size": 1}
    assert refused(guest.get("rpc/t.echo?junk=5")) == (400, "invalid_input")


def test_a_strict_limit_on_what_a_verb_touches_holds(site):
    guest = verbs(site)

    def call(verb: str, most: int) -> tuple[int, str]:
        answer = guest.send("POST", f"{REST}/rpc/{verb}", {}, prefer=f"handling=strict,max-affected={most}")
        return (answer.status, "") if answer.status < 300 else refused(answer)

    assert call("t.write", 3) == (200, "")
    assert call("t.write", 2) == (400, "PGRST124")
    assert call("t.void", 2) == (400, "PGRST128")


def test_a_verb_keeps_postgrests_errors(site):
    guest = verbs(site)
    assert refused(guest.send("PUT", f"{REST}/rpc/t.rows", {})) == (405, "PGRST101")
    assert refused(guest.send("GET", f"{REST}/rpc/t.write")) == (405, "25006")
    assert refused(guest.get("rpc/t.rows", accept_profile="private")) == (406, "PGRST106")
    assert refused(guest.get("rpc/t.rows", accept="image/png")) == (406, "PGRST107")
    assert refused(guest.get("rpc/t.rows", prefer="handling=strict,foo")) == (400, "PGRST122")
    near = error_of(guest.get("rpc/t.row"))
    assert near["message"] == "Could not find the function public.t.row without parameters in the schema cache"
    assert near["hint"] == "Perhaps you meant to call the function public.t.rows"


def test_what_a_verb_returned_is_not_sent_again(site):
    guest = verbs(site)
    tag = guest.get("rpc/t.rows", accept="application/json").header("etag") or ""
    assert guest.get("rpc/t.rows", if_none_match=tag).status == 304
