"""A DIP catalogue from years of discharges with costs: packets, scores, and a report on their quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from grouper.base.digests import digests
from grouper.base.errors import UsageError
from grouper.base.exact import half_up, product, quotient, total
from grouper.base.provenance import stamped
from grouper.base.tables_out import csv_text
from grouper.base.toml_out import toml_text
from grouper.base.whole import refuse_existing, whole_folder, write_text
from grouper.codes.book import CodeOptions
from grouper.fitting.discharges import Codes, Counts, leave_at_gate, read_discharges
from grouper.fitting.history import HistoryOptions, years_present
from grouper.fitting.national import Scored, assign_below, below, probe, read_grouped, scores_text
from grouper.fitting.packets import Packet, assign
from grouper.fitting.precision import (
    FEW,
    WIDE,
    Interval,
    Precision,
    beside_all,
    interval,
    precision,
    shown,
    typical,
)
from grouper.fitting.relative import check_method, levels, means_of_all, one_of, ratios_of, trim_share
from grouper.fitting.sums import PARTS, GroupSums, riv, sums_by_group, workspace
from grouper.fitting.trim import DEFAULT_YEAR_WEIGHTS, Trim, weighted_mean, weights_of_years

METHODS = ("mean", "base-disease", "quota")
GUARDED = 40  # decimals of a score: a quotient of quotients errs in its last digits, which would undo a half
CATALOGUE = ("code", "name", "kind", "dx", "procedures", "related", "treatment", "aux", "score",
             "average_cost", "packet", "drug_score", "consumable_score", "cv", "case_count")  # fmt: skip
REPORT = ("code", "kind", "cases", "cases_trimmed", "weighted_cases", "coverage", "mean_cost", "cv",
          "unstable", "note", "cv_all", "n_eff", "se", "ci_low", "ci_high")  # fmt: skip


@dataclass(frozen=True)
class CatalogueOptions:
    """``core``, ``mixed_min``: cases a year (weighted) of a core packet and of a mixed group.

    ``method`` "base-disease" divides by the mean of the packet ``base``, "quota" by ``quota`` yuan,
    "mean" by the mean of all. ``related``: operations beside the main one are part of packets.
    ``clinical``, ``repair_codes``: see grouper.codes.book. ``on``: the catalogue whose packets get scores;
    then there are no core packets of its own, and ``allow_missing`` names fields of grouping that may be
    without a source. Others as in WeightOptions; an interval is of the score.
    """

    year_weights: tuple[Decimal, ...] = DEFAULT_YEAR_WEIGHTS
    trim: str = "p2.5-p97.5"
    small: int = 30
    unstable: int = 5
    ratio: str = "by-year"
    untrimmed: str = "scaled"
    confidence: float = 95.0
    core: int = 15
    mixed_min: int = 15
    related: bool = True
    method: str = "mean"
    base: str | None = None
    quota: Decimal | None = None
    points: int = 1000
    digits: int = 4
    interventional_as: str = "therapeutic"
    on: str | None = None
    allow_missing: tuple[str, ...] = ()
    clinical: bool = False
    repair_codes: bool = False
    history: HistoryOptions = field(default_factory=HistoryOptions)
    memory: str = "2GiB"
    threads: int = 2

    def check(self) -> None:
        """Raise UsageError for a method without what it needs, or with what it has no use for."""
        check_method(self.ratio, self.untrimmed, self.confidence)
        one_of("--method", self.method, METHODS)
        for flag, value, method in (("--base", self.base, "base-disease"), ("--quota", self.quota, "quota")):
            if (value is None) == (self.method == method):
                raise UsageError(
                    zh=f"{flag} 须与 --method {method} 同时使用",
                    en=f"{flag} and --method {method} go together",
                )
        if self.quota is not None and not (self.quota.is_finite() and self.quota > 0):
            raise UsageError(zh="--quota 应为大于 0 的金额", en="--quota must be an amount above 0")

        if self.on is not None and (self.core != CatalogueOptions.core or not self.related):
            flag = "--related" if not self.related else "--core"
            raise UsageError(
                zh=f"{flag} 不能与 --on 同时使用：病种由 {self.on} 规定",
                en=f"{flag} and --on exclude each other: the packets are those of {self.on}",
            )
        if self.on is None and self.allow_missing:
            raise UsageError(zh="--allow-missing 只与 --on 同用", en="--allow-missing needs --on")

    def as_dict(self) -> dict[str, Any]:
        """What changes a result, for provenance."""
        values = {**self.__dict__, **self.history.__dict__}
        values["year_weights"] = [str(weight) for weight in self.year_weights]
        values["allow_missing"] = list(self.allow_missing) or None
        values["quota"] = None if self.quota is None else str(self.quota)
        for name in ("history", "memory", "threads", "prefix"):
            values.pop(name)
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Entry:
    """A packet with its statistics. Means are in fen; scores have 40 decimals and are None without costs.

    ``n_eff`` and ``sure`` (None without degrees of freedom) are of the score.
    """

    packet: Packet | Scored
    sums: GroupSums
    mean_cost: Decimal
    score: Decimal
    drug_score: Decimal | None
    consumable_score: Decimal | None
    weighted_cases: Decimal
    unstable: bool
    n_eff: float
    sure: Interval | None


@dataclass(frozen=True)
class Built:
    """A catalogue before it is written. ``entries``: core packets by code, then mixed groups by code.

    ``riv`` is after trimming, ``riv_all`` of all costs; ``trim_share`` the factor of the ``left_whole``
    packets that are too small to trim.
    """

    entries: tuple[Entry, ...]
    year_weights: Mapping[int, Decimal]
    counts: Counts
    mean_cost: Decimal
    riv: Decimal | None
    options: CatalogueOptions
    inputs: list[dict[str, Any]]
    riv_all: Decimal | None
    trim_share: Decimal
    left_whole: int

    @property
    def cases(self) -> int:
        return sum(entry.sums.cases for entry in self.entries)

    def number(self, kind: str) -> int:
        """How many packets (kind "core", or "national" with scores) or mixed groups ("mixed") there are."""
        return sum(entry.packet.kind == kind for entry in self.entries)

    @property
    def cases_by_year(self) -> dict[int, int]:
        """The used cases of each year."""
        years = sorted(self.year_weights)
        return {year: sum(entry.sums.cases_in(year) for entry in self.entries) for year in years}

    @property
    def core_cases(self) -> int:
        return sum(entry.sums.cases for entry in self.entries if entry.packet.kind != "mixed")

    @property
    def core_share(self) -> Decimal:
        """Share of the cases that core packets cover."""
        return quotient(self.core_cases, self.cases)

    @property
    def cv_above_1(self) -> int:
        return sum(entry.sums.cv is not None and entry.sums.cv > 1 for entry in self.entries)

    @property
    def cv_all_above_1(self) -> int:
        return sum(entry.sums.cv_all is not None and entry.sums.cv_all > 1 for entry in self.entries)

    @property
    def unstable(self) -> int:
        return sum(entry.unstable for entry in self.entries)

    @property
    def few(self) -> int:
        """Packets with fewer than five effective cases."""
        return sum(entry.n_eff < FEW for entry in self.entries)

    @property
    def wide(self) -> int:
        """Packets whose standard error is above a fifth of the score."""
        return sum(
            entry.sure is not None and entry.sure.se > WIDE * float(entry.score) for entry in self.entries
        )


def build(history: Sequence[str | Path], options: CatalogueOptions | None = None) -> Built:
    """The packets of the files (any known layout) and their scores.

    Raises UsageError for options that do not fit, a missing column, more years than weights or the same
    file twice; DataError for unusable amounts or no cases.
    """
    chosen = options or CatalogueOptions()
    chosen.check()
    trim = Trim.of(chosen.trim)
    paths = [str(path) for path in history]
    inputs = digests(paths)
    codes = Codes(chosen.interventional_as, CodeOptions(chosen.clinical, chosen.repair_codes))
    under = below(chosen.on) if chosen.on else None
    with workspace(chosen.memory, chosen.threads) as connection:
        if under:
            probed = probe(under, chosen.interventional_as)
            missing = chosen.allow_missing
            counts = read_grouped(connection, paths, probed, codes.options, chosen.history, missing)
        else:
            counts = read_discharges(connection, paths, codes, chosen.history, chosen.related)
        leave_at_gate(connection, counts)
        found = years_present(connection, chosen.history, "records")
        weights = weights_of_years(found, chosen.year_weights)
        packets: Mapping[str, Packet | Scored]
        if under:
            packets = assign_below(connection, under, weights, chosen.mixed_min)
        else:
            packets = assign(connection, codes, weights, chosen.core, chosen.mixed_min)
        sums = sums_by_group(connection, trim, chosen.small, chosen.ratio == "by-year")
    return _built(packets, sums, weights, counts, chosen, inputs)


def _built(
    packets: Mapping[str, Packet | Scored],
    sums: Mapping[str, GroupSums],
    weights: Mapping[int, Decimal],
    counts: Counts,
    options: CatalogueOptions,
    inputs: list[dict[str, Any]],
) -> Built:
    trim = Trim.of(options.trim)
    level = levels(sums, trim, options.small, options.untrimmed)
    ratios = ratios_of(sums, weights, level, options.ratio)
    whole = means_of_all(sums, level)
    unit = _unit(ratios, weighted_mean(whole, weights), options)
    parts = {part: ratios_of(sums, weights, level, options.ratio, part) for part in PARTS}
    prices = whole if options.ratio == "by-year" else dict.fromkeys(weights, Decimal(1))
    sure = {code: one for code in ratios if (one := precision(sums[code], weights, prices)) is not None}
    variances = _variances(ratios, sums, weights, sure, options)

    def part_score(code: str, part: str) -> Decimal | None:
        ratio = parts[part].get(code)
        return None if ratio is None else product(ratio, options.points)

    entries = []
    for code in sorted(sums, key=lambda code: (packets[code].kind, code)):
        group, variance = sums[code], variances[code]
        score = half_up(quotient(product(ratios[code], options.points), unit), GUARDED)
        entries.append(
            Entry(
                packets[code],
                group,
                weighted_mean(group.means(), weights),
                score,
                part_score(code, "drug"),
                part_score(code, "consumable"),
                _weighted_cases(group, weights),
                group.cases < options.unstable,
                sure[code].n_eff,
                None if variance is None else interval(score, variance, sure[code].df, options.confidence),
            )
        )
    return Built(
        tuple(entries),
        weights,
        counts,
        weighted_mean(means_of_all(sums, dict.fromkeys(sums, Decimal(1))), weights),
        riv(sums),
        options,
        inputs,
        riv(sums, every=True),
        trim_share(sums, trim, options.small),
        sum(trim.leaves_whole(group.cases, options.small) for group in sums.values()),
    )


def _variances(
    ratios: Mapping[str, Decimal],
    sums: Mapping[str, GroupSums],
    weights: Mapping[int, Decimal],
    sure: Mapping[str, Precision],
    options: CatalogueOptions,
) -> dict[str, float | None]:
    """Relative variance of each score; its unit is the mean of all, a packet's, or an amount."""
    plain = {code: one.variance for code, one in sure.items()}
    if options.method == "quota":
        return plain
    if options.method == "base-disease":
        assert options.base is not None
        base = options.base.upper()
        error = plain[base]
        found = {
            code: own + error if own is not None and error is not None else None
            for code, own in plain.items()
        }
        return {**found, base: 0.0}
    costs = {code: float(ratios[code] * _weighted_cases(sums[code], weights)) for code in sorted(ratios)}
    usual, every = typical(sure[code] for code in sorted(sure)), sum(costs.values())
    shares = {code: cost / every for code, cost in costs.items()}
    return beside_all(plain, shares, {code: usual / one.n_eff for code, one in sure.items()})


