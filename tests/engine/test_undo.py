"""Undoing a request: exactly its rows, as they were, whatever triggers, redaction, keys and pruning are in the way."""

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.errors import Conflict, NotFound
from db.history.points import restore
from db.history.undo import Undone, undo
from db.history.undo_plan import plan_undo
from db.log.retention import Retention, make_ranges
from db.outbox import enqueue
from db.personal import load_cipher
from db.stores.directory import DirectoryStore
from db.transaction import Actor
from tests.engine.desk import KEYS, content_at
from tests.engine.history_desk import OPERATOR, Desk, chain_of, opened_email

SEAL = "personal_seal('people.email', '{0}'), personal_lookup('{0}')"
LOOKALIKE = f"12 bytes, sha256 {'0' * 64}"
FIRST = (
    "INSERT INTO shelves VALUES (1, 'Poems'), (2, 'Maps')",
    "INSERT INTO books VALUES (1, 1, 'Kalevipoeg', 1.5, x'00ff', x'aa'), (3, 2, 'Atlas', 0.1, x'', 7)",
    f"INSERT INTO books VALUES (2, 1, 'Toomas', 9e999, NULL, '{LOOKALIKE}')",
    "INSERT INTO loans VALUES (1, 'mari')",
    "INSERT INTO pledges VALUES (1, 3)",
    "INSERT INTO counters VALUES ('visits', 5)",
    "INSERT INTO requests VALUES ('first', '[redacted]')",
    f"INSERT INTO people VALUES (1, {SEAL.format('mari@example.ee')}, 'Mari'), (2, NULL, NULL, 'Jaan')",
)


class Undoing(Desk):
    """A desk on which single requests are made and undone, a second apart."""

    def do(self, request: str, *statements: str, skip: bool = False) -> str:
        """One request; the bookmark. skip: statements that a constraint refuses are left out."""
        self.clock.ms += 1000

        def work(tx) -> None:
            for statement in statements:
                try:
                    tx._run(statement, {})
                except sqlite3.IntegrityError:
                    if not skip:
                        raise

        return self.vault.write(work, Actor("mari", "person", request, "desk.do")).bookmark

    def undo(self, request: str, *, force: bool = False, as_request: str = "undo") -> Undone:
        self.clock.ms += 1000
        cipher = self.vault.read(lambda tx: load_cipher(tx, KEYS)).value
        plan = plan_undo(self.vault, request, cipher)
        actor = Actor("operator", "operator", as_request, "undo")
        return self.vault.write(lambda tx: undo(tx, plan, force=force), actor).value

    def content(self) -> dict:
        """Every row but those of the audit log."""
        found = content_at(self.vault.log, self.vault.head.txid)
        del found["vaultry_audit"]
        return found


@pytest.fixture
def desk(folder, tmp_path) -> Undoing:
    made = Undoing(folder, tmp_path)
    made.do("first", *FIRST)
    return made


def refusal(desk: Undoing, request: str) -> Conflict:
    before = desk.vault.head.txid
    with pytest.raises(Conflict) as refused:
        desk.undo(request)
    assert desk.vault.head.txid == before
    return refused.value


