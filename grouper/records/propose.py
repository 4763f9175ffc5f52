"""A first draft of a column map for a table whose layout is not known."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

from grouper.records.columns import Alias, aliases, fold, running_number
from grouper.records.schema import CANONICAL, GROUPING_FIELDS, LIST_FIELDS

_NOISE = re.compile(r"[\s()（）\[\]_\-.:：/]+")
# Found by other means than an alias, a column is only a guess that somebody must check.
_SURE, _GUESS = 0, 1


def propose_map(header: Sequence[str]) -> str:
    """TOML text of a column map for ``header``, with comments that say why each column was taken.

    It is a proposal: lines marked CHECK are guesses, and grouping fields that were not found
    stand in comments.
    """
    found: dict[str, list[tuple[int, int, str, Alias]]] = {}
    personal: list[str] = []
    unused: list[str] = []
    for name in header:
        match = _match(name)
        if match is None:
            unused.append(name)
        elif match[2].personal:
            personal.append(name)
        else:
            certainty, number, alias = match
            found.setdefault(alias.field, []).append((certainty, number, name, alias))
    lines = [
        "# A proposed column map: canonical field = source column. Check every line.",
        "# 建议的列映射：标准列 = 来源列。请逐行核对，标有 CHECK 的是猜测。",
        'layout = "custom"',
        f"drop = {_toml(personal)}  # personal data, not loaded",
        "",
        "[fields]",
    ]
    for field in CANONICAL:
        if field in found:
            lines += _field_lines(field, found[field])
        elif field in GROUPING_FIELDS:
            lines.append(f'# {field} = ""  # not found in the header')
    if unused:
        lines += ["", "# Columns that were not understood; they are kept as they are:"]
        lines += [f"#   {name}" for name in unused]
    return "\n".join(lines) + "\n"


def _field_lines(field: str, matches: list[tuple[int, int, str, Alias]]) -> list[str]:
    if field in LIST_FIELDS:
        # The column without a number, or the one named principal, comes first.
        matches = sorted(matches, key=lambda m: (not _leads(m[2], m[3]), m[1]))
        names = [name for _, _, name, _ in matches]
        value = _toml(names if len(names) > 1 else names[0])
        return [f"{field} = {value}  # {_reason(matches)}; in this order, the principal or main one first"]
    matches = sorted(matches, key=lambda m: m[0])
    first, *others = matches
    unit = _unit(first[3])
    value = _toml(first[2])
    lines = [f"{field} = {value}  # {_reason([first])}{unit}"]
    return lines + [f"# {field} = {_toml(name)}  # another candidate" for _, _, name, _ in others]


def _unit(alias: Alias) -> str:
    if alias.transform == "months-or-days":
        return '; if it is in months write { columns = "…", unit = "months" }'
    return ""


def _reason(matches: list[tuple[int, int, str, Alias]]) -> str:
    alias = matches[0][3]
    if any(certainty == _GUESS for certainty, *_ in matches):
        return f"CHECK: the name resembles {alias.column!r}"
    if alias.layout in ("label", "canonical"):
        return f"the name is {alias.column!r}"
    return f"named so in the layout {alias.layout!r}"


def _leads(name: str, alias: Alias) -> bool:
    return "{n}" not in alias.column and "其他" not in name and "次要" not in name


def _match(name: str) -> tuple[int, int, Alias] | None:
    """How sure, the running number, and the alias for one column name; None when nothing fits."""
    folded, bare = fold(name), _bare(name)
    if folded in CANONICAL:
        return _SURE, 0, Alias("canonical", folded, folded, "", False)
    for alias in aliases():
        for text, column in ((folded, fold(alias.column)), (bare, _bare(alias.column))):
            if text == column:
                return _SURE, 0, alias
            if "{n}" in column and (numbered := running_number(column).fullmatch(text)):
                return _SURE, int(numbered[1]), alias
    # The longest label inside the name is the most telling one.
    inside = [alias for alias in aliases() if alias.layout == "label" and _label(alias) in bare]
    if not inside:
        return None
    number = re.search(r"\d+", bare)
    return _GUESS, int(number[0]) if number else 0, max(inside, key=lambda alias: len(_label(alias)))


def _label(alias: Alias) -> str:
    return _bare(alias.column).replace("{n}", "")


def _bare(name: str) -> str:
    return _NOISE.sub("", unicodedata.normalize("NFKC", fold(name)))


def _toml(value: str | list[str]) -> str:
    # A JSON string or array of strings is a TOML one too.
    return json.dumps(value, ensure_ascii=False)
