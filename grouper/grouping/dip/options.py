"""The options in which areas differ: names, values and defaults. docs/dip.md tells who uses which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from grouper.base.errors import TableError

CLASSES = ("conservative", "diagnostic", "therapeutic", "surgical")  # in rising order
CLASSES_ZH = ("保守治疗", "诊断性操作", "治疗性操作", "手术")
CONSERVATIVE, DIAGNOSTIC, THERAPEUTIC, SURGICAL = range(4)

TIE_BREAKS = (  # the kernel knows the rules by their place here
    "exact_code",
    "first_procedure_is_main",
    "first_procedure_in_packet",
    "most_matched",
    "no_unmatched_surgery",
    "exact",
    "higher_class",
    "higher_score",
    "closest_cost",
    "code_order",
    "row_order",
)

# What may stand before the basic packets (DIP 3.0), each at most once, in any order.
CHAIN = ("exclusion", "pre_group", "merge", "diagnosis_split", "basic")

# The values an option may take; a type where any value of the type will do.
CHOICES: dict[str, tuple[str, ...] | type] = {
    "interventional_as": ("therapeutic", "surgical"),
    "unresolved_as": CLASSES,
    "ignored_procedures": list,
    "grey_procedure": ("use", "ignore"),
    "grey_principal": ("use", "reject"),
    "unknown_principal": ("by_prefix", "reject"),
    "procedure_match": ("exact", "prefix", "family"),
    "repeats": ("multiset", "set"),
    "main_position": ("any", "first"),
    "tie_breaks": TIE_BREAKS,
    "conservative_rule": ("class", "no_procedure", "always"),
    "mixed_class_from": ("highest", "first"),
    "mixed_missing_class": ("none", "step_down"),
    "selection_order": ("core_first", "by_class", "kind_first"),
    "unmatched_surgery_to_mixed": bool,
    "blank_code": str,
    "auxiliary": ("off", "variant_rows"),
    "severity_min_stay": int,
    "extra_groups": bool,
    "chain": CHAIN,
    "rule_choice": ("tie_breaks", "row_order"),
    "not_main": ("next", "conservative"),
    "scores": ("needed", "optional"),
    "alternatives": ("/", "|"),
}
_LISTS = ("ignored_procedures", "tie_breaks", "chain")


@dataclass(frozen=True)
class DipOptions:
    """One option set. ``severity_min_stay``: days up to which a stay counts as short (auxiliary classes)."""

    interventional_as: str = "therapeutic"
    unresolved_as: str = "conservative"
    ignored_procedures: tuple[str, ...] = ()
    grey_procedure: str = "use"
    grey_principal: str = "use"
    unknown_principal: str = "by_prefix"
    procedure_match: str = "exact"
    repeats: str = "multiset"
    main_position: str = "any"
    tie_breaks: tuple[str, ...] = (
        "first_procedure_is_main",
        "most_matched",
        "no_unmatched_surgery",
        "higher_score",
        "code_order",
    )
    conservative_rule: str = "class"
    mixed_class_from: str = "highest"
    mixed_missing_class: str = "none"
    selection_order: str = "core_first"
    unmatched_surgery_to_mixed: bool = False
    blank_code: str = ""
    auxiliary: str = "off"
    severity_min_stay: int = 3
    extra_groups: bool = False
    chain: tuple[str, ...] = ()
    rule_choice: str = "tie_breaks"
    not_main: str = "next"
    scores: str = "needed"
    alternatives: str = "/"

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON and provenance."""
        return {name: list(value) if name in _LISTS else value for name, value in asdict(self).items()}


DEFAULTS = DipOptions()


def options_from(values: Mapping[str, Any], where: str, base: DipOptions = DEFAULTS) -> DipOptions:
    """Options with ``values`` on top of ``base``; ``where`` names the file for messages.

    Raises TableError for an unknown option or a value that it cannot take.
    """
    names = [item.name for item in fields(DipOptions)]
    for name, value in values.items():
        if name not in CHOICES:
            raise TableError(
                zh=f"{where}：没有选项 {name}；可用的选项：{'、'.join(names)}",
                en=f"{where}: there is no option {name}; the options are {', '.join(names)}",
            )
        if not _allowed(name, value):
            choice = CHOICES[name]
            takes = choice.__name__ if isinstance(choice, type) else ", ".join(choice)
            raise TableError(
                zh=f"{where}：选项 {name} 的取值 {value!r} 不可用；可用：{takes}",
                en=f"{where}: option {name} cannot be {value!r}; it takes {takes}",
            )
    merged = {name: getattr(base, name) for name in names} | dict(values)
    sound: dict[str, Any] = {name: tuple(v) if name in _LISTS else v for name, v in merged.items()}
    return DipOptions(**sound)


def _allowed(name: str, value: Any) -> bool:
    choice = CHOICES[name]
    if name in _LISTS:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            return False
        return isinstance(choice, type) or (len(set(value)) == len(value) and set(value) <= set(choice))
    if isinstance(choice, type):
        # A truth value is an int for Python, but not the number of days that is asked for.
        return type(value) is choice and not (isinstance(value, int) and value < 0)
    return value in choice
