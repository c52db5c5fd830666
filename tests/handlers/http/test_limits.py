"""Limits of REST at their edge, over HTTP: what just fits is served, one more is refused and told the limit."""

import pytest

from handlers.http_answer import QUERY_PARAMETERS
from tests.handlers.http.site import REST, Caller, Site, error_of, make_choir, make_site

TITLE = "works?title=eq."


def librarian(site: Site) -> Caller:
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Mari", "mari@aurora.example", ["librarian"])
    return site.sign_in("aurora", "mari@aurora.example")


def chain(levels: int) -> str:
    """A select with embeds inside each other."""
    names = [("editions", "works")[level % 2] for level in range(levels)]
    return "works?select=id" + "".join(f",{name}(id" for name in names) + ")" * levels


QUERIES = {
    "characters of query string": ({"rest_query_characters": "300"}, 300,
        lambda n: f"{TITLE}{'x' * (n - len('titleeq.'))}"),
    "levels of embedding": ({"rest_embed_depth": "2"}, 2, chain),
    "filters": ({}, 200, lambda n: "works?" + "&".join(["title=neq.x"] * n)),
    "select items": ({}, 300, lambda n: "works?select=" + ",".join(["id"] * n)),
    "embeds": ({}, 20, lambda n: "works?select=" + ",".join(f"a{i}:editions(id)" for i in range(n))),
    "order terms": ({}, 20, lambda n: "works?order=" + ",".join(["title"] * n)),
    "levels of and(...) and or(...)": ({}, 10,
        lambda n: "works?and=" + "(or" * (n - 1) + "(title.eq.x)" + ")" * (n - 1)),
    "steps into JSON": ({}, 10, lambda n: "works?select=title" + "->a" * n),
    "characters of a regular expression": ({}, 500, lambda n: f"works?title=match.{'a' * n}"),
    "query parameters": ({}, QUERY_PARAMETERS, lambda n: "works?" + "&".join(["select=id", *["x=1"] * (n - 1)])),
}  # fmt: skip


@pytest.mark.parametrize("what", QUERIES)
def test_a_request_at_the_limit_is_read_and_one_over_it_is_told_the_limit(tmp_path, clock, what):
    settings, limit, query = QUERIES[what]
    site = make_site(tmp_path, clock, **settings)
    try:
        mari = librarian(site)
        fits, over = mari.get(query(limit)), mari.get(query(limit + 1))
        # What fits may still be nonsense for another reason; it is not too large.
        assert fits.status == 200 or error_of(fits)["code"] != "too_large", fits.text
        assert (over.status, error_of(over)["code"]) == (413, "too_large")
        assert error_of(over)["message"] == f"got {limit + 1} {what}, the limit is {limit}"
    finally:
        site.services.close()


def test_rows_of_an_insert_and_of_an_answer_are_limited(tmp_path, clock):
    site = make_site(tmp_path, clock, rest_insert_rows="3", max_rows="2")
    try:
        mari = librarian(site)
        rows = [{"title": title} for title in "ABCD"]
        assert mari.add("works", rows[:3]).status == 201
        over = mari.add("works", rows)
        assert (over.status, error_of(over)["message"]) == (413, "got 4 rows in one insert, the limit is 3")
        csv = mari.send("POST", f"{REST}/works", b"title\nA\nB\nC\nD\n", content_type="text/csv")
        assert (csv.status, error_of(csv)["message"]) == (413, "got 4 rows in one insert, the limit is 3")
        # As PostgREST's: a longer list is cut, and the count says that it was.
        page = mari.get("works?limit=9", prefer="count=exact")
        assert (page.status, page.header("content-range"), len(page.json())) == (206, "0-1/3", 2)
    finally:
        site.services.close()


def test_a_body_is_limited(tmp_path, clock):
    site = make_site(tmp_path, clock, max_body_bytes="2048")
    try:
        mari = librarian(site)
        empty = len(b'{"title":""}')
        fits = mari.send("POST", f"{REST}/works", b'{"title":"' + b"x" * (2048 - empty) + b'"}')
        assert (fits.status, error_of(fits)["message"]) == (
            400,
            f"title: got {2048 - empty} characters, the limit is 200",
        )
        over = mari.send("POST", f"{REST}/works", b'{"title":"' + b"x" * (2049 - empty) + b'"}')
        assert (over.status, error_of(over)["code"]) == (413, "too_large")
        assert "the limit is 2048 (VAULTRY_MAX_BODY_BYTES)" in error_of(over)["message"]
    finally:
        site.services.close()
