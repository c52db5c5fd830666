"""Open vaults kept by a process, and answers given once: who is closed when, and what a repeated request gets."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from db.errors import Conflict, Invalid, StoreUnavailable, Unavailable
from db.idempotency import KEPT_DAYS, KEY_CHARACTERS, answer_once, forget_old_answers, request_digest
from db.stores.directory import DirectoryStore
from db.transaction import WriteTx
from db.vault.cache_discard import discard_copies, has_copy
from db.vault.pool import VaultPool
from db.vault.vault import Vault
from tests.engine.desk import ACTOR, START_MS, Clock, new_desk, note, noted
from tests.engine.pool_users import PATIENCE_S, Gate, Openers, Users

DIGEST = request_digest(b"POST", b"/works", b"{}")
OTHER_DIGEST = request_digest(b"POST", b"/works", b"[]")
DAY_MS = 86_400_000


@pytest.fixture
def openers(folder: DirectoryStore, tmp_path: Path) -> Openers:
    return Openers(folder, tmp_path / "caches")


def visit(pool: VaultPool, openers: Openers, *vault_ids: str) -> Vault:
    """Use the vaults one after the other; the last of them."""
    for vault_id in vault_ids:
        with pool.use(vault_id, openers(vault_id)) as vault:
            assert vault.id == vault_id
            noted(vault)
    return vault


def is_closed(vault: Vault) -> bool:
    try:
        noted(vault)
    except Unavailable:
        return True
    return False


# The pool


def test_copies_that_closed_vaults_left_go_when_they_no_longer_fit_the_oldest_first(openers: Openers) -> None:
    size = visit(VaultPool(4, 10**9), openers, "d").local_bytes
    discarded: list[str] = []
    pool = VaultPool(1, 3 * size + size // 2, discarded.append)
    visit(pool, openers, "a", "b", "c")
    assert discarded == []
    visit(pool, openers, "a", "d")
    # One is open, and two more fit beside it: `a` was used again after `b`.
    assert discarded == ["b"]
    pool.close_all()


def test_a_discarded_copy_is_fetched_again(openers: Openers, tmp_path: Path) -> None:
    pool = VaultPool(1, 1, lambda vault_id: discard_copies(tmp_path / "caches", vault_id))
    visit(pool, openers, "a", "b")
    assert not has_copy(tmp_path / "caches", "a")
    assert has_copy(tmp_path / "caches", "b")
    visit(pool, openers, "a")
    pool.close_all()


def test_a_vault_is_opened_once_and_used_again(openers: Openers) -> None:
    pool = VaultPool(4, 10**9)
    visit(pool, openers, "a", "b", "a", "a", "b")
    assert openers.opened == ["a", "b"]
    pool.close_all()


@pytest.mark.parametrize(("most", "kept"), [(1, ["c"]), (2, ["b", "c"]), (3, ["a", "b", "c"]), (4, ["a", "b", "c"])])
def test_vaults_beyond_the_count_are_closed(openers: Openers, most: int, kept: list[str]) -> None:
    pool = VaultPool(most, 10**9)
    first = visit(pool, openers, "a")
    visit(pool, openers, "b", "c")
    assert pool.open_ids() == kept
    assert is_closed(first) == ("a" not in kept)
    pool.close_all()


def test_the_one_least_recently_used_is_closed_first(openers: Openers) -> None:
    pool = VaultPool(3, 10**9)
    visit(pool, openers, "a", "b", "c", "a", "d")
    assert pool.open_ids() == ["c", "a", "d"]
    visit(pool, openers, "b")
    assert openers.opened == ["a", "b", "c", "d", "b"]
    pool.close_all()


@pytest.mark.parametrize(("spare", "kept"), [(-1, ["b"]), (0, ["a", "b"]), (1, ["a", "b"])])
def test_vaults_beyond_the_bytes_are_closed(openers: Openers, spare: int, kept: list[str]) -> None:
    big = VaultPool(4, 10**9)
    size = sum(visit(big, openers, vault_id).local_bytes for vault_id in "ab")
    big.close_all()
    pool = VaultPool(4, size + spare)
    visit(pool, openers, "a", "b")
    assert pool.open_ids() == kept
    pool.close_all()


def test_a_vault_larger_than_all_the_bytes_is_kept_while_it_is_the_only_one(openers: Openers) -> None:
    pool = VaultPool(4, 1)
    vault = visit(pool, openers, "a")
    assert pool.open_ids() == ["a"]
    assert not is_closed(vault)
    pool.close_all()


def test_a_vault_in_use_is_never_closed(openers: Openers) -> None:
    pool = VaultPool(1, 1)
    with ExitStack() as used:
        vaults = [used.enter_context(pool.use(vault_id, openers(vault_id))) for vault_id in "abc"]
        visit(pool, openers, "d")
        assert pool.open_ids() == ["a", "b", "c"]
        for vault in vaults:
            vault.write(note("during"), ACTOR)
            pool.close(vault.id)
            assert noted(vault) == ["during"]
    assert len(pool.open_ids()) == 1
    assert [is_closed(vault) for vault in vaults].count(False) == 1
    pool.close_all()


def test_a_vault_used_twice_at_once_stays_until_both_are_done(openers: Openers) -> None:
    pool = VaultPool(1, 10**9)
    with pool.use("a", openers("a")) as vault:
        with pool.use("a", openers("a")) as same:
            assert same is vault
        visit(pool, openers, "b")
        assert noted(vault) == []
    pool.close_all()


def test_what_a_request_raises_passes_and_leaves_the_vault_open_and_idle(openers: Openers) -> None:
    pool = VaultPool(4, 10**9)

    def fail() -> None:
        with pool.use("a", openers("a")):
            raise ValueError("of the request")

    with pytest.raises(ValueError, match="of the request"):
        fail()
    assert pool.open_ids() == ["a"]
    pool.close("a")
    assert pool.open_ids() == []


def test_an_opening_that_failed_is_tried_again(openers: Openers) -> None:
    pool = VaultPool(4, 10**9)

    def fail() -> Vault:
        raise StoreUnavailable("away")

    for _ in range(2):
        with pytest.raises(StoreUnavailable), pool.use("a", fail):
            pass
    assert pool.open_ids() == []
    assert noted(visit(pool, openers, "a")) == []
    pool.close_all()


def test_those_who_wait_for_an_opening_get_the_one_vault(openers: Openers) -> None:
    pool, gate = VaultPool(4, 10**9), Gate()
    users = Users(pool, 8)
    users.start(gate.around(openers("a")))
    gate.open_when(lambda: pool._entries["a"].users == 8)
    got = users.join()
    assert len(set(map(id, got))) == 1
    assert openers.opened == ["a"]
    pool.close_all()


@pytest.mark.parametrize(("raised", "told"), [(StoreUnavailable, StoreUnavailable), (KeyboardInterrupt, Unavailable)])
def test_those_who_wait_for_an_opening_that_fails_are_told_and_the_next_succeeds(
    openers: Openers, raised: type[BaseException], told: type[Exception]
) -> None:
    pool, gate = VaultPool(4, 10**9), Gate()

    def fail() -> Vault:
        raise raised("away")

    users = Users(pool, 4)
    users.start(gate.around(fail))
    gate.open_when(lambda: pool._entries["a"].users == 4)
    got = users.join()
    assert sorted(type(outcome).__name__ for outcome in got) == sorted([raised.__name__, *[told.__name__] * 3])
    assert noted(visit(pool, openers, "a")) == []
    pool.close_all()


def test_other_vaults_are_served_while_one_is_being_opened(openers: Openers) -> None:
    pool, gate = VaultPool(4, 10**9), Gate()
    users = Users(pool, 1)
    users.start(gate.around(openers("a")))
    gate.reached.wait(PATIENCE_S)
    visit(pool, openers, "b")
    assert pool.open_ids() == ["b"]
    gate.open_when(lambda: True)
    users.join()
    pool.close_all()


def test_a_vault_evicted_and_opened_again_has_what_was_written(openers: Openers) -> None:
    pool = VaultPool(1, 10**9)
    visit(pool, openers, "a").write(note("kept"), ACTOR)
    assert noted(visit(pool, openers, "b", "a")) == ["kept"]
    pool.close_all()


def test_many_threads_on_few_places_lose_no_write(openers: Openers) -> None:
    pool = VaultPool(1, 10**9)
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(12):
                vault_id = "abc"[(thread + number) % 3]
                with pool.use(vault_id, openers(vault_id)) as vault:
                    vault.write(note(f"{thread}-{number}"), ACTOR)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert failures == []
    assert sum(len(noted(visit(pool, openers, vault_id))) for vault_id in "abc") == 72
    pool.close_all()


def test_a_borrowed_vault_is_kept_open_and_does_not_count_as_used(openers: Openers) -> None:
    pool = VaultPool(2, 10**9)
    visit(pool, openers, "a", "b")
    with pool.borrow("a") as vault:
        assert vault is not None
        visit(pool, openers, "c")
        assert pool.open_ids() == ["a", "c"]
        assert noted(vault) == []
    visit(pool, openers, "d")
    assert pool.open_ids() == ["c", "d"]
    pool.close_all()


def test_a_vault_that_is_not_open_is_not_borrowed(openers: Openers) -> None:
    pool = VaultPool(2, 10**9)
    with pool.borrow("a") as vault:
        assert vault is None
    assert openers.opened == []


def test_closing_all_closes_all(openers: Openers) -> None:
    pool = VaultPool(4, 10**9)
    vaults = [visit(pool, openers, vault_id) for vault_id in "abc"]
    pool.close_all()
    assert pool.open_ids() == []
    assert all(is_closed(vault) for vault in vaults)


# Answers given once


class Door:
    """A vault behind a door that keeps answers; what it does for a request is leave a row."""

    def __init__(self, folder: DirectoryStore, caches: Path) -> None:
        self.clock = Clock(START_MS)
        self.vault = new_desk(folder, caches, self.clock)

    def ask(self, key: str = "key-1", digest: str = DIGEST, actor: str = "person-1") -> tuple[dict[str, object], bool]:
        def work(tx: WriteTx) -> tuple[dict[str, object], bool]:
            def answer() -> dict[str, object]:
                note(f"{actor} {key} {digest} {self.clock.ms}")(tx)
                return {"served": "Õhtu ☾", "n": [1, 2.5, None]}

            return answer_once(tx, actor, key, digest, self.clock(), answer)

        return self.vault.write(work, ACTOR).value

    def forget(self) -> int:
        return self.vault.write(lambda tx: forget_old_answers(tx, self.clock()), ACTOR).value

    def effects(self) -> int:
        return len(noted(self.vault))


@pytest.fixture
def door(folder: DirectoryStore, tmp_path: Path):
    made = Door(folder, tmp_path / "cache")
    yield made
    made.vault.close()


def test_a_repeated_request_gets_the_first_answer_and_has_no_second_effect(door: Door) -> None:
    first, replayed = door.ask()
    assert not replayed
    head = door.vault.head
    assert door.ask() == (first, True)
    assert door.effects() == 1
    assert door.vault.head == head


def test_a_key_that_came_with_another_request_is_refused_and_nothing_is_done(door: Door) -> None:
    door.ask()
    with pytest.raises(Conflict) as caught:
        door.ask(digest=OTHER_DIGEST)
    assert caught.value.code == "idempotency_key_reused"
    assert door.effects() == 1
    assert door.ask()[1]


def test_the_same_key_of_another_caller_is_another_key(door: Door) -> None:
    door.ask()
    assert not door.ask(actor="person-2", digest=OTHER_DIGEST)[1]
    assert door.effects() == 2


def test_keys_are_told_apart_by_case_and_blanks(door: Door) -> None:
    assert [door.ask(key)[1] for key in ("key", "KEY", "key ", "kéy", "key")] == [False, False, False, False, True]


def test_an_answer_that_fails_is_not_kept_and_the_request_can_be_repeated(door: Door) -> None:
    def work(tx: WriteTx) -> object:
        def answer() -> dict[str, object]:
            note("half")(tx)
            raise Conflict("not now")

        return answer_once(tx, "person-1", "key-1", DIGEST, door.clock(), answer)

    with pytest.raises(Conflict, match="not now"):
        door.vault.write(work, ACTOR)
    assert door.effects() == 0
    assert not door.ask(digest=OTHER_DIGEST)[1]


@pytest.mark.parametrize("character", ["k", "õ", "☾", "𝄞"])
@pytest.mark.parametrize("length", [1, KEY_CHARACTERS - 1, KEY_CHARACTERS])
def test_a_key_within_the_limit_of_characters_is_kept(door: Door, character: str, length: int) -> None:
    assert not door.ask(character * length)[1]
    assert door.ask(character * length)[1]


@pytest.mark.parametrize("length", [0, KEY_CHARACTERS + 1])
def test_a_key_outside_the_limits_is_refused_with_the_limits(door: Door, length: int) -> None:
    with pytest.raises(Invalid, match=f"{length} characters, wanted 1 to 255"):
        door.ask("k" * length)
    assert door.effects() == 0


@pytest.mark.parametrize(("age_ms", "forgotten"), [(-1, 0), (0, 0), (1, 1)])
def test_answers_are_forgotten_when_they_are_older_than_a_week(door: Door, age_ms: int, forgotten: int) -> None:
    door.ask()
    door.clock.ms += KEPT_DAYS * DAY_MS + age_ms
    assert door.forget() == forgotten
    assert door.ask()[1] == (forgotten == 0)
    assert door.effects() == 1 + forgotten


def test_forgetting_takes_no_younger_answer(door: Door) -> None:
    door.ask("old")
    door.clock.ms += KEPT_DAYS * DAY_MS + 1
    door.ask("young")
    assert door.forget() == 1
    assert door.ask("young")[1]


def test_those_who_ask_at_once_with_one_key_get_one_answer(door: Door) -> None:
    answers: list[tuple[dict[str, object], bool]] = []
    threads = [threading.Thread(target=lambda: answers.append(door.ask())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(replayed for _, replayed in answers) == [False] + [True] * 7
    assert all(answer == answers[0][0] for answer, _ in answers)
    assert door.effects() == 1


def test_requests_differ_by_where_their_parts_end() -> None:
    digests = {request_digest(*parts) for parts in [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"abc", b""), ()]}
    assert len(digests) == 5
    assert all(len(digest) == 64 for digest in digests)
