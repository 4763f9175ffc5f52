"""What is wrong with a policy, and what is odd: findings for ``grouper policy verify``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from grouper.base.errors import GrouperError
from grouper.base.findings import Finding, Severity
from grouper.payment.check.monotonic import Drop, drops
from grouper.payment.check.national import departures
from grouper.payment.check.primary_care import primary_care
from grouper.payment.formula.expression import plain
from grouper.payment.policy import words
from grouper.payment.policy.parameters import Parameter, Segment
from grouper.payment.policy.policy import SCORED, Policy, find_policy, load_policy, policy_files
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.price.build import build
from grouper.payment.price.compile import query
from grouper.payment.price.funds import BENEFIT
from grouper.payment.price.inputs import needed
from grouper.payment.price.lookups import Lookups, load_lookups
from grouper.payment.price.steps import Step

# Routes that the program makes itself, which a parameter by route may name.
_OWN_ROUTES = {"group", "ungrouped", "ambiguous", "held", "*"}
_POOL_FIRST = "pool_method"  # the registry lists what pools and clearing read from here on


def verify(names: Sequence[str] = ()) -> list[Finding]:
    """Findings on the policies named by id, path or area; on all shipped ones without names."""
    found: list[Finding] = []
    for name in names or policy_files():
        try:
            for policy in _named(name):
                found += verify_policy(policy)
        except GrouperError as error:
            found.append(Finding("error", "unreadable", name, "", error.zh, error.en))
    return found


def _named(name: str) -> list[Policy]:
    """The policies that a name stands for: an area has all of its own."""
    files = policy_files()
    if name in files or Path(name).is_file():
        return [find_policy(name)]
    return [load_policy(path) for key, path in files.items() if key.split("/")[0] == name] or [
        find_policy(name)
    ]


def verify_policy(policy: Policy) -> list[Finding]:
    """Everything that there is to say of one policy."""
    checked = _Checked(policy)
    return [
        *checked.steps(),
        *checked.groups(),
        *checked.parameters(),
        *checked.routes(),
        *checked.falls(),
        *departures(policy),
        *checked.sources(),
    ]


def verify_groups(policy: Policy) -> list[Finding]:
    """Whether scheme, weights and scores of a policy fit each other. Raises TableError for a broken table."""
    checked = _Checked(policy)
    checked.lookups = load_lookups(policy)
    return list(checked.groups())


class _Checked:
    """The checks; ``steps`` goes first, for what it reads."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.used: set[str] = set()
        self.built: list[tuple[date, list[Step]]] = []
        self.lookups: Lookups | None = None

    def _say(
        self, severity: Severity, kind: str, place: str, zh: str, en: str, details: Sequence[str] = ()
    ) -> Finding:
        return Finding(severity, kind, self.policy.id, place, zh, en, tuple(details))

    def steps(self) -> Iterator[Finding]:
        """Every stretch of days can be built, and its tables be read."""
        policy = self.policy
        try:
            self.lookups = load_lookups(policy)
        except GrouperError as error:
            yield self._say("error", "table", "", error.zh, error.en)
        for first, last in policy.epochs(policy.valid_from, policy.valid_to):
            place = f"{first} – {last}"
            values = policy.on(first)
            try:
                steps = build(policy, values)
                query(steps, "cases")
                needed((step.name, step.expr) for step in steps)
            except GrouperError as error:
                yield self._say("error", "steps", place, error.zh, error.en)
            except KeyError as error:
                yield self._say(
                    "error", "column", place, f"没有这样的输入列 {error}", f"no such input column: {error}"
                )
            else:
                self.built.append((first, steps))
            self.used |= set(values.used)

    def groups(self) -> Iterator[Finding]:
        """The scheme is there; weights and groups fit each other."""
        policy = self.policy
        if not policy.scheme:
            zh, en = "没有指明分组方案", "names no grouping scheme"
            yield self._say("warning", "no-scheme", "scheme", zh, en)
            return
        try:
            groups = scheme_groups(policy.scheme, policy.method in SCORED)
        except GrouperError as error:
            yield self._say("error", "scheme", "scheme", error.zh, error.en)
            return
        if self.lookups is not None:
            yield from primary_care(policy, self.lookups)
        if policy.method in SCORED:
            yield from self._unscored(len(groups))
        if self.lookups is None or policy.weights is None:
            return
        rows = self.lookups.rows["weights"]
        named = {key[0] for key in rows}
        weighted = {key[0] for key, row in rows.items() if row["weight"] is not None}
        yield from self._groups("stray-weight", "weights", named - groups, (
            f"权重表 {policy.weights.path.stem} 有 {{}} 行不是方案 {policy.scheme} 的病组",
            f"{{}} rows of the table {policy.weights.path.stem} are no groups of {policy.scheme}",
        ), "error" if not named & groups else "warning")  # fmt: skip
        yield from self._groups("unweighted", "weights", groups - weighted, (
            f"方案 {policy.scheme} 的 {{}} 个病组没有权重（按 unweighted_rule 处理）",
            f"{{}} groups of {policy.scheme} have no weight (unweighted_rule says what becomes of them)",
        ))  # fmt: skip
        yield from self._meanless(rows)
        yield from self._references(groups)

    def _unscored(self, of: int) -> Iterator[Finding]:
        """Packets without a score: their cases are paid by ``unweighted_rule``."""
        without = unscored_groups(self.policy.scheme)
        number = f"{len(without):,}"
        yield from self._groups("unscored", "scheme", without, (
            f"方案 {self.policy.scheme} 的 {of:,} 个病种中 {number} 个没有分值（按 unweighted_rule 处理）",
            f"{number} of {of:,} packets of {self.policy.scheme} have no score (unweighted_rule says what "
            "becomes of them)",
        ))  # fmt: skip

    def _meanless(self, rows: Mapping[Any, Mapping[str, Any]]) -> Iterator[Finding]:
        """Groups whose cost is compared with a mean that the table has not: their cases are held."""
        parameter = self.policy.parameters.get("ratio_denominator")
        if parameter is None or all(dated.value != "group_mean" for dated in parameter.values):
            return
        without = {key[0] for key, row in rows.items() if row["weight"] is not None and not row["mean_cost"]}
        table = self.policy.weights.path.stem if self.policy.weights else ""
        yield from self._groups("no-group-mean", "ratio_denominator", without, (
            f"ratio_denominator = group_mean，但权重表 {table} 的 {{}} 个病组没有 mean_cost，病例暂不支付",
            f"ratio_denominator = group_mean, but {{}} groups of {table} have no mean_cost: their cases are "
            "held",
        ), "error")  # fmt: skip

    def _groups(
        self, kind: str, place: str, groups: set[str], text: tuple[str, str], severity: Severity = "warning"
    ) -> Iterator[Finding]:
        if groups:
            number = str(len(groups))
            yield self._say(
                severity,
                kind,
                place,
                text[0].replace("{}", number),
                text[1].replace("{}", number),
                sorted(groups),
            )

    def _references(self, groups: set[str]) -> Iterator[Finding]:
        for route in self.policy.routes:
            if route.reference_group and route.reference_group not in groups:
                zh, en = (
                    f"参照病组 {route.reference_group} 不在方案中",
                    f"{route.reference_group} is no group of the scheme",
                )
                yield self._say("error", "reference-group", f"routes {route.name}", zh, en)
        for name, keys in self._keys("group"):
            if name not in self.used:  # packages of capitation are no groups of a scheme
                continue
            yield from self._groups("stray-group", name, keys - groups - {"*"}, (
                "{} 个键不是方案的病组", "{} keys are no groups of the scheme"
            ))  # fmt: skip

    def _keys(self, by: str) -> Iterator[tuple[str, set[str]]]:
        """The keys that parameters give for one thing they depend on."""
        for name, parameter in self.policy.parameters.items():
            if by in parameter.by:
                place = parameter.by.index(by)
                tables = [dated.value for dated in parameter.values if isinstance(dated.value, Mapping)]
                yield name, {key.split("/")[place] for table in tables for key in table}

    def parameters(self) -> Iterator[Finding]:
        """Gaps in time, keys that name nothing, values that no formula reads, sharing in order."""
        for name, parameter in self.policy.parameters.items():
            for first, last in _gaps(parameter, self.policy.valid_from, self.policy.valid_to):
                yield self._say(
                    "error" if name in self.used else "warning", "no-value", name,
                    f"{first} 至 {last} 没有取值", f"no value from {first} to {last}",
                )  # fmt: skip
            for dated in parameter.values:
                if dated.end < self.policy.valid_from or dated.start > self.policy.valid_to:
                    zh, en = (
                        f"{dated.start} 起的取值在有效期之外",
                        f"the value from {dated.start} is outside the validity",
                    )
                    yield self._say("warning", "never-valid", name, zh, en)
        for by, known in (
            ("pool", set(self.policy.pools) | {"*"}),
            ("route", {r.name for r in self.policy.routes} | _OWN_ROUTES),
        ):
            for name, keys in self._keys(by):
                for key in sorted(keys - known):
                    zh, en = (
                        f"键 {key} 不是政策的{'基金池' if by == 'pool' else '支付路径'}",
                        f"{key} is no {by} of the policy",
                    )
                    yield self._say("warning", f"stray-{by}", name, zh, en)
        yield from self._benefit()
        yield from self._pools()
        yield from self._unread()
        yield from self._sharing()

    def _benefit(self) -> Iterator[Finding]:
        """The fund pays a share of the benefit, and no limit of it is below 0."""
        for name in BENEFIT:
            parameter = self.policy.parameters.get(name)
            for dated in parameter.values if parameter else ():
                for number in _numbers(dated.value):
                    if number < 0 or (name == "policy_ratio" and number > 1):
                        zh, en = (
                            (f"{plain(number)} 不在 0 至 1 之间", f"{plain(number)} is not between 0 and 1")
                            if name == "policy_ratio"
                            else (f"{plain(number)} 小于 0", f"{plain(number)} is below 0")
                        )
                        yield self._say("error", "benefit", name, zh, en)

    def _pools(self) -> Iterator[Finding]:
        """What depends on the pool has a value for every pool."""
        for name, keys in self._keys("pool"):
            for pool in sorted(set(self.policy.pools) - keys):
                if "*" not in keys:
                    zh, en = f"没有基金池 {pool} 的取值", f"has no value for the pool {pool}"
                    yield self._say("error" if name in self.used else "warning", "no-value", name, zh, en)

    def _unread(self) -> Iterator[Finding]:
        """Set, but without effect on any case."""
        if not self.built:
            return
        order = list(PARAMETERS)
        for name in self.policy.parameters:
            if name not in self.used and order.index(name) < order.index(_POOL_FIRST):
                zh, en = "已设置，但没有步骤使用它", "is set, but no step reads it"
                yield self._say("info", "unread", name, zh, en)

    def _sharing(self) -> Iterator[Finding]:
        parameter = self.policy.parameters.get("sharing")
        for dated in parameter.values if parameter else ():
            tables = dated.value.values() if isinstance(dated.value, Mapping) else [dated.value]
            for segments in tables:
                yield from (self._say(*found) for found in sharing_faults(segments))

    def routes(self) -> Iterator[Finding]:
        """Names are unique; every per-diem route and quota has a standard."""
        names = [route.name for route in self.policy.routes]
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield self._say("error", "twice", f"routes {name}", "支付路径重名", "two routes have this name")
        for method in ("per_diem", "quota"):
            parameter = self.policy.parameters.get(method)
            if parameter is None or "route" not in parameter.by:
                continue
            keys = dict(self._keys("route"))[method]
            for route in self.policy.routes:
                if route.method == method and not {route.name, "*"} & keys:
                    zh, en = f"{method} 没有这条路径的标准", f"{method} has no standard for this route"
                    yield self._say("error", "no-standard", f"routes {route.name}", zh, en)

    def falls(self) -> Iterator[Finding]:
        """Where a dearer case is paid less."""
        if self.lookups is None:
            return
        insurance = next((t for types in self.policy.pools.values() for t in types if t != "*"), "310")
        told: set[tuple[Any, ...]] = set()
        for first, steps in self.built:
            tried = drops(self.policy, self.policy.on(first), steps, self.lookups, insurance)
            for level, group, code in tried.unpaid:
                why = {lang: words.reason(code, lang) for lang in ("zh", "en")}
                zh = f"{level} 级医院的典型病例无法计价（{why['zh']}），未检查支付是否随费用递增"
                en = (
                    f"a typical case at level {level} has no price ({why['en']}): not checked whether "
                    "payment rises with cost"
                )
                yield self._say("info", "unpriced", f"{first}, level {level}, {group}", zh, en)
            for drop in tried.drops:
                same = drop.level, drop.group, drop.cost, drop.paid
                if same not in told:
                    told.add(same)
                    yield self._fall(drop)

    def _fall(self, drop: Drop) -> Finding:
        unit = "元" if drop.unit == "yuan" else "点"
        (cheap, dear), (more, less) = drop.cost, drop.paid
        return self._say(
            "warning", "not-monotonic", f"{drop.when}, level {drop.level}, {drop.group}",
            f"费用 {cheap} 元支付 {plain(more)} {unit}（{drop.outliers[0]}），"
            f"费用 {dear} 元只支付 {plain(less)} {unit}（{drop.outliers[1]}）",
            f"a cost of {cheap} yuan is paid {plain(more)} {drop.unit} ({drop.outliers[0]}), "
            f"a cost of {dear} yuan only {plain(less)} ({drop.outliers[1]})",
        )  # fmt: skip

    def sources(self) -> Iterator[Finding]:
        """How much rests on unverified sources."""
        open_ = [n for n, p in self.policy.parameters.items() if not all(d.verified for d in p.values)]
        if open_:
            zh, en = f"{len(open_)} 个参数未核实", f"{len(open_)} parameters are not verified"
            yield self._say("info", "unverified", "", zh, en, open_)


