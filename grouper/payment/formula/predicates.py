"""Tests on the rows of a table: comparisons, words, lists, and what joins them.

Like the formulas of ``expression`` they are read as SQL, for one case, and as text. A test has three
answers; without a value it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from grouper.base.sql import literal, quote
from grouper.payment.formula.expression import WORDS, Expr, Row
from grouper.payment.formula.quotient import same_digits, same_under

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
        a, b, _ = same_digits(self.left.number(), self.right.number())
        left, right, _ = same_under(a, b)
        return f"({left.sql} {self.sign} {right.sql})"

    def value(self, row: Row) -> bool | None:
        left: Fraction | None = self.left.value(row)
        right: Fraction | None = self.right.value(row)
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
            return f"({quote(self.name)} IN ({', '.join(literal(w) + kind for w in self.words)}))"
        return "(" + " OR ".join(f"starts_with({quote(self.name)}, {literal(w)})" for w in self.words) + ")"

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
        return f"(len(list_filter({quote(self.name)}, lambda x: {tests})) > 0)"

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
        bare = [test.bare() for test in self.tests]
        several = [isinstance(test, Any_) and len(test.tests) > 1 for test in bare]
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
