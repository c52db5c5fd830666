"""A reader whose transaction SQLite gave up, as it does without memory, stands at a durable commit again."""

import threading

import pytest

from db.errors import CommitUnknown
from db.stores.base import OutcomeUnknown
from db.stores.directory import DirectoryStore
from db.vault.vault import FIRST_UNCONSTRAINED
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, new_desk, note

COUNT = "SELECT count(*) FROM requests"


def test_the_read_after_it_does_not_see_a_commit_under_way(tmp_path):
    store = FaultyStore(DirectoryStore(tmp_path / "store"))
    vault = new_desk(store, tmp_path / "cache")
    vault.write(note("one"), ACTOR)
    vault.read_raw(lambda connection, _: connection.execute("COMMIT"))
    seen: list[int] = []
    reading = threading.Thread(
        target=lambda: seen.append(vault.read(lambda tx: tx.value(COUNT), FIRST_UNCONSTRAINED).value)
    )

    def look(op: str) -> None:
        """The writer has committed to its own file, and the log never takes it."""
        if op == "commit:put":
            if not reading.ident:
                reading.start()
                reading.join(0.3)
            raise OutcomeUnknown("timed out by the test")

    store.before_call = look
    with pytest.raises(CommitUnknown):
        vault.write(note("two"), ACTOR)
    store.before_call = lambda op: None
    reading.join()
    assert seen == [1]
    vault.close()