def _unit(ratios: Mapping[str, Decimal], mean_all: Decimal, options: CatalogueOptions) -> Decimal:
    """The ratio to the mean of all that stands for the points of ``--points``; ``mean_all`` in fen."""
    if options.method == "mean":
        return Decimal(1)
    if options.method == "quota":
        assert options.quota is not None
        return quotient(options.quota.scaleb(2), mean_all)
    assert options.base is not None
    base = ratios.get(options.base.upper())
    if base is None:
        raise UsageError(
            zh=f"--base {options.base} 不在建成的目录中；请给出目录中的病种编码，例如 K35.8",
            en=f"--base {options.base} is not in the catalogue that was built; name one of its codes, "
            "such as K35.8",
        )
    return base


def _weighted_cases(group: GroupSums, weights: Mapping[int, Decimal]) -> Decimal:
    """Cases a year, averaged by the year weights; years without cases count as 0."""
    above = total(product(weights[year], group.cases_in(year)) for year in sorted(group.years))
    return quotient(above, total(weights[year] for year in sorted(weights)))


# --- writing ----------------------------------------------------------------------------------


def catalogue_text(built: Built) -> str:
    """catalogue.csv: average_cost in yuan with 6 decimals, cv with 6, scores with --digits."""
    digits = built.options.digits

    def shown(value: Decimal | None, places: int) -> Decimal | None:
        return None if value is None else half_up(value, places)

    return csv_text(
        CATALOGUE,
        (
            [
                entry.packet.code, entry.packet.name, entry.packet.kind, entry.packet.dx, entry.packet.main,
                "+".join(entry.packet.related), entry.packet.treatment, "", half_up(entry.score, digits),
                half_up(entry.mean_cost.scaleb(-2), 6), entry.packet.label, shown(entry.drug_score, digits),
                shown(entry.consumable_score, digits), shown(entry.sums.cv, 6), entry.sums.cases,
            ]
            for entry in built.entries
            if entry.packet.kind != "national"
        ),
    )  # fmt: skip


