"""Policies: how an area pays, as dated and cited data (``tables/policies/<area>/<name>.toml``).

A policy may extend another and change some of it: the way to a reform. No area is known to the code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from grouper.base import canonical
from grouper.base.digests import sha256
from grouper.base.errors import TableError, UsageError
from grouper.base.formats import KEY, format_of
from grouper.base.paths import is_there, tables_dir
from grouper.base.shown import Shown
from grouper.base.toml_in import read_toml
from grouper.payment.formula.expression import Expr
from grouper.payment.policy import shapes
from grouper.payment.policy.conditions import WHEN, read_when, when_data
from grouper.payment.policy.parameters import Parameter, Values, read_parameter
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.policy.tables import decimals

_COUNT = 19  # digits of a count
_DEEPEST = 16  # files that extend one another
METHODS = ("drg_rate", "drg_points", "dip")
SCORED = ("dip",)  # methods that price by the score grouping gives; the others by weights of the policy
_ROUTE_KEYS = {
    "name", "zh", "en", "method", "when", "reference_group", "source", "article", "verified", "from", "to",
}  # fmt: skip
ROUTE_METHODS = ("group", "tcm", "per_diem", "quota", "by_item", "by_cost", "hold", "outside")
_KEYS = {
    "id", "name", "name_en", "area", "extends", "scheme", "method", "weights", "pools", "valid_from",
    "valid_to", "routes", "parameters", "notes", "means", "validity_verified", KEY,
}  # fmt: skip


@dataclass(frozen=True)
class Route:
    """Which method pays a case: the first route whose conditions hold; else the groups."""

    name: str
    zh: str
    en: str
    method: str
    test: Expr
    columns: frozenset[str]  # of the case table that the conditions read
    reference_group: str
    source: str
    article: str
    verified: bool
    when: Any  # the conditions as the file has them
    start: date = date.min  # the days on which it takes cases, both included
    end: date = date.max

    def holds(self, when: date) -> bool:
        return self.start <= when <= self.end

    def days(self, lang: str) -> str:
        """From when to when it holds, in words; empty where it always does."""
        zh = lang != "en"
        told = []
        if self.start > date.min:
            told.append(f"{self.start} 起" if zh else f"from {self.start}")
        if self.end < date.max:
            told.append(f"至 {self.end}" if zh else f"to {self.end}")
        return " ".join(told)

    def as_data(self) -> dict[str, Any]:
        """What a digest is taken over; days only where the file has them, so that older digests stay."""
        days = {"from": self.start, "to": self.end}
        always = {"from": date.min, "to": date.max}
        return {
            "name": self.name, "zh": self.zh, "en": self.en, "method": self.method,
            "when": when_data(self.when), "reference_group": self.reference_group, "source": self.source,
            "article": self.article, "verified": self.verified,
        } | {key: day for key, day in days.items() if day != always[key]}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table that a policy names: weights, or mean costs by group and level."""

    path: Path
    source: str
    verified: bool

    def as_data(self) -> dict[str, Any]:
        """What a digest is taken over: the table by the SHA-256 of its bytes, not by its name."""
        return {"sha256": sha256(self.path), "source": self.source, "verified": self.verified}


