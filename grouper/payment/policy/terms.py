"""The parameters that pools, clearing, capitation and alliances use: as exact numbers, with what was used.

Pricing turns a parameter into a column of every case; here it is a number for a pool, a hospital or a
package. Every value taken is remembered with its clause, and every default that stands in for a missing
one, so that a result can name both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from grouper.base.errors import TableError, UsageError
from grouper.payment.formula.expression import plain
from grouper.payment.policy import pool_names
from grouper.payment.policy.parameters import Segment, Values
from grouper.payment.policy.registry import KEYS, PARAMETERS


@dataclass
class Terms:
    """A policy on one day. ``assumed``: name to the default taken; ``cited``: (name, value) to its clause."""

    values: Values
    assumed: dict[str, str] = field(default_factory=dict)
    cited: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def number(self, name: str, **keys: str) -> Fraction | None:
        """A number parameter for some keys (pool, hospital, level, group, route, county).

        None where the policy does not set it. Raises TableError when it depends on keys and has no value
        for these.
        """
        formula = self.values.number(name)
        if formula is None:
            return None
        row = {KEYS[key]: pool_names.insurance(word) if key == "pool" else word for key, word in keys.items()}
        value: Fraction | None = formula.value(row)
        if value is None:
            named = ", ".join(f"{key}={word}" for key, word in keys.items())
            raise TableError(
                zh=f"{self.values.where}：参数 {name} 没有 {named} 的取值",
                en=f"{self.values.where}: parameter {name} has no value for {named}",
            )
        self._cite(name, plain(value))
        return value

    def agreed(self, name: str, members: Sequence[str], **keys: str) -> Fraction | None:
        """A number parameter of a budget pool: its ``members``, pools of the policy, must have the same.

        Raises UsageError when they differ.
        """
        found = {self.number(name, pool=member, **keys) for member in members}
        if len(found) > 1:
            raise UsageError(
                zh=f"参数 {name} 在合并的基金池 {'、'.join(members)} 中取值不同；"
                "请分开结算，或在预算文件中写明",
                en=f"parameter {name} differs among the merged pools {', '.join(members)}; settle "
                "them apart, or give it in the budget file",
            )
        return found.pop()

    def need(self, name: str, **keys: str) -> Fraction:
        """Like ``number``, but the policy must set it."""
        found = self.number(name, **keys)
        if found is None:
            self.values.need(name)
            raise AssertionError(name)
        return found

    def otherwise(
        self, name: str, default: str, members: Sequence[str] | None = None, **keys: str
    ) -> Fraction:
        """A number with a default, which is remembered as assumed; ``members`` as for ``agreed``."""
        found = self.number(name, **keys) if members is None else self.agreed(name, members, **keys)
        if found is None:
            self.assumed[name] = default
            return Fraction(default)
        return found

    def choice(self, name: str, default: str | None = None) -> Any:
        """A choice, text or segments; without a default the policy must set it."""
        found = self.values.plain(name)
        if found is None:
            if default is None:
                return self.values.need(name)
            self.assumed[name] = default
            return default
        self._cite(name, found if isinstance(found, str) else _listed(found))
        return found

    def has(self, name: str) -> bool:
        """The policy sets the parameter."""
        return self.values.has(name)

    def absorb(self, other: Terms) -> None:
        """Remember what ``other`` used and assumed as well."""
        self.cited |= other.cited
        self.assumed |= other.assumed

    def _cite(self, name: str, value: str) -> None:
        dated = self.values.used[name]
        self.cited[name, value] = {
            "name": name,
            "value": value,
            "source": dated.source,
            "article": dated.article,
            "verified": dated.verified,
        }

    def clauses(self, *names: str, lang: str = "zh") -> str:
        """The parameters of these names that were used, each with value, source and article, in one line."""
        told = []
        for (name, _), cited in sorted(self.cited.items()):
            if name not in names:
                continue
            mark = "" if cited["verified"] else ("，未核实" if lang == "zh" else ", unverified")
            where = " ".join(part for part in (cited["source"], cited["article"]) if part)
            told.append(f"{name} = {cited['value']} ({where}{mark})")
        default = "默认值" if lang == "zh" else "default"
        told += [
            f"{name} = {value} ({default})" for name, value in sorted(self.assumed.items()) if name in names
        ]
        assert all(name in PARAMETERS for name in names)
        return "; ".join(told)


def _listed(segments: Sequence[Segment]) -> str:
    """Segments in one line: start, base, slope of each."""
    return " ".join(f"({s.start}, {s.base}, {s.slope})" for s in segments)