def scores_of(built: Built) -> str:
    """scores.csv: score and cost of the packets of the catalogue below that have cases."""
    digits = built.options.digits
    shown = [
        (entry, [None if part is None else half_up(part, digits) for part in
                 (entry.drug_score, entry.consumable_score)])
        for entry in built.entries if entry.packet.kind == "national"
    ]  # fmt: skip
    return scores_text(
        [
            [entry.packet.code, half_up(entry.score, digits), half_up(entry.mean_cost.scaleb(-2), 6), *parts,
             None if entry.sums.cv is None else half_up(entry.sums.cv, 6), entry.sums.cases]
            for entry, parts in shown
        ]
    )  # fmt: skip


def report_text(built: Built) -> str:
    """report.csv: what stands behind each row; last the cases of each year."""
    rows, digits = [], built.options.digits
    years = sorted(built.year_weights)
    for entry in built.entries:
        sums = entry.sums
        lacking = [str(year) for year in years if year not in sums.years]
        sure = entry.sure or Interval(0.0, None, None)
        rows.append(
            [
                entry.packet.code, entry.packet.kind, sums.cases, sums.cases - sums.kept,
                half_up(entry.weighted_cases, 4), half_up(quotient(sums.cases, built.cases), 6),
                half_up(entry.mean_cost.scaleb(-2), 2), None if sums.cv is None else half_up(sums.cv, 4),
                entry.unstable, "no cases in " + " ".join(lacking) if lacking else "",
                None if sums.cv_all is None else half_up(sums.cv_all, 4), shown(entry.n_eff, 2),
                shown(sure.se if entry.sure else None, digits), shown(sure.low, digits),
                shown(sure.high, digits), *(sums.cases_in(year) for year in years),
            ]
        )  # fmt: skip
    return csv_text((*REPORT, *(f"cases_{year}" for year in years)), rows)


