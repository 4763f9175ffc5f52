"""Numbers as people read them: exact decimals with thousands separators, never floats.

``Lang`` is the one thing that the parts of a report share: the language, and how it writes amounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from grouper.base.exact import half_up
from grouper.payment.policy.words import pool_pair

MINUS = "\u2212"
NONE = "—"
# How an area's way of paying says it, in Chinese: family of methods -> what stands in the texts of a report,
# and what is said instead. Longer ones come first.
FAMILIES: dict[str, tuple[tuple[str, str], ...]] = {
    "points": (("点数（标准）", "点数"), ("或标准调整系数", "")),
    "scores": (
        ("点数（标准）", "分值"), ("病组", "病种"), ("点数", "分值"), ("元／点", "元／分"),
        ("点或元", "分或元"), ("（点）", "（分）"), ("或标准调整系数", ""),
    ),
    "rate": (
        ("点值（元／点）或标准调整系数", "费率调整系数"), ("标准调整系数", "费率调整系数"),
        ("基金池与点值", "基金池与费率"), ("点或元", "元"), ("到点值", "到费率调整系数"),
        ("点数（标准）", "病组标准"), ("点值（系数）", "费率调整系数"), ("点值限定", "标准支付"),
        ("按预算点值", "按预算标准"),
    ),
}  # fmt: skip
# Methods of payment -> the words that papers of their areas use.
OF_METHODS = {"dip": "scores", "drg_points": "points", "drg_rate": "rate"}
_BIG = {"zh": (Decimal(10_000), "万元"), "en": (Decimal(1_000), "thousand yuan")}


def number(value: Decimal | int | None, digits: int = 0, signed: bool = False) -> str:
    """1,234.50; a true minus sign; "—" for what is not known."""
    if value is None:
        return NONE
    text = f"{half_up(value, digits):+,.{digits}f}" if signed else f"{half_up(value, digits):,.{digits}f}"
    return (
        "0" + text[2:] if text[:2] in ("+0", "-0") and not text[1:].strip("0.") else text.replace("-", MINUS)
    )


def yuan(value: Decimal | None, signed: bool = False) -> str:
    """Yuan to the fen."""
    return number(value, 2, signed)


def percent(part: Decimal | int, whole: Decimal | int | None, digits: int = 1, signed: bool = False) -> str:
    """A share in per cent; "—" of nothing."""
    if not whole:
        return NONE
    return number(Decimal(part) * 100 / Decimal(whole), digits, signed) + "%"


def mean(total: Decimal | None, cases: int | None, digits: int = 2) -> Decimal | None:
    """A mean, rounded for showing; None without cases."""
    return None if total is None or not cases else half_up(total / cases, digits)


def short_digest(text: str) -> str:
    """The first 12 characters of a digest, enough to tell one from another by eye."""
    return text[:12]


@dataclass(frozen=True)
class Lang:
    """A language, "zh" or "en"; calling it picks the text.

    ``family``: of methods, by whose words Chinese texts go (FAMILIES); "" for points of groups.
    """

    code: str
    family: str = ""

    def __call__(self, zh: str, en: str) -> str:
        return en if self.code == "en" else self.own(zh)

    def own(self, text: str) -> str:
        """A Chinese text in the words of the area's way of paying."""
        for common, said in FAMILIES.get(self.family, ()) if self.code != "en" else ():
            text = text.replace(common, said)
        return text

    @property
    def point(self) -> str:
        """The unit of points, after a number."""
        return self("分" if self.family == "scores" else "点", "points")

    @property
    def html(self) -> str:
        return self("zh-CN", "en")

    @property
    def big_unit(self) -> str:
        """The unit of large amounts: 万元, or thousand yuan."""
        return _BIG[self.code][1]

    @property
    def yuan(self) -> str:
        return self("元", "yuan")

    def big(self, value: Decimal | None, digits: int = 1, signed: bool = False) -> str:
        """An amount in ``big_unit``, without the unit."""
        return NONE if value is None else number(value / _BIG[self.code][0], digits, signed)

    def scaled(self, value: Decimal | None) -> float:
        """An amount in ``big_unit`` as a coordinate of a chart."""
        return 0.0 if value is None else float(value / _BIG[self.code][0])

    def pool(self, name: Any) -> str:
        """The name of a pool in words."""
        return self(*pool_pair(str(name))) if name else NONE

    def pair(self, words: Mapping[str, tuple[str, str]], code: Any) -> str:
        """The word for a code; an unknown code stands as it is."""
        known = words.get(str(code))
        return self(*known) if known else str(code or NONE)
