"""`vaultry`: the command line, one module per subject. Parses, calls, prints; no SQL, no rule of its own."""

from handlers.cli.main import cli, main

__all__ = ["cli", "main"]
