"""The first answer of a fresh process on an S3 that is 15 ms away: round trips that wait for each other, and time.

The S3 is moto's, on this machine; each call is kept back by 15 ms on top of what moto itself takes, some 5 ms on a core
of its own. Against the floor of four calls, and against the usual stack in turns.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.table import Line, microseconds
from db.clock import system_moment
from db.history.points import current_database
from db.registry.api_tokens import TokenReach, create_api_token
from db.transaction import Actor, WriteTx
from domain.charter import Founding
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import owner_of, provision
from tests.fault_proxy import FaultProxy, fault_proxy, serial_depth
from tests.lambda_runtime import http_event
from tests.moto_s3 import MotoS3, clean_environment, moto_s3

LATENCY_S = 0.015
ROUND_TRIPS = 4
RUNS = 7
MEMBERS = 20
_ACTOR = Actor("benchmark", "system", "benchmark", "benchmark.write")


def cold_start(folder: Path) -> list[Line]:
    """Ours and the reference in turns, each time with an empty folder."""
    figures: dict[str, list[dict[str, float]]] = {"ours": [], "reference": []}
    with moto_s3() as s3, fault_proxy(s3.endpoint, LATENCY_S) as proxy:
        event = _prepare(s3, folder / "made")
        for run in range(RUNS + 1):
            for side, measured in figures.items():
                found = _measure(side, event, s3, proxy, folder / f"{side}-{run}")
                # The first run compiles modules and warms the disk.
                measured += [found] if run else []
    median = {
        side: {name: statistics.median(run[name] for run in measured) for name in measured[0]}
        for side, measured in figures.items()
    }
    ours, reference = median["ours"], median["reference"]
    floor = ROUND_TRIPS * LATENCY_S
    return [
        Line(
            "first request on S3: round trips in turn / usual stack, two files",
            f"{ours['depth']:.0f} ({ours['calls']:.0f} calls)",
            f"{reference['depth']:.0f} ({reference['calls']:.0f} calls)",
            "",
            f"<= {ROUND_TRIPS}",
        ),
        _line("first answer after importing / four calls of 15 ms", ours["first_s"], floor, ""),
        _line("first answer after importing / usual stack", ours["first_s"], reference["first_s"], ""),
        _line("process start to first answer / usual stack", ours["total_s"], reference["total_s"], "<= 1"),
        _line("second, current answer / one call of 15 ms", ours["second_s"], LATENCY_S, ""),
    ]


def _line(what: str, ours: float, reference: float, target: str) -> Line:
    return Line(what, microseconds(ours), microseconds(reference), f"{ours / reference:.2f}x", target)


def _environment(s3: MotoS3, endpoint: str, folder: Path) -> dict[str, str]:
    return {
        "VAULTRY_STORE": f"s3://{s3.bucket}/cold?region={s3.region}",
        "VAULTRY_S3_ENDPOINT": endpoint,
        "VAULTRY_SECRET": "benchmark-secret-" * 3,
        "VAULTRY_CACHE": str(folder / "cache"),
        "VAULTRY_MAIL": f"folder:{folder / 'mail'}",
        "VAULTRY_LOG": "json",
    }


def _prepare(s3: MotoS3, folder: Path) -> Mapping[str, Any]:
    """A tenant with some members, the same databases for the reference, and the request for the members."""
    # The keys reach the client of the store as they do on Lambda.
    os.environ.update(AWS_ACCESS_KEY_ID=s3.access_key_id, AWS_SECRET_ACCESS_KEY=s3.secret_access_key)
    services = Services(Settings.from_env(_environment(s3, s3.endpoint, folder)))
    made = provision(services, "choir", Founding("bench", "Bench", "owner@bench.example"), _ACTOR)
    add = services.charter(made.entry).verb("member.add_roster")
    if add is None:
        raise AssertionError("the choir charter adds members")
    now = system_moment()
    token, _ = services.registry_write(lambda tx: create_api_token(tx, "bench", TokenReach(), now), _ACTOR, now)
    owner = owner_of(services, made.entry)

    def fill(tx: WriteTx) -> None:
        for number in range(MEMBERS):
            add.run(tx, owner, {"name": f"Singer {number}"}, now)

    store = s3.store("reference")
    with services.vault(made.entry) as vault:
        vault.write(fill, _ACTOR, now)
        store.put(made.entry.id, current_database(vault)[0], timestamp_ms=now.ms, op="benchmark")
    store.put("registry", current_database(services.registry)[0], timestamp_ms=now.ms, op="benchmark")
    services.close()
    headers = {"authorization": f"Bearer {token}"}
    return http_event("GET", "/bench/rest/v1/members", query="select=id,name", headers=headers)


def _measure(side: str, event: Mapping[str, Any], s3: MotoS3, proxy: FaultProxy, folder: Path) -> dict[str, float]:
    """What one fresh process took, and what it asked of the store until its first answer."""
    environ = clean_environment() | _environment(s3, proxy.endpoint, folder)
    environ |= {"AWS_ACCESS_KEY_ID": s3.access_key_id, "AWS_SECRET_ACCESS_KEY": s3.secret_access_key}
    environ |= {"REFERENCE_ENDPOINT": proxy.endpoint, "REFERENCE_BUCKET": s3.bucket}
    proxy.exchanges.clear()
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cold_process", side],
        input=json.dumps(event),
        env=environ,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    elapsed = time.perf_counter() - started
    figures: dict[str, float] = json.loads(done.stdout)
    first = [exchange for exchange in proxy.exchanges if exchange.began < figures["answered_at"]]
    return {
        **figures,
        "total_s": elapsed - figures["second_s"],
        "depth": serial_depth(first),
        "calls": len(first),
    }
