"""The settings as a page of the reference, on standard output. Knows their rows; reads no environment."""

import sys

from handlers.settings import documentation

_INTRODUCTION = """# Settings

Every setting is an environment variable. A name that starts with `VAULTRY_` and is not in this list stops the process,
so a typing mistake cannot pass for a setting. An empty value counts as absent. `vaultry settings` shows the values in
effect, with secrets left out.

Credentials and region of an S3 store are the usual `AWS_*` variables.

| Setting | Unit | Default | Meaning |
|---|---|---|---|
"""


def page() -> str:
    """docs/reference/settings.md, whole."""
    lines = [f"| `{row.name}` | {row.unit} | {row.default} | {row.meaning} |\n" for row in documentation()]
    return _INTRODUCTION + "".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
