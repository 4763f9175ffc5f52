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
from typing import Any, NamedTuple

Row = Mapping[str, Any]

_NARROW = 62  # bits that a BIGINT holds with room for a sum
_MOST = 10**10  # whole part of an amount, where a column does not say

# Text columns that the steps make: in SQL an ENUM of all words of the run, quick to compare.
WORDS = frozenset(
    {"pool", "route", "method", "outlier", "outlier_by_ratio", "review_result", "pay_status", "pay_reason"}
)

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


def _expr(value: Expr | int) -> Expr:
    return value if isinstance(value, Expr) else Number(Decimal(value))


def walk(expr: Expr) -> Iterator[Expr]:
    """The formula and all formulas inside it."""
    yield expr
    for part in expr.parts():
        yield from walk(part)


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
        bits = min(_NARROW, (self.most * 10**used).bit_length())
        spare = self.digits - used
        sql = f"({_quote(self.name)} // {_power(spare).sql})" if spare else _quote(self.name)
        return Quotient(sql, "", used, bits)

    def sql(self) -> str:
        return _quote(self.name)

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
        return _quote(self.name)

    def value(self, row: Row) -> str | None:
        return row.get(self.name)

    def show(self, lang: str, row: Row | None = None) -> str:
        return self.name if row is None else str(row.get(self.name))


@dataclass(frozen=True)
class Bool(Expr):
    """A yes-or-no column of the case table."""

    name: str

    def sql(self) -> str:
        return _quote(self.name)

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
        a, b, digits = _same_digits(self.left.number(), self.right.number())
        left, right, under = _same_under(a, b)
        bits = max(left.bits, right.bits) + 1
        sign = "-" if self.minus else "+"
        return Quotient(f"({_wide(left, bits)} {sign} {right.sql})", under.sql, digits, bits, under.bits)

    def value(self, row: Row) -> Fraction | None:
        left, right = self.left.value(row), self.right.value(row)
        if left is None or right is None:
            return None
        return left - right if self.minus else left + right

    def show(self, lang: str, row: Row | None = None) -> str:
        right = self.right.show(lang, row)
        if self.minus and isinstance(self.right, Sum):
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
        over = _multiplied(_over(a), _over(b))
        under = _multiplied(_under(a), _under(b))
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
        a, b, _ = _same_digits(self.left.number(), self.right.number())
        over = _multiplied(_over(a), _under(b))
        under = _multiplied(_under(a), _over(b))
        return Quotient(over.sql, f"nullif({under.sql}, 0)", 0, over.bits, under.bits)

    def value(self, row: Row) -> Fraction | None:
        left, right = self.left.value(row), self.right.value(row)
        return None if left is None or not right else left / right

    def show(self, lang: str, row: Row | None = None) -> str:
        right = self.right.show(lang, row)
        if isinstance(self.right, Sum | Product | Ratio):
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
        whole = rounded(self.inner, self.digits)
        return Quotient(whole.sql, "", self.digits, whole.bits)

    def sql(self) -> str:
        return rounded(self.inner, self.digits).sql

    def value(self, row: Row) -> Fraction | None:
        inner = self.inner.value(row)
        return None if inner is None else Fraction(half_up(inner, self.digits))

    def show(self, lang: str, row: Row | None = None) -> str:
        return self.inner.show(lang, row)


@dataclass(frozen=True)
class Limit(Expr):
    """The smaller (``least``) or the larger of two numbers; one that is null does not count.

    Both have at most ``digits`` decimals.
    """

    left: Expr
    right: Expr
    least: bool

    def parts(self) -> Sequence[Expr]:
        return self.left, self.right

    def number(self) -> Quotient:
        a, b, digits = _same_digits(self.left.number(), self.right.number())
        left, right, under = _same_under(a, b)
        over = f"{'least' if self.least else 'greatest'}({left.sql}, {right.sql})"
        return Quotient(over, under.sql, digits, max(left.bits, right.bits), under.bits)

    def value(self, row: Row) -> Fraction | None:
        both = [v for v in (self.left.value(row), self.right.value(row)) if v is not None]
        return (min(both) if self.least else max(both)) if both else None

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
        under = _multiplied(_under(q), _power(q.digits))
        return Quotient(f"(({q.over}) // ({under.sql}))" if under.sql else q.over, "", 0, q.bits)

    def value(self, row: Row) -> Fraction | None:
        inner = self.inner.value(row)
        return None if inner is None else Fraction(inner.numerator // inner.denominator)

    def show(self, lang: str, row: Row | None = None) -> str:
        return f"⌊{self.inner.show(lang, row)}⌋"


_SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "=": "="}


