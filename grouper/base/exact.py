"""Numbers without drift: the precision of ratios, and the one place where they are rounded, by name.

SQL that rounds stands where its formulas do (``payment/formula/quotient``); tests hold both together.

Money is whole fen (分) here. Sums of fen and of fen² are Python integers; every quotient has
60 digits, so that what is written depends on the data alone and not on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext
from fractions import Fraction
from typing import Any

PRECISION = Context(prec=60, rounding=ROUND_HALF_UP)


_SIGNS = 60  # of a number that somebody wrote
_PLACES = 30  # before its point, and behind it


def decimal_of(value: Any) -> Decimal | None:
    """The number that a text, a whole number or a Decimal stands for; None for anything else.

    None as well beyond 30 places before or behind the point (``1e999999999``, 5,000 digits): as an exact
    fraction it would fill the memory, and nothing that is counted or paid is so large.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if len(value) > _SIGNS if isinstance(value, str) else isinstance(value, int) and abs(value) > 10**_SIGNS:
        return None
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        return None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_PLACES or number.adjusted() >= _PLACES:
        return None
    return number


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


def half_up(value: Fraction | Decimal | int, digits: int) -> Decimal:
    """``value`` with ``digits`` decimals, halves away from zero."""
    if isinstance(value, Decimal):
        return value.quantize(Decimal(1).scaleb(-digits), context=PRECISION)
    scaled = abs(Fraction(value)) * 10**digits
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(whole if value >= 0 else -whole).scaleb(-digits)


def whole_half_up(value: Fraction | int) -> int:
    """The whole number nearest to ``value``, halves away from zero."""
    return int(half_up(value, 0))


def floor(value: Fraction) -> int:
    """The highest whole number that is not above ``value``."""
    return value.numerator // value.denominator


def ceiling(value: Fraction) -> int:
    """The lowest whole number that is not below ``value``."""
    return -(-value.numerator // value.denominator)


def fits(value: Decimal, digits: int) -> bool:
    """Whether a number is finite and has no more than ``digits`` decimals, zeros at its end aside."""
    _, figures, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return False
    below = -exponent - digits  # figures beyond the last decimal allowed
    return below <= 0 or not any(figures[-below:])
