"""The tables of ``docs/payment.md``, made from the registry and from the formulas that pricing uses.

    python -m grouper.payment.docs.parameter_tables docs/payment.md
    python -m grouper.payment.docs.parameter_tables docs/zh/payment.md

A marker ``table: NAME`` holds a table for developers, ``table zh: NAME`` one for officers, in Chinese.
A test fails when a page no longer says what the registry says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from grouper.base.whole import write_text
from grouper.payment.policy import words
from grouper.payment.policy.describe import registry_markdown
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.policy.value_words import choice
from grouper.payment.price.formulas import DENOMINATORS, HIGH, LOW, Formula, in_letters, in_words

# Section of the page -> what its parameters begin with, or are called; the first that fits.
_SECTIONS: dict[str, tuple[str, ...]] = {
    "rate": ("base_rate",),
    "points": ("points_", "mean_cost", "point_value"),
    "coefficients": (
        "coefficient_",
        "level_coefficient",
        "hospital_",
        "basic_group_",
        "primary_care_",
        "day_surgery_",
    ),
    "outliers": ("ratio_", "denominator_", "high_", "extreme_", "low_"),
    "unusable": ("ungrouped_", "ambiguous_", "unstable_", "unweighted_", "blank_"),
    "adjustments": ("readmission_", "special_review_", "quota_base", "new_technology_", "auxiliary_"),
    "tcm": ("tcm_",),
    "per-diem": ("per_diem",),
    "quota": ("quota",),
    "item": ("item_",),
    "fund": ("fund_", "policy_ratio"),
    "offsite": ("offsite_",),
    "capitation": ("capitation",),
    "alliance": ("alliance_",),
    "pool": ("",),
}
_BLOCK = re.compile(r"(<!-- table( zh)?: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_KINDS = {
    "number": "数",
    "count": "整数",
    "flag": "是、否",
    "words": "若干词",
    "tiers": "分段",
    "segments": "分段",
}
_PLAIN = {"share": "比例", "factor": "系数"}  # numbers without a unit


def section_of(name: str) -> str:
    """The section of the page that a parameter stands in. ``pool`` takes what no other does."""
    pools = {"point_value_min", "point_value_max"}
    for section, starts in _SECTIONS.items():
        if name.startswith(starts) and not (name in pools and section != "pool"):
            return section
    raise AssertionError(name)


def table(section: str) -> str:
    """The Markdown table of a section, or of the formulas of outliers."""
    if section == "denominators":
        rows = [f"| `{name}` | {in_words(name, 'en')} | {in_words(name, 'zh')} |" for name in DENOMINATORS]
        return "\n".join(
            ["| choice of `ratio_denominator` | cost divided by | 分母 |", "|---|---|---|", *rows]
        )
    if section in ("high", "low"):
        formulas = HIGH if section == "high" else LOW
        rows = [f"| `{name}` | {in_letters(formula)} |" for name, formula in formulas.items()]
        return "\n".join([f"| choice of `{section}_formula` | value |", "|---|---|", *rows])
    return registry_markdown([name for name in PARAMETERS if section_of(name) == section])


def chinese_table(section: str) -> str:
    """The same table in Chinese, with choices in words."""
    if section == "denominators":
        rows = [f"| `{name}` | {in_words(name, 'zh')} |" for name in DENOMINATORS]
        return "\n".join(["| `ratio_denominator` 的取值 | 倍率的分母 |", "|---|---|", *rows])
    if section in ("high", "low"):
        formulas = HIGH if section == "high" else LOW
        rows = [_formula(name, formula) for name, formula in formulas.items()]
        return "\n".join([f"| `{section}_formula` 的取值 | 名称 | 算法 |", "|---|---|---|", *rows])
    names = [name for name in PARAMETERS if section_of(name) == section]
    return "\n".join(["| 参数 | 含义 | 取值 | 单位 |", "|---|---|---|---|", *map(_row, names)])


def _formula(name: str, formula: Formula) -> str:
    return f"| `{name}` | {choice(name, 'zh')} | {in_letters(formula, 'zh')} |"


def _row(name: str) -> str:
    """A parameter for officers: what it means, what may stand in it, its unit."""
    spec = PARAMETERS[name]
    chosen = "；".join(f"`{word}` {choice(word, 'zh')}" for word in spec.choices)
    kind = chosen or _PLAIN.get(spec.unit) or _KINDS[spec.kind]
    return f"| `{name}` | {spec.zh} | {kind} | {words.unit(spec.unit, 'zh')} |"


def fill(page: str) -> str:
    """The page with every table made anew."""
    return _BLOCK.sub(
        lambda found: f"{found[1]}{(chinese_table if found[2] else table)(found[3])}\n{found[4]}", page
    )


def sections_of(page: str) -> set[str]:
    """The tables that a page has."""
    return {found[3] for found in _BLOCK.finditer(page)}


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/payment.md")
    write_text(path, fill(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
