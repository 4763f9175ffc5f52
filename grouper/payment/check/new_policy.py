"""A policy file of an area's own, ready to fill in: every parameter with unit, meaning and its source.

The values are those of another policy, taken as a start; nothing in it counts as verified. The file stands
alone and can be read at once by ``pay``, ``settle`` and ``policy verify``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.paths import tables_dir
from grouper.base.toml_out import toml_text
from grouper.grouping.locate import locate
from grouper.payment.check.verify import scheme_groups
from grouper.payment.policy import words
from grouper.payment.policy.clauses import cite, clauses
from grouper.payment.policy.describe import plain_value
from grouper.payment.policy.parameters import Dated, Parameter
from grouper.payment.policy.policy import SCORED, Policy, Route, Table
from grouper.payment.policy.registry import PARAMETERS, Spec

# Parameters that only some methods know; all others may stand in any policy.
_ONLY: dict[str, tuple[str, ...]] = {
    "base_rate": ("drg_rate",),
    "points_scale": ("drg_points",),
    "mean_cost": ("drg_rate", "drg_points"),
    "point_value": ("drg_points", "dip"),
    "points_digits": ("drg_points", "dip"),
    "point_value_min": ("drg_points", "dip"),
    "point_value_max": ("drg_points", "dip"),
    "per_diem_in_points": ("drg_points", "dip"),
    "unstable_rule": ("drg_rate", "drg_points"),
    "unstable_factor": ("drg_rate", "drg_points"),
    "blank_packet_factor": ("dip",),
    "auxiliary_exempt": ("dip",),
    "primary_care_by": ("dip",),
}
_PLAIN = {"share": "比例（1 为全部）", "factor": "系数"}  # units that reports need no word for
_HEAD = """\
# {area} 支付政策草稿，由 {source} 生成（grouper policy new）。
# 其中没有一项经本地文件核实。逐项改成本地规定，写明 source（文件名称、文号）和 article（条款），
# 再把 verified 改为 true；
# 以 clause 引用国家条款的，见 docs/national-clauses.md：地区另有规定时以 source 代替 clause。
# grouper policy verify --all 本文件：列出错误、与国家条款不合之处和尚未核实的参数。
"""


@dataclass(frozen=True)
class NewPolicy:
    """``text`` of the file; ``unverified``: its parameters; ``left``: what of the source it lacks."""

    text: str
    unverified: tuple[str, ...]
    left: tuple[str, ...]


def new_policy(area: str, source: Policy, scheme: str, weights: Path | None, output: Path) -> NewPolicy:
    """The policy file of ``area`` with the rules of ``source`` under another scheme.

    ``weights``: a table by ``grouper weights fit``, or None: the source's own, for the same scheme.
    ``output``: where the file will stand; paths in it are relative to that. Raises UsageError for a scheme
    that does not fit the method, or weights that are missing or too many.
    """
    scored = source.method in SCORED
    scheme_groups(scheme, scored)
    table = _weights(source, scheme, weights, scored)
    start, end = _validity(source, scheme)
    parts = [_HEAD.format(area=area, source=source.id)]
    parts.append(toml_text(_identity(area, source, scheme, start, end)))
    parts.append(_block("基金池：险种代码归入哪个池，* 收其余", {"pools": _lists(source.pools)}))
    left = []
    if table is not None:
        parts.append(
            _block("权重表；要换成本地测算的，见 grouper weights fit", {"weights": _named(table, output)})
        )
    if source.means is not None and scheme == source.scheme:
        parts.append(_block("病组×等级例均费用", {"means": _named(source.means, output)}))
    elif source.means is not None:
        left.append("means")
    parts += [_route(route, source) for route in source.routes]
    day = min(max(start, source.valid_from), source.valid_to)
    named: list[str] = []
    for name in _applying(source.method):
        parameter = source.parameters.get(name)
        dated = parameter.on(day) if parameter else None
        if parameter is not None and dated is not None:
            parts.append(_parameter(name, parameter, dated, source))
            named.append(name)
    parts.append("\n# 以下参数来源政策没有设：需要时去掉行首的 #，填写取值。\n")
    parts += [_unset(name, PARAMETERS[name]) for name in _applying(source.method) if name not in named]
    return NewPolicy("".join(parts), tuple(named), tuple(left))


def _applying(method: str) -> list[str]:
    """The parameters that a policy of a method may set, in the order of the registry."""
    return [name for name in PARAMETERS if method in _ONLY.get(name, (method,))]


def _weights(source: Policy, scheme: str, weights: Path | None, scored: bool) -> Table | None:
    if scored:
        if weights is not None:
            raise UsageError(
                zh="DIP 的分值来自目录库，不用 --weights；"
                "请用 grouper catalogue build 建目录库并以 --scheme 指定",
                en="scores of DIP come from the catalogue: no --weights; make one with grouper catalogue "
                "build and name it by --scheme",
            )
        return None
    if weights is not None:
        return Table(weights, "本地测算（grouper weights fit）；请写明所用数据和年份", False)
    if scheme != source.scheme:
        raise UsageError(
            zh=f"{source.id} 的权重属于方案 {source.scheme}，不能用于 {scheme}；请用 --weights 给出权重表"
            "（grouper weights fit 可由历史数据测算）",
            en=f"the weights of {source.id} are of {source.scheme}, not of {scheme}; give --weights (grouper "
            "weights fit makes a table from history)",
        )
    return source.weights


def _validity(source: Policy, scheme: str) -> tuple[date, date]:
    """Where source and scheme hold together; else the first year of the scheme."""
    located = locate(scheme)
    meta = located.family.meta(located.folder)
    first = max(source.valid_from, meta.get("valid_from", source.valid_from))
    last = min(source.valid_to, meta.get("valid_to", source.valid_to))
    return (first, last) if first <= last else (first, date(first.year, 12, 31))


def _identity(area: str, source: Policy, scheme: str, start: date, end: date) -> dict[str, Any]:
    return {
        "id": f"{area}/{start.year}",
        "area": area,
        "name": f"{area}（草稿，由 {source.name} 生成）",
        "name_en": f"{area} (draft made from {source.id})",
        "method": source.method,
        "scheme": scheme,
        "valid_from": start,
        "valid_to": end,
        "validity_verified": False,
        "notes": [
            "草稿：没有一项经本地文件核实。",
            "Draft: nothing in it is verified against a document of the area.",
        ],
    }


def _block(note: str, content: Mapping[str, Any]) -> str:
    return "\n" + toml_text(content, [note])


def _lists(pools: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {pool: list(types) for pool, types in pools.items()}


def _named(table: Table, output: Path) -> dict[str, Any]:
    """A table of a policy; a shipped one by its name, another by its path from the policy file."""
    shipped = table.path.parent == tables_dir() / "weights"
    name = table.path.stem if shipped else os.path.relpath(table.path.resolve(), output.resolve().parent)
    return {"table": name, "source": table.source, "verified": False}


def _route(route: Route, source: Policy) -> str:
    content = {"name": route.name, "zh": route.zh, "en": route.en, "method": route.method, "when": route.when}
    content |= {"from": route.start} if route.start > date.min else {}
    content |= {"to": route.end} if route.end < date.max else {}
    if route.reference_group:
        content["reference_group"] = route.reference_group
    content |= {"source": _from(source, route.source)} | ({"article": route.article} if route.article else {})
    content["verified"] = False
    return _block(f"支付路径：{route.zh}（依次，先合者为准）", {"routes": [content]})


def _from(source: Policy, text: str) -> str:
    """A source as the new file names it: the policy that it was taken from, and what that says."""
    return f"沿用 {source.id}：{text}"


def _parameter(name: str, parameter: Parameter, dated: Dated, source: Policy) -> str:
    spec = PARAMETERS[name]
    content: dict[str, Any] = {"by": list(parameter.by)} if parameter.by else {}
    content["value"] = plain_value(dated.value)
    lines = _meaning(name, spec)
    if dated.clauses:
        content["clause"] = list(dated.clauses)
        own = dated.source.removeprefix(cite(dated.clauses)[0]).removeprefix("；")
        content |= {"source": own} if own else {}
        lines += [_clause_line(one) for one in dated.clauses]
    else:
        content["source"] = _from(source, dated.source)
    if not dated.clauses and dated.article:
        content["article"] = dated.article
    content["verified"] = False
    if len(parameter.values) > 1:
        lines.append(f"来源政策有 {len(parameter.values)} 个时段的取值，这里是 {dated.start} 起的")
    lines.append("未核实")
    return "\n" + toml_text({"parameters": {name: content}}, lines)


def _meaning(name: str, spec: Spec) -> list[str]:
    unit = f"，单位：{words.unit(spec.unit, 'zh') or _PLAIN[spec.unit]}" if spec.unit else ""
    choices = f"，可取 {'、'.join(spec.choices)}" if spec.choices else ""
    return [f"{name}：{spec.zh}{unit}{choices}"]


def _clause_line(one: str) -> str:
    clause = clauses()[one]
    return f"{one} {clause.document.named}{clause.article}：{clause.zh}"


def _unset(name: str, spec: Spec) -> str:
    """A parameter that the source does not set, as comments; with the national clauses that speak of it."""
    told = [*_meaning(name, spec), *_told(name)]
    example = f'[parameters.{name}]\nvalue = ""\nsource = ""\narticle = ""\nverified = false'
    lines = [*(f"# {line}" for line in told), *(f"#{line}" for line in example.splitlines())]
    return "\n" + "\n".join(lines) + "\n"


def _told(name: str) -> Iterator[str]:
    for clause in clauses().values():
        if clause.parameter == name and clause.document.in_force:
            yield _clause_line(clause.id)
