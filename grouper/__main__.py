"""``python -m grouper`` is the command ``grouper``."""

from grouper.commands import main

main()
