"""The questions that the classes of tools ask of a row, as expressions over the columns of Facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grouper.coefficients.facts import CHEMOTHERAPY, METASTASIS, RADIOTHERAPY
from grouper.coefficients.parameters import Class, Tool
from grouper.grouping.dip.auxiliary import DIED, NEWBORN_DAYS

if TYPE_CHECKING:
    import polars as pl

# Of several classes that take a case, the first here that the packet has a coefficient for.
_PREFERRED = {"severity": (5, 4, 3, 2, 1, 0), "tumour": (8, 7, 5, 6, 4, 3, 2, 1, 0)}


@dataclass(frozen=True)
class Question:
    """Whether a class takes a row (``key`` is its number), or whether a tool cannot tell (its name).

    It matters where the packet has a coefficient for one of ``classes``.
    """

    key: int | str
    test: pl.Expr
    classes: range

    def matters(self, rates: Mapping[int, int]) -> bool:
        return any(k in rates for k in self.classes)


def numbers(tool: Tool) -> range:
    """The numbers of the classes of a tool."""
    return range(tool.first, tool.first + len(tool.classes))


def own_column(tool: Tool) -> str:
    """How the column of a tool of kind ``column`` is called among the facts."""
    return f"column:{tool.name}"


def in_preference(tool: Tool) -> list[int]:
    """The numbers of the classes of a tool, the one that counts first first."""
    order = _PREFERRED.get(tool.kind)
    if order is None:
        return list(numbers(tool))
    return sorted(numbers(tool), key=lambda k: order.index(tool.classes[k - tool.first].test["level"]))


def questions(tools: Sequence[Tool]) -> list[Question]:
    """All questions; code lists ask none here, they are looked up code by code."""
    found = []
    for tool in (tool for tool in tools if tool.kind != "codes"):
        for k, class_ in zip(numbers(tool), tool.classes, strict=True):
            found.append(Question(k, _test(tool, class_), range(k, k + 1)))
        unknown = _unknown(tool)
        if unknown is not None:
            found.append(Question(tool.name, unknown, numbers(tool)))
    return found


def _test(tool: Tool, class_: Class) -> pl.Expr:
    """Whether a class takes a row, as an expression over the columns of :class:`Facts`."""
    import polars as pl

    test = class_.test
    match tool.kind:
        case "age":
            days = pl.col("age_days").fill_null(NEWBORN_DAYS + 1)
            within = _between("age_years", test.get("min_years"), test.get("below_years"))
            if "min_days" not in test and "below_days" not in test:
                return within
            of_days: pl.Expr = (days >= test.get("min_days", 0)) & (days < test.get("below_days", 10**9))
            return within & (pl.col("age_years") == 0) & of_days
        case "cci" | "icu":
            name = "cci" if tool.kind == "cci" else "icu_hours"
            return _between(name, test.get("min"), test.get("below"))
        case "column":
            value: str = test["value"]
            return pl.col(own_column(tool)) == value
    return _level(tool.kind, test["level"], pl.col("los_days") <= tool.short_stay)


def _between(name: str, low: Any, below: Any) -> pl.Expr:
    import polars as pl

    test = pl.col(name).is_not_null()
    if low is not None:
        test &= pl.col(name) >= float(low)
    return test if below is None else test & (pl.col(name) < float(below))


def _level(kind: str, level: int, short: pl.Expr) -> pl.Expr:
    """Levels of severity and tumours (docs/dip.md, step 9); none without a stay."""
    import polars as pl

    died = (pl.col("discharge_way") == DIED).fill_null(False)
    stayed = pl.col("los_days").is_not_null()
    by_stay = {
        0: short,
        1: ~short,
        2: ~short & (pl.col("counted") >= 1),
        3: ~short & (pl.col("counted") == 2),
    }
    if level in by_stay:
        return by_stay[level]
    if kind == "severity":
        return died & (short if level == 4 else ~short)
    marked = {4: METASTASIS, 5: RADIOTHERAPY, 6: CHEMOTHERAPY}
    if level in marked:
        return stayed & ((pl.col("marks") & marked[level]) > 0)
    return died & (short if level == 7 else ~short)


def _unknown(tool: Tool) -> pl.Expr | None:
    """Where the class of a row cannot be told for lack of a number; None for tools that always can."""
    import polars as pl

    if tool.kind in ("severity", "tumour"):
        return pl.col("los_days").is_null() | pl.col("discharge_way").is_null()
    if tool.kind == "age":
        by_days = any({"min_days", "below_days"} & set(class_.test) for class_ in tool.classes)
        infant = (pl.col("age_years") == 0) & pl.col("age_days").is_null()
        return pl.col("age_years").is_null() | (infant if by_days else False)
    return None
