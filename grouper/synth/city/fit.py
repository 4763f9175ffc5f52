"""Make ``tables/city/cost.csv``: the mean weight of like cases, from a table of relative weights.

    python -m grouper.synth.city.fit weights.csv tables/city/cost.csv [--scheme chs-drg-2.0] [--rows 1500000]

Generated rows are grouped once; the weights of the groups that they reach are averaged by the
generator's own group, by operation and by the worst companion. Small cells lean on their neighbours.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from grouper.base.tables_out import csv_text
from grouper.base.whole import write_text
from grouper.synth.city.costs import (
    FACTOR_BITS,
    HEADER,
    SEVERITIES,
    CaseWeights,
    CostTables,
    case_weights,
    group_names,
    severities,
)
from grouper.synth.city.model import City

_LEAN = 20  # cases that a cell's neighbours count for


def fit(weights: Path, target: Path, scheme: str, rows: int) -> None:
    """Write the table ``target`` from the relative weights of ``scheme``."""
    sums, cases = _sums(case_weights(scheme, weights), rows)
    names = group_names()
    everywhere = _mean(sums, cases, range(len(names) * 2 * SEVERITIES), 1_000)
    table: list[list[object]] = []
    for number, name in enumerate(names):
        first = number * 2 * SEVERITIES
        group = _mean(sums, cases, range(first, first + 2 * SEVERITIES), everywhere)
        for operated in (0, 1):
            at = first + operated * SEVERITIES
            near = _mean(sums, cases, range(at, at + SEVERITIES), group)
            cells = [_mean(sums, cases, [at + s], near) for s in range(SEVERITIES)]
            table.append([name, operated, *map(round, cells)])
    write_text(target, csv_text(HEADER, table))


def _mean(sums: Counter[int], cases: Counter[int], cells: Iterable[int], near: float) -> float:
    cells = list(cells)
    weight = sum(sums[cell] for cell in cells) + _LEAN * near
    return weight / (sum(cases[cell] for cell in cells) + _LEAN)


def _sums(weights: CaseWeights, rows: int) -> tuple[Counter[int], Counter[int]]:
    """Sum of weights (thousandths) and number of cases by cell of the table."""
    from grouper.synth.city.hospitals import wards_of
    from grouper.synth.city.order import order_of
    from grouper.synth.city.rows import BLOCK, grouping_cells
    from grouper.synth.city.stays import Maker
    from grouper.synth.tables import tables

    city = City(rows=rows, refunds=0, readmissions=0, transfers=0, dirty=0)
    t = tables()
    light = pa.array([0] * len(t.diagnosis_codes), pa.uint32())  # no care differs while nothing is known
    empty = pa.array([1_000] * (len(t.surgical) * 2 * SEVERITIES), pa.int64())
    costs = CostTables(empty, pa.array([256] * (1 << FACTOR_BITS), pa.int64()), severities(), light)
    maker = Maker(city, order_of(city), wards_of(city), costs, t, 1)
    sums: Counter[int] = Counter()
    cases: Counter[int] = Counter()
    for start in range(0, rows, BLOCK):
        cells, batch = grouping_cells(maker, start, min(BLOCK, rows - start))
        for cell, weight in zip(cells.to_pylist(), weights.of(batch).to_pylist(), strict=True):
            sums[cell] += weight
            cases[cell] += 1
    return sums, cases


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("weights", type=Path, help="CSV with the columns drg and weight")
    parser.add_argument("target", type=Path)
    parser.add_argument("--scheme", default="chs-drg-2.0")
    parser.add_argument("--rows", type=int, default=1_500_000)
    args = parser.parse_args()
    fit(args.weights, args.target, args.scheme, args.rows)


if __name__ == "__main__":
    main()
