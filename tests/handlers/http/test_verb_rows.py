"""Rows of a table that a verb answers with: whole, as REST gives them, and with what belongs to them embedded."""

from typing import Any

from domain.choir.charter import CHOIR
from tests.handlers.http.planning import MERETUUL, association
from tests.handlers.http.shelves import edition
from tests.handlers.http.site import REST, Caller, Choir, Site, make_choir, refused

SINGULAR = "application/vnd.pgrst.object+json"
UMBRELLA = "owner@union.example"


def desk(site: Site) -> Caller:
    """Somebody with every desk of a choir."""
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Mari", "mari@aurora.example", ["admin", "librarian", "conductor"])
    return site.sign_in("aurora", "mari@aurora.example")


def shelf(mari: Caller, title: str = "Locus", **given: Any) -> dict[str, Any]:
    """A work with an edition and a copy that is out."""
    edition_id = edition(mari, title, license_type="public_domain", **given)
    work_id = mari.rows(f"editions?id=eq.{edition_id}&select=work_id")[0]["work_id"]
    copy = mari.done("copy.add", edition_id=edition_id, copy_number="1", condition="fair")
    member_id = mari.rows("members?name=eq.Mari&select=id")[0]["id"]
    mari.done("copy.assign", copy_id=copy["id"], member_id=member_id)
    return {"work_id": work_id, "edition_id": edition_id, "copy_id": copy["id"], "member_id": member_id}


def test_a_verb_that_names_a_table_answers_with_its_whole_rows(site):
    mari = desk(site)
    made = shelf(mari)
    season = mari.done("season.create", name="Spring", start_date="2026-01-01")
    day = {"title": "Rehearsal", "starts_at": "2026-03-01T18:00:00Z", "event_type": "rehearsal"}
    event = mari.done("event.create_many", events=[day])[0]
    book = {"work_id": made["work_id"], "name": "Second"}
    arguments: dict[str, dict[str, Any]] = {
        "work.get": {"work_id": made["work_id"]},
        "work.create": {"title": "Os justi"},
        "work.update": {"work_id": made["work_id"], "composer": "Bruckner"},
        "edition.get": {"edition_id": made["edition_id"]},
        "edition.create": book,
        "edition.update": {"edition_id": made["edition_id"], "voicing": "SATB"},
        "season.get": {"season_id": season["id"]},
        "season.events": {"season_id": season["id"]},
        "season.create": {"name": "Autumn", "start_date": "2026-08-01"},
        "season.update": {"season_id": season["id"], "name": "Late spring"},
        "event.get": {"event_id": event["id"]},
        "event.create_many": {"events": [day]},
        "event.update": {"event_id": event["id"], "location": "Tartu"},
        "copy.list": {"edition_id": made["edition_id"]},
        "copy.get": {"copy_id": made["copy_id"]},
        "copy.add": {"edition_id": made["edition_id"], "copy_number": "2"},
        "copy.update": {"copy_id": made["copy_id"], "condition": "poor"},
        "copy.history": {"edition_id": made["edition_id"]},
        "copy.holders": {"edition_id": made["edition_id"]},
        "member.copies": {"member_id": made["member_id"]},
    }
    checked = {verb.name for verb in CHOIR.verbs if verb.rows and not verb.name.startswith("affiliation.")}
    assert set(arguments) <= checked
    for verb in CHOIR.verbs:
        if verb.name in checked:
            assert verb.rows is not None
            hold_whole(mari, verb.rows, mari.done(verb.name, **arguments.get(verb.name, {})))


def hold_whole(caller: Caller, table: str, result: Any) -> None:
    """Each row has every column of the table, with the values that REST reads."""
    rows = result if isinstance(result, list) else [result]
    assert rows, table
    for row in rows:
        (stored,) = caller.rows(f"{table}?id=eq.{row['id']}")
        assert {name: row[name] for name in stored} == stored


def test_the_association_answers_with_whole_rows_too(site, clock):
    choirs = association(site)
    umbrella = site.sign_in("union", choirs["union"].owner)
    scope = choirs["meretuul"].entry.scope
    umbrella.done("affiliation.end", collective_id=scope)
    clock.tick(1)
    hold_whole(umbrella, "affiliations", umbrella.done("affiliation.create", collective_id=scope))
    hold_whole(umbrella, "affiliations", umbrella.done("affiliation.active"))
    hold_whole(umbrella, "affiliations", umbrella.done("affiliation.history", collective_id=scope))
    assert site.sign_in("meretuul", MERETUUL).rows("rpc/affiliation.active?select=left_at,collective_id") == [
        {"left_at": None, "collective_id": scope}
    ]


