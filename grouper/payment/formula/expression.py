"""Formulas once, read three ways: as exact SQL over whole tables, as exact numbers for one case, as text.

A formula is a small tree. Numbers are decimals of a known number of digits and quotients of such;
nothing is a float. ``sql`` gives a quotient of whole numbers, ``value`` a Fraction, ``show`` a line
with names or with the numbers of a case. A null operand makes a null, as in SQL; tests know three
values. Rounding happens only in ``Rounded``, halves away from zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from grouper.base.exact import floor, fraction, half_up
from grouper.base.sql import literal, quote
from grouper.payment.formula import quotient
from grouper.payment.formula.quotient import (
    NARROW,
    Integer,
    Quotient,
    multiplied,
    over_of,
    power,
    same_digits,
    same_under,
    under_of,
    wide,
)

Row = Mapping[str, Any]

_MOST = 10**10  # whole part of an amount, where a column does not say

# Text columns that the steps make: in SQL an ENUM of all words of the run, quick to compare.
WORDS = frozenset(
    {"pool", "route", "method", "outlier", "outlier_by_ratio", "review_result", "pay_status", "pay_reason"}
)


class Expr:
    """A formula: of a number, of a text, or a test."""

    def __add__(self, other: Expr | int) -> Expr:
        return Sum(self, _expr(other), False)

    def __sub__(self, other: Expr | int) -> Expr:
        return Sum(self, _expr(other), True)

    def __rsub__(self, other: int) -> Expr:
        return Sum(_expr(other), self, True)

    def __mul__(self, other: Expr | int) -> Expr:
        return Product(self, _expr(other))

    def __truediv__(self, other: Expr | int) -> Expr:
        return Ratio(self, _expr(other))

    def number(self) -> Quotient:
        """SQL of a number."""
        raise TypeError(f"{type(self).__name__} is no number")

    def rounded(self, digits: int) -> Integer:
        """SQL of the number as a whole number of ``digits``-th decimals, halves away from zero."""
        return quotient.rounded(self.number(), digits)

    def sql(self) -> str:
        """SQL of a text or of a test; of a number, where it is a whole number of its last digits."""
        raise TypeError(f"{type(self).__name__} has no SQL value")

    def value(self, row: Row) -> Any:
        """Fraction, str, bool or None."""
        raise NotImplementedError

    def show(self, lang: str, row: Row | None = None) -> str:
        """The formula with names, or with the values of ``row``."""
        raise NotImplementedError

    def parts(self) -> Sequence[Expr]:
        """The formulas inside."""
        return ()

    def bare(self) -> Expr:
        """The formula without what only cites (``cited.Cited``)."""
        return self


def _expr(value: Expr | int) -> Expr:
    return value if isinstance(value, Expr) else Number(Decimal(value))


def walk(expr: Expr) -> Iterator[Expr]:
    """The formula and all formulas inside it."""
    yield expr
    for part in expr.parts():
        yield from walk(part)


def plain(value: Any) -> str:
    """A number as people write it: no exponent, no trailing zeros beyond need."""
    if value is None:
        return "—"
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        exact = _decimal(value)
        value = exact if exact is not None else half_up(value, 6)
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def _decimal(value: Fraction) -> Decimal | None:
    """The decimal that ``value`` is, where it has at most 12 decimals."""
    scaled = value * 10**12
    return Decimal(scaled.numerator).scaleb(-12) if scaled.denominator == 1 else None


@dataclass(frozen=True)
class Field(Expr):
    """A number column of the case table; ``digits`` decimals are kept of it (0: whole numbers).

    In SQL the column is a whole number of its last digits, a BIGINT; ``most`` bounds its whole part.
    Where only ``used`` of the decimals are more than zeros, the others are cut off: narrow numbers are
    quick.
    """

    name: str
    digits: int = 0
    zh: str = ""
    en: str = ""
    most: int = _MOST
    used: int | None = None

    def number(self) -> Quotient:
        used = self.digits if self.used is None else self.used
        bits = min(NARROW, (self.most * 10**used).bit_length())
        spare = self.digits - used
        sql = f"({quote(self.name)} // {power(spare).sql})" if spare else quote(self.name)
        return Quotient(sql, "", used, bits)

    def sql(self) -> str:
        return quote(self.name)

    def value(self, row: Row) -> Fraction | None:
        return fraction(row.get(self.name))

    def show(self, lang: str, row: Row | None = None) -> str:
        return (
            plain(self.value(row)) if row is not None else (self.zh if lang == "zh" else self.en) or self.name
        )


@dataclass(frozen=True)
class Text(Expr):
    """A text column of the case table."""

    name: str

    def sql(self) -> str:
        return quote(self.name)

    def value(self, row: Row) -> str | None:
        return row.get(self.name)

    def show(self, lang: str, row: Row | None = None) -> str:
        return self.name if row is None else str(row.get(self.name))


@dataclass(frozen=True)
class Bool(Expr):
    """A yes-or-no column of the case table."""

    name: str

    def sql(self) -> str:
        return quote(self.name)

    def value(self, row: Row) -> bool | None:
        return row.get(self.name)

    def show(self, lang: str, row: Row | None = None) -> str:
        return self.name if row is None else f"{self.name} = {row.get(self.name)}"


@dataclass(frozen=True)
class Number(Expr):
    """A constant; ``parameter`` names the policy parameter that it comes from, with its key if it has one."""

    amount: Decimal
    parameter: str = ""
    zh: str = ""
    en: str = ""

    def number(self) -> Quotient:
        digits = max(0, -int(self.amount.normalize().as_tuple().exponent))
        whole = int(self.amount.scaleb(digits))
        return Quotient(f"{whole}::BIGINT", "", digits, max(1, abs(whole).bit_length()))

    def value(self, row: Row) -> Fraction:
        return Fraction(self.amount)

    def show(self, lang: str, row: Row | None = None) -> str:
        if row is None and self.parameter:
            return (self.zh if lang == "zh" else self.en) or self.parameter
        return plain(self.amount)


@dataclass(frozen=True)
class Word(Expr):
    """A constant text."""

    text: str

    def sql(self) -> str:
        return f"{literal(self.text)}::word"

    def value(self, row: Row) -> str:
        return self.text

    def show(self, lang: str, row: Row | None = None) -> str:
        return self.text


@dataclass(frozen=True)
class Null(Expr):
    """No value."""

    def number(self) -> Quotient:
        return Quotient("NULL::BIGINT", "", 0, 1)

    def sql(self) -> str:
        return "NULL"

    def value(self, row: Row) -> None:
        return None

    def show(self, lang: str, row: Row | None = None) -> str:
        return "—"


@dataclass(frozen=True)
class Sum(Expr):
    left: Expr
    right: Expr
    minus: bool

    def parts(self) -> Sequence[Expr]:
        return self.left, self.right

    def number(self) -> Quotient:
        a, b, digits = same_digits(self.left.number(), self.right.number())
        left, right, under = same_under(a, b)
        bits = max(left.bits, right.bits) + 1
        sign = "-" if self.minus else "+"
        return Quotient(f"({wide(left, bits)} {sign} {right.sql})", under.sql, digits, bits, under.bits)

    def value(self, row: Row) -> Fraction | None:
        left: Fraction | None = self.left.value(row)
        right: Fraction | None = self.right.value(row)
        if left is None or right is None:
            return None
        return left - right if self.minus else left + right

    def show(self, lang: str, row: Row | None = None) -> str:
        right = self.right.show(lang, row)
        if self.minus and isinstance(self.right.bare(), Sum):
            right = f"({right})"
        return f"{self.left.show(lang, row)} {'−' if self.minus else '+'} {right}"


@dataclass(frozen=True)
class Product(Expr):
    left: Expr
    right: Expr

    def parts(self) -> Sequence[Expr]:
        return self.left, self.right

    def number(self) -> Quotient:
        a, b = self.left.number(), self.right.number()
        over = multiplied(over_of(a), over_of(b))
        under = multiplied(under_of(a), under_of(b))
        return Quotient(over.sql, under.sql, a.digits + b.digits, over.bits, under.bits)

    def value(self, row: Row) -> Fraction | None:
        left, right = self.left.value(row), self.right.value(row)
        return None if left is None or right is None else left * right

    def show(self, lang: str, row: Row | None = None) -> str:
        return f"{_bracket(self.left, lang, row)} × {_bracket(self.right, lang, row)}"


@dataclass(frozen=True)
class Ratio(Expr):
    """A quotient; null where the divisor is 0."""

    left: Expr
    right: Expr

    def parts(self) -> Sequence[Expr]:
        return self.left, self.right

    def number(self) -> Quotient:
        a, b, _ = same_digits(self.left.number(), self.right.number())
        over = multiplied(over_of(a), under_of(b))
        under = multiplied(under_of(a), over_of(b))
        return Quotient(over.sql, f"nullif({under.sql}, 0)", 0, over.bits, under.bits)

    def value(self, row: Row) -> Fraction | None:
        left, right = self.left.value(row), self.right.value(row)
        return None if left is None or not right else left / right

    def show(self, lang: str, row: Row | None = None) -> str:
        right = self.right.show(lang, row)
        if isinstance(self.right.bare(), Sum | Product | Ratio):
            right = f"({right})"
        return f"{_bracket(self.left, lang, row)} ÷ {right}"


@dataclass(frozen=True)
class Rounded(Expr):
    """Rounded to ``digits`` decimals, halves away from zero."""

    inner: Expr
    digits: int

    def parts(self) -> Sequence[Expr]:
        return (self.inner,)

    def number(self) -> Quotient:
        whole = self.inner.rounded(self.digits)
        return Quotient(whole.sql, "", self.digits, whole.bits)

    def sql(self) -> str:
        return self.inner.rounded(self.digits).sql

    def value(self, row: Row) -> Fraction | None:
        inner = self.inner.value(row)
        return None if inner is None else Fraction(half_up(inner, self.digits))

    def show(self, lang: str, row: Row | None = None) -> str:
        return self.inner.show(lang, row)


@dataclass(frozen=True)
class Limit(Expr):
    """The smaller (``least``) or the larger of two numbers; missing where one of them is.

    Both have at most ``digits`` decimals.
    """

    left: Expr
    right: Expr
    least: bool

    def parts(self) -> Sequence[Expr]:
        return self.left, self.right

    def number(self) -> Quotient:
        a, b, digits = same_digits(self.left.number(), self.right.number())
        left, right, under = same_under(a, b)
        over = f"{'lesser' if self.least else 'larger'}({left.sql}, {right.sql})"
        return Quotient(over, under.sql, digits, max(left.bits, right.bits), under.bits)

    def value(self, row: Row) -> Fraction | None:
        left, right = self.left.value(row), self.right.value(row)
        if left is None or right is None:
            return None
        chosen: Fraction = min(left, right) if self.least else max(left, right)
        return chosen

    def show(self, lang: str, row: Row | None = None) -> str:
        name = "min" if self.least else "max"
        return f"{name}({self.left.show(lang, row)}, {self.right.show(lang, row)})"


@dataclass(frozen=True)
class Whole(Expr):
    """The whole number below a number that is not negative."""

    inner: Expr

    def parts(self) -> Sequence[Expr]:
        return (self.inner,)

    def number(self) -> Quotient:
        q = self.inner.number()
        under = multiplied(under_of(q), power(q.digits))
        return Quotient(f"(({q.over}) // ({under.sql}))" if under.sql else q.over, "", 0, q.bits)

    def value(self, row: Row) -> Fraction | None:
        inner = self.inner.value(row)
        return None if inner is None else Fraction(floor(inner))

    def show(self, lang: str, row: Row | None = None) -> str:
        return f"⌊{self.inner.show(lang, row)}⌋"


@dataclass(frozen=True)
class Case(Expr):
    """The value of the first test that holds, else ``otherwise``. All values are numbers, or all texts."""

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr

    def parts(self) -> Sequence[Expr]:
        return [*(e for branch in self.branches for e in branch), self.otherwise]

    def number(self) -> Quotient:
        if not self.branches:
            return self.otherwise.number()
        values = [value.number() for _, value in self.branches] + [self.otherwise.number()]
        digits = max(q.digits for q in values)
        overs = [multiplied(over_of(q), power(digits - q.digits)) for q in values]
        over, bits = self._case([o.sql for o in overs]), max(o.bits for o in overs)
        if not any(q.under for q in values):
            return Quotient(over, "", digits, bits)
        under = self._case([q.under or "1::BIGINT" for q in values])
        return Quotient(over, under, digits, bits, max(q.under_bits for q in values))

    def sql(self) -> str:
        if not self.branches:
            return self.otherwise.sql()
        return self._case([value.sql() for _, value in self.branches] + [self.otherwise.sql()])

    def rounded(self, digits: int) -> Integer:
        """Each value by itself: most need no division, and few rows take the wide ones."""
        if not self.branches:
            return super().rounded(digits)
        values = [value.rounded(digits) for value in (*(v for _, v in self.branches), self.otherwise)]
        return Integer(self._case([value.sql for value in values]), max(value.bits for value in values))

    def _case(self, values: list[str]) -> str:
        whens = " ".join(
            f"WHEN {test.sql()} THEN {value}"
            for (test, _), value in zip(self.branches, values[:-1], strict=True)
        )
        return f"CASE {whens} ELSE {values[-1]} END"

    def taken(self, row: Row) -> tuple[Expr | None, Expr]:
        """The test that holds for ``row``, and the formula that counts then; None: ``otherwise``."""
        return next(
            ((test, value) for test, value in self.branches if test.value(row)), (None, self.otherwise)
        )

    def value(self, row: Row) -> Any:
        return self.taken(row)[1].value(row)

    def show(self, lang: str, row: Row | None = None) -> str:
        if row is not None:
            return self.taken(row)[1].show(lang, row)
        joined = "; ".join(f"{test.show(lang)}: {value.show(lang)}" for test, value in self.branches)
        return f"{{{joined}; {'其他' if lang == 'zh' else 'else'}: {self.otherwise.show(lang)}}}"


@dataclass(frozen=True)
class Lookup(Expr):
    """A value of another table by key columns; only as the whole formula of a column.

    ``digits`` is None for texts, -1 for yes-or-no columns.
    """

    table: str
    keys: tuple[str, ...]
    column: str
    digits: int | None

    def value(self, row: Row) -> Any:
        raise TypeError("lookups are resolved before evaluation")

    def show(self, lang: str, row: Row | None = None) -> str:
        return f"{self.table}[{', '.join(self.keys)}]"


def _bracket(expr: Expr, lang: str, row: Row | None) -> str:
    shown = expr.show(lang, row)
    inner = expr.bare()
    while isinstance(inner, Rounded | Case):
        if isinstance(inner, Case):
            if row is None:
                return shown
            inner = inner.taken(row)[1].bare()
        else:
            inner = inner.inner.bare()
    return f"({shown})" if isinstance(inner, Sum) else shown


ONE, ZERO = Number(Decimal(1)), Number(Decimal(0))
