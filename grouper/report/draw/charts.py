"""The charts of the reports. Each takes rows of label, coordinates and ready-made texts, and gives one SVG.

Rows are horizontal wherever there are names, so that a label is never turned, clipped or laid over another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grouper.report.draw.html import Html
from grouper.report.draw.svg import (
    ROW,
    WIDTH,
    Canvas,
    Scale,
    fitted,
    in_two,
    log_ticks,
    text_width,
    tick_text,
)

_GAP = 10.0
_TOP, _FOOT = 26.0, 36.0
_BOLD = 1.12  # how much wider bold texts are


@dataclass(frozen=True)
class Bar:
    """A bar with its label on the left and its text (a number with its unit elsewhere) beside it."""

    label: str
    value: float
    text: str
    class_: str = "a"


def _label_room(labels: Sequence[str], most: float = 190.0) -> float:
    return min(most, max((text_width(label) for label in labels), default=0.0)) + _GAP


def bars(rows: Sequence[Bar], label: str, unit: str, room: float = 230.0) -> Html:
    """Horizontal bars from 0; values may be negative and then go to the left, with their texts outside."""
    left = _label_room([row.label for row in rows], room)
    texts = max((text_width(row.text) for row in rows), default=0.0) + 8
    signed = any(row.value < 0 for row in rows)
    labels = [in_two(row.label, left - _GAP + 0.01) for row in rows]  # the widest just fits
    high = ROW + (9 if any(len(lines) > 1 for lines in labels) else 0)
    canvas = Canvas(_TOP - 14 + high * len(rows) + _FOOT)
    bottom = canvas.height - _FOOT
    start = left + (texts if signed else 0)
    scale, marks = Scale.over([row.value for row in rows], start, WIDTH - texts - 4)
    canvas.x_axis(scale, marks, 6, bottom, unit)
    for n, row in enumerate(rows):
        y = 12 + high * n + high / 2 - 2
        for place, line in enumerate(labels[n]):
            canvas.text(left - _GAP, y + 13 * place - 6.5 * (len(labels[n]) - 1), line, "end")
        canvas.rect(scale(0), y - 7, scale(row.value) - scale(0), 14, row.class_)
        end = scale(row.value)
        if row.value < 0:
            canvas.text(end - 5, y, row.text, "end", "num")
        else:
            canvas.text(end + 5, y, row.text, "start", "num")
    return canvas.render(label)


@dataclass(frozen=True)
class BarDot:
    """A bar in the left panel and a dot in the right one; ``dot`` None: nothing to show there."""

    label: str
    bar: float
    bar_text: str
    dot: float | None
    dot_text: str


def bars_and_dots(
    rows: Sequence[BarDot],
    label: str,
    heads: tuple[str, str],
    units: tuple[str, str],
    mark: tuple[float, str] | None,
) -> Html:
    """Two panels that share their rows: an amount as bars, an index as dots on stalks from ``mark``."""
    left = _label_room([row.label for row in rows], 180)
    middle = left + (WIDTH - left) * 0.48
    texts = [max((text_width(t) for t in ts), default=0.0) + 8
             for ts in ([r.bar_text for r in rows], [r.dot_text for r in rows])]  # fmt: skip
    canvas = Canvas(_TOP + 6 + ROW * len(rows) + _FOOT)
    bottom = canvas.height - _FOOT
    first, first_marks = Scale.over([row.bar for row in rows], left, middle - texts[0])
    dots = [row.dot for row in rows if row.dot is not None] + ([mark[0]] if mark else [])
    second, second_marks = Scale.over(dots, middle + 16, WIDTH - texts[1] - 6)
    canvas.text(left, 8, heads[0], class_="head")
    canvas.text(middle + 16, 8, heads[1], class_="head")
    canvas.x_axis(first, first_marks, _TOP, bottom, units[0])
    canvas.x_axis(second, second_marks, _TOP, bottom, units[1])
    origin = mark[0] if mark else 0.0
    if mark:
        canvas.line(second(origin), _TOP - 4, second(origin), bottom, "mark")
        canvas.text(WIDTH, 8, mark[1], "end", "unit")
    for n, row in enumerate(rows):
        y = _TOP + 4 + ROW * n + ROW / 2
        canvas.text(left - _GAP, y, row.label, "end", room=left - _GAP)
        canvas.rect(left, y - 7, first(row.bar) - left, 14, "a")
        canvas.text(first(row.bar) + 5, y, row.bar_text, class_="num")
        if row.dot is not None:
            canvas.line(second(origin), y, second(row.dot), y, "stalk")
            canvas.dot(second(row.dot), y, 4.5, "b")
            beside = max(second(row.dot), second(origin)) + 9
            canvas.text(beside, y, row.dot_text, class_="num")
    return canvas.render(label)


@dataclass(frozen=True)
class Pair:
    """Two values of a row, ``before`` and ``after``, and the text of their difference."""

    label: str
    before: float
    after: float
    text: str


def dumbbell(rows: Sequence[Pair], label: str, unit: str, names: tuple[str, str], head: str) -> Html:
    """Two dots a row on one scale, joined; the difference in words at the right."""
    left = _label_room([row.label for row in rows], 180)
    texts = max((text_width(t) for t in [head, *(row.text for row in rows)]), default=0.0) + 14
    canvas = Canvas(_TOP + 8 + ROW * len(rows) + _FOOT)
    bottom = canvas.height - _FOOT
    scale, marks = Scale.over(
        [v for row in rows for v in (row.before, row.after)], left + 6, WIDTH - texts - 8
    )
    canvas.legend(left, 9, [("c", names[0]), ("a", names[1])])
    canvas.text(WIDTH, 9, head, "end", "head")
    canvas.x_axis(scale, marks, _TOP, bottom, unit)
    for n, row in enumerate(rows):
        y = _TOP + 6 + ROW * n + ROW / 2
        canvas.text(left - _GAP, y, row.label, "end", room=left - _GAP)
        gain = row.after >= row.before
        canvas.line(scale(row.before), y, scale(row.after), y, "join gain" if gain else "join loss")
        canvas.dot(scale(row.before), y, 4.5, "c")
        canvas.dot(scale(row.after), y, 4.5, "a")
        canvas.text(WIDTH, y, row.text, "end", "num")
    return canvas.render(label)


@dataclass(frozen=True)
class Step:
    """A step of a bridge: ``kind`` is "total" (from 0) or "delta" (from where the last one ended)."""

    label: str
    value: float
    text: str
    kind: str = "delta"


def waterfall(steps: Sequence[Step], label: str, unit: str) -> Html:
    """A bridge from one total to another, a row for each step."""
    left = min(270.0, max((text_width(s.label) * _BOLD for s in steps), default=0.0)) + _GAP
    texts = max((text_width(step.text) * _BOLD for step in steps), default=0.0) + 8
    canvas = Canvas(12 + (ROW + 3) * len(steps) + _FOOT)
    bottom = canvas.height - _FOOT
    spans: list[tuple[float, float]] = []
    level = 0.0
    for step in steps:
        start = 0.0 if step.kind == "total" else level
        level = step.value if step.kind == "total" else level + step.value
        spans.append((start, level))
    scale, marks = Scale.over([v for span in spans for v in span], left, WIDTH - texts - 6)
    canvas.x_axis(scale, marks, 6, bottom, unit)
    for n, (step, (start, end)) in enumerate(zip(steps, spans, strict=True)):
        y = 10 + (ROW + 3) * n + ROW / 2
        total = step.kind == "total"
        canvas.text(
            left - _GAP,
            y,
            step.label,
            "end",
            "strong" if total else "",
            room=(left - _GAP) / (_BOLD if total else 1),
        )
        class_ = "a" if total else "up" if step.value >= 0 else "loss"
        canvas.rect(scale(min(start, end)), y - 8, max(abs(scale(end) - scale(start)), 1.0), 16, class_)
        canvas.text(scale(max(start, end)) + 5, y, step.text, class_="num strong" if total else "num")
        if n + 1 < len(steps):
            canvas.line(scale(end), y + 8, scale(end), y + ROW - 5, "link")
    return canvas.render(label)


def shares(
    rows: Sequence[tuple[str, Mapping[str, int], str]],
    label: str,
    classes: Sequence[tuple[str, str]],
    head: str = "",
) -> Html:
    """Stacked bars of one length: what each row is made of. ``classes``: class and words, in order."""
    left = _label_room([row[0] for row in rows], 180)
    texts = max((text_width(t) for t in [head, *(row[2] for row in rows)]), default=0.0) + 12
    canvas = Canvas(_TOP + 8 + ROW * len(rows) + _FOOT)
    bottom = canvas.height - _FOOT
    scale = Scale(0, 100, left, WIDTH - texts)
    canvas.legend(left, 9, classes)
    canvas.text(WIDTH, 9, head, "end", "head")
    canvas.x_axis(scale, [0, 20, 40, 60, 80, 100], _TOP, bottom, "%")
    for n, (name, parts, text) in enumerate(rows):
        y = _TOP + 6 + ROW * n + ROW / 2
        canvas.text(left - _GAP, y, name, "end", room=left - _GAP)
        whole, x = max(sum(parts.values()), 1), 0.0
        for class_, _ in classes:
            share = 100 * parts.get(class_, 0) / whole
            if share:
                canvas.rect(scale(x), y - 7, scale(share) - scale(0), 14, class_)
            x += share
        canvas.text(WIDTH, y, text, "end", "num")
    return canvas.render(label)


def histogram(
    bins: Sequence[Mapping[str, int]],
    edges: Sequence[str],
    label: str,
    classes: Sequence[tuple[str, str]],
    titles: tuple[str, str],
    every: int = 5,
) -> Html:
    """Stacked columns; ``edges`` of the bins as texts, one more than bins, shown at every ``every``-th."""
    height, left, top = 270.0, 62.0, 34.0
    canvas = Canvas(height)
    bottom = height - 44
    scale, marks = Scale.over([float(sum(parts.values())) for parts in bins], bottom, top)
    for mark in marks:
        canvas.line(left, scale(mark), WIDTH, scale(mark), "zero" if mark == 0 else "grid")
        canvas.text(left - 6, scale(mark), tick_text(mark, marks[1] - marks[0]), "end", "tick")
    width = (WIDTH - left - 8) / max(len(bins), 1)
    for n, parts in enumerate(bins):
        y = 0.0
        for class_, _ in classes:
            value = parts.get(class_, 0)
            if value:
                canvas.rect(
                    left + 4 + n * width, scale(y + value), width - 1, scale(y) - scale(y + value), class_
                )
            y += value
        if n % every == 0 or n == len(bins) - 1:
            last = n == len(bins) - 1  # the end of its column
            x = WIDTH - 2 if last else left + 4 + n * width
            canvas.text(x, bottom + 12, edges[n + last], "end" if last else "middle", "tick")
    canvas.legend(left, 10, classes)
    canvas.text(WIDTH, 10, titles[0], "end", "unit")
    canvas.text(WIDTH, height - 10, titles[1], "end", "unit")
    return canvas.render(label)


@dataclass(frozen=True)
class Point:
    """A point; ``size`` counts as an area, ``label`` is written beside it where given, ``title`` on hover."""

    x: float
    y: float
    size: float
    title: str
    label: str = ""
    class_: str = "a"

    def radius(self, largest: float) -> float:
        return 2.5 + 12 * math.sqrt(self.size / largest)


def scatter(
    points: Sequence[Point],
    label: str,
    axes: tuple[str, str],
    level: tuple[float, str],
    classes: Sequence[tuple[str, str]],
) -> Html:
    """Points over a logarithmic x (above 0) and a linear y, with a line at the ``level`` of y."""
    height, left, top = 400.0, 66.0, 48.0
    canvas = Canvas(height)
    bottom, right = height - 44, WIDTH - 24
    marks = log_ticks(min((p.x for p in points), default=1.0), max((p.x for p in points), default=10.0))
    x = Scale(marks[0], marks[-1], left, right, log=True)
    y, levels = Scale.over([level[0], *(p.y for p in points)], bottom, top, zero=False)
    for mark in marks:
        canvas.line(x(mark), top, x(mark), bottom, "grid")
        canvas.text(x(mark), bottom + 12, f"{mark:,.0f}", "middle", "tick")
    for mark in levels:
        canvas.line(left, y(mark), right, y(mark), "grid")
        canvas.text(left - 6, y(mark), tick_text(mark, levels[1] - levels[0]), "end", "tick")
    canvas.line(left, y(level[0]), right, y(level[0]), "mark")
    largest = max((p.size for p in points), default=1.0) or 1.0
    ordered = sorted(points, key=lambda p: (-p.size, p.title))
    for p in ordered:
        canvas.dot(x(p.x), y(p.y), p.radius(largest), f"{p.class_} see", p.title)
    taken: list[tuple[float, float, float]] = []
    for p in ordered:
        if p.label:
            _name(canvas, x(p.x), y(p.y), p.radius(largest) + 3, p.label, right, taken)
    canvas.text(right, y(level[0]) - 9, level[1], "end", "unit halo")
    canvas.legend(left, 10, classes)
    canvas.text(left, 32, axes[1], "start", "unit")
    canvas.text(right, height - 10, axes[0], "end", "unit")
    return canvas.render(label)


def _name(
    canvas: Canvas,
    x: float,
    y: float,
    radius: float,
    text: str,
    right: float,
    taken: list[tuple[float, float, float]],
) -> None:
    """A label beside its point, right or left of it, where no other label is; else none: the title has it."""
    shown = fitted(text, 150)
    width = text_width(shown)
    for start in (x + radius, x - radius - width):
        inside = start > 70 and start + width < right
        if inside and all(abs(y - b) > 15 or start > e or start + width < s for s, e, b in taken):
            taken.append((start, start + width, y))
            canvas.text(start, y, shown, class_="num halo")
            return
