"""SQL of exact numbers: quotients of whole numbers, their sums and products, and their rounding.

Pieces of SQL text with a bound on what they hold; the formulas of ``expression`` are made of them.
"""

from __future__ import annotations

from typing import NamedTuple

NARROW = 62  # bits that a BIGINT holds with room for a sum

# Whole-number division, halves away from zero: // cuts towards zero, so half the divisor goes first.
# The narrow one is for BIGINT operands; the wide one takes that way, about ten times quicker, for the
# rows that allow it.
MACROS = """
CREATE OR REPLACE MACRO half_up_narrow(a, b) AS
  (a + sign(a) * (abs(b) >> 1)) // b;
CREATE OR REPLACE MACRO half_up(a, b) AS
  CASE WHEN a BETWEEN -2000000000000000000 AND 2000000000000000000
        AND b BETWEEN 1 AND 2000000000000000000
       THEN half_up_narrow(CAST(a AS BIGINT), CAST(b AS BIGINT))::HUGEINT
       ELSE (a::HUGEINT + sign(a) * (abs(b::HUGEINT) >> 1)) // b::HUGEINT
  END;
CREATE OR REPLACE MACRO lesser(a, b) AS CASE WHEN a <= b THEN a WHEN a > b THEN b END;
CREATE OR REPLACE MACRO larger(a, b) AS CASE WHEN a >= b THEN a WHEN a < b THEN b END;
"""


class Quotient(NamedTuple):
    """SQL of a number: ``over`` / ``under`` · 10^-``digits``; ``under`` is "" for 1.

    ``bits`` and ``under_bits`` bound both: up to 62 they are BIGINT, above HUGEINT. A bound that the
    data break is an overflow error of DuckDB, never a wrong number.
    """

    over: str
    under: str
    digits: int
    bits: int
    under_bits: int = 1


class Integer(NamedTuple):
    """SQL of a whole number ("" for 1) and a bound on its bits."""

    sql: str
    bits: int


def rounded(q: Quotient, digits: int) -> Integer:
    """SQL of the whole number of ``digits``-th decimals, halves away from zero."""
    shift = digits - q.digits
    over, under = over_of(q), under_of(q)
    if shift >= 0:
        over = multiplied(over, power(shift))
    else:
        under = multiplied(under, power(-shift))
    if not under.sql:
        return over
    narrow = max(over.bits, under.bits) < NARROW
    return Integer(f"{'half_up_narrow' if narrow else 'half_up'}({over.sql}, {under.sql})", over.bits)


def over_of(q: Quotient) -> Integer:
    """The numerator."""
    return Integer(q.over, q.bits)


def under_of(q: Quotient) -> Integer:
    """The divisor."""
    return Integer(q.under, q.under_bits)


def power(places: int) -> Integer:
    """10^``places``."""
    return Integer(
        f"{10**places}::{'BIGINT' if places < 18 else 'HUGEINT'}" if places else "", (10**places).bit_length()
    )


def wide(number: Integer, bits: int) -> str:
    """``number`` as an operand of a result of so many bits."""
    return f"{number.sql}::HUGEINT" if number.bits <= NARROW < bits else number.sql


def multiplied(a: Integer, b: Integer) -> Integer:
    """The product, as wide as it needs to be."""
    if not a.sql or not b.sql:
        return a if a.sql else b
    bits = a.bits + b.bits
    return Integer(f"({wide(a, bits)} * {b.sql})", bits)


def same_digits(a: Quotient, b: Quotient) -> tuple[Quotient, Quotient, int]:
    """Both with the digits of the longer, and how many these are."""
    digits = max(a.digits, b.digits)

    def shifted(q: Quotient) -> Quotient:
        over = multiplied(over_of(q), power(digits - q.digits))
        return q._replace(over=over.sql, bits=over.bits, digits=digits)

    return shifted(a), shifted(b), digits


def same_under(a: Quotient, b: Quotient) -> tuple[Integer, Integer, Integer]:
    """The two numerators over one divisor, and the divisor."""
    if a.under == b.under:
        return over_of(a), over_of(b), under_of(a)
    return (
        multiplied(over_of(a), under_of(b)),
        multiplied(over_of(b), under_of(a)),
        multiplied(under_of(a), under_of(b)),
    )