@dataclass(frozen=True)
class Policy(Shown):
    """A policy, whole: its own file and those that it extends."""

    id: str
    name: str
    name_en: str
    area: str
    scheme: str
    method: str
    weights: Table | None
    means: Table | None
    pools: Mapping[str, tuple[str, ...]]  # pool -> insurance types; a pool "*" takes the rest
    routes: tuple[Route, ...]
    parameters: Mapping[str, Parameter]
    valid_from: date
    valid_to: date
    validity_verified: bool
    notes: tuple[str, ...]
    files: tuple[Path, ...]

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.id}: {self.method}, {self.scheme}, {self.valid_from} – {self.valid_to}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what the policy says, in its canonical form; comments and names of files are not it.

        ``legacy_digest`` is what 0.1.0 took for it.
        """
        return canonical.digest(self.as_data())

    @cached_property
    def tables_digest(self) -> tuple[str | None, str | None]:
        """SHA-256 of the table of weights and of the table of means."""
        return (
            sha256(self.weights.path) if self.weights else None,
            sha256(self.means.path) if self.means else None,
        )

    def as_data(self) -> dict[str, Any]:
        """All that the policy says, under names that stay whatever the fields are called."""
        return {
            "id": self.id, "name": self.name, "name_en": self.name_en, "area": self.area,
            "scheme": self.scheme, "method": self.method,
            "weights": self.weights and self.weights.as_data(), "means": self.means and self.means.as_data(),
            "pools": dict(self.pools), "routes": [route.as_data() for route in self.routes],
            "parameters": {name: p.as_data() for name, p in self.parameters.items()},
            "valid_from": self.valid_from, "valid_to": self.valid_to,
            "validity_verified": self.validity_verified, "notes": self.notes,
        }  # fmt: skip

    @cached_property
    def weight_digits(self) -> int:
        """Decimals of the weights; 0 without a table."""
        return decimals(self.weights.path, "weight") if self.weights else 0

    @property
    def where(self) -> str:
        """The file to name in errors."""
        return str(self.files[0])

    def on(self, when: date) -> Values:
        """The parameters of a day.

        Raises UsageError, naming file and flag, when the policy is not valid on it.
        """
        if not self.valid_from <= when <= self.valid_to:
            raise UsageError(
                zh=f"政策 {self.id} 在 {when} 不适用（{self.valid_from} 至 {self.valid_to}，{self.where}）；"
                "请换 --policy，或用 --as-of 指定适用日期",
                en=f"policy {self.id} does not apply on {when} ({self.valid_from} to {self.valid_to}, "
                f"{self.where}); choose another --policy, or name the day with --as-of",
            )
        return Values(self.parameters, when, self.where, self.weight_digits)

    def epochs(self, first: date, last: date) -> list[tuple[date, date]]:
        """The days from ``first`` to ``last``, cut wherever a parameter or a route changes."""
        edges = {first}
        days = [(route.start, route.end) for route in self.routes]
        days += [(dated.start, dated.end) for p in self.parameters.values() for dated in p.values]
        for start, end in days:
            edges.add(start)
            if end < date.max:
                edges.add(date.fromordinal(end.toordinal() + 1))
        starts = sorted(edge for edge in edges if first <= edge <= last)
        ends = [date.fromordinal(start.toordinal() - 1) for start in starts[1:]] + [last]
        return list(zip(starts, ends, strict=True))

    def changed(self, changes: Mapping[str, str]) -> Policy:
        """A reform: some parameters with other values, for all days.

        Keys are ``name`` or ``name.key`` ("level_coefficient.3"). Raises UsageError for unknown names.
        """
        parameters = dict(self.parameters)
        for key, text in changes.items():
            name, _, part = key.partition(".")
            parameters[name] = self._reformed(name, part, text)
        return replace(self, parameters=parameters, id=f"{self.id} + {', '.join(sorted(changes))}")

    def _reformed(self, name: str, part: str, text: str) -> Parameter:
        if name not in PARAMETERS:
            raise UsageError(
                zh=f"--what-if：未知参数 {name}；可用参数见 grouper policy show --parameters",
                en=f"--what-if: unknown parameter {name}; grouper policy show --parameters lists them",
            )
        old = self.parameters.get(name)
        kind = PARAMETERS[name].kind
        value: Any = text
        if kind == "count":
            value = int(text) if text.isdigit() and len(text) < _COUNT else text
        elif kind == "flag":
            value = {"true": True, "false": False}.get(text, text)
        elif kind == "words":
            value = text.split(",") if text else []
        elif kind in ("tiers", "segments"):
            raise UsageError(
                zh=f"--what-if：{name} 是分段参数，请写一个 extends 本政策的文件",
                en=f"--what-if: {name} has segments; write a policy file that extends this one",
            )
        base = {"source": "what-if", "verified": False}
        where = f"--what-if {name}"
        if not part:
            return read_parameter(name, {**base, "value": value}, where, self.valid_from, self.valid_to)
        if old is None or not old.by or not isinstance(old.values[0].value, Mapping):
            raise UsageError(
                zh=f"--what-if：{name} 不按键取值，请写 {name}=值",
                en=f"--what-if: {name} does not depend on a key; write {name}=VALUE",
            )
        entries = []
        for dated in old.values:
            table = {k: str(v) for k, v in dated.value.items()} | {part: value}
            entries.append({**base, "from": dated.start, "to": dated.end, "value": table})
        return read_parameter(
            name, {"by": list(old.by), "values": entries}, where, self.valid_from, self.valid_to
        )


def policy_files() -> dict[str, Path]:
    """The shipped policies: id ("area/name") to file."""
    root = tables_dir() / "policies"
    return {f"{path.parent.name}/{path.stem}": path for path in sorted(root.glob("*/*.toml"))}


def find_policy(name: str, when: date | None = None) -> Policy:
    """A policy by id, by path, or by area; of several of an area, the one valid on ``when``.

    Raises UsageError when nothing fits or several do, TableError when the file is wrong.
    """
    files = policy_files()
    if name in files:
        return load_policy(files[name])
    if is_there(name) and Path(name).is_file():
        return load_policy(Path(name))
    found = [load_policy(path) for key, path in files.items() if key.split("/")[0] == name]
    if not found:
        raise UsageError(
            zh=f"没有政策 {name}；用 grouper policy list 查看，或给出政策文件路径",
            en=f"no policy {name}; see grouper policy list, or give the path of a policy file",
        )
    valid = [p for p in found if when is None or p.valid_from <= when <= p.valid_to]
    if len(valid) == 1:
        return valid[0]
    names = ", ".join(f"{p.id} ({p.valid_from} – {p.valid_to})" for p in found)
    if not valid:
        raise UsageError(
            zh=f"{name} 在 {when} 没有适用的政策（有：{names}）；请用 --as-of 指定适用日期",
            en=f"no policy of {name} applies on {when} (there are {names}); name the day with --as-of",
        )
    raise UsageError(
        zh=f"{name} 有多个政策：{names}；请写出其一，或用 --as-of 指定日期",
        en=f"{name} has several policies: {names}; name one, or a day with --as-of",
    )


def load_policy(path: Path) -> Policy:
    """Read a policy file with those it extends.

    Raises TableError that names the file and the key.
    """
    chain = _chain(path, ())
    merged: dict[str, Any] = {"parameters": {}}
    for file, raw in reversed(chain):
        _check_keys(raw, file)
        own = {name: (value, str(file)) for name, value in raw.get("parameters", {}).items()}
        merged["parameters"] |= own
        for key in ("weights", "means"):
            if key in raw:
                raw = {**raw, key: _table(raw[key], file, key)}
        merged |= {key: value for key, value in raw.items() if key != "parameters"}
    return _policy(merged, [file for file, _ in chain])


def _chain(path: Path, seen: Sequence[Path]) -> list[tuple[Path, dict[str, Any]]]:
    if path.resolve() in {file.resolve() for file in seen}:  # by another way round it is another text
        raise TableError(zh=f"{path}：extends 成环", en=f"{path}: extends runs in a circle")
    if len(seen) > _DEEPEST:
        raise TableError(
            zh=f"{path}：extends 超过 {_DEEPEST} 层",
            en=f"{path}: extends goes on for more than {_DEEPEST} files",
        )
    raw = read_toml(path, kind=TableError)
    format_of(raw, "policy", str(path))
    shapes.check(raw, shapes.FILE, str(path))
    base = raw.get("extends")
    if base is None:
        return [(path, raw)]
    files = policy_files()
    parent = files.get(base) or path.parent / base
    if not (is_there(parent) and parent.is_file()):
        raise TableError(
            zh=f"{path}：extends 的 {base} 不存在", en=f"{path}: extends {base}, which is not there"
        )
    return [(path, raw), *_chain(parent, [*seen, path])]


def _check_keys(raw: Mapping[str, Any], file: Path) -> None:
    for key in raw:
        if key not in _KEYS:
            raise TableError(zh=f"{file}：未知的键 {key}", en=f"{file}: unknown key {key}")


def _table(raw: Mapping[str, Any], file: Path, key: str) -> Table:
    for needed in ("table", "source", "verified"):
        if needed not in raw:
            raise TableError(zh=f"{file}：[{key}] 缺 {needed}", en=f"{file}: [{key}] lacks {needed}")
    shapes.check(raw, shapes.WEIGHTS, f"{file} [{key}]")
    name = str(raw["table"])
    shipped = tables_dir() / "weights" / f"{name}.csv"
    path = shipped if shipped.is_file() else file.parent / name
    if not (is_there(path) and path.is_file()):
        raise TableError(zh=f"{file}：找不到 {key} 表 {name}", en=f"{file}: there is no {key} table {name}")
    return Table(path, str(raw["source"]), bool(raw["verified"]))


def _policy(raw: Mapping[str, Any], files: Sequence[Path]) -> Policy:
    where = str(files[0])
    for key in ("id", "name", "area", "method", "pools", "valid_from", "valid_to"):
        if key not in raw:
            raise TableError(zh=f"{where}：缺 {key}", en=f"{where}: {key} is missing")
    if raw["method"] not in METHODS:
        raise TableError(
            zh=f"{where}：method 应为 {'、'.join(METHODS)} 之一", en=f"{where}: method is one of {METHODS}"
        )
    start, end = raw["valid_from"], raw["valid_to"]
    if not (isinstance(start, date) and isinstance(end, date) and start <= end):
        raise TableError(zh=f"{where}：有效期不对", en=f"{where}: the validity is wrong")
    parameters = {
        name: read_parameter(name, value, file, start, end)
        for name, (value, file) in raw["parameters"].items()
    }
    return Policy(
        id=raw["id"],
        name=raw["name"],
        name_en=raw.get("name_en", raw["name"]),
        area=raw["area"],
        scheme=raw.get("scheme", ""),
        method=raw["method"],
        weights=raw.get("weights"),
        means=raw.get("means"),
        pools=_pools(raw["pools"], where),
        routes=tuple(_route(item, where, n) for n, item in enumerate(raw.get("routes", ()), 1)),
        parameters=parameters,
        valid_from=start,
        valid_to=end,
        validity_verified=bool(raw.get("validity_verified", False)),
        notes=tuple(raw.get("notes", ())),
        files=tuple(files),
    )


def _pools(raw: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(raw, Mapping) or not raw:
        raise TableError(
            zh=f"{where}：pools 应为 池 = [险种] 的表", en=f"{where}: pools is a table POOL = [types]"
        )
    pools = {pool: tuple(types) for pool, types in raw.items()}
    types = [t for listed in pools.values() for t in listed]
    if len(types) != len(set(types)):
        raise TableError(
            zh=f"{where}：一个险种只能属于一个池", en=f"{where}: a type belongs to one pool only"
        )
    return pools


def _route(raw: Mapping[str, Any], where: str, number: int) -> Route:
    here = f"{where}, routes {number}"
    for key in ("name", "zh", "method", "when", "source", "verified"):
        if key not in raw:
            raise TableError(zh=f"{here}：缺 {key}", en=f"{here}: {key} is missing")
    if unknown := sorted(set(raw) - _ROUTE_KEYS):
        raise TableError(
            zh=f"{here}：不认识的键 {'、'.join(unknown)}；可用 {'、'.join(sorted(_ROUTE_KEYS))}",
            en=f"{here}: unknown {', '.join(unknown)}; there are {', '.join(sorted(_ROUTE_KEYS))}",
        )
    shapes.check(raw, shapes.ROUTE, here)
    if raw["method"] not in ROUTE_METHODS:
        raise TableError(
            zh=f"{here}：method 应为 {'、'.join(ROUTE_METHODS)} 之一",
            en=f"{here}: method is one of {', '.join(ROUTE_METHODS)}",
        )
    test, columns = read_when(raw["when"], here)
    start, end = raw.get("from", date.min), raw.get("to", date.max)
    if not (type(start) is date and type(end) is date and start <= end):
        raise TableError(
            zh=f"{here}：from、to 应为日期（如 2025-07-08），from 不晚于 to",
            en=f"{here}: from and to are dates (such as 2025-07-08), from not after to",
        )
    return Route(
        raw["name"],
        raw["zh"],
        raw.get("en", raw["name"]),
        raw["method"],
        test,
        columns,
        raw.get("reference_group", ""),
        raw["source"],
        raw.get("article", ""),
        bool(raw["verified"]),
        raw["when"],
        start,
        end,
    )


__all__ = ["METHODS", "WHEN", "Policy", "Route", "Table", "find_policy", "load_policy", "policy_files"]
