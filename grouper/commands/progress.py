"""A line of progress on a terminal: rows, rate and time left. Nothing where stderr is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_line() -> Iterator[Callable[[int, int | None], None] | None]:
    """A function to call with rows done and rows in all, or None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    begin = last = time.monotonic()

    def show(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.1 and done != total:
            return
        last = now
        rate = done / max(now - begin, 1e-9)
        text = f"{done:,}"
        if total:
            left = (total - done) / max(rate, 1e-9)
            text += f" / {total:,}  {100 * done / total:3.0f}%  {left:,.0f}s"
        sys.stderr.write(f"\r{text}  {rate:,.0f}/s\x1b[K")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
