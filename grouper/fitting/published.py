"""Weights that were published, beside fitted ones: on one scale, with differences, placeholders apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from grouper.base.digests import digests
from grouper.base.errors import DataError
from grouper.base.exact import decimal_of, product, quotient, total
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table

NEAR = Decimal("0.1")


@dataclass(frozen=True)
class Published:
    """A table of weights. ``placeholders``: groups whose weight is none, but a 1 in its place."""

    file: Mapping[str, Any]
    weights: Mapping[str, Decimal]
    placeholders: frozenset[str]

    @property
    def unmarked_ones(self) -> int:
        """Groups of exactly 1 that nothing marks as placeholders: some may be."""
        return sum(weight == 1 for key, weight in self.weights.items() if key not in self.placeholders)


@dataclass(frozen=True)
class Comparison:
    """``scale``: the factor that gives the published weights the total of the fitted ones.

    Over the latest year's cases of the groups that both have. ``differences``: fitted / (published · scale)
    − 1. ``near``: share of those cases in groups within 10 %; ``inside``: groups whose interval holds the
    scaled published weight, of ``intervals``.
    """

    published: Published
    scale: Decimal
    differences: Mapping[str, Decimal]
    median: Decimal
    near: Decimal
    inside: int
    intervals: int
    only_fitted: int
    only_published: int


def read_published(name: str) -> Published:
    """A shipped table by its name (``lishui``) or a CSV: drg, weight, and placeholder where it has it.

    Raises UsageError for a file that cannot be read or a cell that is no weight.
    """
    shipped = tables_dir() / "weights" / f"{name}.csv"
    path = shipped if shipped.is_file() and not Path(name).is_file() else Path(name)
    table = read_table(path, needed=("drg", "weight"), flag="--published")
    weights: dict[str, Decimal] = {}
    marked: set[str] = set()
    for row in table:
        group, text = row.text("drg"), row.text("weight")
        if group in weights:
            raise row.error("drg", f"{group} 重复", f"{group} is there twice")
        if not text:
            continue
        weight = decimal_of(text)
        if weight is None or weight <= 0:
            raise row.error("weight", f"{text!r} 不是大于 0 的数", f"{text!r} is no number above 0")
        weights[group] = weight
        if row.text("placeholder").lower() == "true":
            marked.add(group)
    return Published(digests([str(path)])[0], weights, frozenset(marked))


def compare(
    fitted: Mapping[str, Decimal],
    cases: Mapping[str, int],
    ends: Mapping[str, tuple[float, float]],
    published: Published,
) -> Comparison:
    """Fitted weights and the latest year's cases by group; ``ends``: intervals of the groups that have one.

    Raises DataError where no group with cases in that year is in both.
    """
    real = {key: weight for key, weight in published.weights.items() if key not in published.placeholders}
    both = sorted(set(fitted) & set(real))
    below = total(product(real[key], cases[key]) for key in both)
    if not below:
        raise DataError(
            zh="--published 与测算结果没有共同的病组；请核对方案",
            en="--published has no group in common with the fit; check the scheme",
        )
    scale = quotient(total(product(fitted[key], cases[key]) for key in both), below)
    scaled = {key: product(real[key], scale) for key in both}
    differences = {key: quotient(fitted[key], scaled[key]) - 1 for key in both}
    near = sum(cases[key] for key in both if abs(differences[key]) <= NEAR)
    known = [key for key in both if key in ends]
    return Comparison(
        published,
        scale,
        differences,
        Decimal(median(abs(difference) for difference in differences.values())),
        quotient(near, sum(cases[key] for key in both)),
        sum(ends[key][0] <= float(scaled[key]) <= ends[key][1] for key in known),
        len(known),
        len(set(fitted) - set(published.weights)),
        len(set(real) - set(fitted)),
    )