STATEMENTS = st.lists(
    st.sampled_from(
        [
            "UPDATE shelves SET name = 'Novels' WHERE id = 1",
            "UPDATE shelves SET name = name || '!'",
            "INSERT INTO shelves VALUES (3, 'Music')",
            "UPDATE shelves SET id = id + 10",
            "DELETE FROM shelves WHERE id = 1",
            "DELETE FROM shelves WHERE name LIKE 'M%'",
            "INSERT OR REPLACE INTO shelves VALUES (2, 'Charts')",
            "INSERT INTO shelf_names VALUES (NULL, 'By view')",
            "UPDATE books SET price = 2, cover = x'11', extra = 2.5 WHERE id = 1",
            "UPDATE books SET price = -9e999, cover = NULL, extra = 'text' WHERE id = 2",
            "INSERT INTO books VALUES (4, 2, 'New', NULL, x'01', NULL)",
            "UPDATE books SET id = id + 100 WHERE id = 1",
            "DELETE FROM books WHERE id = 3",
            "DELETE FROM pledges",
            "DELETE FROM loans",
            "UPDATE loans SET reader = 'jaan'",
            "UPDATE counters SET value = value + 1",
            "DELETE FROM counters",
            "INSERT INTO counters VALUES ('visits', 1)",
            "UPDATE requests SET note = NULL, id = id || 'x'",
            f"UPDATE people SET (email, email_lookup) = (SELECT {SEAL.format('uus@example.ee')}) WHERE id = 1",
            "UPDATE people SET name = 'x'",
            "DELETE FROM people WHERE id = 1",
            f"INSERT INTO people VALUES (1, {SEAL.format('teine@example.ee')}, 'Teine')",
        ]
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STATEMENTS)
def test_undoing_what_was_done_leaves_everything_as_it_was_and_undoing_that_does_it_again(tmp_path_factory, statements):
    folder = tmp_path_factory.mktemp("undo")
    desk = Undoing(DirectoryStore(folder / "store"), folder)
    try:
        desk.do("first", *FIRST)
        before = desk.content()
        try:
            desk.do("do", *statements, skip=True)
        except sqlite3.IntegrityError:
            return  # A deferred reference refused the commit.
        after = desk.content()
        if after == before:
            return
        try:
            done = desk.undo("do")
        except NotFound:
            return  # Every change was taken back within the request.
        assert done.besides == []
        assert desk.content() == before
        desk.undo("undo", as_request="redo")
        assert desk.content() == after
        assert chain_of(desk.vault)[1] is None
    finally:
        desk.vault.close()


def test_a_row_that_changed_since_stops_it_and_is_named_with_the_request(desk):
    desk.do("do", "UPDATE books SET title = 'A' WHERE id = 1", "UPDATE books SET title = 'B' WHERE id = 2")
    desk.do("later", "UPDATE books SET price = 3 WHERE id = 2")
    stopped = refusal(desk, "do")
    assert (stopped.code, stopped.details) == ("row_changed_since", "books 2 (request later)")
    desk.undo("do", force=True)
    rows = desk.vault.read(lambda tx: tx.rows("SELECT title, price FROM books WHERE id < 3 ORDER BY id")).value
    assert [tuple(row) for row in rows] == [("Kalevipoeg", 1.5), ("Toomas", 3.0)]


def test_a_row_deleted_or_made_anew_since_stops_it(desk):
    desk.do("do", "INSERT INTO counters VALUES ('a', 1)", "DELETE FROM counters WHERE id = 'visits'")
    desk.do("later", "DELETE FROM counters WHERE id = 'a'")
    desk.do("again", "INSERT INTO counters VALUES ('visits', 9)")
    assert refusal(desk, "do").details == "counters a (request later); counters visits (request again)"


def test_a_restore_of_the_whole_vault_since_stops_it(desk):
    point = desk.do("do", "UPDATE people SET name = 'x' WHERE id = 2")
    desk.do("do 2", f"UPDATE people SET (email, email_lookup) = (SELECT {SEAL.format('a@b.ee')}) WHERE id = 1")
    desk.clock.ms += 1000
    restore(desk.vault, desk.site, point, OPERATOR)
    assert "people 1 (not by a request" in (refusal(desk, "do 2").details or "")
    desk.undo("do")


def test_rows_that_came_to_depend_on_it_stop_it_and_go_along_when_forced(desk):
    desk.do("do", "INSERT INTO shelves VALUES (5, 'New')")
    desk.do("later", "INSERT INTO books VALUES (9, 5, 'On it', NULL, NULL, NULL)")
    stopped = refusal(desk, "do")
    assert stopped.code == "undo_blocked"
    assert "books 9" in (stopped.details or "")
    assert desk.undo("do", force=True).besides == ["books 9"]


def test_a_value_the_audit_log_redacts_comes_from_the_state_before(desk):
    desk.do("do", f"UPDATE people SET (email, email_lookup) = (SELECT {SEAL.format('uus@example.ee')}) WHERE id = 1")
    assert opened_email(desk.vault) == "uus@example.ee"
    desk.undo("do")
    assert opened_email(desk.vault) == "mari@example.ee"


def fold(desk: Undoing) -> None:
    """Leave nothing of the commits so far but the first and one range."""
    log = desk.vault.log
    make_ranges(log, log.list_all(), desk.clock.ms + 90_000_000, Retention())
    log.delete([found for found in log.list_level(0) if 1 < found.max_txid < desk.vault.head.txid])


def test_of_a_folded_commit_what_only_its_own_state_told_is_not_known_any_more(desk):
    change = f"UPDATE people SET (email, email_lookup) = (SELECT {SEAL.format('uus@example.ee')}) WHERE id = 1"
    desk.do("do", change, "UPDATE counters SET value = 6")
    desk.do("other", "INSERT INTO counters VALUES ('other', 1)")
    fold(desk)
    stopped = refusal(desk, "do")
    assert (stopped.code, stopped.details) == ("values_unknown", "people 1: email, email_lookup")
    desk.undo("do", force=True)
    assert desk.vault.read(lambda tx: tx.value("SELECT value FROM counters WHERE id = 'visits'")).value == 5
    assert opened_email(desk.vault) == "uus@example.ee"


def test_of_a_folded_commit_a_row_that_stood_before_the_range_is_still_known(desk):
    fold(desk)
    desk.do("between", "INSERT INTO counters VALUES ('other', 1)")
    desk.do("do", f"UPDATE people SET (email, email_lookup) = (SELECT {SEAL.format('uus@example.ee')}) WHERE id = 1")
    desk.do("after", "INSERT INTO counters VALUES ('third', 1)")
    fold(desk)
    desk.undo("do")
    assert opened_email(desk.vault) == "mari@example.ee"


def test_a_value_that_another_request_gave_within_the_same_range_is_not_mistaken_for_an_older_one(desk):
    fold(desk)
    for request in ("other", "do"):
        email = f"{request}@example.ee"
        desk.do(request, f"UPDATE people SET (email, email_lookup) = (SELECT {SEAL.format(email)}) WHERE id = 1")
    desk.do("after", "INSERT INTO counters VALUES ('x', 1)")
    fold(desk)
    assert refusal(desk, "do").code == "values_unknown"


def test_a_row_that_another_request_put_at_the_key_within_the_same_range_is_not_taken_for_the_one_there_before(desk):
    desk.do("third", f"INSERT INTO people VALUES (3, {SEAL.format('kai@example.ee')}, 'Kai')")
    fold(desk)
    desk.do("away", "UPDATE people SET id = 9 WHERE id = 1")
    desk.do("here", "UPDATE people SET id = 1 WHERE id = 3")
    desk.do("do", f"UPDATE people SET (email, email_lookup) = (SELECT {SEAL.format('uus@example.ee')}) WHERE id = 1")
    desk.do("after", "INSERT INTO counters VALUES ('x', 1)")
    fold(desk)
    assert refusal(desk, "do").code == "values_unknown"


def test_a_key_that_the_request_itself_changed_is_followed_to_the_state_before(desk):
    before = desk.content()
    seal = f"(SELECT {SEAL.format('uus@example.ee')})"
    move = "UPDATE people SET id = 7 WHERE id = 1"
    desk.do("do", move, f"UPDATE people SET (email, email_lookup) = {seal} WHERE id = 7")
    desk.undo("do")
    assert desk.content() == before


def test_a_request_over_several_commits_is_undone_in_one(desk):
    before = desk.content()
    desk.do("do", "INSERT INTO counters VALUES ('a', 1)", "UPDATE people SET email = NULL, email_lookup = NULL")
    desk.do("do", "UPDATE counters SET value = 2 WHERE id = 'a'", "DELETE FROM people")
    head = desk.vault.head.txid
    desk.undo("do")
    assert desk.content() == before
    assert desk.vault.head.txid == head + 1


def test_what_is_the_engines_own_stays_and_is_said(desk):
    desk.do("do", "INSERT INTO vaultry_settings VALUES ('x', 'y', '2026-01-01T00:00:00.000Z')", "DELETE FROM loans")
    cipher = desk.vault.read(lambda tx: load_cipher(tx, KEYS)).value
    assert plan_undo(desk.vault, "do", cipher).left == ("vaultry_settings: the engine's own rows stay as they are",)
    desk.undo("do")
    assert desk.vault.read(lambda tx: tx.value("SELECT count(*) FROM loans")).value == 1


def test_messages_that_were_asked_for_stay_and_are_said(desk):
    desk.clock.ms += 1000

    def work(tx) -> None:
        tx.insert("counters", id="a", value=1)
        enqueue(tx, "mail", {"to": "mari@example.ee"}, desk.clock())

    desk.vault.write(work, Actor("mari", "person", "do", "desk.do"))
    cipher = desk.vault.read(lambda tx: load_cipher(tx, KEYS)).value
    assert plan_undo(desk.vault, "do", cipher).left == (
        "vaultry_outbox: 1 messages asked for at that moment; what was delivered stays delivered",
    )


def test_an_unknown_request_is_not_found(desk):
    with pytest.raises(NotFound):
        desk.undo("nobody's")


def test_a_rule_that_forbids_the_way_back_is_named_with_the_row(desk):
    desk.vault.alter(
        lambda writer: bool(
            writer.execute(
                "CREATE TRIGGER kept BEFORE DELETE ON counters BEGIN SELECT RAISE(ABORT, 'kept: counters stay'); END"
            )
        )
    )
    desk.do("do", "INSERT INTO counters VALUES ('a', 1)")
    stopped = refusal(desk, "do")
    assert (stopped.code, stopped.details) == ("kept", "delete counters a: counters stay")
