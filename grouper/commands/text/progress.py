"""Progress on a terminal: how much is done, the rate and the time left. Nothing where stderr is no terminal.

What is told is a text of what was measured (``Shown``), made by pure functions; ``Stages`` and
``progress_line`` measure and draw.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import duckdb

_EVERY = 0.2  # seconds between two drawings
# What the stages of a run cost beside each other (seconds a million rows, docs/settlement.md): what a stage
# that does not know how far it is will take, by the pace of those before it.
WORK = {"read": 6.0, "validate": 6.0, "price": 3.0, "pool": 3.0, "adjust": 4.0, "statements": 9.0}


@dataclass(frozen=True)
class Shown:
    """What is known of a stage. Times in seconds.

    ``done`` of ``total`` were counted within ``counted``; ``expected`` is what the whole stage should take;
    ``percent`` is how far the statement now run is, since ``stated``. None where it is not known.
    """

    words: str = ""
    unit: str = ""
    elapsed: float = 0.0
    done: int | None = None
    total: int | None = None
    counted: float = 0.0
    rows: int = 0
    expected: float | None = None
    percent: float | None = None
    stated: float = 0.0


def text(shown: Shown, lang: str) -> str:
    """A line: by what was counted, else by the pace of the stages before, else by the statement itself."""
    if shown.done or (shown.done is not None and shown.done == shown.total):
        return "  ".join([*_head(shown), *_counted(shown, shown.done, lang)])
    return "  ".join([*_head(shown), *_guessed(shown, lang)])


def _head(shown: Shown) -> list[str]:
    return [shown.words] if shown.words else []


def _counted(shown: Shown, done: int, lang: str) -> Iterator[str]:
    unit = f" {shown.unit}" if shown.unit else ""
    rate = done / max(shown.counted, 1e-3)
    if shown.total:
        yield f"{done:,} / {shown.total:,}{unit}"
        yield f"{100 * done / shown.total:3.0f}%"
    else:
        yield f"{done:,}{unit}"
    yield _rate(rate)
    if shown.total and done:
        yield _left((shown.total - done) / rate, lang)


def _guessed(shown: Shown, lang: str) -> Iterator[str]:
    """Where nothing is counted: a share of what the stage should take, and how far its statement is."""
    about = "约" if lang != "en" else "about "
    guess = shown.expected if shown.expected and shown.elapsed < shown.expected else None
    if guess:
        yield f"{about}{100 * shown.elapsed / guess:.0f}%"
        if shown.rows:
            yield about + _rate(shown.rows / guess)
        yield _left(guess - shown.elapsed, lang, about)
    else:
        if shown.total:
            yield f"0 / {shown.total:,} {shown.unit}".rstrip()
        yield duration(shown.elapsed)
    if shown.percent is not None and shown.percent >= 0:
        yield f"{'本句' if lang != 'en' else 'statement'} {shown.percent:.0f}%"
        if not guess and shown.percent > 0:
            yield _left(shown.stated * (100 - shown.percent) / shown.percent, lang, about)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


def _left(seconds: float, lang: str, about: str = "") -> str:
    return f"剩余{about} {duration(seconds)}" if lang != "en" else f"{about}{duration(seconds)} left"


def duration(seconds: float) -> str:
    """12s, 3m05s, 2h04m."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def over(shown: Shown, lang: str) -> str:
    """The line of a stage that is over: how much, how long, how fast."""
    parts = [shown.words]
    rows = shown.done or shown.rows
    if rows:
        parts.append(f"{rows:,} {shown.unit}".rstrip())
    parts.append(f"{shown.elapsed:.1f}s")
    if rows and shown.elapsed:
        parts.append(_rate(rows / shown.elapsed))
    return "  " + "  ".join(parts)


def expected(stage: str, spent: dict[str, float]) -> float | None:
    """Seconds that a stage should take, by what those before it took; None where nothing tells."""
    known = [name for name in spent if name in WORK]
    if stage not in WORK or not known:
        return None
    return WORK[stage] * sum(spent[name] for name in known) / sum(WORK[name] for name in known)


class Line:
    """A line of a terminal that is drawn again and again; a stage tells it what it does."""

    def __init__(self, shown: Shown, out: TextIO, clock: Callable[[], float], lang: str) -> None:
        self.shown, self._out, self._clock, self._lang = shown, out, clock, lang
        self._begin = self._counting = self._stating = self._drawn = clock()
        self._lock, self._end = threading.RLock(), threading.Event()

    def _know(self, **changes: Any) -> None:
        """Three threads tell what is shown: the one that works, the one that asks, the one that draws."""
        with self._lock:
            self.shown = replace(self.shown, **changes)

    def __call__(self, done: int, total: int | None) -> None:
        """Rows or files done; the first call, with 0, is where the counting begins."""
        now = self._clock()
        total = None if total is None else max(done, total)  # an estimate may fall short
        if not done:
            self._counting = now
        self._know(done=done, total=total, counted=now - self._counting)
        if done == total or now - self._drawn >= _EVERY:
            self.draw()

    @contextmanager
    def follow(self, connection: duckdb.DuckDBPyConnection, rows: int) -> Iterator[None]:
        """Ask ``connection`` from beside how far its statement is, for as long as this lasts."""
        self._know(rows=rows)
        for setting in ("enable_progress_bar = true", "enable_progress_bar_print = false"):
            connection.execute(f"SET {setting}")
        connection.execute("SET progress_bar_time = 0")
        ask = getattr(connection, "query_progress", None)  # not in older DuckDB
        end = threading.Event()

        def poll() -> None:
            while ask is not None and not end.wait(_EVERY):
                with suppress(Exception):  # the connection may be between two statements
                    self.statement(ask())

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()
            connection.execute("SET enable_progress_bar = false")
            self._know(percent=None)

    def statement(self, percent: float) -> None:
        """How far the statement is; one that falls back is another."""
        now = self._clock()
        if self.shown.percent is None or percent < self.shown.percent:
            self._stating = now
        self._know(percent=percent, stated=now - self._stating)

    def draw(self) -> None:
        with self._lock:
            self._drawn = self._clock()
            self._know(elapsed=self._drawn - self._begin)
            self._out.write(f"\r{text(self.shown, self._lang)}\x1b[K")
            self._out.flush()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw on while nothing is told, so that the time is seen to move; wipe the line at the end."""

        def again() -> None:
            while not self._end.wait(_EVERY):
                self.draw()

        thread = threading.Thread(target=again, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()
            self._know(elapsed=self._clock() - self._begin)
            self._out.write("\r\x1b[K")
            self._out.flush()


class Stages:
    """The stages of one run: on a terminal a line for each, moving while it lasts; else nothing."""

    def __init__(
        self,
        words: dict[str, tuple[str, str]],
        lang: str,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._words, self._lang, self._clock = words, lang, clock
        self._out = out if out is not None else sys.stderr
        self._spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[Line | None]:
        if not self._out.isatty():
            yield None
            return
        english = self._lang == "en"
        units = ("份", "files") if name == "report" else ("行", "rows")
        shown = Shown(self._words[name][english], units[english], expected=expected(name, self._spent))
        line = Line(shown, self._out, self._clock, self._lang)
        with line.drawing():
            yield line
        self._spent[name] = line.shown.elapsed
        self._out.write(over(line.shown, self._lang) + "\n")
        self._out.flush()


@contextmanager
def progress_line() -> Iterator[Callable[[int, int | None], None] | None]:
    """A function to call with rows done and rows in all, or None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from grouper.commands.options.shared import language

    line = Line(Shown(), sys.stderr, time.monotonic, language())
    with line.drawing():
        yield line
