"""The API function on a bucket some way off, under the real Lambda runtime client: two at once, two tenants in one."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from db.clock import system_moment
from db.transaction import ReadTx
from handlers.services import Services
from handlers.settings import Settings
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.handlers.http.site import Choir, Site, make_choir
from tests.handlers.person_token import person_token
from tests.lambda_runtime import LambdaRuntime, http_event
from tests.moto_s3 import MotoS3, moto_s3

LATENCY_S = 0.015
TIMES = 20
ROUNDS = 3


@dataclass
class Stage:
    """A bucket behind a proxy, choirs in it, and functions that reach it through the proxy."""

    s3: MotoS3
    proxy: FaultProxy
    folder: Path
    made: Site

    def function(self, name: str) -> LambdaRuntime:
        """One execution environment, with a folder of its own."""
        environ = environment(self.s3, self.proxy.endpoint, self.folder / name)
        keys = {"AWS_ACCESS_KEY_ID": self.s3.access_key_id, "AWS_SECRET_ACCESS_KEY": self.s3.secret_access_key}
        return LambdaRuntime("tests.counting_function.handler", environ | keys)

    def rows(self, choir: Choir, sql: Any) -> list[dict[str, Any]]:
        """Rows of the choir's vault, read past the proxy."""

        def read(tx: ReadTx) -> list[dict[str, Any]]:
            return [dict(row) for row in tx.rows(sql)]

        with self.made.services.vault(choir.entry) as vault:
            return vault.read(read).value


def environment(s3: MotoS3, endpoint: str, folder: Path) -> dict[str, str]:
    return {
        "VAULTRY_STORE": f"s3://{s3.bucket}/lambda?region={s3.region}",
        "VAULTRY_S3_ENDPOINT": endpoint,
        "VAULTRY_SECRET": "test-secret-" * 4,
        "VAULTRY_CACHE": str(folder / "cache"),
        "VAULTRY_MAIL": f"folder:{folder / 'mail'}",
        "VAULTRY_BASE_URL": "https://choirs.example",
    }


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("functions")
    with moto_s3() as s3, fault_proxy(s3.endpoint, LATENCY_S) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
        settings = Settings.from_env(environment(s3, s3.endpoint, folder / "made"))
        made = Site(folder / "made", system_moment, Services(settings))
        yield Stage(s3, proxy, folder, made)
        made.services.close()


def event(method: str, path: str, token: str, body: Any = None, **headers: str) -> dict[str, Any]:
    sent = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http_event(method, path, headers=sent | named, body=None if body is None else json.dumps(body).encode())


def count_up(function: LambdaRuntime, token: str, numbers: list[int]) -> None:
    for _ in range(TIMES):
        answer = function.invoke(event("POST", "/alto/rest/v1/rpc/count.up", token, {}))
        assert answer["statusCode"] == 200, answer
        numbers.append(int(answer["body"]))


def test_two_environments_that_write_to_one_vault_at_once_lose_and_double_nothing(stage: Stage) -> None:
    choir = make_choir(stage.made, "alto")
    token = person_token(stage.made.services, choir)
    with stage.function("left") as left, stage.function("right") as right:
        told: list[list[int]] = [[], []]
        threads = [
            threading.Thread(target=count_up, args=(function, token, numbers))
            for function, numbers in zip((left, right), told, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lost = sum(function.log.count('"RaceLost"') for function in (left, right))
    assert [len(numbers) for numbers in told] == [TIMES, TIMES]
    assert sorted(told[0] + told[1]) == list(range(1, 2 * TIMES + 1)), "each is acknowledged once, with its own number"
    assert all(numbers == sorted(numbers) for numbers in told)
    assert stage.rows(choir, "SELECT value FROM vaultry_settings WHERE key = 'count'") == [{"value": str(2 * TIMES)}]
    assert lost > 0, "they did meet"


def test_one_environment_serves_tenants_in_turn_and_mixes_nothing_up(stage: Stage) -> None:
    choirs = {slug: make_choir(stage.made, slug) for slug in ("bass", "tenor")}
    tokens = {slug: person_token(stage.made.services, choir) for slug, choir in choirs.items()}
    sent: dict[str, list[str]] = {slug: [] for slug in choirs}
    for slug, choir in choirs.items():
        stage.made.add_member(choir, f"Only in {slug}")
    with stage.function("alternating") as function:

        def ask(slug: str, method: str, path: str, body: Any = None, *, token: str = "", **headers: str) -> Any:
            sent[slug].append(f"{slug}-{len(sent[slug])}")
            asked = event(
                method, f"/{slug}/rest/v1/{path}", token or tokens[slug], body, x_request_id=sent[slug][-1], **headers
            )
            answer = function.invoke(asked)
            assert answer["headers"]["x-request-id"] == sent[slug][-1]
            return answer

        for turn in range(ROUNDS):
            for slug, other in (("bass", "tenor"), ("tenor", "bass")):
                names = {row["name"] for row in json.loads(ask(slug, "GET", "members")["body"])}
                assert f"Only in {slug}" in names
                assert f"Only in {other}" not in names
                # The same key and the same body in two vaults are two requests.
                added = ask(
                    slug, "POST", "rpc/member.add_roster", {"name": f"New {turn}"}, idempotency_key=f"key-{turn}"
                )
                assert added["statusCode"] == 200, added
                assert "idempotency-replayed" not in added["headers"]
                assert ask(slug, "POST", "rpc/member.add_roster", {"name": f"New {turn}"})["statusCode"] == 409
                assert ask(slug, "POST", "rpc/count.crash", {})["statusCode"] == 500
                assert ask(slug, "GET", "no_such_table")["statusCode"] == 404
                assert ask(slug, "GET", "members", token=tokens[other])["statusCode"] == 403
                assert ask(slug, "GET", "members", token="nonsense")["statusCode"] == 401
                bookmark = added["headers"]["x-d1-bookmark"]
                assert ask(other, "GET", "members", x_d1_bookmark=bookmark)["statusCode"] == 400
                stage.proxy.exchanges.clear()
                assert ask(slug, "GET", "members")["statusCode"] == 200
                of_vaults = [found for found in stage.proxy.exchanges if "/registry/" not in found.key]
                assert [(found.method, choirs[slug].entry.id in found.key) for found in of_vaults] == [("GET", True)]
    for slug, choir in choirs.items():
        told = {row["request_id"] for row in stage.rows(choir, "SELECT request_id FROM vaultry_audit")}
        ours = {name for name in told if name.split("-")[0] in choirs}
        assert ours
        assert ours <= set(sent[slug])
        assert stage.rows(choir, "SELECT value FROM vaultry_settings WHERE key = 'count'") == [], "crashes left nothing"
