"""``python -m converters.cli``."""

from converters.cli.group import main

main()
