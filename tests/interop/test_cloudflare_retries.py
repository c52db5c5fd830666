"""The published `cloudflare` packages repeat calls by themselves: nothing is done twice, and what is told is true.

Trouble comes from the store behind the server, before and after a commit is durable there, and from the network.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudflare
import pytest

from db.errors import StoreUnavailable
from db.stores.base import OutcomeUnknown
from handlers.services import Services
from tests.db.faulty_store import FaultyStore
from tests.fault_proxy import Fault, FaultKind, FaultProxy, fault_proxy
from tests.handlers.http.site import OPERATOR
from tests.interop.d1_desk import ACCOUNT, D1Server, d1_server
from tests.interop.node import FOLDER, node, node_json

INSERT = "INSERT INTO t (x) VALUES ('py') RETURNING n"
PUT, COMPARE = "commit:put", "commit:compare"


@dataclass(frozen=True)
class Desk:
    """A server over a store that can fail, behind a network that can."""

    server: D1Server
    store: FaultyStore
    proxy: FaultProxy
    database: str

    def insert(self, key: str = "", **options: Any) -> dict[str, Any]:
        """How one insertion by the package for Python ended."""
        headers = {"Idempotency-Key": key} if key else {}
        address = f"{self.proxy.endpoint}/client/v4"
        with cloudflare.Cloudflare(base_url=address, api_token=self.server.token, **options) as client:
            try:
                page = client.d1.database.query(self.database, account_id=ACCOUNT, sql=INSERT, extra_headers=headers)
            except cloudflare.APIStatusError as error:
                return {"status": error.status_code, "again": error.response.headers.get("x-should-retry", "")}
            except cloudflare.APIConnectionError:
                return {"status": 0, "again": ""}
        return {"rows": page.result[0].results}

    def insert_by_node(self, key: str = "") -> dict[str, Any]:
        """The same by the package for JavaScript."""
        address = f"{self.proxy.endpoint}/client/v4"
        told: dict[str, Any] = node_json("retries.mjs", address, ACCOUNT, self.server.token, self.database, key)
        return told

    @property
    def asked(self) -> int:
        """How often the package asked."""
        return len(self.proxy.exchanges)

    @property
    def count(self) -> int:
        """Rows that are there, by a process that knows nothing but the log."""
        other = Services(self.server.site.services.settings)
        try:
            entry = other.entry(self.database)
            with other.vault(entry) as vault:
                return int(vault.read(lambda tx: tx.value("SELECT count(*) FROM t")).value)
        finally:
            other.close()


@contextmanager
def desk_at(folder: Path, **settings: str) -> Iterator[Desk]:
    with d1_server(folder, **settings) as server:
        services = server.site.services
        store = FaultyStore(services.site.store)
        services.site = replace(services.site, store=store)
        with cloudflare.Cloudflare(base_url=server.base, api_token=server.token) as client:
            client.d1.database.create(account_id=ACCOUNT, name="shop")
            client.d1.database.query("shop", account_id=ACCOUNT, sql="CREATE TABLE t (n INTEGER PRIMARY KEY, x TEXT)")
        with fault_proxy(server.base.removesuffix("/client/v4")) as proxy:
            yield Desk(server, store, proxy, "shop")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_at(tmp_path) as made:
        yield made


@pytest.fixture(params=["python", "node"])
def insert(request: pytest.FixtureRequest, desk: Desk) -> Callable[..., dict[str, Any]]:
    """An insertion by either package."""
    if request.param == "python":
        return desk.insert
    node()
    if not (FOLDER / "node_modules" / "cloudflare").is_dir():
        pytest.skip("the package cloudflare is not here: npm ci --prefix tests/interop/js")
    return desk.insert_by_node


@pytest.mark.parametrize("fault", ["error_after", "timeout_lost", "duplicate"])
def test_one_fault_of_the_store_is_made_good(desk, insert, fault):
    """The server finds out by itself whether the commit is durable."""
    desk.store.arm(fault, PUT)
    assert insert() == {"rows": [{"n": 1}]}
    assert desk.store.fired
    assert desk.count == 1


def test_a_store_that_refuses_is_told_and_nothing_was_done(desk):
    """Not left to the package, which would wait the five seconds it is told to."""
    desk.store.arm("error_before", PUT)
    assert desk.insert(max_retries=0) == {"status": 503, "again": "true"}
    assert desk.count == 0


def lose_the_outcome(desk: Desk, *, durable: bool) -> None:
    """The store takes the next commit, or does not, and does not say which, nor lets anybody look."""

    def before(op: str) -> None:
        if op == PUT and not durable:
            raise OutcomeUnknown("put: timed out by the test")
        if op == COMPARE:
            raise StoreUnavailable("compare: refused by the test")

    def after(op: str) -> None:
        if op == PUT:
            raise OutcomeUnknown("put: timed out by the test")

    desk.store.before_call, desk.store.after_call = before, after


def mend(desk: Desk) -> None:
    desk.store.before_call = desk.store.after_call = lambda op: None


@pytest.mark.parametrize("durable", [True, False])
def test_an_unknown_outcome_is_not_repeated(desk, insert, durable):
    lose_the_outcome(desk, durable=durable)
    assert insert() == {"status": 500, "again": "false"}
    assert desk.asked == 1
    mend(desk)
    assert desk.count == int(durable)


@pytest.mark.parametrize("durable", [True, False])
def test_with_a_key_the_caller_may_repeat_it_and_it_is_done_once(desk, durable):
    lose_the_outcome(desk, durable=durable)
    assert desk.insert("order-7")["status"] == 500
    mend(desk)
    assert desk.insert("order-7") == {"rows": [{"n": 1}]}
    assert desk.insert("order-7") == {"rows": [{"n": 1}]}
    assert desk.count == 1


@pytest.mark.parametrize("kind", ["dropped", "broken", "503"])
def test_a_broken_connection_is_repeated_and_with_a_key_done_once(desk, insert, kind: FaultKind):
    with desk.proxy.breaking(Fault(kind, "POST", "query$")):
        assert insert("order-8") == {"rows": [{"n": 1}]}
    assert desk.asked == 2
    assert desk.count == 1


def test_an_answer_that_breaks_off_may_be_asked_for_again(desk, insert):
    """The package for Python does so by itself, the one for JavaScript leaves it to its caller."""
    with desk.proxy.breaking(Fault("cut", "POST", "query$")):
        insert("order-9")
    assert insert("order-9") == {"rows": [{"n": 1}]}
    assert desk.count == 1


def test_a_lost_race_is_told_and_nothing_was_done(tmp_path):
    with desk_at(tmp_path, commit_attempts="1") as desk:
        rival = Services(desk.server.site.services.settings)
        try:
            raced: list[str] = []

            def before(op: str) -> None:
                if op == PUT and not raced:
                    raced.append(op)
                    with rival.vault(rival.entry(desk.database)) as vault:
                        vault.write(lambda tx: tx.insert("t", x="rival"), OPERATOR)

            desk.store.before_call = before
            assert desk.insert(max_retries=0) == {"status": 409, "again": "true"}
            assert desk.count == 1
            raced.clear()
            # By itself the package asks again, and finds no rival.
            assert desk.insert() == {"rows": [{"n": 3}]}
            assert desk.asked == 3
            assert desk.count == 3
        finally:
            rival.close()
