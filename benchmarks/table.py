"""Measuring in turns and printing the table. Knows clocks; not what is measured."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One row. ratio: ours against the reference of the same run. target: in words, '' for a plain figure."""

    what: str
    ours: str
    reference: str
    ratio: str
    target: str


def in_turns(
    ours: Callable[[int], object], reference: Callable[[int], object], *, rounds: int = 30, batch: int = 10
) -> tuple[float, float]:
    """Median seconds per call of both, measured in alternating batches so that a slow moment hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    number = 0
    gc.collect()
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 else (1, 0):
            call = (ours, reference)[side]
            for _ in range(batch):
                number += 1
                started = time.perf_counter()
                call(number)
                times[side].append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def print_table(lines: Sequence[Line]) -> None:
    """The rows under their headings, as a Markdown table."""
    rows = [("what", "ours", "reference", "ratio", "target")]
    rows += [(line.what, line.ours, line.reference, line.ratio, line.target) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def microseconds(seconds: float) -> str:
    """`465 us`, or `1.2 ms` from a millisecond on."""
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"
