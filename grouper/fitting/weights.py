"""Relative weights of the groups of a scheme, from years of grouped discharges (docs/statistics.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from grouper.base.certified import marks, same_marks
from grouper.base.digests import digests
from grouper.base.errors import DataError, UsageError
from grouper.base.exact import half_up, product, quotient, total
from grouper.base.provenance import stamped
from grouper.base.tables_out import csv_text
from grouper.base.whole import write_text
from grouper.fitting.history import HistoryOptions, read_history, years_present
from grouper.fitting.structure import Structure, keys_of_groups, read_structure
from grouper.fitting.sums import GroupSums, pooled, riv, sums_by_group, workspace
from grouper.fitting.trim import DEFAULT_YEAR_WEIGHTS, Trim, weights_of_years
from grouper.grouping.drg.tables import store
from grouper.grouping.drg.tables.model import Scheme

COLUMNS = ("drg", "name", "weight", "cases", "cases_trimmed", "mean_cost", "cv", "unstable", "note")


@dataclass(frozen=True)
class WeightOptions:
    """``small``: groups of fewer cases are not trimmed. ``unstable``: groups of fewer cases are flagged.

    ``digits``: decimals of a weight. ``structure``: file of factors. ``memory``, ``threads``: of the
    database; they change no result.
    """

    year_weights: tuple[Decimal, ...] = DEFAULT_YEAR_WEIGHTS
    trim: str = "p2.5-p97.5"
    small: int = 30
    unstable: int = 5
    digits: int = 4
    structure: str | None = None
    history: HistoryOptions = field(default_factory=HistoryOptions)
    memory: str = "2GiB"
    threads: int = 2

    def as_dict(self) -> dict[str, Any]:
        """What changes a result, for provenance."""
        return {
            "year_weights": [str(weight) for weight in self.year_weights],
            "trim": self.trim,
            "small": self.small,
            "unstable": self.unstable,
            "digits": self.digits,
            "structure": digests([self.structure])[0] if self.structure else None,
            **self.history.__dict__,
            "years": list(self.history.years),
        }


@dataclass(frozen=True)
class GroupWeight:
    """One group: ``exact`` has 60 digits, ``weight`` is rounded; None for a group without cases.

    ``cases`` are all used cases, ``kept`` those that trimming keeps, ``latest`` those of the latest
    year; ``mean_cost`` is in fen, weighted over the years.
    """

    drg: str
    name: str
    exact: Decimal | None
    weight: Decimal | None
    cases: int
    kept: int
    latest: int
    mean_cost: Decimal | None
    cv: Decimal | None
    unstable: bool
    note: str


@dataclass(frozen=True)
class Fitted:
    """Weights of a scheme and what they were made of.

    The total weights are Σ n·RW over the used cases of ``latest_year``: ``total_raw`` before the
    scaling, ``total_exact`` after it (the number of those cases), ``total_rounded`` of the
    weights as written. ``left_out`` counts records by reason.
    """

    scheme: Scheme
    groups: tuple[GroupWeight, ...]
    year_weights: Mapping[int, Decimal]
    left_out: Counter[str]
    mean_cost: Decimal
    riv: Decimal | None
    total_raw: Decimal
    total_exact: Decimal
    total_rounded: Decimal
    options: WeightOptions
    inputs: list[dict[str, Any]]
    by_year: Mapping[int, int] = field(default_factory=dict)

    @property
    def latest_year(self) -> int:
        return max(self.year_weights)

    @property
    def cases(self) -> int:
        return sum(group.cases for group in self.groups)

    @property
    def cases_by_year(self) -> dict[int, int]:
        """The used cases of each year."""
        return dict(sorted(self.by_year.items()))

    @property
    def cv_above_1(self) -> int:
        return sum(group.cv is not None and group.cv > 1 for group in self.groups)

    @property
    def unstable(self) -> int:
        """Groups with cases, but fewer than asked for."""
        return sum(group.unstable and group.cases > 0 for group in self.groups)


def fit(history: Sequence[str | Path], scheme: str, options: WeightOptions | None = None) -> Fitted:
    """Weights from grouped files (Parquet; other files and ungrouped ones are grouped first).

    Raises UsageError for a missing column, more years than weights, the same file twice or a file of
    another scheme; DataError for unusable amounts, unknown groups or no cases; TableError for a
    wrong structure file.
    """
    chosen = options or WeightOptions()
    paths = [str(path) for path in history]
    trim = Trim.of(chosen.trim)
    loaded = store.load(scheme)
    structure = Structure()
    if chosen.structure:
        structure = read_structure(chosen.structure, keys_of_groups(loaded))
    before, inputs = marks(paths), digests(paths)
    with workspace(chosen.memory, chosen.threads) as connection:
        left = read_history(connection, paths, scheme, chosen.history)
        weights = weights_of_years(years_present(connection, chosen.history), chosen.year_weights)
        sums = sums_by_group(connection, trim, chosen.small)
    same_marks(before)
    return _fitted(loaded, sums, weights, structure, chosen, left, inputs)


def _fitted(
    scheme: Scheme,
    sums: dict[str, GroupSums],
    weights: Mapping[int, Decimal],
    structure: Structure,
    options: WeightOptions,
    left: Counter[str],
    inputs: list[dict[str, Any]],
) -> Fitted:
    keys = keys_of_groups(scheme)
    _refuse_unknown(sums, keys, scheme)
    mean_all = pooled(sums).mean(weights)
    means = {drg: mean for drg, group in sums.items() if (mean := group.mean(weights)) is not None}
    assert mean_all is not None
    raw = {drg: quotient(mean, mean_all) for drg, mean in means.items()}
    latest = {drg: _cases_of(group, max(weights)) for drg, group in sums.items()}
    total_raw = _total(raw, latest)
    exact = _scaled({drg: product(raw[drg], structure.factor(keys[drg])) for drg in raw}, latest)
    names = {drg.drg: drg.name for _, drg in scheme.groups()}
    groups = [
        _group(drg, names[drg], sums.get(drg), exact.get(drg), means.get(drg), weights, options)
        for drg in sorted(names)
    ]
    written = {group.drg: group.weight for group in groups if group.weight is not None}
    return Fitted(
        scheme=scheme,
        groups=tuple(groups),
        year_weights=weights,
        left_out=left,
        mean_cost=mean_all,
        riv=riv(sums),
        total_raw=total_raw,
        total_exact=_total(exact, latest),
        total_rounded=_total(written, latest),
        options=options,
        inputs=inputs,
        by_year={year: sum(_cases_of(group, year) for group in sums.values()) for year in weights},
    )


def _refuse_unknown(sums: Mapping[str, Any], keys: Mapping[str, Any], scheme: Scheme) -> None:
    unknown = sorted(set(sums) - set(keys))
    if unknown:
        raise DataError(
            zh=f"数据中的病组 {unknown[0]} 等 {len(unknown)} 个不在方案 {scheme.id} 中；请核对 --scheme",
            en=f"the data hold {len(unknown)} groups that scheme {scheme.id} lacks, such as {unknown[0]}; "
            "check --scheme",
        )


def _cases_of(group: GroupSums, year: int) -> int:
    return group.years[year].cases if year in group.years else 0


def _total(weights: Mapping[str, Decimal], cases: Mapping[str, int]) -> Decimal:
    """Σ n·RW in the order of the codes."""
    return total(product(weights[drg], cases[drg]) for drg in sorted(weights))


def _scaled(weights: dict[str, Decimal], cases: Mapping[str, int]) -> dict[str, Decimal]:
    """The weights times the one factor that makes Σ n·RW = Σ n."""
    factor = quotient(sum(cases.values()), _total(weights, cases))
    return {drg: product(weight, factor) for drg, weight in weights.items()}


def _group(
    drg: str,
    name: str,
    sums: GroupSums | None,
    exact: Decimal | None,
    mean: Decimal | None,
    weights: Mapping[int, Decimal],
    options: WeightOptions,
) -> GroupWeight:
    sums = sums or GroupSums()
    lacking = [year for year in sorted(weights) if year not in sums.years]
    note = "no cases" if not sums.years else ""
    if lacking and sums.years:
        note = "no cases in " + " ".join(map(str, lacking))
    return GroupWeight(
        drg=drg,
        name=name,
        exact=exact,
        weight=None if exact is None else half_up(exact, options.digits),
        cases=sums.cases,
        kept=sums.kept,
        latest=_cases_of(sums, max(weights)),
        mean_cost=mean,
        cv=sums.cv,
        unstable=sums.cases < options.unstable,
        note=note,
    )


# --- writing ----------------------------------------------------------------------------------


def weights_text(fitted: Fitted) -> str:
    """The CSV: one row per group of the scheme, by code; mean_cost in yuan with 2 decimals, cv with 4.

    Where the scheme names groups of primary care (基层病组), the column ``basic`` marks them.
    """
    care = frozenset(fitted.scheme.primary_care)
    place = COLUMNS.index("unstable")
    rows = (
        [
            group.drg,
            group.name,
            group.weight,
            group.cases,
            group.cases - group.kept,
            None if group.mean_cost is None else yuan(group.mean_cost),
            None if group.cv is None else half_up(group.cv, 4),
            *([group.drg in care or None] if care else []),
            group.unstable,
            group.note,
        ]
        for group in fitted.groups
    )
    return csv_text((*COLUMNS[:place], *(["basic"] if care else []), *COLUMNS[place:]), rows)


def yuan(fen: Decimal, digits: int = 2) -> Decimal:
    """Fen as yuan, rounded."""
    return half_up(fen.scaleb(-2), digits)


def provenance(fitted: Fitted) -> dict[str, Any]:
    """What made the weights; the same data give the same text, in whatever order they come."""
    return {
        **stamped(),
        "scheme": {
            "id": fitted.scheme.id,
            "name": fitted.scheme.name,
            "sha256": fitted.scheme.digest,
        },
        "inputs": fitted.inputs,
        "options": fitted.options.as_dict(),
        "year_weights": {str(year): str(weight) for year, weight in sorted(fitted.year_weights.items())},
        "cases": fitted.cases,
        "cases_by_year": {str(year): cases for year, cases in fitted.cases_by_year.items()},
        "cases_trimmed": sum(group.cases - group.kept for group in fitted.groups),
        "left_out": dict(sorted(fitted.left_out.items())),
        "mean_cost_yuan": str(yuan(fitted.mean_cost, 6)),
        "riv": None if fitted.riv is None else str(half_up(fitted.riv, 6)),
        "groups_cv_above_1": fitted.cv_above_1,
        "groups_unstable": fitted.unstable,
        "groups_without_cases": sum(not group.cases for group in fitted.groups),
        "total_weight": {
            "year": fitted.latest_year,
            "cases": sum(group.latest for group in fitted.groups),
            "before": str(half_up(fitted.total_raw, 6)),
            "after": str(half_up(fitted.total_exact, 6)),
            "as_written": str(fitted.total_rounded),
        },
    }


def sidecar(path: Path) -> Path:
    """Where the provenance of a table stands: ``weights.csv`` has ``weights.json``."""
    if path.suffix.lower() == ".json":
        raise UsageError(
            zh=f"-o {path} 应为 CSV 文件名，.json 留给来源说明",
            en=f"-o {path} must name a CSV file; the .json beside it is for the provenance",
        )
    return path.with_suffix(".json")


def write(fitted: Fitted, path: Path) -> None:
    """Write the CSV and its sidecar. Raises UsageError when they cannot be written."""
    beside = sidecar(path)
    write_text(path, weights_text(fitted))
    write_text(beside, json.dumps(provenance(fitted), ensure_ascii=False, indent=1) + "\n")
