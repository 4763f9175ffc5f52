"""Relative weights of the groups of a scheme, from years of grouped discharges (docs/statistics.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
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
from grouper.fitting.precision import FEW, WIDE, Precision, beside_all, interval, precision, shown, typical
from grouper.fitting.published import Comparison, Published, compare, read_published
from grouper.fitting.relative import check_method, levels, means_of_all, one_of, ratios_of, trim_share
from grouper.fitting.shrink import SHRINK, Shrinkage, shrink
from grouper.fitting.structure import Structure, keys_of_groups, read_structure
from grouper.fitting.sums import GroupSums, riv, sums_by_group, workspace
from grouper.fitting.trim import DEFAULT_YEAR_WEIGHTS, Trim, weighted_mean, weights_of_years
from grouper.grouping.drg.tables import store
from grouper.grouping.drg.tables.model import Scheme

_FITTED = ("drg",)
COLUMNS = ("drg", "name", "weight", "cases", "cases_trimmed", "mean_cost", "cv", "unstable", "note")


def fits(kind: str) -> bool:
    """Whether groups of a kind of scheme have weights that can be fitted; scores are a catalogue's."""
    return kind in _FITTED


@dataclass(frozen=True)
class WeightOptions:
    """``small``: groups of fewer cases are not trimmed. ``unstable``: groups of fewer cases are flagged.

    ``digits``: decimals of a weight. ``structure``: file of factors. ``ratio``, ``untrimmed``: see
    grouper.fitting.relative. ``confidence``: per cent of an interval. ``shrink`` "adrg": groups are drawn
    towards their ADRG. ``published``: a table to compare with. ``memory``, ``threads``: of the database; they
    change no result.
    """

    year_weights: tuple[Decimal, ...] = DEFAULT_YEAR_WEIGHTS
    trim: str = "p2.5-p97.5"
    small: int = 30
    unstable: int = 5
    digits: int = 4
    structure: str | None = None
    ratio: str = "by-year"
    untrimmed: str = "scaled"
    confidence: float = 95.0
    shrink: str = "none"
    published: str | None = None
    history: HistoryOptions = field(default_factory=HistoryOptions)
    memory: str = "2GiB"
    threads: int = 2

    def check(self) -> None:
        """Raise UsageError for a method that is none."""
        check_method(self.ratio, self.untrimmed, self.confidence)
        one_of("--shrink", self.shrink, SHRINK)

    def as_dict(self) -> dict[str, Any]:
        """What changes a result, for provenance."""
        return {
            "year_weights": [str(weight) for weight in self.year_weights],
            "ratio": self.ratio,
            "trim": self.trim,
            "small": self.small,
            "untrimmed": self.untrimmed,
            "confidence": self.confidence,
            "shrink": self.shrink,
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
    year; ``mean_cost`` is in fen, weighted over the years. ``n_eff``, ``se``, ``low`` and ``high`` are of the
    weight (grouper.fitting.precision); ``shrinkage`` is the share of the ADRG in it, ``unshrunk`` the weight
    without, on the same scale.
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
    cv_all: Decimal | None = None
    n_eff: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    shrinkage: float | None = None
    unshrunk: Decimal | None = None
    by_year: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """Weights of a scheme and what they were made of.

    The total weights are Σ n·RW over the used cases of ``latest_year``: ``total_raw`` before the
    scaling, ``total_exact`` after it (the number of those cases), ``total_rounded`` of the
    weights as written. ``left_out`` counts records by reason. ``riv`` is after trimming, ``riv_all`` of all
    costs; ``trim_share`` the factor of groups left whole.
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
    riv_all: Decimal | None = None
    trim_share: Decimal = Decimal(1)
    left_whole: int = 0
    shrinkage: Shrinkage | None = None
    comparison: Comparison | None = None

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
    def cv_all_above_1(self) -> int:
        return sum(group.cv_all is not None and group.cv_all > 1 for group in self.groups)

    @property
    def unstable(self) -> int:
        """Groups with cases, but fewer than asked for."""
        return sum(group.unstable and group.cases > 0 for group in self.groups)

    @property
    def few(self) -> int:
        """Groups with cases, but fewer than five effective ones."""
        return sum(group.n_eff is not None and group.n_eff < FEW for group in self.groups)

    @property
    def wide(self) -> int:
        """Groups whose standard error is above a fifth of the weight."""
        return sum(
            group.se is not None and group.exact is not None and group.se > WIDE * float(group.exact)
            for group in self.groups
        )


def fit(history: Sequence[str | Path], scheme: str, options: WeightOptions | None = None) -> Fitted:
    """Weights from grouped files (Parquet; other files and ungrouped ones are grouped first).

    Raises UsageError for a missing column, more years than weights, the same file twice or a file of
    another scheme; DataError for unusable amounts, unknown groups or no cases; TableError for a
    wrong structure file.
    """
    chosen = options or WeightOptions()
    chosen.check()
    paths = [str(path) for path in history]
    trim = Trim.of(chosen.trim)
    loaded = store.load(scheme)
    structure = Structure()
    if chosen.structure:
        structure = read_structure(chosen.structure, keys_of_groups(loaded))
    published = read_published(chosen.published) if chosen.published else None
    before, inputs = marks(paths), digests(paths)
    with workspace(chosen.memory, chosen.threads) as connection:
        left = read_history(connection, paths, scheme, chosen.history)
        weights = weights_of_years(years_present(connection, chosen.history), chosen.year_weights)
        sums = sums_by_group(connection, trim, chosen.small, chosen.ratio == "by-year")
    same_marks(before)
    return _fitted(loaded, sums, weights, structure, published, chosen, left, inputs)


def _fitted(
    scheme: Scheme,
    sums: dict[str, GroupSums],
    weights: Mapping[int, Decimal],
    structure: Structure,
    published: Published | None,
    options: WeightOptions,
    left: Counter[str],
    inputs: list[dict[str, Any]],
) -> Fitted:
    keys = keys_of_groups(scheme)
    _refuse_unknown(sums, keys, scheme)
    trim = Trim.of(options.trim)
    level = levels(sums, trim, options.small, options.untrimmed)
    own = ratios_of(sums, weights, level, options.ratio)
    by_year = options.ratio == "by-year"
    prices = means_of_all(sums, level) if by_year else dict.fromkeys(weights, Decimal(1))
    found = {drg: precision(sums[drg], weights, prices) for drg in own}
    sure = {drg: one for drg, one in found.items() if one is not None}
    drawn = shrink(own, sure, {drg: keys[drg]["adrg"] for drg in own}) if options.shrink == "adrg" else None
    raw = own | {drg: one.ratio for drg, one in drawn.groups.items()} if drawn else own
    latest = {drg: group.cases_in(max(weights)) for drg, group in sums.items()}
    total_raw = _total(raw, latest)
    factored = {drg: product(raw[drg], structure.factor(keys[drg])) for drg in raw}
    factor = quotient(sum(latest.values()), _total(factored, latest))
    exact = {drg: product(weight, factor) for drg, weight in factored.items()}
    parts = _Parts(exact, own, raw, latest, sure, drawn, _variances(exact, latest, sure, drawn), weights)
    names = {drg.drg: drg.name for _, drg in scheme.groups()}
    groups = [_group(drg, names[drg], sums.get(drg), parts, options) for drg in sorted(names)]
    written = {group.drg: group.weight for group in groups if group.weight is not None}
    plain = means_of_all(sums, dict.fromkeys(sums, Decimal(1)))
    ends = {g.drg: (g.low, g.high) for g in groups if g.low is not None and g.high is not None}
    return Fitted(
        scheme=scheme,
        groups=tuple(groups),
        year_weights=weights,
        left_out=left,
        mean_cost=weighted_mean(plain, weights),
        riv=riv(sums),
        total_raw=total_raw,
        total_exact=_total(exact, latest),
        total_rounded=_total(written, latest),
        options=options,
        inputs=inputs,
        by_year={year: sum(group.cases_in(year) for group in sums.values()) for year in weights},
        riv_all=riv(sums, every=True),
        trim_share=trim_share(sums, trim, options.small),
        left_whole=sum(trim.leaves_whole(group.cases, options.small) for group in sums.values()),
        shrinkage=drawn,
        comparison=compare(exact, latest, ends, published) if published else None,
    )


@dataclass(frozen=True)
class _Parts:
    """What the rows are made of, by group: weights, ratios before and after shrinkage, precision."""

    exact: Mapping[str, Decimal]
    own: Mapping[str, Decimal]
    raw: Mapping[str, Decimal]
    latest: Mapping[str, int]
    sure: Mapping[str, Precision]
    drawn: Shrinkage | None
    variances: Mapping[str, float | None]
    weights: Mapping[int, Decimal]


def _variances(
    exact: Mapping[str, Decimal],
    latest: Mapping[str, int],
    sure: Mapping[str, Precision],
    drawn: Shrinkage | None,
) -> dict[str, float | None]:
    """Relative variance of each weight, the scaling to the total weight included."""
    usual = typical(sure[drg] for drg in sorted(sure))
    plain: dict[str, float | None] = {drg: one.variance for drg, one in sure.items()}
    if drawn:
        plain |= {drg: one.variance for drg, one in drawn.groups.items()}
    cases = sum(latest.values())
    shares = {drg: float(weight) * latest[drg] / cases for drg, weight in exact.items()}
    return beside_all(plain, shares, {drg: usual / one.n_eff for drg, one in sure.items()})


def _refuse_unknown(sums: Mapping[str, Any], keys: Mapping[str, Any], scheme: Scheme) -> None:
    unknown = sorted(set(sums) - set(keys))
    if unknown:
        raise DataError(
            zh=f"数据中的病组 {unknown[0]} 等 {len(unknown)} 个不在方案 {scheme.id} 中；请核对 --scheme",
            en=f"the data hold {len(unknown)} groups that scheme {scheme.id} lacks, such as {unknown[0]}; "
            "check --scheme",
        )


def _total(weights: Mapping[str, Decimal], cases: Mapping[str, int]) -> Decimal:
    """Σ n·RW in the order of the codes."""
    return total(product(weights[drg], cases[drg]) for drg in sorted(weights))


def _group(drg: str, name: str, sums: GroupSums | None, parts: _Parts, options: WeightOptions) -> GroupWeight:
    sums, weights = sums or GroupSums(), parts.weights
    lacking = [year for year in sorted(weights) if year not in sums.years]
    note = "no cases" if not sums.years else ""
    if lacking and sums.years:
        note = "no cases in " + " ".join(map(str, lacking))
    exact, sure, means = parts.exact.get(drg), parts.sure.get(drg), sums.means()
    drawn = parts.drawn.groups.get(drg) if parts.drawn else None
    variance = parts.variances.get(drg)
    ends = None
    if exact is not None and sure is not None and variance is not None:
        ends = interval(exact, variance, None if drawn else sure.df, options.confidence)
    unshrunk = quotient(product(exact, parts.own[drg]), parts.raw[drg]) if exact and drawn else exact
    return GroupWeight(
        drg=drg,
        name=name,
        exact=exact,
        weight=None if exact is None else half_up(exact, options.digits),
        cases=sums.cases,
        kept=sums.kept,
        latest=sums.cases_in(max(weights)),
        mean_cost=weighted_mean(means, weights) if means else None,
        cv=sums.cv,
        unstable=sums.cases < options.unstable,
        note=note,
        cv_all=sums.cv_all,
        n_eff=sure.n_eff if sure else None,
        se=ends.se if ends else None,
        low=ends.low if ends else None,
        high=ends.high if ends else None,
        shrinkage=None if exact is None or not parts.drawn else drawn.shrinkage if drawn else 0.0,
        unshrunk=unshrunk if parts.drawn else None,
        by_year={year: sums.cases_in(year) for year in sorted(weights)},
    )


# --- writing ----------------------------------------------------------------------------------


def weights_text(fitted: Fitted) -> str:
    """The CSV: one row per group of the scheme, by code; mean_cost in yuan with 2 decimals, cv with 4.

    Where the scheme names groups of primary care (基层病组), the column ``basic`` marks them. Behind ``note``
    stands how sure a weight is, then what shrinkage and comparison add, then the cases of each year.
    """
    care = frozenset(fitted.scheme.primary_care)
    place = COLUMNS.index("unstable")
    extra = _more(fitted)
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
            *(make(group) for make in extra.values()),
        ]
        for group in fitted.groups
    )
    return csv_text((*COLUMNS[:place], *(["basic"] if care else []), *COLUMNS[place:], *extra), rows)


def _more(fitted: Fitted) -> dict[str, Callable[[GroupWeight], Any]]:
    """The columns behind ``note`` and how each is made."""
    digits, comparison = fitted.options.digits, fitted.comparison
    found: dict[str, Callable[[GroupWeight], Any]] = {
        "cv_all": lambda group: None if group.cv_all is None else half_up(group.cv_all, 4),
        "n_eff": lambda group: shown(group.n_eff, 2),
        "se": lambda group: shown(group.se, digits),
        "ci_low": lambda group: shown(group.low, digits),
        "ci_high": lambda group: shown(group.high, digits),
    }
    if fitted.shrinkage:
        found["shrinkage"] = lambda group: shown(group.shrinkage, 4)
        found["weight_unshrunk"] = lambda group: (
            None if group.unshrunk is None else half_up(group.unshrunk, digits)
        )
    if comparison:
        published = comparison.published
        found["published"] = lambda group: published.weights.get(group.drg)
        found["placeholder"] = lambda group: (
            group.drg in published.placeholders if group.drg in published.weights else None
        )
        found["difference"] = lambda group: (
            half_up(comparison.differences[group.drg], 4) if group.drg in comparison.differences else None
        )
    for year in sorted(fitted.year_weights):
        found[f"cases_{year}"] = partial(_cases_in, year)
    return found


def _cases_in(year: int, group: GroupWeight) -> int | None:
    return group.by_year.get(year)


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
        "riv_all_cases": None if fitted.riv_all is None else str(half_up(fitted.riv_all, 6)),
        "groups_cv_above_1": fitted.cv_above_1,
        "groups_cv_above_1_all_cases": fitted.cv_all_above_1,
        "groups_left_whole": fitted.left_whole,
        "trim_share": str(half_up(fitted.trim_share, 6)),
        "groups_unstable": fitted.unstable,
        "groups_n_eff_below_5": fitted.few,
        "groups_se_above_20_per_cent": fitted.wide,
        "groups_without_cases": sum(not group.cases for group in fitted.groups),
        "total_weight": {
            "year": fitted.latest_year,
            "cases": sum(group.latest for group in fitted.groups),
            "before": str(half_up(fitted.total_raw, 6)),
            "after": str(half_up(fitted.total_exact, 6)),
            "as_written": str(fitted.total_rounded),
        },
        **({"shrinkage": _shrinkage(fitted.shrinkage)} if fitted.shrinkage else {}),
        **({"published": _published(fitted.comparison)} if fitted.comparison else {}),
    }


def _shrinkage(drawn: Shrinkage) -> dict[str, Any]:
    return {
        "within": str(shown(drawn.within, 6)),
        "between": str(shown(drawn.between, 6)),
        "groups": len(drawn.groups),
        "groups_by_half_and_more": sum(one.shrinkage >= 0.5 for one in drawn.groups.values()),
    }


def _published(found: Comparison) -> dict[str, Any]:
    return {
        "file": found.published.file,
        "scale": str(half_up(found.scale, 6)),
        "groups": len(found.differences),
        "placeholders": len(found.published.placeholders),
        "ones_not_marked": found.published.unmarked_ones,
        "only_fitted": found.only_fitted,
        "only_published": found.only_published,
        "median_absolute_difference": str(half_up(found.median, 6)),
        "share_of_cases_within_10_per_cent": str(half_up(found.near, 6)),
        "groups_whose_interval_holds_it": found.inside,
        "groups_with_interval": found.intervals,
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
