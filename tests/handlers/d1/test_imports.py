"""Imports over the D1 face: one commit or none, remembered for a day, gone on with after a kill."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from db.clock import Moment, system_moment
from db.log.commit_log import CommitLog
from db.registry.database_jobs import NewJob, begin_job, hold_job
from db.transfer.importing import import_text
from handlers.d1 import work
from handlers.jobs.declared import chosen_jobs
from tests.handlers.d1.desk import make_desk
from tests.handlers.d1.transfers import ORIGIN, ingest, md5, poll, run_import, upload
from tests.handlers.http.site import OPERATOR, Clock

ROOT = Path(__file__).parents[3]
TEXT = b"CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT);\nINSERT INTO t VALUES (1, 'a;b'), (2, 'c');\n"
COUNT = "SELECT count(*) AS n FROM t"


@pytest.fixture
def desk(tmp_path):
    desk = make_desk(tmp_path, system_moment)
    desk.create()
    yield desk
    desk.site.services.close()


def commits(desk) -> int:
    entry = desk.done("GET", "/shop")["uuid"]
    return max(found.max_txid for found in CommitLog(desk.site.services.site.store, entry).list_all())


def tables(desk) -> set[str]:
    found = desk.query("shop", "SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {row["name"] for row in found if not row["name"].startswith("vaultry_")}


def test_a_file_is_imported_in_one_commit(desk):
    before = commits(desk)
    done = run_import(desk, "shop", TEXT)
    assert (done["success"], done["type"], done["status"]) == (True, "import", "complete")
    assert done["result"]["num_queries"] == 2
    assert done["result"]["final_bookmark"] == desk.done("GET", "/shop/time_travel/bookmark")["bookmark"]
    assert all(
        isinstance(done["result"]["meta"][name], int | float) for name in ("duration", "rows_read", "rows_written")
    )
    assert commits(desk) == before + 1
    assert desk.query("shop", "SELECT y FROM t") == [{"y": "a;b"}, {"y": "c"}]


def test_an_import_is_audited_row_by_row_under_its_token(desk):
    run_import(desk, "shop", TEXT)
    rows = desk.query(
        "shop", "SELECT actor, verb, new_values FROM vaultry_audit WHERE table_name = 't' AND operation = 'insert'"
    )
    assert [row["new_values"] for row in rows] == ['{"x":1,"y":"a;b"}', '{"x":2,"y":"c"}']
    assert {(row["actor"][:6], row["verb"]) for row in rows} == {("token:", "d1.import")}


CONSTRAINT = "SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT"
DANGLING = b"PRAGMA foreign_keys = OFF; CREATE TABLE c (x REFERENCES t); INSERT INTO c VALUES (9);"


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (b"SELEC 1;", 'near "SELEC": syntax error at offset 0: SQLITE_ERROR'),
        (b"INSERT INTO t VALUES (1, 'twice');", f"UNIQUE constraint failed: t.x: {CONSTRAINT}_PRIMARYKEY)"),
        (b"ATTACH '/tmp/x' AS x;", "not authorized: SQLITE_AUTH"),
        (b"DELETE FROM vaultry_audit;", "not authorized: SQLITE_AUTH"),
        (DANGLING, f"FOREIGN KEY constraint failed: {CONSTRAINT}_FOREIGNKEY)"),
    ],
)
def test_an_import_that_fails_changes_nothing(desk, bad, error):
    before = desk.done("GET", "/shop/time_travel/bookmark")
    done = run_import(desk, "shop", TEXT + bad)
    assert (done["status"], done["error"], done["errors"]) == ("error", error, [error])
    assert any("failed" in line for line in done["messages"])
    assert tables(desk) == set()
    assert desk.done("GET", "/shop/time_travel/bookmark") == before


def test_references_may_come_before_what_they_refer_to(desk):
    create, insert = TEXT.split(b"\n", 1)
    text = (
        b"PRAGMA defer_foreign_keys=TRUE; CREATE TABLE c (x REFERENCES t(x));" + create + b"INSERT INTO c VALUES (2);"
    )
    assert run_import(desk, "shop", text + insert)["status"] == "complete"
    dangling = run_import(desk, "shop", b"PRAGMA defer_foreign_keys=TRUE; INSERT INTO c VALUES (3);")
    assert "FOREIGN KEY constraint failed" in dangling["error"]
    assert desk.query("shop", "SELECT x FROM c") == [{"x": 2}]


def test_a_file_that_is_not_the_announced_one_is_refused(desk):
    begun = desk.done("POST", "/shop/import", {"action": "init", "etag": md5(TEXT)})
    where = begun["upload_url"].removeprefix(ORIGIN)
    answer = desk.site.client.request("PUT", where, body=TEXT + b"--")
    assert (answer.status, answer.json()["success"]) == (400, False)
    desk.refused(
        400, 7400, "POST", "/shop/import", {"action": "ingest", "etag": md5(TEXT), "filename": begun["filename"]}
    )
    assert desk.site.client.request("PUT", where, body=TEXT).status == 200
    assert ingest(desk, "shop", TEXT)["success"] is True


def test_an_upload_needs_its_address(desk):
    begun = desk.done("POST", "/shop/import", {"action": "init", "etag": md5(TEXT)})
    path = begun["upload_url"].removeprefix(ORIGIN).partition("?")[0]
    for query in ("", "?token=x", begun["upload_url"].partition("?")[2].join(("?", "x"))):
        answer = desk.site.client.request("PUT", path + query, body=TEXT)
        assert (answer.status, answer.json()["errors"][0]["code"]) == (403, 7403)


def test_a_file_over_the_limit_is_refused(tmp_path):
    desk = make_desk(tmp_path, import_bytes="1024")
    desk.create()
    for size, status in ((1023, 200), (1024, 200), (1025, 413)):
        text = b"SELECT 1;".ljust(size)
        begun = desk.done("POST", "/shop/import", {"action": "init", "etag": md5(text)})
        assert desk.site.client.request("PUT", begun["upload_url"].removeprefix(ORIGIN), body=text).status == status
    desk.site.services.close()


TWICE = b"CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1);"


def test_a_file_that_is_run_twice_in_a_row_runs_twice(desk):
    first, second = run_import(desk, "shop", TWICE), run_import(desk, "shop", TWICE)
    assert (second["status"], second["result"]["num_queries"]) == ("complete", 2)
    assert second["result"]["final_bookmark"] > first["result"]["final_bookmark"]
    assert desk.query("shop", COUNT) == [{"n": 2}]


def test_a_request_that_is_sent_again_begins_no_second_import(desk):
    first = run_import(desk, "shop", TWICE)
    # As the packages for Python and JavaScript mark their repeats.
    body = {"action": "init", "etag": md5(TWICE)}
    repeated = desk.done("POST", "/shop/import", body, x_stainless_retry_count="1")
    for again in (ingest(desk, "shop", TWICE), repeated):
        assert (again["status"], again["result"]) == ("complete", first["result"])
    assert desk.query("shop", COUNT) == [{"n": 1}]
    run_import(desk, "shop", TWICE)
    assert desk.query("shop", COUNT) == [{"n": 2}]


def test_who_lost_the_answer_begins_again_and_nothing_is_done_twice(desk, monkeypatch):
    """The import ended and nobody was told: the same file is the same import."""
    upload(desk, "shop", TWICE)
    with monkeypatch.context() as patched:
        patched.setattr("handlers.d1.importing.mark_told", lambda *given: None)
        first = poll(desk, "shop", ingest(desk, "shop", TWICE))
    again = upload(desk, "shop", TWICE)
    assert "upload_url" not in again
    assert (again["status"], again["result"]) == ("complete", first["result"])
    assert "nobody had been told" in again["messages"][-1]
    assert desk.query("shop", COUNT) == [{"n": 1}]
    run_import(desk, "shop", TWICE)
    assert desk.query("shop", COUNT) == [{"n": 2}]


def test_a_file_that_nobody_imports_goes_after_a_day(tmp_path):
    # The store tells the age by its own clock.
    clock = Clock(system_moment().text)
    desk = make_desk(tmp_path, clock)
    desk.create()
    upload(desk, "shop", TEXT)
    [known] = chosen_jobs(["databases"])
    for seconds, is_there in ((86_000, True), (1_000, False)):
        clock.tick(seconds)
        now = clock()
        known.work(desk.site.services, desk.site.services.registry, None, now, Moment(now.ms + 60_000))
        files = list((tmp_path / "store" / "imports").rglob(f"{md5(TEXT)}.sql"))
        assert bool(files) is is_there
    desk.site.services.close()


def test_a_failed_file_is_tried_again(desk):
    text = b"INSERT INTO t VALUES (1, 'a');"
    assert run_import(desk, "shop", text)["status"] == "error"
    desk.query("shop", "CREATE TABLE t (x, y)")
    assert run_import(desk, "shop", text)["status"] == "complete"


def test_a_late_poll_tells_the_truth(tmp_path):
    desk = make_desk(tmp_path)
    desk.create()
    idle = desk.done("POST", "/shop/import", {"action": "poll"})
    assert (idle["success"], idle["error"]) == (False, "Not currently importing anything.")
    good, bad = run_import(desk, "shop", TEXT), run_import(desk, "shop", TEXT + b"--")
    desk.site.clock.tick(86_399)
    for job in ("outbox", "databases"):
        [known] = chosen_jobs([job])
        now = desk.site.clock()
        known.work(desk.site.services, desk.site.services.registry, None, now, Moment(now.ms + 60_000))
    for known, status in ((good, "complete"), (bad, "error")):
        body = {"action": "poll", "current_bookmark": known["at_bookmark"]}
        assert desk.done("POST", "/shop/import", body)["status"] == status
    desk.site.services.close()


def test_what_ended_a_day_ago_is_forgotten_with_its_file(tmp_path):
    desk = make_desk(tmp_path)
    desk.create()
    done = run_import(desk, "shop", TEXT)
    desk.site.clock.tick(86_400)
    [known] = chosen_jobs(["databases"])
    now = desk.site.clock()
    report = known.work(desk.site.services, desk.site.services.registry, None, now, Moment(now.ms + 60_000))
    assert report == {"forgotten": 1}
    body = {"action": "poll", "current_bookmark": done["at_bookmark"]}
    assert desk.done("POST", "/shop/import", body)["success"] is False
    assert "upload_url" in desk.done("POST", "/shop/import", {"action": "init", "etag": md5(TEXT)})
    desk.site.services.close()


def test_others_read_and_write_while_a_file_is_imported(desk, monkeypatch):
    """The import is run once more, on what the other one wrote."""
    desk.query("shop", "CREATE TABLE o (x)")
    ran: list[int] = []

    def between() -> None:
        ran.append(desk.query("shop", "SELECT count(*) AS n FROM o")[0]["n"])
        if len(ran) == 1:
            desk.query("shop", "INSERT INTO o VALUES (1)")

    in_the_middle(monkeypatch, between)
    assert run_import(desk, "shop", TEXT)["status"] == "complete"
    assert desk.query("shop", "SELECT count(*) AS n FROM o") == [{"n": 1}]
    assert desk.query("shop", COUNT) == [{"n": 2}]
    assert ran[0] == 0
    assert len(ran) > 1


def in_the_middle(monkeypatch, between) -> None:
    """Have something happen before an import's copy is committed."""

    def held(vault, site, kind, text, *more):
        def go_on() -> None:
            between()
            text.go_on()

        return import_text(vault, site, kind, replace(text, go_on=go_on), *more)

    monkeypatch.setattr(work, "import_text", held)