def test_what_belongs_to_the_rows_is_embedded(site):
    mari = desk(site)
    shelf(mari, "Locus", name="Urtext")
    mari.done("work.create", title="Os justi")
    select = "select=title,editions(name,physical_copies(copy_number))&order=title.desc"
    assert mari.rows(f"rpc/work.list?{select}") == [
        {"title": "Os justi", "editions": []},
        {"title": "Locus", "editions": [{"name": "Urtext", "physical_copies": [{"copy_number": "1"}]}]},
    ]
    assert mari.rows("rpc/work.list?select=title,editions!inner()") == [{"title": "Locus"}]
    assert mari.rows("rpc/work.list?select=title,editions()&editions=is.null") == [{"title": "Os justi"}]
    assert mari.rows("rpc/work.list?select=title,editions(count())&editions.name=eq.nothing&order=title") == [
        {"title": "Locus", "editions": [{"count": 0}]},
        {"title": "Os justi", "editions": [{"count": 0}]},
    ]
    assert mari.rows("rpc/edition.list?select=name,...works(title)&order=works(title)") == [
        {"name": "Urtext", "title": "Locus"}
    ]
    assert mari.rows("rpc/edition.list?select=name,sections(name)") == [{"name": "Urtext", "sections": []}]
    assert mari.rows("rpc/work.list?select=id.count(),...editions(n:name.count())") == [{"count": 2, "n": 1}]


def test_a_verb_that_writes_shows_what_belongs_to_what_it_wrote(site):
    mari = desk(site)
    work = mari.send("POST", f"{REST}/rpc/work.create?select=title,organizations(name)", {"title": "Ave"}).json()
    assert work == {"title": "Ave", "organizations": {"name": "Aurora"}}
    refusal = mari.send("POST", f"{REST}/rpc/work.create?select=title,nobody(name)", {"title": "Twice"})
    assert refused(refusal) == (400, "PGRST200")
    assert mari.rows("works?title=eq.Twice") == []


def test_what_is_embedded_is_what_the_caller_may_see(site):
    mari, guest = desk(site), site.guest("aurora")
    shelf(mari, "Locus")
    work_id = mari.rows("works?select=id")[0]["id"]
    mari.done("edition.create", work_id=work_id, name="Ours", license_type="owned")
    select = "select=editions(name),organizations(name,language)"
    mari_sees = mari.rows(f"rpc/work.get?work_id={work_id}&{select}")
    assert sorted(row["name"] for row in mari_sees["editions"]) == ["Choir score", "Ours"]
    assert guest.rows(f"rpc/work.get?work_id={work_id}&{select}") == {
        "editions": [{"name": "Choir score"}], "organizations": {"name": "Aurora", "language": None},
    }  # fmt: skip
    assert guest.rows("rpc/work.list?select=editions(count())") == [{"editions": [{"count": 1}]}]
    assert guest.rows("rpc/work.list?select=title,editions!inner(name)&editions.name=eq.Ours") == []
    copies = guest.rows("rpc/edition.list?select=physical_copies(id)")
    assert copies == [{"physical_copies": []}]


def test_a_token_embeds_only_what_it_was_given(site):
    shelf(desk(site))
    door = site.guest("aurora")
    whole = Choir("aurora", site.services.entry("aurora"), "", "")
    narrow = door.with_token(site.api_token(whole, "librarian", tables=[], verbs=["work.list"]))
    both = door.with_token(site.api_token(whole, "librarian", tables=["works", "editions"], verbs=["work.list"]))
    assert narrow.rows("rpc/work.list?select=title") == [{"title": "Locus"}]
    assert refused(narrow.get("rpc/work.list?select=title,editions(name)")) == (400, "PGRST200")
    assert both.rows("rpc/work.list?select=title,editions(name)")[0]["editions"]
    assert refused(both.get("rpc/work.list?select=title,organizations(name)")) == (400, "PGRST200")


def test_columns_are_known_before_there_is_a_row(site):
    mari = desk(site)
    assert mari.rows("rpc/work.list?select=title,editions(name)") == []
    assert refused(mari.get("rpc/work.list?select=no_such")) == (400, "42703")
    assert mari.get("rpc/work.list?select=title,composer", accept="text/csv").text == "title,composer\n"
    assert refused(mari.get("rpc/work.list?title=eq.x", accept=SINGULAR)) == (406, "PGRST116")
    assert mari.get("rpc/season.by_date").status == 204
