"""What one policy changes against another: frame, pools, routes and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from grouper.payment.policy import words
from grouper.payment.policy.describe import holding, value_text
from grouper.payment.policy.parameters import Parameter
from grouper.payment.policy.policy import Policy, Route
from grouper.payment.policy.registry import PARAMETERS

_FRAME: dict[str, words.Pair] = {
    "method": ("支付方式", "method"),
    "scheme": ("分组方案", "scheme"),
    "weights": ("权重表", "weights"),
    "means": ("均费表", "means"),
    "valid_from": ("有效期起", "valid from"),
    "valid_to": ("有效期止", "valid to"),
}


@dataclass(frozen=True)
class Change:
    """One difference; ``before`` or ``after`` is None where only one policy has it.

    ``part``: frame, pool, route or parameter. ``key``: of a parameter that depends on something.
    """

    part: str
    name: str
    key: str
    zh: str
    en: str
    before: str | None
    after: str | None

    def as_dict(self) -> dict[str, Any]:
        """The change for JSON."""
        return asdict(self)

    def text(self, lang: str) -> str:
        """One line, "zh" or "en"."""
        label = self.en if lang == "en" else self.zh
        key = f".{self.key}" if self.key else ""
        return f"{label} [{self.name}{key}]: {self.before or '—'} → {self.after or '—'}"


def diff(old: Policy, new: Policy, when: date | None = None, when_new: date | None = None) -> list[Change]:
    """The differences of ``new`` against ``old``; with ``when``, of the values on that day.

    ``when_new``: the day for ``new``, where it is another: a policy against itself at two times.
    """
    return [
        *_frame(old, new),
        *_pools(old, new),
        *_routes(old, new),
        *_parameters(old, new, when, when_new or when),
    ]


def _frame(old: Policy, new: Policy) -> Iterator[Change]:
    for name, (zh, en) in _FRAME.items():
        before, after = (_plain(getattr(policy, name)) for policy in (old, new))
        if before != after:
            yield Change("frame", name, "", zh, en, before, after)


def _plain(value: Any) -> str | None:
    """A table by its name, else the value as text."""
    return value.path.stem if hasattr(value, "path") else None if value in (None, "") else str(value)


def _pools(old: Policy, new: Policy) -> Iterator[Change]:
    for pool in [*old.pools, *(p for p in new.pools if p not in old.pools)]:
        before, after = (", ".join(p.pools[pool]) if pool in p.pools else None for p in (old, new))
        if before != after:
            yield Change("pool", pool, "", "基金池", "pool", before, after)


def _routes(old: Policy, new: Policy) -> Iterator[Change]:
    first, second = ({route.name: route for route in policy.routes} for policy in (old, new))
    for name in [*first, *(n for n in second if n not in first)]:
        before, after = (_route(routes.get(name)) for routes in (first, second))
        if before != after:
            yield Change("route", name, "", "支付路径", "route", before, after)
    shared = [[n for n in routes if n in first and n in second] for routes in (first, second)]
    if shared[0] != shared[1]:
        yield Change(
            "route",
            "order",
            "",
            "支付路径次序",
            "order of routes",
            ", ".join(shared[0]),
            ", ".join(shared[1]),
        )


def _route(route: Route | None) -> str | None:
    if route is None:
        return None
    reference = f" → {route.reference_group}" if route.reference_group else ""
    days = route.days("zh")
    held = f"（{days}）" if days else ""
    return f"{route.method}{reference}: {words.in_words(route.test, 'zh')}{held}"


def _parameters(old: Policy, new: Policy, when: date | None, when_new: date | None) -> Iterator[Change]:
    for name, spec in PARAMETERS.items():
        sides = old.parameters.get(name), new.parameters.get(name)
        values = _values(sides[0], when, old), _values(sides[1], when_new, new)
        if values[0] == values[1]:
            continue
        tables = [_one_table(side) for side in values]
        label = spec.zh, spec.en
        if all(tables):
            yield from _keys(name, label, *(table or {} for table in tables))
        else:
            before, after = (_told(side) for side in values)
            yield Change("parameter", name, "", *label, before, after)


def _values(parameter: Parameter | None, when: date | None, policy: Policy) -> list[Any]:
    """The values to compare: with their dates, but of a day, or for as long as the policy is valid."""
    if parameter is None:
        return []
    whole = policy.valid_from, policy.valid_to
    return [
        d.value if when or (d.start, d.end) == whole else (d.start, d.end, d.value)
        for d in holding(parameter, when)
    ]


def _one_table(values: Sequence[Any]) -> Mapping[str, Any] | None:
    return values[0] if len(values) == 1 and isinstance(values[0], Mapping) else None


def _keys(
    name: str, label: words.Pair, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    for key in [*before, *(k for k in after if k not in before)]:
        if before.get(key) != after.get(key):
            told = [value_text(side[key], "en") if key in side else None for side in (before, after)]
            yield Change("parameter", name, key, *label, *told)


def _told(values: Sequence[Any]) -> str | None:
    if not values:
        return None
    return "; ".join(
        value_text(v, "en") if not isinstance(v, tuple) or len(v) != 3 or not isinstance(v[0], date)
        else f"{v[0]} – {v[1]}: {value_text(v[2], 'en')}"
        for v in values
    )  # fmt: skip