@dataclass(frozen=True)
class Compare(Expr):
    """A test of two numbers; exact, whatever their digits. Divisors must be positive."""

    left: Expr
    sign: str
    right: Expr

    def parts(self) -> Sequence[Expr]:
        return self.left, self.right

    def sql(self) -> str:
        a, b, _ = _same_digits(self.left.number(), self.right.number())
        left, right, _ = _same_under(a, b)
        return f"({left.sql} {self.sign} {right.sql})"

    def value(self, row: Row) -> bool | None:
        left, right = self.left.value(row), self.right.value(row)
        if left is None or right is None:
            return None
        return {
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
            "=": left == right,
        }[self.sign]

    def show(self, lang: str, row: Row | None = None) -> str:
        return f"{self.left.show(lang, row)} {_SIGNS[self.sign]} {self.right.show(lang, row)}"


@dataclass(frozen=True)
class OneOf(Expr):
    """A text column has one of some values; with ``prefix``, begins with one of them."""

    name: str
    words: tuple[str, ...]
    prefix: bool = False

    def sql(self) -> str:
        if not self.prefix:
            kind = "::word" if self.name in WORDS else ""
            return f"({_quote(self.name)} IN ({', '.join(literal(w) + kind for w in self.words)}))"
        return "(" + " OR ".join(f"starts_with({_quote(self.name)}, {literal(w)})" for w in self.words) + ")"

    def value(self, row: Row) -> bool | None:
        found = row.get(self.name)
        if found is None:
            return None
        return str(found).startswith(self.words) if self.prefix else found in self.words

    def show(self, lang: str, row: Row | None = None) -> str:
        name = self.name if row is None else str(row.get(self.name))
        dots = "…" if self.prefix else ""
        return f"{name} ∈ {{{', '.join(w + dots for w in self.words)}}}"


@dataclass(frozen=True)
class AnyPrefix(Expr):
    """A list column has an item that begins with one of some values; a null list has none."""

    name: str
    words: tuple[str, ...]

    def sql(self) -> str:
        tests = " OR ".join(f"starts_with(x, {literal(w)})" for w in self.words)
        return f"(len(list_filter({_quote(self.name)}, lambda x: {tests})) > 0)"

    def value(self, row: Row) -> bool | None:
        found = row.get(self.name)
        return None if found is None else any(x is not None and x.startswith(self.words) for x in found)

    def show(self, lang: str, row: Row | None = None) -> str:
        return f"{self.name} ∋ {{{', '.join(w + '…' for w in self.words)}}}"


@dataclass(frozen=True)
class IsNull(Expr):
    inner: Expr

    def parts(self) -> Sequence[Expr]:
        return (self.inner,)

    def sql(self) -> str:
        return f"({self.inner.sql()} IS NULL)"

    def value(self, row: Row) -> bool:
        return self.inner.value(row) is None

    def show(self, lang: str, row: Row | None = None) -> str:
        return f"{self.inner.show(lang, row)} {'缺' if lang == 'zh' else 'is missing'}"


@dataclass(frozen=True)
class All(Expr):
    """All tests hold."""

    tests: tuple[Expr, ...]

    def parts(self) -> Sequence[Expr]:
        return self.tests

    def sql(self) -> str:
        return "(" + " AND ".join(test.sql() for test in self.tests) + ")" if self.tests else "TRUE"

    def value(self, row: Row) -> bool | None:
        found = [test.value(row) for test in self.tests]
        return False if False in found else None if None in found else True

    def show(self, lang: str, row: Row | None = None) -> str:
        several = [isinstance(test, Any_) and len(test.tests) > 1 for test in self.tests]
        shown = [test.show(lang, row) for test in self.tests]
        brackets = [f"({text})" if s else text for text, s in zip(shown, several, strict=True)]
        return (" 且 " if lang == "zh" else " and ").join(brackets)


@dataclass(frozen=True)
class Any_(Expr):
    """One of the tests holds."""

    tests: tuple[Expr, ...]

    def parts(self) -> Sequence[Expr]:
        return self.tests

    def sql(self) -> str:
        return "(" + " OR ".join(test.sql() for test in self.tests) + ")" if self.tests else "FALSE"

    def value(self, row: Row) -> bool | None:
        found = [test.value(row) for test in self.tests]
        return True if True in found else None if None in found else False

    def show(self, lang: str, row: Row | None = None) -> str:
        return (" 或 " if lang == "zh" else " or ").join(test.show(lang, row) for test in self.tests)


