"""The check whether the store has every content: what it counts, what fails it, and that it changes nothing."""

import pytest

from db.errors import VaultError
from handlers.jobs.files import check_files
from tests.handlers.storage.desk import PDF, Desk, ask, stored

DAY_S = 86_400


def check(desk: Desk) -> dict[str, int | str]:
    now = desk.site.clock()
    with desk.site.services.quiet_vault(desk.choir.entry) as vault:
        return dict(check_files(desk.site.services, vault, desk.choir.entry, now, now))


def object_file(desk: Desk):
    """The file that holds the one content."""
    (key,) = [key for key in desk.objects() if key.startswith("files/")]
    return desk.site.folder / "store" / desk.prefix / key


def test_contents_that_are_there_are_counted(desk):
    assert check(desk) == {}
    stored(desk.librarian, f"scores/{desk.owned}/a.pdf", PDF)
    stored(desk.librarian, f"scores/{desk.free}/b.pdf", PDF)
    assert check(desk) == check(desk) == {"contents": 1}


@pytest.mark.parametrize("damage", ["lost", "cut short"])
def test_a_content_that_is_lost_or_cut_short_fails_the_check_with_the_number(desk, damage):
    stored(desk.librarian, f"scores/{desk.owned}/a.pdf", PDF)
    path = object_file(desk)
    path.chmod(0o600)
    path.unlink() if damage == "lost" else path.write_bytes(PDF[:-1])
    for _ in range(2):
        with pytest.raises(VaultError, match="1 of 1 contents") as caught:
            check(desk)
        assert caught.value.code == "contents_lost"


def test_an_object_that_no_row_knows_is_counted_once_it_is_a_day_old(desk, clock):
    stored(desk.librarian, f"scores/{desk.owned}/a.pdf", PDF)
    at = clock().ms
    desk.site.services.site.store.put(desk.prefix + "files/" + "0" * 36, b"x", timestamp_ms=at, op="test:put")
    assert check(desk) == {"contents": 1}
    clock.tick(DAY_S + 1)
    assert check(desk) == check(desk) == {"contents": 1, "unknown": 1}
    desk.maintain()
    assert check(desk) == {"contents": 1}


def test_a_file_that_was_taken_away_keeps_its_content_until_nothing_can_need_it(desk):
    stored(desk.librarian, f"scores/{desk.owned}/a.pdf", PDF)
    ask(desk.librarian, "object/scores", {"prefixes": [f"{desk.owned}/a.pdf"]}, "DELETE")
    assert check(desk) == {"contents": 1}
