"""The version of this software, as results and ledgers name it, and the commit of its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path

VERSION = "0.2.0"
UNKNOWN = "unknown"


@cache
def commit() -> str:
    """The commit that the package was built from; with ``+changes`` where the source had others than it.

    "unknown" where it was not built from a checkout, and in a source tree, which may have changed since.
    """
    built = Path(__file__).with_name("commit.txt")  # setup.py writes it
    return built.read_text(encoding="ascii").strip() if built.is_file() else UNKNOWN
