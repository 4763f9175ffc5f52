"""A condition in the words of the field, Chinese or English, its lists with some of their codes."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from grouper.grouping import words
from grouper.grouping.drg.compile import FIELDS, WEIGHTS
from grouper.grouping.drg.conditions import (
    And,
    Compare,
    Condition,
    Const,
    Count,
    Department,
    Discharge,
    In,
    NoProcedure,
    Not,
    Or,
    Severity,
)

_SAMPLES = 3  # codes that stand for a list
_KINDS = {  # what follows the owner in the name of a list
    "dx": ("诊断表", "the diagnoses"),
    "proc": ("手术操作表", "the procedures"),
    "list": ("编码表", "the codes"),
    "code": ("编码表", "the codes"),
    "split.dx": ("细分诊断表", "the splitting diagnoses"),
    "split.proc": ("细分手术操作表", "the splitting procedures"),
}
_SITES = {
    "head_neck": ("头颈部", "head and neck"), "chest": ("胸部", "chest"), "abdomen": ("腹部", "abdomen"),
    "urinary": ("泌尿系统", "urinary system"), "genital": ("生殖系统", "genital system"),
    "upper_limb": ("上肢", "upper limb"), "lower_limb": ("下肢", "lower limb"), "pelvis": ("骨盆", "pelvis"),
    "trunk_spine": ("躯干脊柱", "trunk and spine"),
    "trunk_spine_pelvis": ("躯干脊柱骨盆", "trunk, spine and pelvis"),
}  # fmt: skip
_WHOLE = {
    "VALID": ("有效手术操作", "the valid procedures"),
    "UNGROUPABLE.dx": ("不作为分组规则的诊断", "the diagnoses not used for grouping"),
    "UNGROUPABLE.proc": ("不作为分组规则的手术操作", "the procedures not used for grouping"),
}


@dataclass(frozen=True)
class NamedList:
    """A list of codes of a scheme: how many it has, and the first of them with their names."""

    name: str
    size: int
    samples: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lists:
    """The lists of codes of a scheme, by name, looked into only where one is told of.

    ``names``: code to name. What was found is kept: it is the same for every record.
    """

    codes: Mapping[str, Collection[str]]
    names: Mapping[str, str]
    found: dict[str, NamedList] = field(default_factory=dict)

    def named(self, name: str) -> NamedList:
        if name not in self.found:
            codes = self.codes.get(name, ())
            first = heapq.nsmallest(_SAMPLES, codes)
            self.found[name] = NamedList(name, len(codes), tuple((c, self.names.get(c, "")) for c in first))
        return self.found[name]


def samples(found: Sequence[tuple[str, str]], size: int, lang: str) -> str:
    """Some codes of a list, and how many it has."""
    codes = [code for code, _ in found]
    if lang == "en":
        return f"{', '.join(codes)}{' … ' if size > len(codes) else ' '}({size})"
    return f"{'、'.join(codes)}{' 等' if size > len(codes) else ''}，共 {size} 个"


def lists_in(*conditions: Condition) -> list[str]:
    """The names of the lists that conditions ask for, sorted."""
    found: set[str] = set()
    for condition in conditions:
        match condition:
            case In(_, name) | Count(_, name, _, _):
                found.add(name)
            case And(items) | Or(items):
                found.update(lists_in(*items))
            case Not(item):
                found.update(lists_in(item))
    return sorted(found)


def list_words(name: str, lang: str) -> str:
    """What a list is, by its name: of whom it is, and of what."""
    zh = lang != "en"
    if name in _WHOLE:
        return _WHOLE[name][not zh]
    owner, _, rest = name.partition(".")
    if rest.startswith("site.") and rest[5:] in _SITES:
        site = _SITES[rest[5:]][not zh]
        return f"{site}损伤诊断" if zh else f"the injuries of {site}"
    if category := re.fullmatch(r"([a-z])(\d\d)", rest):  # MDCP.p07: the diagnoses of P07
        code = category[1].upper() + category[2]
        return f"{owner} 中 {code} 的诊断" if zh else f"the diagnoses {code} of {owner}"
    if site_number := re.fullmatch(r"site\.(\d+)", rest):
        return f"第 {site_number[1]} 部位损伤诊断" if zh else f"the injuries of body site {site_number[1]}"
    matched = re.fullmatch(r"([a-z.]+?)(\d*)", rest)
    if matched and matched[1] in _KINDS:
        told = _KINDS[matched[1]][not zh]
        number = matched[2] and (matched[2] if zh else f", list {matched[2]}")
        return f"{owner} {told}{number}" if zh else f"{told} of {owner}{number}"
    return f"编码表 {name}" if zh else f"the list {name}"


SUBJECTS = {
    "principal_dx": ("主要诊断", "principal diagnosis"),
    "other_dx": ("其他诊断", "an other diagnosis"),
    "any_dx": ("任一诊断", "any diagnosis"),
    "principal_proc": ("主要手术操作", "main procedure"),
    "other_proc": ("其他手术操作", "an other procedure"),
    "any_proc": ("任一手术操作", "any procedure"),
}
NONE_OF = {
    "other_dx": ("没有其他诊断", "no other diagnosis"),
    "any_dx": ("没有诊断", "no diagnosis"),
    "other_proc": ("没有其他手术操作", "no other procedure"),
    "any_proc": ("没有手术操作", "no procedure"),
}
NUMBERS = {
    **{name: words.NUMBERS[column] for name, column in FIELDS.items() if column in words.NUMBERS},
    "admission weight": words.NUMBERS[WEIGHTS["admission"]],
    "any weight": ("体重（克）", "weight (g)"),
    "injured_sites": ("损伤部位数", "injured body sites"),
}
_OPERATORS = {"<": "＜", "<=": "≤", ">": "＞", ">=": "≥", "=": "＝"}


def describe(condition: Condition, lang: str, weight: str = "birth", lists: Lists | None = None) -> str:
    """A condition in the words of the field; ``weight``: "birth" or "admission", as the scheme reads it.

    ``lists``: names lists in words, with codes of them; else they stand by their names in the tables.
    """
    zh = lang != "en"
    index = 0 if zh else 1
    match condition:
        case Const(value):
            return ("无附加条件" if zh else "always") if value else ("不成立" if zh else "never")
        case And(items):
            return ("，且" if zh else " and ").join(_inner(item, lang, weight, lists) for item in items)
        case Or(items):
            return ("，或" if zh else " or ").join(_inner(item, lang, weight, lists) for item in items)
        case Not(In(subject, name)):
            told = _list(name, lang, lists)
            if subject.startswith("principal"):
                return f"{SUBJECTS[subject][index]}{'不在 ' if zh else ' not in '}{told}"
            none = NONE_OF[subject][index]
            return f"{none}{'在 ' if zh else ' in '}{told}"
        case Not(item):
            return ("非" if zh else "not ") + _inner(item, lang, weight, lists)
        case In(subject, name):
            return f"{SUBJECTS[subject][index]}{'在 ' if zh else ' in '}{_list(name, lang, lists)}"
        case Count(subject, name, op, value):
            subject_text, told = SUBJECTS[subject][index], _list(name, lang, lists)
            if zh:
                return f"{subject_text}中属于 {told} 的不同编码数{_OPERATORS[op]}{value}"
            return f"number of different codes of {told} ({subject_text}) {op} {value}"
        case NoProcedure():
            return "没有手术操作" if zh else "no procedure"
        case Severity(level):
            word = level.upper()
            return (
                f"有未被排除的 {word}"
                if zh
                else f"{'an' if word == 'MCC' else 'a'} {word} that is not excluded"
            )
        case Compare(name, op, value):
            named = NUMBERS[_number(name, weight)][index]
            return f"{named}{_OPERATORS[op] if zh else f' {op} '}{value}"
        case Department(text):
            return f"科室为“{text}”" if zh else f"department is {text!r}"
        case Discharge(ways):
            return ("离院方式为 " if zh else "way of discharge ") + "/".join(map(str, ways))
    raise TypeError(condition)


def _number(name: str, weight: str) -> str:
    return {"admission": "admission weight", "": "any weight"}.get(weight, name) if name == "weight" else name


def _list(name: str, lang: str, lists: Lists | None) -> str:
    if lists is None:
        return name
    found = lists.named(name)
    told = list_words(name, lang)
    return (
        f"{told} ({samples(found.samples, found.size, lang)})"
        if lang == "en"
        else (f"{told}（{samples(found.samples, found.size, lang)}）")
    )


def _inner(condition: Condition, lang: str, weight: str, lists: Lists | None = None) -> str:
    text = describe(condition, lang, weight, lists)
    if not isinstance(condition, And | Or):
        return text
    return f"({text})" if lang == "en" else f"（{text}）"
