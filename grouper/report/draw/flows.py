"""A picture of flows: what goes from nodes on the left to those on the right, as bands as wide as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grouper.report.draw.html import Html, el
from grouper.report.draw.svg import SIZE, WIDTH, Canvas

_ROOM = 232.0  # of the labels on each side
_NODE = 9.0
_SLOT = 17.0  # the least distance of two labels
_GAP = 5.0
_TOP = 26.0
_CURVE = 0.5  # where a band bends, as a share of the way


@dataclass(frozen=True)
class Flow:
    """From ``left`` to ``right``; ``class_`` of its band, ``title`` on hover."""

    left: str
    right: str
    value: int
    title: str = ""
    class_: str = "flow"


@dataclass
class _Node:
    label: str
    value: int
    y: float = 0.0
    high: float = 0.0
    used: float = 0.0


def flows(
    rows: Sequence[Flow],
    label: str,
    heads: tuple[str, str],
    words: dict[str, str] | None = None,
    height: float = 420.0,
) -> Html:
    """Nodes on the left in the order of the rows, those on the right by where most of theirs come from.

    ``words``: what stands at a node, by its key; else the key.
    """
    lefts = _summed([(row.left, row.value) for row in rows])
    rights = _summed([(row.right, row.value) for row in rows])
    total = sum(lefts.values()) or 1
    scale = height / total
    left = _placed(list(lefts), lefts, scale)
    middle = {key: node.y + node.high / 2 for key, node in left.items()}
    pull = {
        key: sum(middle[row.left] * row.value for row in rows if row.right == key) / rights[key]
        for key in rights
    }
    right = _placed(sorted(rights, key=lambda key: (pull[key], key)), rights, scale)
    bottom = max(node.y + max(node.high, _SLOT) for node in (*left.values(), *right.values()))
    canvas = Canvas(bottom + 12)
    canvas.text(_ROOM - 6, 10, heads[0], "end", "unit")
    canvas.text(WIDTH - _ROOM + 6, 10, heads[1], "start", "unit")
    start, end = _ROOM + _NODE, WIDTH - _ROOM - _NODE
    order = {key: place for place, key in enumerate(right)}
    for key in left:
        for row in sorted((row for row in rows if row.left == key), key=lambda row: order[row.right]):
            a, b, thick = left[row.left], right[row.right], row.value * scale
            canvas.add(_band(start, a.y + a.used, end, b.y + b.used, thick, row))
            a.used += thick
            b.used += thick
    for nodes, x, anchor, text_x in (
        (left, _ROOM, "end", _ROOM - 6),
        (right, end, "start", end + _NODE + 6),
    ):
        for key, node in nodes.items():
            canvas.rect(x, node.y, _NODE, max(node.high, 1.0), "b")
            shown = (words or {}).get(key, key)
            canvas.text(text_x, node.y + max(node.high, SIZE) / 2, shown, anchor, room=_ROOM - 10)
    return canvas.render(label)


def _summed(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in pairs:
        found[key] = found.get(key, 0) + value
    return found


def _placed(order: Sequence[str], values: dict[str, int], scale: float) -> dict[str, _Node]:
    """Nodes from the top, each with room for its label."""
    found: dict[str, _Node] = {}
    y = _TOP
    for key in order:
        node = _Node(key, values[key], y, values[key] * scale)
        found[key] = node
        y += max(node.high, _SLOT - _GAP) + _GAP
    return found


def _band(x1: float, y1: float, x2: float, y2: float, thick: float, row: Flow) -> Html:
    """A band of even thickness that bends twice."""
    bend = x1 + (x2 - x1) * _CURVE
    thick = max(thick, 0.6)
    path = (
        f"M{x1:.1f} {y1:.1f}C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        f"V{y2 + thick:.1f}C{bend:.1f} {y2 + thick:.1f} {bend:.1f} {y1 + thick:.1f} {x1:.1f} "
        f"{y1 + thick:.1f}Z"
    )
    drawn = el("path", d=path, class_=row.class_)
    return el("g", el("title", row.title), drawn) if row.title else drawn