def quality(built: Built) -> dict[str, Any]:
    """What stands in quality.toml: provenance, options, counts and measures."""
    parts = {part: sum(y.parts[part][0] for e in built.entries for y in e.sums.years.values())
             for part in ("drug", "consumable")}  # fmt: skip
    return {
        **stamped(),
        "cases": built.cases,
        "cases_by_year": {str(year): cases for year, cases in built.cases_by_year.items()},
        "cases_trimmed": sum(entry.sums.cases - entry.sums.kept for entry in built.entries),
        "cases_with_drug_cost": parts["drug"],
        "cases_with_consumable_cost": parts["consumable"],
        "core_packets": built.number("core"),
        "packets_with_scores": built.number("national"),
        "mixed_groups": built.number("mixed"),
        "core_share": str(half_up(built.core_share, 6)),
        "cv_above_1": built.cv_above_1,
        "cv_above_1_all_cases": built.cv_all_above_1,
        "unstable": built.unstable,
        "n_eff_below_5": built.few,
        "se_above_20_per_cent": built.wide,
        "left_whole": built.left_whole,
        "trim_share": str(half_up(built.trim_share, 6)),
        "riv": "" if built.riv is None else str(half_up(built.riv, 6)),
        "riv_all_cases": "" if built.riv_all is None else str(half_up(built.riv_all, 6)),
        "mean_cost_yuan": str(half_up(built.mean_cost.scaleb(-2), 6)),
        "related_operations_by_resource_share": "not tested: costs by operation are not in the data",
        "year_weights": {str(year): str(weight) for year, weight in sorted(built.year_weights.items())},
        "options": built.options.as_dict(),
        "left_out": dict(sorted(built.counts.left_out.items())),
        "codes": dict(sorted(built.counts.codes.items())),
        "fields": dict(sorted(built.counts.fields.items())),
        "inputs": built.inputs,
    }


