"""Numbers without drift: the precision of ratios, the one place where they are rounded, rules of trimming.

Money is whole fen (分) here. Sums of fen and of fen² are Python integers; every quotient has
60 digits, so that what is written depends on the data alone and not on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

PRECISION = Context(prec=60, rounding=ROUND_HALF_UP)


def quotient(above: int | Decimal, below: int | Decimal) -> Decimal:
    """``above`` / ``below`` to 60 digits. Raises ZeroDivisionError (decimal) for a zero ``below``."""
    return PRECISION.divide(Decimal(above), Decimal(below))


def product(first: int | Decimal, second: int | Decimal) -> Decimal:
    """The product to 60 digits."""
    return PRECISION.multiply(Decimal(first), Decimal(second))


def total(values: Iterable[Decimal]) -> Decimal:
    """The sum to 60 digits, in the order given: give a fixed one."""
    result = Decimal(0)
    for value in values:
        result = PRECISION.add(result, value)
    return result


def rounded(value: Decimal, digits: int) -> Decimal:
    """``value`` with ``digits`` decimals, halves away from zero."""
    return value.quantize(Decimal(1).scaleb(-digits), context=PRECISION)


def root(value: Decimal) -> Decimal:
    """The square root to 60 digits."""
    with localcontext(PRECISION):
        return value.sqrt()


def fraction(value: Any) -> Fraction | None:
    """An exact number from what a file or a policy gives; floats are refused."""
    if value is None or isinstance(value, Fraction):
        return value
    if isinstance(value, float):
        raise TypeError("money and parameters are never floats")
    return Fraction(value)


def half_up(value: Fraction, digits: int) -> Decimal:
    """``value`` with ``digits`` decimals, halves away from zero."""
    scaled = abs(value) * 10**digits
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(whole if value >= 0 else -whole).scaleb(-digits)
