"""Rows over HTTP as PostgREST clients expect them: select, embed, page, count, upsert, and what a write answers."""

import pytest

from tests.handlers.http.site import REST, Caller, Site, error_of, make_choir, make_site, refused

TITLES = ["Ave verum", "Locus iste", "Os justi", "Ubi caritas"]
SINGULAR = "application/vnd.pgrst.object+json"


def scene(site: Site) -> Caller:
    """A librarian."""
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Mari", "mari@aurora.example", ["librarian"])
    return site.sign_in("aurora", "mari@aurora.example")


def library(site: Site) -> Caller:
    """Four works, the first with two editions."""
    mari = scene(site)
    works = mari.add("works", [{"title": title, "composer": title[0]} for title in TITLES]).json()
    first = works[0]["id"]
    mari.add("editions", [{"work_id": first, "name": name} for name in ("Urtext", "Part")])
    return mari


def test_a_table_is_filtered_ordered_and_cut_to_the_columns_asked_for(site):
    mari = library(site)
    assert mari.rows("works?select=title&title=gt.B&order=title.desc&limit=2") == [
        {"title": "Ubi caritas"}, {"title": "Os justi"},
    ]  # fmt: skip
    assert mari.rows("works?select=name:title&or=(title.like.O*,composer.eq.L)&order=title") == [
        {"name": "Locus iste"}, {"name": "Os justi"},
    ]  # fmt: skip


def test_an_embed_goes_both_ways(site):
    mari = library(site)
    assert mari.rows("works?select=title,editions(name)&order=title&limit=2&editions.order=name") == [
        {"title": "Ave verum", "editions": [{"name": "Part"}, {"name": "Urtext"}]},
        {"title": "Locus iste", "editions": []},
    ]
    assert mari.rows("editions?select=name,works(title)&name=eq.Part") == [
        {"name": "Part", "works": {"title": "Ave verum"}}
    ]
    assert [row["title"] for row in mari.rows("works?select=title,editions!inner()")] == ["Ave verum"]


def test_a_count_comes_with_the_page_it_belongs_to(site):
    mari = library(site)
    page = mari.get("works?limit=2&offset=1", prefer="count=exact")
    assert (page.status, page.header("content-range")) == (206, "1-2/4")
    assert page.header("preference-applied") == "count=exact"
    whole = mari.get("works", prefer="count=exact")
    assert (whole.status, whole.header("content-range")) == (200, "0-3/4")
    assert mari.get("works?limit=2").header("content-range") == "0-1/*"
    assert mari.get("works?title=eq.none", prefer="count=exact").header("content-range") == "*/0"
    beyond = mari.get("works?offset=9", prefer="count=exact")
    assert refused(beyond) == (416, "PGRST103")


def test_a_range_header_pages(site):
    page = library(site).get("works?order=title&select=title", range="1-2", range_unit="items", prefer="count=exact")
    assert (page.status, page.header("content-range")) == (206, "1-2/4")
    assert [row["title"] for row in page.json()] == TITLES[1:3]


def test_no_answer_has_more_rows_than_the_limit(tmp_path, clock):
    site = make_site(tmp_path, clock, max_rows="3")
    try:
        mari = library(site)
        assert len(mari.rows("works")) == len(mari.rows("works?limit=99")) == 3
        assert len(mari.rows("works?limit=2")) == 2
        assert mari.get("works", prefer="count=exact").header("content-range") == "0-2/4"
    finally:
        site.services.close()


def test_head_counts_without_rows(site):
    answer = library(site).send("HEAD", f"{REST}/works", prefer="count=exact")
    assert (answer.status, answer.body, answer.header("content-range")) == (200, b"", "0-3/4")
    assert answer.header("content-type") == "application/json; charset=utf-8"


def test_one_object_is_given_for_one_row_only(site):
    mari = library(site)
    one = mari.get("works?title=eq.Os justi&select=title".replace(" ", "%20"), accept=SINGULAR)
    assert (one.status, one.json()) == (200, {"title": "Os justi"})
    assert one.header("content-type") == f"{SINGULAR}; charset=utf-8"
    several = mari.get("works", accept=SINGULAR)
    assert refused(several) == (406, "PGRST116")
    assert error_of(several)["details"] == "The result contains 4 rows"
    assert error_of(mari.get("works?id=eq.x", accept=SINGULAR))["details"] == "The result contains 0 rows"


def test_a_write_that_was_to_touch_one_row_and_touches_more_touches_none(site):
    mari = library(site)
    answer = mari.send(
        "PATCH", f"{REST}/works?title=gt.B", {"lyricist": "x"}, accept=SINGULAR, prefer="return=representation"
    )
    assert refused(answer) == (406, "PGRST116")
    assert mari.rows("works?lyricist=eq.x") == []


