"""Every route that writes takes an Idempotency-Key; a repeat after a crash gets the answer nobody got to see."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import REST, Caller, Choir, Site, make_choir, refused

ROOT = Path(__file__).parents[3]
LISTING = {"prefer": "return=representation"}


@dataclass(frozen=True)
class Write:
    """One way to write. {id}: of the work that is there. other: a body, or path, that makes it another request."""

    method: str
    path: str
    body: Any
    other: Any
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, caller: Caller, work_id: str, body: Any, key: str = "k-1", path: str | None = None) -> Answer:
        headers = dict(self.headers) | {"idempotency_key": key}
        return caller.send(self.method, REST + (path or self.path).format(id=work_id), body, **LISTING | headers)


MERGE = ("prefer", "resolution=ignore-duplicates, return=representation")
WRITES = {
    "insert": Write("POST", "/works", {"title": "Os justi"}, {"title": "x"}),
    "bulk insert": Write("POST", "/works", [{"title": "Os justi"}, {"title": "Ave Maria"}], [{"title": "x"}]),
    "upsert": Write("POST", "/edition_sections", {"edition_id": "{edition}", "section_id": "{section}"}, {}, (MERGE,)),
    "update": Write("PATCH", "/works?id=eq.{id}", {"composer": "Bruckner"}, {"composer": "x"}),
    "delete": Write("DELETE", "/works?id=eq.{id}", None, None),
    "verb": Write("POST", "/rpc/work.create", {"title": "Os justi"}, {"title": "x"}),
    "verb that deletes": Write("POST", "/rpc/work.delete", {"work_id": "{id}"}, {"work_id": "x"}),
}


@dataclass(frozen=True)
class Scene:
    site: Site
    choir: Choir
    caller: Caller
    work_id: str
    ids: dict[str, str]

    def body(self, template: Any) -> Any:
        """The body with the ids of what is there."""
        text = json.dumps(template)
        for name, value in self.ids.items():
            text = text.replace(f"{{{name}}}", value)
        return json.loads(text)

    def audit(self) -> int:
        """How many changes of rows were ever made."""
        found: int = self.site.vault_rows(self.choir, "SELECT count(*) AS n FROM vaultry_audit")[0]["n"]
        return found


@pytest.fixture
def scene(site):
    choir = make_choir(site, "aurora")
    caller = site.guest("aurora").with_token(site.api_token(choir, "librarian"))
    work_id = caller.add("works", {"title": "Locus iste"}).json()[0]["id"]
    edition = caller.add("editions", {"work_id": work_id, "name": "Part"}).json()[0]["id"]
    section = caller.rows("sections?select=id&limit=1")[0]["id"]
    return Scene(site, choir, caller, work_id, {"id": work_id, "edition": edition, "section": section})


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_repeat_is_answered_alike_and_changes_nothing(scene, write):
    body = scene.body(write.body)
    first = write.send(scene.caller, scene.work_id, body)
    assert first.status in (200, 201), first.text
    changes = scene.audit()
    again = write.send(scene.caller, scene.work_id, body)
    assert (again.status, again.body, again.header("idempotency-replayed")) == (first.status, first.body, "true")
    assert again.header("x-d1-bookmark") is not None
    assert scene.audit() == changes


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_key_with_another_request_is_refused_and_changes_nothing(scene, write):
    assert write.send(scene.caller, scene.work_id, scene.body(write.body)).status in (200, 201)
    changes = scene.audit()
    path = "/works?id=eq.x" if write.method == "DELETE" else None
    answer = write.send(scene.caller, scene.work_id, write.other, path=path)
    assert refused(answer) == (409, "idempotency_key_reused")
    assert scene.audit() == changes


def killed(scene: Scene, write: Write, kill_at: str) -> None:
    """Have another process serve the request, and die at the step."""
    scene.site.services.close()
    key = [("idempotency-key", "k-1"), *LISTING.items(), *((n.replace("_", "-"), v) for n, v in write.headers)]
    told = {
        "kill_at": kill_at,
        "method": write.method,
        "warm": f"/aurora{REST}/works",
        "path": f"/aurora{REST}{write.path.format(id=scene.work_id)}",
        "headers": [("authorization", f"Bearer {scene.caller.token}"), *key],
        "body": scene.body(write.body),
    }
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.handlers.http.killed_server", str(scene.site.folder), json.dumps(told)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, (done.stdout, done.stderr)


@pytest.mark.parametrize("kind", ["insert", "update", "delete", "verb"])
@pytest.mark.parametrize(("kill_at", "replayed"), [("before commit:put", None), ("after commit:put", "true")])
def test_a_repeat_after_a_crash_around_the_commit_has_one_effect_and_the_first_answer(scene, kind, kill_at, replayed):
    write, before = WRITES[kind], scene.audit()
    killed(scene, write, kill_at)
    again = scene.site.restart()
    try:
        caller = Caller(again.client, "aurora", scene.caller.token)
        repeat = write.send(caller, scene.work_id, scene.body(write.body))
        assert repeat.status in (200, 201), repeat.text
        assert repeat.header("idempotency-replayed") == replayed
        once_more = write.send(caller, scene.work_id, scene.body(write.body))
        assert (once_more.status, once_more.body) == (repeat.status, repeat.body)
        # A delete takes the work's edition along.
        effects = {"insert": 1, "update": 1, "verb": 1, "delete": 2}[kind]
        now = Scene(again, scene.choir, caller, scene.work_id, scene.ids)
        assert now.audit() - before == effects
    finally:
        again.services.close()


def test_what_was_only_tried_carries_a_bookmark_and_leaves_no_answer_behind(scene):
    tried = scene.caller.add("works", {"title": "x"}, prefer="tx=rollback", idempotency_key="k-9")
    assert (tried.status, tried.header("preference-applied")) == (201, "tx=rollback")
    assert tried.header("x-d1-bookmark") == scene.caller.get("works").header("x-d1-bookmark")
    assert scene.caller.add("works", {"title": "x"}, idempotency_key="k-9").header("idempotency-replayed") is None
