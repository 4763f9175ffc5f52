"""Who keeps a surplus and who bears an overspend: the pool's fund as a function of actual ÷ budget.

y(x) = base + slope · (x - start) on the segment that holds x, from its start (included) to the next
start; the fund pays y · budget. Slope 0 with base 1 above 1 is "overspend not paid" (超支不补); slope 1
from 0 pays the actual. Exact fractions; the amount is rounded once, to the fen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from grouper.base.errors import DataError, TableError
from grouper.base.exact import whole_half_up
from grouper.payment.policy.parameters import Segment


@dataclass(frozen=True)
class Shared:
    """``ratio`` actual ÷ budget, ``factor`` y(ratio), ``segment`` its number from 1, ``total`` fen paid."""

    ratio: Fraction
    factor: Fraction
    segment: int
    total: int


def share(actual: int, budget: int, segments: Sequence[Segment]) -> Shared:
    """What a pool pays, in fen, when ``actual`` fen stand against a budget of ``budget`` fen.

    Raises DataError when the budget is not positive or the actual is negative, TableError for segments
    that do not rise from 0.
    """
    check(segments)
    if budget <= 0 or actual < 0:
        raise DataError(
            zh=f"责任共担：预算 {budget} 分应为正，实际 {actual} 分应不为负",
            en=f"sharing: the budget of {budget} fen must be positive and the actual {actual} not negative",
        )
    ratio = Fraction(actual, budget)
    number = max(n for n, segment in enumerate(segments, 1) if Fraction(segment.start) <= ratio)
    factor = _at(segments[number - 1], ratio)
    return Shared(ratio, factor, number, fen(factor * budget))


def jumps(segments: Sequence[Segment]) -> list[tuple[Fraction, Fraction, Fraction]]:
    """Where the function jumps: (x, value just before, value at x). Empty: it is continuous."""
    check(segments)
    found = []
    for before, after in pairwise(segments):
        x = Fraction(after.start)
        left, right = _at(before, x), Fraction(after.base)
        if left != right:
            found.append((x, left, right))
    return found


def check(segments: Sequence[Segment]) -> None:
    """Segments begin at 0 and rise, and no value is negative.

    Raises TableError that names the segment.
    """
    starts = [segment.start for segment in segments]
    if not starts or starts[0] != 0 or sorted(set(starts)) != starts:
        told = ", ".join(map(str, starts))
        raise TableError(
            zh=f"参数 sharing：分段的 start 应从 0 起由小到大，现为 {told or '空'}",
            en=f"parameter sharing: the starts of segments rise from 0, not {told or 'none'}",
        )
    ends = [Fraction(start) for start in starts[1:]]
    for number, (segment, end) in enumerate(zip(segments, [*ends, None], strict=True), 1):
        last = segment.slope if end is None else _at(segment, end)
        if segment.base < 0 or last < 0:
            raise TableError(
                zh=f"参数 sharing：第 {number} 段会得到负数",
                en=f"parameter sharing: segment {number} gives negative values",
            )


def _at(segment: Segment, x: Fraction) -> Fraction:
    return Fraction(segment.base) + Fraction(segment.slope) * (x - Fraction(segment.start))


def fen(amount: Fraction | int) -> int:
    """The whole fen nearest to an amount in fen, halves away from zero."""
    return whole_half_up(amount)
