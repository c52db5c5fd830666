"""What a cold start imports: `handlers.api` against the usual stack, each in fresh interpreters, in turns."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.table import Line, microseconds

RUNS = 9


def imports(folder: Path) -> list[Line]:
    """Wall time of an interpreter that imports the module, less that of one that imports nothing."""
    environment = {
        **os.environ,
        "VAULTRY_STORE": (folder / "import-store").as_uri(),
        "VAULTRY_SECRET": "benchmark-secret-" * 3,
        "VAULTRY_LOG": "json",
    }
    # Artefacts carry compiled files, as installed packages do. Without leave to write them, our side alone would be
    # compiled anew in each run.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times: dict[str, list[float]] = {"pass": [], "import handlers.api": [], "import benchmarks.baseline_app": []}
    for code in times:
        _run(code, environment)
    for _ in range(RUNS):
        for code, measured in times.items():
            measured.append(_run(code, environment))
    nothing, ours, reference = (statistics.median(measured) for measured in times.values())
    ours, reference = ours - nothing, reference - nothing
    return [
        Line(
            "import handlers.api / FastAPI + SQLAlchemy + boto3",
            microseconds(ours),
            microseconds(reference),
            f"{ours / reference:.2f}x",
            "<= 0.2",
        )
    ]


def _run(code: str, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return time.perf_counter() - started
