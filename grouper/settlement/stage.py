"""The stages of a run, and what they tell of how far they are to whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import duckdb

STAGES = ("read", "validate", "price", "pool", "adjust", "statements", "report", "commit")


class Progress(Protocol):
    """What a stage tells. A call: rows (or files) done, and in all where that is known."""

    def __call__(self, done: int, total: int | None) -> None: ...

    def follow(self, connection: duckdb.DuckDBPyConnection, rows: int) -> AbstractContextManager[None]:
        """While it lasts, tell how far the statements of ``connection`` are, which concern ``rows`` rows."""


Stage = Callable[[str], AbstractContextManager[Progress | None]]


def no_stage(name: str) -> AbstractContextManager[None]:
    """A stage that tells nobody."""
    return nullcontext()


def followed(
    progress: Progress | None, connection: duckdb.DuckDBPyConnection, rows: int
) -> AbstractContextManager[None]:
    """``progress.follow`` where anybody watches."""
    return nullcontext() if progress is None else progress.follow(connection, rows)


def onward(progress: Progress | None, before: int, total: int) -> Callable[[int], None] | None:
    """Tells rows of one table of several: ``before`` rows came ahead of it."""
    return None if progress is None else lambda done: progress(min(before + done, total), total)
