"""``python -m tunebook``: the command, where it is not on the path."""

from tunebook.cli.main import main

main()
