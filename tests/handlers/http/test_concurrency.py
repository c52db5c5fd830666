"""Many callers at once over HTTP: every acknowledged write is there, once, and nobody reads less than was promised."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

from handlers.server import server_app
from tests.handlers.http.asgi_client import Client
from tests.handlers.http.site import Caller, Site, make_choir, make_site, refused

THREADS, EACH = 32, 4


def scene(site: Site) -> Caller:
    """The owner, at an application that works in threads."""
    choir = make_choir(site, "aurora")
    token = site.sign_in("aurora", choir.owner).token
    return Caller(Client(server_app(site.services)), "aurora", token)


def test_everything_that_was_acknowledged_is_there_once_with_an_id_of_its_own(site):
    owner = scene(site)

    def add(number: int) -> list[str]:
        answers = [owner.add("works", {"title": f"{number}-{turn}"}) for turn in range(EACH)]
        assert [answer.status for answer in answers] == [201] * EACH
        return [answer.json()[0]["id"] for answer in answers]

    with ThreadPoolExecutor(THREADS) as pool:
        ids = [work_id for added in pool.map(add, range(THREADS)) for work_id in added]
    rows = owner.rows("works?select=id,title")
    assert len(set(ids)) == len(ids) == THREADS * EACH
    assert {row["id"] for row in rows} == set(ids)
    assert len({row["title"] for row in rows}) == len(rows) == THREADS * EACH


def test_no_read_shows_fewer_rows_than_were_acknowledged_before_it(site):
    owner = scene(site)
    acknowledged, lock, done = [0], threading.Lock(), threading.Event()

    def write() -> None:
        for turn in range(EACH):
            assert owner.call("work.create", title=f"{threading.get_ident()}-{turn}").status == 200
            with lock:
                acknowledged[0] += 1

    def read() -> int:
        reads = 0
        while not done.is_set() or reads == 0:
            promised = acknowledged[0]
            assert len(owner.rows("works?select=id")) >= promised
            reads += 1
        return reads

    with ThreadPoolExecutor(THREADS) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        writers = [pool.submit(write) for _ in range(16)]
        for writer in writers:
            writer.result()
        done.set()
        assert all(reader.result() > 0 for reader in readers)
    assert acknowledged[0] == len(owner.rows("works")) == 16 * EACH


def test_two_processes_write_one_vault_and_lose_nothing(site, tmp_path, clock):
    owner = scene(site)
    other = make_site(tmp_path, clock, cache=str(tmp_path / "other-cache"), commit_attempts="500")
    try:
        doors = [owner, Caller(Client(server_app(other.services)), "aurora", owner.token)]

        def add(number: int) -> int:
            return doors[number % 2].add("works", {"title": str(number)}).status

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(add, range(40))) == {201}
        for door in doors:
            assert sorted(int(row["title"]) for row in door.rows("works")) == list(range(40))
    finally:
        other.services.close()


def test_one_code_and_one_link_let_one_of_many_in(site):
    owner = scene(site)
    choir = make_choir(site, "harmonia")
    door = Caller(owner.client, "harmonia")
    door.auth("otp", {"email": choir.owner})
    by_code = {"email": choir.owner, "token": site.code(choir.owner)}
    by_link = {"token_hash": choir.link_token}
    for body in (by_code, by_link):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, body=body: door.auth("verify", body), range(8)))
        assert sorted(answer.status for answer in answers) == [200] + [401] * 7
        assert {refused(answer)[1] for answer in answers if answer.status != 200} == {"code_used"}


def test_many_first_requests_at_once_make_one_throttle(site):
    owner = scene(site)

    def ask(_: int) -> int:
        return owner.auth("otp", {"email": "kadri@x.example"}).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(ask, range(8)))
    assert statuses == [200] * 5 + [429] * 3
    subjects = [mail["Subject"] for mail in site.mails("kadri@x.example")]
    assert len({re.match(r"\d{6}", subject)[0] for subject in subjects if re.match(r"\d{6}", subject)}) == 5
