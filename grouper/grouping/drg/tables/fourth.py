"""What the fourth character of a DRG code means: built-in meanings, and those of a mapping file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from grouper.base.errors import UsageError
from grouper.base.toml_in import read_toml
from grouper.grouping.drg.conditions import ConditionError, Severity, disjunction, parse, to_text

MCC_OR_CC = to_text(disjunction(Severity("mcc"), Severity("cc")))
_LEVEL = re.compile(
    r"[，,、（(]?(?P<without>不伴|无|伴与不伴|不伴有?或伴)?有?伴?有?(?P<degree>严重或一般|严重|一般)?"
    r"(?:并发症|合并症)(?:[或与和及、/／](?:并发症|合并症))?[）)]?$"
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a fourth character means: a condition, and its place among the groups of an ADRG."""

    condition: str
    rank: float


def read_fourth(path: Path) -> dict[str, Meaning]:
    """The mapping file: a table for each character, or ADRG with character.

    ``["0"]``, ``condition = "age < 17"``, ``rank = 0.5``; the built-in ranks are 1, 3, 5 and 9
    for these characters. Raises UsageError naming the entry that cannot be used.
    """
    data = read_toml(path)
    meanings = {}
    for key, entry in data.items():
        try:
            if not re.fullmatch(r"([A-Z][A-Z][0-9A-Z])?[0-9A-Za-z]{1,2}", key):
                raise ValueError("A … Z, 0 … 9; AA19")
            meanings[key] = Meaning(to_text(parse(entry["condition"])), float(entry["rank"]))
        except ConditionError as error:
            raise UsageError(zh=f"{path} [{key}]：{error.zh}", en=f"{path} [{key}]: {error.en}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                zh=f'{path} [{key}]：应写成 ["0"]（字符）或 ["BR17"]（ADRG 加字符），'
                f"含 condition 和 rank：{error}",
                en=f'{path} [{key}]: expected ["0"] (a character) or ["BR17"] (ADRG and character) '
                f"with condition and rank: {error}",
            ) from error
    return meanings


def built_in(
    fourth: str, siblings: Mapping[str, str], name: str, adrg_name: str
) -> Meaning | tuple[str, str]:
    """The national meaning of what follows the ADRG, or why there is none (Chinese, English).

    ``siblings`` maps what follows the ADRG to the name, for all groups of the ADRG.
    """
    if fourth == "9":
        if len(siblings) == 1:
            return Meaning("true", 9)
        return "9（未细分）与其他细分组并存", "9 (not split) stands beside other groups"
    if fourth not in ("1", "3", "5"):
        return f"第四位 {fourth} 的含义需用 --fourth 给出", f"the meaning of {fourth} needs --fourth"
    level, stem = read_name(name)
    if name and level is None:
        return "名称没有说明合并症或并发症的级别", "the name states no level of complication"
    if level is not None and level not in _allowed(fourth, siblings):
        return f"名称与第四位 {fourth} 的含义不符", f"the name contradicts the meaning of {fourth}"
    if len(siblings) > 1 and _says_more(stem, siblings, adrg_name):
        return "名称在核心组名称之外另有条件", "the name states more than the ADRG and a level"
    if fourth == "1":
        return Meaning("mcc", 1)
    if fourth == "3":
        return Meaning("true" if level == "rest" else MCC_OR_CC, 3)
    return Meaning("true", 5)


def _allowed(fourth: str, siblings: Container[str]) -> tuple[str, ...]:
    """The levels that the name of a group may state."""
    if fourth == "1":
        return ("mcc",)
    if fourth == "5":
        return ("none", "rest")
    last = "1" in siblings and "5" not in siblings  # 3 beside 1 alone takes the rest where its name says so
    return ("cc", "any-cc", "rest") if last else ("cc", "any-cc")


def _says_more(stem: str, siblings: Mapping[str, str], adrg_name: str) -> bool:
    """Whether a name has words that neither the ADRG nor all of its other groups have."""
    mine = _plain(stem)
    others = {_plain(read_name(name)[1]) for name in siblings.values()}
    return mine not in _plain(adrg_name) and others != {mine}


def read_name(name: str) -> tuple[str | None, str]:
    """The level of complication at the end of a name, and the name without it.

    The level is ``mcc``, ``cc``, ``any-cc`` (严重或一般), ``none``, ``rest`` (no MCC, perhaps a CC),
    or None when the name states none.
    """
    match = _LEVEL.search(name.strip())
    if not match:
        return None, name
    degree, stem = match["degree"], name[: match.start()]
    if match["without"] in (None, ""):
        return {"严重": "mcc", "严重或一般": "any-cc"}.get(degree, "cc"), stem
    if match["without"] in ("不伴", "无"):
        return ("rest" if degree == "严重" else "none"), stem
    return "rest", stem


def _plain(name: str) -> str:
    """A name as it is compared: without marks, and with one form for full-width letters."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).lower()