def test_an_insert_answers_as_preferred(site):
    mari = scene(site)
    minimal = mari.add("works", {"title": "A"}, prefer="return=minimal")
    assert (minimal.status, minimal.body, minimal.header("content-type")) == (201, b"", None)
    shown = mari.add("works?select=title,composer", [{"title": "B"}, {"title": "C"}])
    assert (shown.status, shown.json()) == (201, [{"title": "B", "composer": None}, {"title": "C", "composer": None}])
    assert shown.header("preference-applied") == "return=representation"
    placed = mari.add("works", {"title": "D"}, prefer="return=headers-only")
    assert (placed.status, placed.body) == (201, b"")
    where = (placed.header("location") or "").removeprefix("/")
    assert mari.rows(f"{where}&select=title") == [{"title": "D"}]
    counted = mari.add("works", {"title": "E"}, prefer="count=exact, return=minimal")
    assert counted.header("content-range") == "*/1"


def test_an_update_and_a_delete_answer_as_preferred(site):
    mari = library(site)
    silent = mari.send("PATCH", f"{REST}/works?composer=eq.L", {"lyricist": "x"})
    assert (silent.status, silent.body) == (204, b"")
    changed = mari.send(
        "PATCH", f"{REST}/works?composer=eq.L&select=lyricist", {"lyricist": "y"}, prefer="return=representation"
    )
    assert (changed.status, changed.json()) == (200, [{"lyricist": "y"}])
    none = mari.send("PATCH", f"{REST}/works?composer=eq.Q", {"lyricist": "y"}, prefer="return=representation")
    assert (none.status, none.json()) == (200, [])
    gone = mari.send("DELETE", f"{REST}/works?composer=eq.L&select=title", prefer="return=representation")
    assert (gone.status, gone.json()) == (200, [{"title": "Locus iste"}])
    assert mari.send("DELETE", f"{REST}/works?composer=eq.L").status == 204
    assert len(mari.rows("works")) == 3


def test_a_strict_limit_on_the_rows_touched_holds(site):
    mari = library(site)
    answer = mari.send("DELETE", f"{REST}/works?id=not.is.null", prefer="handling=strict, max-affected=3")
    assert refused(answer) == (400, "PGRST124")
    assert len(mari.rows("works")) == 4


def test_a_bad_row_among_good_ones_leaves_none(site):
    mari = scene(site)
    assert mari.add("works", [{"title": "A"}, {"title": " "}]).status == 400
    assert mari.rows("works") == []


def test_an_upsert_by_its_key_ignores_or_refuses_a_second_row(site):
    mari = library(site)
    alto = mari.rows("sections?name=eq.Alto&select=id")[0]["id"]
    edition = mari.rows("editions?name=eq.Part&select=id")[0]["id"]
    listing = {"edition_id": edition, "section_id": alto}
    assert mari.add("edition_sections", listing).status == 201
    again = mari.add("edition_sections", listing, prefer="resolution=ignore-duplicates,return=representation")
    assert (again.status, again.json()) == (201, [])
    assert refused(mari.add("edition_sections", listing)) == (409, "23505")
    assert len(mari.rows("edition_sections")) == 1


@pytest.mark.parametrize("id_given", ["01890000-0000-7000-8000-000000000000", ""])
def test_the_server_makes_the_ids(site, id_given):
    answer = scene(site).add("works", {"title": "A", "id": id_given})
    assert (answer.status, error_of(answer)["details"]) == (400, "id")


def test_put_changes_the_row_under_its_key_and_makes_none_where_the_server_makes_the_keys(site):
    mari = library(site)
    work = mari.rows("works?title=eq.Os%20justi")[0]
    path = f"{REST}/works?id=eq.{work['id']}"
    put = mari.send("PUT", path, {"id": work["id"], "title": "Os justi meditabitur"})
    assert (put.status, put.body) == (204, b"")
    shown = mari.send("PUT", f"{path}&select=title", {"id": work["id"], "title": "Os"}, prefer="return=representation")
    assert (shown.status, shown.json()) == (200, [{"title": "Os"}])
    new = "01890000-0000-7000-8000-000000000000"
    assert refused(mari.send("PUT", f"{REST}/works?id=eq.{new}", {"id": new, "title": "x"})) == (400, "invalid_input")
    assert refused(mari.send("PUT", f"{REST}/works?title=eq.Os", {"title": "Os"})) == (405, "PGRST105")
    listing = {
        "edition_id": mari.rows("editions?select=id")[0]["id"],
        "section_id": mari.rows("sections?select=id")[0]["id"],
    }
    key = "&".join(f"{name}=eq.{value}" for name, value in listing.items())
    # A second time it would be a change, which nobody may make there.
    assert [mari.send("PUT", f"{REST}/edition_sections?{key}", listing).status for _ in range(2)] == [201, 403]