def _numbers(value: Any) -> Iterator[Decimal]:
    """The numbers of a parameter: one, or one for each key or band."""
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, tuple):
        yield from (band.value for band in value)
    else:
        yield value


def _gaps(parameter: Parameter, start: date, end: date) -> Iterator[tuple[date, date]]:
    """Days of the validity without a value."""
    day = timedelta(days=1)
    open_ = start
    for dated in parameter.values:
        if dated.start > open_ and open_ <= end:
            yield open_, min(dated.start - day, end)
        if dated.end >= end:
            return
        open_ = max(open_, dated.end + day)
    if open_ <= end:
        yield open_, end


def sharing_faults(segments: Sequence[Segment]) -> Iterator[tuple[Severity, str, str, str, str]]:
    """Segments out of order, jumps where they meet, and slopes that are no shares."""
    place = "sharing"
    if not segments or segments[0].start != 0:
        yield "error", "sharing", place, "第一段应从 0 开始", "the first segment should start at 0"
    for before, after in pairwise(segments):
        if after.start <= before.start:
            zh, en = f"分段次序不对：{after.start}", f"segments are out of order at {after.start}"
            yield "error", "sharing", place, zh, en
            continue
        meets = Fraction(before.base) + Fraction(before.slope) * (
            Fraction(after.start) - Fraction(before.start)
        )
        if meets != after.base:
            zh = f"在 {plain(after.start)} 处由 {plain(meets)} 跳到 {plain(after.base)}"
            en = f"jumps from {plain(meets)} to {plain(after.base)} at {plain(after.start)}"
            yield "warning", "sharing", place, zh, en
    for segment in segments:
        if not 0 <= segment.slope <= 1:
            zh = f"{plain(segment.start)} 起的斜率 {plain(segment.slope)} 不在 0 至 1 之间"
            en = f"the slope {plain(segment.slope)} from {plain(segment.start)} is not between 0 and 1"
            yield "warning", "sharing", place, zh, en


def scheme_groups(name: str, scored: bool) -> set[str]:
    """The groups of a scheme that pricing may meet; ``scored``: whether the method reads scores of grouping.

    Raises UsageError when there is no such scheme, or when its family gives scores and the method reads
    none, or the other way round.
    """
    from grouper.base.errors import UsageError
    from grouper.grouping.locate import locate

    located = locate(name)
    if ("score" in located.family.settled()) != scored:
        zh, en = located.family.NAMES
        raise UsageError(
            zh=f"{name} 是 {zh}，与政策的 method 不符",
            en=f"{name} is a {en}, which the method is not",
        )
    return located.family.groups(located.load())


def unscored_groups(name: str) -> set[str]:
    """The groups of a scheme without a score, where its family gives scores. Raises UsageError."""
    from grouper.grouping.locate import locate

    located = locate(name)
    return located.family.unscored(located.load())
