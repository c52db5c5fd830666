"""Node, what `npm ci` installed beside `js/package.json`, and Chromium: found here, or the test is skipped by name."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "js"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def node() -> str:
    """The program. Skips the test by name without it, or without its packages."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not here: no program `node`")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("Node's packages are not here: npm ci --prefix tests/interop/js")
    return found


def chromium() -> str:
    """The browser. Skips the test by name without it."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        pytest.skip(f"Chromium is not here: none of {', '.join(_BROWSERS)}")
    return found


def run_node(*arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    """What the program wrote and how it ended."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [node(), *arguments], cwd=folder, env=kept, capture_output=True, text=True, check=False, timeout=120
    )


def node_json(*arguments: str) -> Any:
    """The JSON that a script of `js/` wrote."""
    done = run_node(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
