"""Whole fen for every part, so that the parts add up to the whole: the method of largest remainders.

Each part gets the whole number below its exact quota; the fen that are left go one by one to the
largest remainders, equal remainders in the order of the keys. Amounts may be negative. Nothing
depends on the order in which the parts come.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

from grouper.base.errors import DataError, ReconciliationError
from grouper.base.exact import floor

Key = TypeVar("Key", str, int, tuple[str, str])

# The whole number below a quotient of HUGEINTs; ``b`` is positive. Rows that allow it take the way of
# BIGINTs, about ten times quicker.
FLOOR_MACRO = """
CREATE OR REPLACE MACRO floor_div(a, b) AS
  CASE WHEN a BETWEEN 0 AND 9000000000000000000 AND b <= 9000000000000000000
       THEN (CAST(a AS BIGINT) // CAST(b AS BIGINT))::HUGEINT
       WHEN a >= 0 THEN a // b ELSE -((b - 1 - a) // b) END;
"""


def apportion(total: int, weights: Mapping[Key, Fraction | int]) -> dict[Key, int]:
    """``total`` fen over parts in proportion to their weights.

    Raises DataError when there is something to share and the weights add up to 0.
    """
    whole = sum(weights.values(), Fraction(0))
    if whole == 0:
        if total:
            raise DataError(
                zh=f"{total} 分无法分摊：权重之和为 0",
                en=f"cannot apportion {total} fen: the weights add up to 0",
            )
        return dict.fromkeys(weights, 0)
    return round_parts(total, {key: Fraction(total) * weight / whole for key, weight in weights.items()})


def round_parts(total: int, quotas: Mapping[Key, Fraction]) -> dict[Key, int]:
    """Whole numbers beside exact quotas, each the one below its quota or the next, that add up to ``total``.

    Raises ReconciliationError when no such numbers exist: quotas that do not add up to about ``total``.
    """
    parts = {key: floor(quota) for key, quota in quotas.items()}
    left = total - sum(parts.values())
    if not 0 <= left <= len(parts):
        raise ReconciliationError(
            zh=f"分摊对不上：合计 {total} 分，各份之和约 {total - left} 分",
            en=f"cannot apportion: {total} fen in all, the parts are about {total - left}",
        )
    for key in sorted(quotas, key=lambda k: (parts[k] - quotas[k], k))[:left]:
        parts[key] += 1
    return parts


def cuts_sql(sized: str, extras: str) -> str:
    """SQL: for each part of a table, the last row that gets one of the left-over fen.

    ``sized``: a relation of (part, key, rest), the remainders over a divisor that is the same within a
    part; ``extras``: a relation of (part, extra), the number of fen left. Gives (part, rest, key): rows
    of the part with a larger remainder, or with the same and a key not after this one, get one fen.
    So a second pass can stream: it needs one row per part, not the ranks.
    """
    return (
        'SELECT part, rest, "key" FROM ('
        'SELECT s.part, s.rest, s."key", e.extra, '
        'row_number() OVER (PARTITION BY s.part ORDER BY s.rest DESC, s."key") AS place '
        f"FROM {sized} AS s JOIN {extras} AS e ON e.part = s.part WHERE e.extra > 0) WHERE place = extra"
    )
