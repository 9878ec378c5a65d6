"""``python -m collector`` is the command ``spanloom``."""

from collector.cli.app import main

main()
