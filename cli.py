"""Run the command line from a checkout: ``python cli.py --help`` is ``grouper --help``."""

from grouper.commands import cli, main

__all__ = ["cli", "main"]

if __name__ == "__main__":
    main()
