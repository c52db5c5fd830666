"""`vaultry history`: what was done over HTTP, commit by commit."""

from db.log.commit_log import CommitLog
from db.log.retention import Retention, make_ranges
from tests.handlers.cli.over_http import owner_of

HOUR_MS = 3_600_000


def told(entries: list) -> list[tuple]:
    """Verb, request and rows of every request, the newest commit first."""
    return [(work["verb"], work["request_id"], work["tables"]) for entry in entries for work in entry["works"]]


def some_requests(shell, open_services) -> list[str]:
    """The ids of two works, after requests that add three, change one and remove one."""
    owner = owner_of(shell, open_services)
    ids = owner.add("r-add", "works", {"title": "Ave"}, {"title": "Locus"}, {"title": "Os"})
    owner.change("r-change", f"works?id=eq.{ids[0]}", composer="Mozart")
    owner.remove("r-remove", f"works?id=eq.{ids[2]}")
    return ids[:2]


def test_requests_are_listed_newest_first_with_who_did_what_to_how_many_rows(shell, open_services):
    some_requests(shell, open_services)
    entries = shell.json("history", "bella", "--limit", "3")
    assert told(entries) == [
        ("delete.works", "r-remove", {"works": {"delete": 1}}),
        ("patch.works", "r-change", {"works": {"update": 1}}),
        ("post.works", "r-add", {"works": {"insert": 3}}),
    ]
    (member,) = shell.rows("SELECT id FROM members")
    assert {(work["actor"], work["actor_kind"]) for entry in entries for work in entry["works"]} == {
        (member["id"], "person")
    }
    assert entries[0]["bookmark"] == shell.ok("bookmark", "bella").strip()


def test_the_figures_are_those_of_the_stored_objects(shell, open_services):
    some_requests(shell, open_services)
    services = open_services()
    entry = services.entry("bella")
    log = CommitLog(services.site.store, entry.id)
    sizes = {found.max_txid: found.size for found in log.list_level(0)}
    pages = {file.header.max_txid: len(file.pages) for file in log.fetch(log.list_level(0))}
    for line in shell.json("history", "bella"):
        assert (line["bytes"], line["pages"]) == (sizes[line["last"]], pages[line["last"]])


def test_pages_of_the_list_follow_each_other(shell, open_services):
    some_requests(shell, open_services)
    whole = shell.json("history", "bella")
    pages, before = [], []
    while True:
        page = shell.json("history", "bella", "--limit", "2", *before)
        if not page:
            break
        pages += page
        before = ["--before", page[-1]["bookmark"]]
    assert pages == whole


def test_one_table_at_a_time(shell, open_services):
    some_requests(shell, open_services)
    entries = shell.json("history", "bella", "--table", "works")
    assert [request for _, request, _ in told(entries)] == ["r-remove", "r-change", "r-add"]
    assert shell.json("history", "bella", "--table", "editions") == []


def test_requests_of_folded_commits_are_still_told(shell, open_services):
    some_requests(shell, open_services)
    services = open_services()
    log = CommitLog(services.site.store, services.entry("bella").id)
    make_ranges(log, log.list_all(), services.clock().ms + 48 * HOUR_MS, Retention())
    head = max(found.max_txid for found in log.list_all())
    log.delete([found for found in log.list_level(0) if 1 < found.max_txid < head])
    newest, beginning = shell.json("history", "bella")
    assert (newest["kind"], newest["first"], newest["last"]) == ("range", 2, head)
    assert [request for _, request, _ in told([newest])][-3:] == ["r-add", "r-change", "r-remove"]
    assert beginning["kind"] == "beginning"


def test_people_read_a_line_for_each_request(shell, open_services):
    some_requests(shell, open_services)
    lines = shell.ok("history", "bella", "--limit", "1").splitlines()
    assert lines[0].split() == ["time", "bookmark", "who", "verb", "request", "rows", "pages", "bytes"]
    assert "delete.works" in lines[1]
    assert "works -1" in lines[1]


def test_a_bookmark_of_another_vault_is_refused(shell, open_services):
    shell.choir("bella")
    shell.choir("canta")
    other = shell.ok("bookmark", "canta").strip()
    assert "(bookmark_unknown)" in shell.refused("history", "bella", "--before", other)