def test_a_schema_other_than_public_is_not_there(site):
    mari = library(site)
    assert mari.get("works", accept_profile="public").status == 200
    assert refused(mari.get("works", accept_profile="registry")) == (406, "PGRST106")


def test_a_verb_is_called_by_get_or_post_when_it_reads_and_by_post_when_it_writes(site):
    mari = library(site)
    by_get, by_post = mari.get("rpc/work.search?q=JUSTI"), mari.call("work.search", q="JUSTI")
    assert by_get.json() == by_post.json()
    assert [work["title"] for work in by_get.json()] == ["Os justi"]
    head = mari.send("HEAD", f"{REST}/rpc/work.list")
    assert (head.status, head.body) == (200, b"")
    for method in ("GET", "HEAD"):
        assert mari.send(method, f"{REST}/rpc/work.create?title=x").status == 405
    assert len(mari.rows("works")) == 4
    near = mari.call("work.crate", title="x")
    assert refused(near) == (404, "PGRST202")
    assert "work.create" in (error_of(near)["hint"] or "")


def test_json_that_calls_itself_a_form_is_taken_as_json(site):
    # `curl -d` says so of whatever it sends.
    mari, form = scene(site), "application/x-www-form-urlencoded"
    answer = mari.send("POST", f"{REST}/works", b' {"title": "Locus iste"}', content_type=form)
    assert answer.status == 201, answer.text
    code = mari.send("POST", "/auth/v1/otp", b'{"email": "mari@aurora.example"}', content_type=form)
    assert code.status == 200, code.text
    # And a form is a row.
    assert mari.send("POST", f"{REST}/works", b"title=Os+justi", content_type=form).status == 201
    assert [row["title"] for row in mari.rows("works?order=title")] == ["Locus iste", "Os justi"]


@pytest.mark.parametrize(
    ("resolution", "days", "status", "shown"),
    [
        ("merge-duplicates", ["2026-02-01", "2026-01-01"], 201, ["2026-02-01", "2026-01-01"]),
        ("merge-duplicates", ["2026-01-01"], 200, ["2026-01-01"]),
        ("merge-duplicates", [], 200, []),
        ("ignore-duplicates", ["2026-01-01", "2026-02-01"], 201, ["2026-02-01"]),
        ("ignore-duplicates", ["2026-01-01"], 201, []),
        ("ignore-duplicates", [], 201, []),
    ],
)
def test_an_upsert_is_answered_as_postgrest_answers_it(site, resolution, days, status, shown):
    choir = make_choir(site, "aurora")
    door = site.sign_in("aurora", choir.owner)
    door.add("seasons", {"name": "There", "start_date": "2026-01-01"})
    prefer = f"return=representation, resolution={resolution}"
    rows = [{"name": "Sent", "start_date": day} for day in days]
    answer = door.add("seasons?on_conflict=org_id,start_date&select=start_date", rows, prefer=prefer)
    assert (answer.status, [row["start_date"] for row in answer.json()]) == (status, shown)
    assert answer.header("preference-applied") == f"resolution={resolution}, return=representation"


@pytest.mark.parametrize(
    ("method", "path", "prefer", "applied"),
    [
        ("GET", "works?limit=1", "count=planned", "count=planned"),
        ("GET", "works?limit=1", "count=estimated, handling=lenient, foo", "count=estimated, handling=lenient"),
        ("GET", "works?limit=1", "timezone=UTC, return=minimal", "timezone=UTC"),
        ("GET", "works?limit=1", "timezone=Nowhere", None),
        ("GET", "works?limit=1", "max-affected=1", None),
        ("POST", "works", "tx=rollback, missing=default, count=exact", "missing=default, count=exact, tx=rollback"),
        ("POST", "works", "return=headers-only, tx=commit", "return=headers-only, tx=commit"),
        ("POST", "works", "return=minimal, return=representation", "return=minimal"),
        ("PATCH", "works?title=eq.x", "max-affected=2, handling=strict", "handling=strict, max-affected=2"),
        ("DELETE", "works?title=eq.x", "max-affected=2, handling=lenient", "handling=lenient"),
        ("POST", "rpc/work.create", "tx=rollback", "tx=rollback"),
        ("GET", "rpc/work.list", "count=exact", "count=exact"),
    ],
)
def test_each_preference_that_counted_is_named(site, method, path, prefer, applied):
    body = {"title": "New"} if method in ("POST", "PATCH") else None
    answer = scene(site).send(method, f"{REST}/{path}", body, prefer=prefer)
    assert answer.status < 300, answer.text
    assert answer.header("preference-applied") == applied
