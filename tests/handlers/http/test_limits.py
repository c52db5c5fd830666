"""Limits of REST at their edge, over HTTP: what just fits is served, one more is refused and told the limit."""

from dataclasses import fields

import pytest

from domain.charter import Founding
from handlers.settings import Settings
from handlers.tenant.provisioning import provision
from tests.handlers.http.site import OPERATOR, REST, Caller, Choir, Site, error_of, make_choir, make_site, refused

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
    "filters": ({"rest_filters": "7"}, 7, lambda n: "works?" + "&".join(["title=neq.x"] * n)),
    "select items": ({"rest_select_items": "7"}, 7, lambda n: "works?select=" + ",".join(["id"] * n)),
    "embeds": ({"rest_embeds": "7"}, 7,
        lambda n: "works?select=" + ",".join(f"a{i}:editions(id)" for i in range(n))),
    "order terms": ({"rest_order_terms": "7"}, 7, lambda n: "works?order=" + ",".join(["title"] * n)),
    "levels of and(...) and or(...)": ({"rest_logic_depth": "7"}, 7,
        lambda n: "works?and=" + "(or" * (n - 1) + "(title.eq.x)" + ")" * (n - 1)),
    "steps into JSON": ({"rest_json_steps": "7"}, 7, lambda n: "works?select=title" + "->a" * n),
    "characters of a regular expression": ({"rest_pattern_characters": "70"}, 70,
        lambda n: f"works?title=match.{'a' * n}"),
    "query parameters": ({"query_parameters": "7"}, 7,
        lambda n: "works?" + "&".join(["select=id", *["x=1"] * (n - 1)])),
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


def highest(name: str) -> int:
    """The most that an operator may set."""
    known = next(each for each in fields(Settings) if each.name == name)
    most: int = known.metadata["high"]
    return most


WIDEST = {
    "rest_embed_depth": chain,
    "rest_filters": lambda n: "works?" + "&".join(["title=not.ilike.x*"] * n),
    "rest_logic_depth": lambda n: "works?and=" + "(not.or" * (n - 1) + "(title.eq.x)" + ")" * (n - 1),
    "rest_select_items": lambda n: "works?select=" + ",".join(f"a{i}:title->>x" for i in range(n)),
    "rest_embeds": lambda n: "works?select=" + ",".join(f"a{i}:editions(id)" for i in range(n)),
    "rest_order_terms": lambda n: "works?order=" + ",".join(["title->a.desc.nullsfirst"] * n),
    "rest_json_steps": lambda n: "works?select=title" + "->a" * n + "&title" + "->a" * n + "=eq.1",
    "rest_pattern_characters": lambda n: f"works?title=match.{'a' * n}",
    "query_parameters": lambda n: "works?" + "&".join(["select=id", *["x=1"] * (n - 1)]),
}


@pytest.mark.parametrize("name", WIDEST)
def test_the_most_that_may_be_set_is_answered_and_no_error_of_ours(tmp_path, clock, name):
    most = highest(name)
    widened = {"rest_query_characters": "1000000", "rest_embeds": "50", "rest_filters": "500"} | {name: str(most)}
    site = make_site(tmp_path, clock, **widened)
    try:
        mari = librarian(site)
        mari.add("works", {"title": "A"})
        answer = mari.get(WIDEST[name](most))
        if answer.status == 413 and name == "rest_embed_depth":
            # How deep SQLite reads is not ours to set.
            assert "SQLite reads a hundred levels" in error_of(answer)["message"]
            return
        assert answer.status in (200, 400), answer.text
        # What is nonsense is so for another reason.
        assert answer.status == 200 or error_of(answer)["code"] in ("PGRST100", "PGRST127"), answer.text
    finally:
        site.services.close()


def band_librarian(site: Site) -> Caller:
    """Of a band, whose music has a full-text index."""
    made = provision(
        site.services, "band", Founding("brass", "Brass", "bo@brass.example", {"owner_name": "Bo"}), OPERATOR
    )
    token = site.api_token(Choir("brass", made.entry, "bo@brass.example", made.link), "LIBRARIAN")
    return site.guest("brass").with_token(token)


def test_words_of_a_search_are_limited_and_the_most_that_may_be_set_is_answered(tmp_path, clock):
    most = highest("rest_search_words")
    for words in (7, most):
        site = make_site(tmp_path / str(words), clock, rest_search_words=str(words))
        try:
            librarian = band_librarian(site)
            for operator, sign in (
                ("plfts", "%20"),
                ("phfts", "%20"),
                ("wfts", "%20or%20"),
                ("fts", "%26"),
                ("fts", "|"),
            ):
                fits = librarian.get(f"music_pieces?title={operator}.{sign.join(['a'] * words)}")
                assert fits.status == 200 or operator == "wfts", fits.text
            over = librarian.get(f"music_pieces?title=plfts.{'%20'.join(['a'] * (words + 1))}")
            assert (over.status, error_of(over)["message"]) == (
                413,
                f"got {words + 1} words in a full-text query, the limit is {words}",
            )
        finally:
            site.services.close()


def test_regular_expressions_are_stopped_at_the_time_set(tmp_path, clock):
    """Rows whose reading alone takes longer than a millisecond; within the ordinary limit they are read."""
    texts = [f"{number:03} {'ab' * 95}" for number in range(400)]
    pattern = "works?title=match.(a%7Cab)*c%24&select=id"
    for most, status in (("60000", 200), ("1", 413)):
        site = make_site(tmp_path / most, clock, rest_regex_ms=most)
        try:
            mari = librarian(site)
            assert mari.add("works", [{"title": text} for text in texts]).status == 201
            answer = mari.get(pattern)
            assert answer.status == status, answer.text
            if status == 413:
                assert refused(answer) == (413, "57014")
                assert "longer than 1 ms, the limit" in error_of(answer)["message"]
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