@dataclass(frozen=True)
class Not(Expr):
    """The test does not hold; a test without an answer counts as not holding."""

    test: Expr

    def parts(self) -> Sequence[Expr]:
        return (self.test,)

    def sql(self) -> str:
        return f"(NOT coalesce({self.test.sql()}, FALSE))"

    def value(self, row: Row) -> bool:
        return not self.test.value(row)

    def show(self, lang: str, row: Row | None = None) -> str:
        return f"{'非' if lang == 'zh' else 'not'} ({self.test.show(lang, row)})"


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
        overs = [_multiplied(_over(q), _power(digits - q.digits)) for q in values]
        over, bits = self._case([o.sql for o in overs]), max(o.bits for o in overs)
        if not any(q.under for q in values):
            return Quotient(over, "", digits, bits)
        under = self._case([q.under or "1::BIGINT" for q in values])
        return Quotient(over, under, digits, bits, max(q.under_bits for q in values))

    def sql(self) -> str:
        if not self.branches:
            return self.otherwise.sql()
        return self._case([value.sql() for _, value in self.branches] + [self.otherwise.sql()])

    def _case(self, values: list[str]) -> str:
        whens = " ".join(
            f"WHEN {test.sql()} THEN {value}"
            for (test, _), value in zip(self.branches, values[:-1], strict=True)
        )
        return f"CASE {whens} ELSE {values[-1]} END"

    def chosen(self, row: Row) -> Expr:
        """The formula that counts for ``row``."""
        for test, value in self.branches:
            if test.value(row):
                return value.chosen(row) if isinstance(value, Case) else value
        return self.otherwise.chosen(row) if isinstance(self.otherwise, Case) else self.otherwise

    def value(self, row: Row) -> Any:
        return self.chosen(row).value(row)

    def show(self, lang: str, row: Row | None = None) -> str:
        if row is not None:
            return self.chosen(row).show(lang, row)
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


class _Whole(NamedTuple):
    """SQL of a whole number ("" for 1) and a bound on its bits."""

    sql: str
    bits: int


def rounded(expr: Expr, digits: int) -> _Whole:
    """SQL of the whole number of ``digits``-th decimals, halves away from zero."""
    q = expr.number()
    shift = digits - q.digits
    over, under = _over(q), _under(q)
    if shift >= 0:
        over = _multiplied(over, _power(shift))
    else:
        under = _multiplied(under, _power(-shift))
    if not under.sql:
        return over
    narrow = max(over.bits, under.bits) < _NARROW
    return _Whole(f"{'half_up_narrow' if narrow else 'half_up'}({over.sql}, {under.sql})", over.bits)


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _over(q: Quotient) -> _Whole:
    return _Whole(q.over, q.bits)


def _under(q: Quotient) -> _Whole:
    return _Whole(q.under, q.under_bits)


def _power(places: int) -> _Whole:
    return _Whole(
        f"{10**places}::{'BIGINT' if places < 18 else 'HUGEINT'}" if places else "", (10**places).bit_length()
    )


def _wide(number: _Whole, bits: int) -> str:
    """``number`` as an operand of a result of so many bits."""
    return f"{number.sql}::HUGEINT" if number.bits <= _NARROW < bits else number.sql


def _multiplied(a: _Whole, b: _Whole) -> _Whole:
    if not a.sql or not b.sql:
        return a if a.sql else b
    bits = a.bits + b.bits
    return _Whole(f"({_wide(a, bits)} * {b.sql})", bits)


def _same_digits(a: Quotient, b: Quotient) -> tuple[Quotient, Quotient, int]:
    digits = max(a.digits, b.digits)

    def shifted(q: Quotient) -> Quotient:
        over = _multiplied(_over(q), _power(digits - q.digits))
        return q._replace(over=over.sql, bits=over.bits, digits=digits)

    return shifted(a), shifted(b), digits


def _same_under(a: Quotient, b: Quotient) -> tuple[_Whole, _Whole, _Whole]:
    """The two numerators over one divisor, and the divisor."""
    if a.under == b.under:
        return _over(a), _over(b), _under(a)
    return (
        _multiplied(_over(a), _under(b)),
        _multiplied(_over(b), _under(a)),
        _multiplied(_under(a), _under(b)),
    )


def _bracket(expr: Expr, lang: str, row: Row | None) -> str:
    shown = expr.show(lang, row)
    inner = expr
    while isinstance(inner, Rounded | Case):
        if isinstance(inner, Case):
            if row is None:
                return shown
            inner = inner.chosen(row)
        else:
            inner = inner.inner
    return f"({shown})" if isinstance(inner, Sum) else shown
