"""Long work on the command line: how far it is, and what Ctrl-C does meanwhile. Knows terminals and signals only."""

import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from handlers.cli.output import note

# Told a label, how much is done, and of how much.
Report = Callable[[str, int, int], None]


@contextmanager
def progress() -> Generator[Report]:
    """A bar per label on standard error while the block runs; nothing at all where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda label, done, total: None
        return
    from rich.console import Console  # here: pipes and tests do without
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total)
            bars.update(tasks[label], completed=done, total=total)

        yield report


@dataclass(slots=True)
class Interruption:
    """Whether somebody asked to stop."""

    asked: bool = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if so: to be called where stopping loses nothing."""
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def interruption() -> Generator[Interruption]:
    """Ctrl-C is noted for `check` while the block runs; a second one stops at once."""
    state = Interruption()

    def handle(number: int, frame: FrameType | None) -> None:
        if state.asked:
            raise KeyboardInterrupt
        state.asked = True
        note("stopping after the running commit; press Ctrl-C again to stop at once")

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handle) for number in signals}
    try:
        yield state
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
