"""Months that a settlement passes over: later rows of theirs could not enter the lake any more."""

from __future__ import annotations

from collections.abc import Collection

from grouper.base.errors import UsageError

SKIPPED = "months skipped"
BEGINS = "year begins"


def skipped(closed: Collection[str], period: str) -> list[str]:
    """The months between the last settled one of the year and ``period``; none where it is the first.

    ``closed``: periods (YYYY-MM) before it that the lake has.
    """
    year, number = period[:4], int(period[5:])
    own = [int(p[5:]) for p in closed if p[:4] == year]
    return [f"{year}-{month:02d}" for month in range(max(own) + 1, number)] if own else []


def check_skipped(closed: Collection[str], period: str, allowed: bool) -> None:
    """Raises UsageError that names the months which are passed over, unless that is ``allowed``."""
    missing = skipped(closed, period)
    if missing and not allowed:
        raise UsageError(
            zh=f"{'、'.join(missing)} 还没有结算，就要结算 {period}；这些月份的结算和冲正以后将被退回。"
            "请先结算它们，或用 --skip-months 跳过",
            en=f"{', '.join(missing)} are not settled, and {period} is to be: settlements and refunds of "
            "these months will be rejected from then on. Settle them first, or skip them by --skip-months",
        )


def told(closed: Collection[str], period: str) -> dict[str, str]:
    """Assumptions of the ledger: what is passed over, and that the year does not begin with January."""
    missing = skipped(closed, period)
    if missing:
        return {f"{SKIPPED} {period}": ", ".join(missing)}
    first = not any(p[:4] == period[:4] for p in closed)
    return {f"{BEGINS} {period}": period} if first and period[5:] != "01" else {}
