"""Releases that have further steps of the choir set: those of a folder, in this process or in a child.

`python -m tests.handlers.fleet.extra_steps COMMAND...` is `vaultry COMMAND...` of such a release. STEPS: the folder.
KILL: `module:function:N`: the process kills itself as the function is called for the Nth time.
"""

import importlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from db.schema.migrate import MigrationSet, Step, load_set
from db.vault.opening import Kind
from domain.charter import Charter
from handlers.services import Services

KIND = Services.kind


def kind_with(folder: Path) -> Callable[[Services, Charter], Kind]:
    """What `Services.kind` is in the release whose choir set goes on with the steps of the folder."""

    def kind(services: Services, charter: Charter) -> Kind:
        known = KIND(services, charter)
        *before, last = known.sets
        if not any(folder.iterdir()):
            return known
        further = load_set(folder.name, folder.parent).steps
        steps = (*last.steps, *(_after(step, last) for step in further))
        return Kind((*before, MigrationSet(last.name, steps)), known.redacted, known.unaudited)

    return kind


def _after(step: Step, known: MigrationSet) -> Step:
    return Step(known.name, len(known.steps) + step.number, step.name, step.sql, step.sha256, step.foreign_keys)


def kill_at(where: str) -> None:
    """Kill this process as a function is called for the Nth time. where: `module:function:N`."""
    module_name, name, count = where.split(":")
    module: Any = importlib.import_module(module_name)
    real, left = getattr(module, name), [int(count)]

    def deadly(*args: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **named)

    setattr(module, name, deadly)


if __name__ == "__main__":
    from handlers.cli import main

    Services.kind = kind_with(Path(os.environ["STEPS"]))  # type: ignore[method-assign]
    if "KILL" in os.environ:
        kill_at(os.environ["KILL"])
    main()