def test_two_at_once_are_one(desk):
    upload(desk, "shop", TEXT)
    told: list[str] = []

    def work() -> None:
        told.append(poll(desk, "shop", ingest(desk, "shop", TEXT))["status"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["complete"] * 4
    assert desk.query("shop", COUNT) == [{"n": 2}]


def test_an_import_that_was_committed_before_its_process_died_is_not_done_again(desk, monkeypatch):
    """The commit carries the job's id: whoever goes on finds it."""
    text = b"CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1);"
    upload(desk, "shop", text)
    with monkeypatch.context() as patched:
        patched.setattr("handlers.d1.jobs._end", lambda *given, **named: None)
        told = ingest(desk, "shop", text)
    assert told["status"] == "active"
    later = make_desk(
        desk.site.folder, lambda: Moment(system_moment().ms + 120_000), cache=str(desk.site.folder / "other")
    )
    done = poll(later, "shop", told)
    assert done["status"] == "complete"
    assert later.query("shop", COUNT) == [{"n": 1}]
    later.site.services.close()


def test_a_killed_import_left_the_database_as_it_was_and_goes_on(tmp_path):
    desk = make_desk(tmp_path, system_moment)
    desk.create()
    before = desk.done("GET", "/shop/time_travel/bookmark")
    desk.site.services.close()
    (tmp_path / "file.sql").write_bytes(TEXT)
    child = subprocess.Popen([sys.executable, "-m", "tests.handlers.d1.import_child", str(tmp_path), "shop"],
                             stdout=subprocess.PIPE, text=True, cwd=ROOT)  # fmt: skip
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half-way\n"
        child.send_signal(signal.SIGKILL)
    desk = make_desk(tmp_path, system_moment)
    assert desk.done("GET", "/shop/time_travel/bookmark") == before
    body = {"action": "poll", "current_bookmark": before["bookmark"]}
    assert desk.done("POST", "/shop/import", body)["status"] == "active"
    desk.site.services.close()
    # Once the dead process no longer holds it, whoever asks has it done.
    desk = make_desk(tmp_path, lambda: Moment(system_moment().ms + 120_000))
    assert poll(desk, "shop", desk.done("POST", "/shop/import", body))["status"] == "complete"
    assert desk.query("shop", COUNT) == [{"n": 2}]
    desk.site.services.close()


def test_maintenance_goes_on_with_what_nobody_asks_for(tmp_path):
    desk = make_desk(tmp_path)
    vault_id = desk.create()
    begun = upload(desk, "shop", TEXT)
    at, now = desk.done("GET", "/shop/time_travel/bookmark")["bookmark"], desk.site.clock()

    def dead(tx):
        job = begin_job(tx, NewJob(vault_id, "import", at, begun["filename"], OPERATOR, {}, md5(TEXT)), now)
        hold_job(tx, job.id, "a process that died", now)

    desk.site.services.registry_write(dead, OPERATOR, now)
    [known] = chosen_jobs(["databases"])
    for seconds, report in ((0, {}), (60, {"resumed": 1}), (0, {})):
        desk.site.clock.tick(seconds)
        now = desk.site.clock()
        found = known.work(desk.site.services, desk.site.services.registry, None, now, Moment(now.ms + 60_000))
        assert found == report
    assert desk.query("shop", COUNT) == [{"n": 2}]
    desk.site.services.close()


def test_an_import_takes_no_more_memory_the_longer_it_is(tmp_path):
    """A file of 64 MB takes what one of 24 MB does: what is read ahead, and some rows of 100 KB."""
    with (tmp_path / "long.sql").open("w") as file:
        file.write("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT);\n")
        for number in range(640):
            file.write(f"INSERT INTO t VALUES ({number}, '{'y' * 100_000}');\n")
    child = [sys.executable, "-m", "tests.handlers.d1.memory_child", str(tmp_path)]
    done = subprocess.run(child, capture_output=True, text=True, cwd=ROOT, check=True)
    before, after, status = done.stdout.split()
    assert status == "complete"
    assert int(after) - int(before) < 44 << 10


def test_nothing_of_an_import_stays_on_the_disk(desk):
    run_import(desk, "shop", TEXT)
    run_import(desk, "shop", TEXT + b"SELEC;")
    left = [
        path
        for path in Path(desk.site.services.settings.cache).rglob("*")
        if path.suffix == ".sql" or "new." in path.name
    ]
    assert left == []
