"""The tables of ``docs/payment.md``, made from the registry and from the formulas that pricing uses.

    python -m grouper.payment.docs.parameter_tables docs/payment.md

A test fails when the page no longer says what the registry says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from grouper.base.whole import write_text
from grouper.payment.policy.describe import registry_markdown
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.price.formulas import DENOMINATORS, HIGH, LOW, in_letters, in_words

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
    "capitation": ("capitation",),
    "alliance": ("alliance_",),
    "pool": ("",),
}
_BLOCK = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


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


def fill(page: str) -> str:
    """The page with every table made anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}{table(found[2])}\n{found[3]}", page)


def sections_of(page: str) -> set[str]:
    """The tables that a page has."""
    return {found[2] for found in _BLOCK.finditer(page)}


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/payment.md")
    write_text(path, fill(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
