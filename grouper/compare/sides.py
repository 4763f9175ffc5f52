"""The two sides of a comparison: each a scheme, a policy and weights, and the files that they give.

A side groups every row of the input; with a policy it also prices every row. Both keep the order of the
rows, so that a row of one side is the row of that number of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import UsageError
from grouper.base.exact import half_up, product, quotient
from grouper.base.whole import put_text
from grouper.fitting.history import HistoryOptions
from grouper.fitting.weights import Fitted, WeightOptions, fit, fits, weights_text
from grouper.grouping.files import Summary, group_files
from grouper.payment.policy.policy import SCORED, Policy, Route, Table
from grouper.payment.price.inputs import Files
from grouper.payment.price.pricing import Priced, price_files
from grouper.records.stays import Gate

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper
    from grouper.records import ColumnMap

Progress = Callable[[int, int | None], None]
FITTED_SOURCE = "grouper compare：由本次比较的病例测算"
_RULES_BY_GROUP = ("group_level", "group_hospital")
_OF_PEOPLE = ("capitation",)  # its groups are of people


@dataclass
class Side:
    """``name``: "old" or "new". ``weights``: "taken", "fitted" or "none"."""

    name: str
    grouper: Grouper
    policy: Policy | None = None
    as_of: date | None = None
    weights: str = "none"
    fitted: Fitted | None = None
    level: Decimal = Decimal(1)  # mean weight to which fitted weights were scaled
    grouped: str = ""
    priced: str = ""
    counted: Summary | None = None
    paid: Priced | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def scheme(self) -> str:
        return self.grouper.id

    @property
    def kind(self) -> str:
        return self.grouper.engine.kind

    def about(self) -> dict[str, Any]:
        """For provenance."""
        told: dict[str, Any] = {
            "scheme": {"id": self.scheme, "sha256": self.grouper.engine.scheme.digest},
            "options": self.grouper.options.as_dict(),
            "weights": self.weights,
        }
        if self.fitted is not None:
            told["fit"] = {**self.fitted.options.as_dict(), "mean_weight": str(self.level)}
        if self.policy is not None:
            told["policy"] = {"id": self.policy.id, "sha256": self.policy.digest}
            told["as_of"] = None if self.as_of is None else self.as_of.isoformat()
        return told


def group(
    side: Side,
    inputs: Sequence[str],
    folder: Path,
    reading: Mapping[str, Any],
    threads: int,
    progress: Progress | None,
) -> None:
    """Group the input under the scheme of a side."""
    side.grouped = str(folder / f"{side.name}.parquet")
    side.counted = group_files(
        side.grouper, inputs, side.grouped, workers=threads, progress=progress, **reading
    )


def price(side: Side, files: Mapping[str, Any], folder: Path, threads: int, memory: str | None) -> None:
    """Price the grouped rows of a side by its policy."""
    assert side.policy is not None
    gate = Gate(dated=side.as_of is None, interim="hold", net=True)
    columns: ColumnMap | None = files["columns"]
    given = Files(
        [side.grouped], columns, files["hospitals"], files["decisions"], "discharge_date", side.as_of, gate
    )
    side.priced = str(folder / f"{side.name}-priced.parquet")
    side.paid = price_files(side.policy, given, side.priced, threads=threads, memory=memory, scratch=True)


def refuse_scores(side: Side) -> None:
    """Raise UsageError for a side whose groups have scores, which nothing fits here."""
    if not fits(side.kind):
        raise UsageError(
            zh=f"方案 {side.scheme} 的病种用分值，不能在比较时测算；请用 --policy 给出采用该方案的政策",
            en=f"{side.scheme} has scores, which are not fitted here; name a policy of it with --policy",
        )


def fit_weights(side: Side, history: Path, level: Decimal, unstable: int) -> None:
    """Weights of a side's scheme from the cases of the input, all of one year, to the mean ``level``.

    Raises UsageError for a scheme whose groups have no weights.
    """
    refuse_scores(side)
    options = WeightOptions(unstable=unstable, history=HistoryOptions(year_column="fitted_year"))
    side.fitted = fit([str(history)], side.scheme, options)
    side.level, side.weights = level, "fitted"


def with_weights(side: Side, base: Policy, folder: Path) -> Policy:
    """``base`` with the scheme and the fitted weights of a side; its parameters stay.

    Raises UsageError where the policy itself names groups, which are of its own edition.
    """
    assert side.fitted is not None
    if base.method in SCORED:
        raise UsageError(
            zh=f"政策 {base.id} 按分值支付，不能换用测算的权重；请用 --policy 给出新方案的政策",
            en=f"{base.id} pays by scores, fitted weights do not fit it; name a policy with --policy",
        )
    if side.scheme != base.scheme:
        base = _carried(base, side)
    groups = tuple(
        replace(
            g,
            weight=None if g.exact is None else half_up(product(g.exact, side.level), 4),
            unstable=False,  # thin groups are told; they are paid by their weights as the others are
        )
        for g in side.fitted.groups
    )
    path = folder / f"{side.name}-weights.csv"
    put_text(path, weights_text(replace(side.fitted, groups=groups)))
    name = base.id
    base = _by_level(base, side)
    return replace(
        base,
        id=f"{name} + {side.scheme}",
        scheme=side.scheme,
        weights=Table(path, FITTED_SOURCE, False),
        means=None,
    )


def _by_level(base: Policy, side: Side) -> Policy:
    """``base`` without coefficients by group, which fitted weights have not: those of the level stand
    in, which is noted. Raises UsageError where the policy has none, or divides by means by group."""
    rule = base.parameters.get("coefficient_rule")
    by_group = rule is not None and any(dated.value in _RULES_BY_GROUP for dated in rule.values)
    if base.means is not None or (by_group and "level_coefficient" not in base.parameters):
        raise UsageError(
            zh=f"政策 {base.id} 按病组规定系数或均费，测算的权重没有这些；请为新的一侧写政策文件，用 "
            f"--policy 给出",
            en=f"{base.id} states coefficients or means by group, which fitted weights have not; write "
            f"a policy "
            "of the new side and name it with --policy",
        )
    if not by_group:
        return base
    side.notes.append((
        f"政策 {base.id} 按病组规定的医院系数不带到测算的权重，改用其等级系数",
        f"coefficients that {base.id} states by group do not go with fitted weights; those of the level do",
    ))  # fmt: skip
    return base.changed({"coefficient_rule": "level"})


def _names_groups(route: Route) -> bool:
    return bool(route.reference_group or "group" in route.columns)


def _carried(base: Policy, side: Side) -> Policy:
    """``base`` without the routes that name groups of its own edition, which is noted.

    Raises UsageError where parameters are stated by group: nothing could stand for them.
    """
    named = [n for n, each in base.parameters.items() if "group" in each.by and n not in _OF_PEOPLE]
    if named:
        raise UsageError(
            zh=f"政策 {base.id} 的 {'、'.join(named)} 按病组取值，编码在另一方案中含义不同；"
            "请为新方案写政策文件（grouper policy new），用 --policy 给出",
            en=f"{base.id} states {', '.join(named)} by group, and codes mean something else in another "
            "scheme; write a policy of the new scheme (grouper policy new) and name it with --policy",
        )
    gone = [route for route in base.routes if _names_groups(route)]
    if gone:
        side.notes.append((
            f"政策 {base.id} 中写有病组编码的支付规则不带到新方案：{'；'.join(route.zh for route in gone)}",
            f"rules of {base.id} that name groups are not carried to the new scheme: "
            f"{'; '.join(route.en for route in gone)}",
        ))  # fmt: skip
    return replace(base, routes=tuple(route for route in base.routes if not _names_groups(route)))


def mean_weight(pairs: Sequence[tuple[Decimal, int]]) -> Decimal | None:
    """The mean of weights over cases; None without cases."""
    cases = sum(number for _, number in pairs)
    return quotient(sum((w * n for w, n in pairs), Decimal(0)), cases) if cases else None
