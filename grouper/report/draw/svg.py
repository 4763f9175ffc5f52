"""The ground of our charts: a drawing of fixed width, scales, ticks, and texts that fit where they stand.

Coordinates are floats in units of the drawing (1 unit = 1 CSS pixel at its own width); amounts reach a chart
as coordinates only, their labels are made from exact decimals elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from grouper.report.draw.html import Html, el

WIDTH = 760.0
SIZE = 11.5  # of texts
ROW = 21.0
WIDE_FROM = 0x2E80  # Chinese characters and full-width signs take a whole em


def text_width(text: str, size: float = SIZE) -> float:
    """A safe estimate: as wide as the widest of the common sans-serif fonts (DejaVu, Verdana)."""
    return sum(1.0 if ord(c) >= WIDE_FROM else _width(c) for c in text) * size


def _width(character: str) -> float:
    if character in "MW%@":
        return 0.97
    if character.isupper() or character in "mw+=<>\u2212":
        return 0.8
    return 0.4 if character in " .,:;()[]|iljrtfI'" else 0.65


def fitted(text: str, room: float, size: float = SIZE) -> str:
    """The text, cut with an ellipsis where it is wider than ``room``."""
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def in_two(text: str, room: float, size: float = SIZE) -> list[str]:
    """The text in one line or two; what two cannot hold is left out of the middle, so that texts that end
    differently still look so."""
    if text_width(text, size) <= room:
        return [text]
    first = _beginning(text, room, size)
    rest = text[len(first) :].lstrip()
    if text_width(rest, size) <= room:
        return [first, rest]
    tail = _beginning(rest[::-1], room - 2 * size, size)[::-1]
    return [first, "…" + tail]


def _beginning(text: str, room: float, size: float) -> str:
    """As many characters as fit."""
    number = 0
    while number < len(text) and text_width(text[: number + 1], size) <= room:
        number += 1
    return text[:number]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``."""
    if high <= low:
        high = low + 1
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """A tick with the decimals that its step has."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0
    digits += abs(step * 10**digits - round(step * 10**digits)) > 1e-6
    text = f"{value:,.{digits}f}"
    return text.replace("-", "\u2212") if text.strip("-0.,") else text.lstrip("-")


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 3, 5 times powers of ten, from at most ``low`` to at least ``high``, both above 0."""
    power = math.floor(math.log10(low))
    marks = [m * 10.0**p for p in range(power, math.ceil(math.log10(high)) + 2) for m in (1, 2, 3, 5)]
    first = max(n for n, mark in enumerate(marks) if mark <= low * 1.0000001)
    last = min(n for n, mark in enumerate(marks) if mark >= high * 0.9999999 and n > first)
    return marks[first : last + 1]


@dataclass(frozen=True)
class Scale:
    """From values to coordinates, linear or by logarithms."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
            return self.start + part * (self.end - self.start)
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @classmethod
    def over(
        cls, values: Sequence[float], start: float, end: float, zero: bool = True
    ) -> tuple[Scale, list[float]]:
        """A scale that covers the values (and 0), ended by round ticks."""
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        count = max(2, int(abs(end - start) // 85))
        marks = ticks(low, high, count)
        return cls(marks[0], marks[-1], start, end), marks


@dataclass
class Canvas:
    """A drawing; ``height`` may grow until it is rendered."""

    height: float
    width: float = WIDTH
    parts: list[Html] = field(default_factory=list)

    def add(self, *parts: Html) -> None:
        self.parts += parts

    def rect(self, x: float, y: float, width: float, height: float, class_: str, title: str = "") -> None:
        if width < 0:
            x, width = x + width, -width
        told = el("title", title) if title else None
        if told is None:
            self.add(el("rect", x=x, y=y, width=width, height=height, class_=class_))
        else:  # rect has no children in our builder; a group carries the words
            self.add(el("g", told, el("rect", x=x, y=y, width=width, height=height, class_=class_)))

    def line(self, x1: float, y1: float, x2: float, y2: float, class_: str) -> None:
        self.add(el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_))

    def dot(self, x: float, y: float, radius: float, class_: str, title: str = "") -> None:
        mark = el("circle", cx=x, cy=y, r=radius, class_=class_)
        self.add(el("g", el("title", title), mark) if title else mark)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        anchor: str = "start",
        class_: str = "",
        room: float | None = None,
    ) -> None:
        """``y``: the middle of the line. ``room``: cut to this width; the whole then is its title."""
        shown = text if room is None else fitted(text, room)
        told = el("title", text) if shown != text else None
        self.add(el("text", told, shown, x=x, y=y + SIZE * 0.36, text_anchor=anchor, class_=class_ or None))

    def x_axis(self, scale: Scale, marks: Sequence[float], top: float, bottom: float, unit: str) -> None:
        """Grid lines with their numbers below, the unit at the right end."""
        step = marks[1] - marks[0]
        for mark in marks:
            self.line(scale(mark), top, scale(mark), bottom, "zero" if mark == 0 else "grid")
            self.text(scale(mark), bottom + 11, tick_text(mark, step), "middle", "tick")
        self.text(scale.end, bottom + 26, unit, "end", "unit")

    def legend(self, x: float, y: float, items: Sequence[tuple[str, str]]) -> None:
        """Squares of a class with their words, in one line."""
        for class_, words in items:
            self.rect(x, y - 5, 10, 10, class_)
            self.text(x + 15, y, words)
            x += 15 + text_width(words) + 20

    def render(self, label: str) -> Html:
        return el(
            "svg",
            el("title", label),
            self.parts,
            viewBox=f"0 0 {self.width:.0f} {self.height:.0f}",
            role="img",
            aria_label=label,
            xmlns="http://www.w3.org/2000/svg",
        )