def scheme_meta(built: Built, id_: str, name: str, area: str) -> dict[str, Any]:
    """scheme.toml, with the options of grouping under which the history falls into the same packets."""
    years = sorted(built.year_weights)
    if built.options.on:
        return _meta_below(built, id_, name, area)
    return {
        "id": id_,
        "name": name,
        "kind": "dip",
        "area": area,
        "validity_verified": False,
        "sources": [f"grouper catalogue build, discharges of {', '.join(map(str, years))} (quality.toml)"],
        "editions": {"icd10": "insurance-2.0", "icd9cm3": "insurance-2.0"},
        "options": {
            "interventional_as": built.options.interventional_as,
            "main_position": "first",
            "repeats": "set",
            "unknown_principal": "reject",
            "tie_breaks": ["first_procedure_is_main", "most_matched", "no_unmatched_surgery", "code_order"],
        },
    }


def _meta_below(built: Built, id_: str, name: str, area: str) -> dict[str, Any]:
    """scheme.toml of scores and mixed groups on top of another catalogue."""
    options, years = built.options, sorted(built.year_weights)
    assert options.on is not None
    under = below(options.on)
    day = {key: under.meta[key] for key in ("valid_from", "valid_to") if key in under.meta}
    changed = options.interventional_as != under.options.interventional_as
    return {
        "id": id_,
        "name": name,
        "kind": "dip",
        "area": area,
        "base": options.on,
        **day,
        "validity_verified": False,
        "sources": [
            f"{under.id}: packets and rules",
            f"grouper catalogue build --on {options.on}, discharges of {', '.join(map(str, years))} "
            "(quality.toml): scores and mixed groups",
        ],
        "editions": dict(under.meta.get("editions", {})),
        "options": {
            "scores": "optional",
            **({"interventional_as": options.interventional_as} if changed else {}),
        },
    }


def write(built: Built, folder: Path, meta: Mapping[str, Any], force: bool = False) -> None:
    """Write the folder whole or not at all.

    Raises UsageError when it exists without ``force``, or holds what this program did not write.
    """
    refuse_existing(folder, force, folder=True)
    texts = {
        "scheme.toml": toml_text(meta),
        "catalogue.csv": catalogue_text(built),
        "report.csv": report_text(built),
        "quality.toml": toml_text(quality(built)),
    }
    if built.options.on:
        texts["scores.csv"] = scores_of(built)
    with whole_folder(folder) as part:
        for name, text in texts.items():
            write_text(part / name, text)
