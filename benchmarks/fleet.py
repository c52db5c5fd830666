"""`python -m benchmarks.fleet`: a fleet of vaults on the directory store, at two sizes.

Provisions tenants, writes once to each, rolls a migration over all of them with one in a hundred poisoned and the
process killed twice, and drills a sample. Prints vaults per second, bytes and objects per vault, peak memory, and how
the time for one vault at the large size compares with that at the small one.
"""

import argparse
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fleet_worker import DRILLS, PHASES
from handlers.cli.progress import Report, progress

# The rolling process is killed when so much of the fleet is done.
KILLS = (0.3, 0.6)
_MIB = 1 << 20


@dataclass(slots=True)
class Phase:
    """One phase at one size, of all its processes together. peak_mib: of the largest of them. kills: survived."""

    vaults: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0
    kills: int = 0

    @property
    def per_second(self) -> float:
        """Vaults a second."""
        return self.vaults / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of processor time for one vault: unlike the time on the clock, nobody else's work is in it."""
        return 1000 * self.cpu_seconds / self.vaults


@dataclass(slots=True)
class Fleet:
    """One size. bytes, objects: of a vault's log after everything; registry_bytes: of the registry's."""

    vaults: int
    phases: dict[str, Phase] = field(default_factory=dict[str, Phase])
    bytes: float = 0.0
    objects: float = 0.0
    registry_bytes: int = 0


def run_fleet(folder: Path, vaults: int, report: Report) -> Fleet:
    """Every phase with so many vaults, in a store of its own."""
    fleet = Fleet(vaults)
    for name in PHASES:
        phase = Phase(min(DRILLS, vaults) if name == "drill" else vaults)
        fleet.phases[name] = phase
        kills = [round(share * vaults) for share in KILLS] if name == "roll" else []
        while _run(folder, name, vaults, phase, kills, report):
            phase.kills += 1
            kills = kills[1:]
    _measure_store(folder / "data" / "vaults", fleet)
    return fleet


def _run(folder: Path, name: str, vaults: int, phase: Phase, kills: Sequence[int], report: Report) -> bool:
    """Run a phase in a process of its own; whether it was killed on the way, at the first of the figures."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fleet_worker", name, str(vaults)],
        env={**os.environ, "VAULTRY_STORE": f"file:{folder / 'data'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout is None:
        raise AssertionError("the process has a pipe")
    killed = False
    for line in process.stdout:
        done, total = map(int, line.split())
        report(f"{vaults} vaults: {name}", done, total)
        if kills and done >= kills[0] and not killed:
            process.send_signal(signal.SIGKILL)
            killed = True
    # Not Popen.wait: only this says how much memory that one process had.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    phase.seconds += time.perf_counter() - started
    phase.cpu_seconds += usage.ru_utime + usage.ru_stime
    phase.peak_mib = max(phase.peak_mib, usage.ru_maxrss / 1024)
    if process.returncode not in ({-signal.SIGKILL} if killed else {0}):
        raise SystemExit(f"{name} ended with {process.returncode}")
    return killed


def _measure_store(vaults: Path, fleet: Fleet) -> None:
    size = objects = 0
    for vault in os.scandir(vaults):
        found = [path.stat().st_size for path in Path(vault.path).rglob("*.ltx")]
        if vault.name == "registry":
            fleet.registry_bytes = sum(found)
        else:
            size, objects = size + sum(found), objects + len(found)
    fleet.bytes, fleet.objects = size / fleet.vaults, objects / fleet.vaults


def print_fleets(small: Fleet, large: Fleet) -> None:
    """What was measured, as a Markdown table. x 1 is linear: one vault costs the same in the large fleet."""
    heads = ("phase", f"{small.vaults} vaults", f"{large.vaults} vaults", "peak MiB", "time a vault", "CPU ms a vault")
    rows: list[tuple[str, ...]] = [heads]
    for name, phase in large.phases.items():
        before = small.phases[name]
        ratio = before.per_second / phase.per_second
        cpu = (before.cpu_ms, phase.cpu_ms)
        killed = f", killed {phase.kills} times" if phase.kills else ""
        sample = f" of {phase.vaults}" if phase.vaults != large.vaults else ""
        rows.append(
            (
                f"{name}{sample}{killed}",
                f"{before.per_second:.0f}/s",
                f"{phase.per_second:.0f}/s",
                f"{before.peak_mib:.0f} -> {phase.peak_mib:.0f}",
                f"x {ratio:.2f}",
                f"{cpu[0]:.1f} -> {cpu[1]:.1f}, x {cpu[1] / cpu[0]:.2f}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for fleet in (small, large):
        seconds = sum(phase.seconds for phase in fleet.phases.values())
        print(
            f"\n{fleet.vaults} vaults in {seconds:.0f} s: {fleet.bytes / 1024:.1f} KiB and {fleet.objects:.2f} objects "
            f"a vault, {fleet.registry_bytes / _MIB:.1f} MiB of registry"
        )


@contextmanager
def _folder(given: Path | None, name: str) -> Generator[Path]:
    # Beside the checkout, not in /tmp: that may be memory, where an fsync costs nothing.
    with tempfile.TemporaryDirectory(prefix=f"bench-fleet-{name}-", dir=given or Path.cwd()) as folder:
        yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-fleet", description=__doc__)
    parser.add_argument("--small", type=int, default=1_000, help="vaults of the small fleet")
    parser.add_argument("--large", type=int, default=10_000, help="vaults of the large fleet")
    parser.add_argument("--folder", type=Path, help="where the stores are made, and removed again; default: here")
    given = parser.parse_args()
    print(f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}\n")
    fleets: list[Fleet] = []
    with progress() as report:
        for vaults in (given.small, given.large):
            with _folder(given.folder, str(vaults)) as folder:
                fleets.append(run_fleet(folder, vaults, report))
    print_fleets(fleets[0], fleets[1])


if __name__ == "__main__":
    main()
