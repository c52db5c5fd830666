"""`python -m handlers.cli`: the command line where the `vaultry` program is not installed."""

from handlers.cli.main import main

main()
