"""``python -m collector`` is the command ``spanloom``."""

from collector.cli import main

main()
