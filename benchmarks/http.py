"""Rows over HTTP: the real server, signed in and under rules, against servers that ask nobody who they are.

In alternating bursts, server and asker on a core each, one server at a time; the processor time of each server per
request is printed beside, for it holds on a busy machine too.
"""

import os
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.http_load import Load
from benchmarks.http_servers import GET, LIST, POST, SQL_ADD, SQL_ONE, Server, d1_local, python_server, vaultry
from benchmarks.table import Line, microseconds

CONNECTIONS = (1, 32)
BURST_S = 0.4
ROUNDS = 9
# What ours may take of the reference's time.
BY_HAND = {GET: 1.8, LIST: 1.3, POST: 2.5}
# How many times the reference's requests ours must serve.
BY_FRAMEWORK, BY_D1 = 4, 3
SQL_BY_D1 = {SQL_ONE: 3, SQL_ADD: 2}


@dataclass(slots=True)
class _Measured:
    """One server at one operation. times: seconds of the wall per request, by burst."""

    server: Server
    times: list[float] = field(default_factory=list[float])
    answers: int = 0
    cpu_s: float = 0.0
    own_cpu_s: float = 0.0
    wall_s: float = 0.0

    @property
    def time_s(self) -> float:
        return statistics.median(self.times)

    def told(self) -> str:
        """`12,345/s (81 us, 79 us cpu)`; `asker busy` where it was this side that was slow."""
        busy = ", asker busy" if self.own_cpu_s > 0.9 * self.wall_s else ""
        cpu = microseconds(self.cpu_s / self.answers)
        return f"{1 / self.time_s:,.0f}/s ({microseconds(self.time_s)}, {cpu} cpu{busy})"


def http(folder: Path) -> list[Line]:
    """Each operation at each number of connections, ours against each reference in turns."""
    before = os.sched_getaffinity(0)
    lines: list[Line] = []
    with ExitStack() as stack:
        ours = stack.enter_context(vaultry(folder / "vaultry"))
        by_hand = stack.enter_context(python_server("starlette_rows", "starlette", folder / "starlette"))
        framework = stack.enter_context(python_server("sqlalchemy_rows", "fastapi", folder / "sqlalchemy"))
        d1 = stack.enter_context(d1_local(folder / "d1"))
        # Servers were started on the first core.
        os.sched_setaffinity(0, {max(before)})
        try:
            for operation in (GET, LIST, POST):
                for connections in CONNECTIONS:
                    what = f"{operation}, {connections} conn."
                    lines += [_slower(what, *_in_turns(ours, by_hand, operation, connections), BY_HAND[operation])]
                    lines += [_faster(what, *_in_turns(ours, framework, operation, connections), BY_FRAMEWORK)]
                    if d1 is not None:
                        lines += [_faster(what, *_in_turns(ours, d1, operation, connections), BY_D1)]
            for operation, least in SQL_BY_D1.items() if d1 is not None else ():
                for connections in CONNECTIONS:
                    what = f"{operation}, {connections} conn."
                    lines += [_faster(what, *_in_turns(ours, d1, operation, connections), least)]
        finally:
            os.sched_setaffinity(0, before)
    if d1 is None:
        lines.append(Line("over HTTP / D1, local engine", "", "skipped: no node, or no miniflare", "", ""))
    return lines


def _in_turns(ours: Server, reference: Server, operation: str, connections: int) -> tuple[_Measured, _Measured]:
    """Both servers at one operation, burst by burst; a first, short one of each warms it up and does not count."""
    sides = (_Measured(ours), _Measured(reference))
    with ExitStack() as stack:
        loads = [_opened(stack, side.server, connections) for side in sides]
        for side, load in zip(sides, loads, strict=True):
            load.run(side.server.requests[operation], BURST_S / 4)
        for turn in range(ROUNDS):
            for place in (0, 1) if turn % 2 else (1, 0):
                side, load = sides[place], loads[place]
                before = side.server.cpu_s()
                burst = load.run(side.server.requests[operation], BURST_S)
                side.cpu_s += side.server.cpu_s() - before
                side.times.append(burst.seconds / burst.answers)
                side.answers += burst.answers
                side.own_cpu_s += burst.own_cpu_s
                side.wall_s += burst.seconds
    return sides


def _opened(stack: ExitStack, server: Server, connections: int) -> Load:
    load = Load(server.port, connections)
    stack.callback(load.close)
    return load


def _slower(what: str, ours: _Measured, reference: _Measured, most: float) -> Line:
    """Times: how much longer ours takes."""
    return _line(what, ours, reference, f"{ours.time_s / reference.time_s:.2f}x time", f"<= {most}x")


def _faster(what: str, ours: _Measured, reference: _Measured, least: float) -> Line:
    """Requests: how many more ours serves."""
    return _line(what, ours, reference, f"{reference.time_s / ours.time_s:.2f}x requests", f">= {least}x")


def _line(what: str, ours: _Measured, reference: _Measured, ratio: str, target: str) -> Line:
    return Line(f"{what} / {reference.server.name}", ours.told(), reference.told(), ratio, target)
