"""The tables of ``docs/checks.md`` and ``docs/zh/checks.md``, made from the rules themselves.

    python -m grouper.checks.rules_page docs/checks.md
    python -m grouper.checks.rules_page docs/zh/checks.md

A test fails when a page no longer says what the tables say.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from grouper.base.whole import write_text
from grouper.checks.facts import FACTS
from grouper.checks.lists import code_lists
from grouper.checks.rules import SCOPES, SEVERITIES, Rule, load_rules

_BLOCK = re.compile(r"(<!-- checks: (\w+) (zh|en) -->\n).*?(<!-- end -->)", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def rules(lang: str) -> str:
    """Every rule: what it tells, what it needs, its limits and sources."""
    zh = lang == "zh"
    head = (
        "| 项 | 规则 | 范围 | 严重程度 | 发现 | 需要的字段 | 界值 | 改正 | 来源 |"
        if zh
        else "| check | rule | scope | severity | finding | fields | limits | correction | source |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for rule in sorted(load_rules().rules, key=lambda rule: rule.check):
        cells = [
            str(rule.check), f"{rule.title(lang)} `{rule.id}`", SCOPES[rule.scope][not zh],
            SEVERITIES[rule.severity][not zh], _told(rule, lang), _codes(rule.needs), _limits(rule),
            _correction(rule, zh), " ".join(f"`{key}`" for key in rule.source),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def conditions(lang: str) -> str:
    """The condition of every rule of scope record."""
    lines = ["| 规则 | 条件 |" if lang == "zh" else "| rule | condition |", "|---|---|"]
    lines += [f"| `{rule.id}` | `{rule.when}` |" for rule in load_rules().of("record")]
    return "\n".join(lines)


def sources(lang: str) -> str:
    """What the letters of the sources stand for."""
    return "\n".join(f"- `{key}`: `{name}`" for key, name in load_rules().sources.items())


def facts(lang: str) -> str:
    """What a condition may speak of."""
    return ", ".join(f"`{name}`" for name in FACTS)


def lists(lang: str) -> str:
    """The names of the code lists, by side."""
    sides = code_lists().side
    told = {"diagnosis": "诊断" if lang == "zh" else "diagnoses"}
    told["procedure"] = "手术操作" if lang == "zh" else "operations"
    sign = "：" if lang == "zh" else ": "
    return "\n".join(
        f"- {word}{sign}" + ", ".join(f"`{name}`" for name in sorted(sides) if sides[name] == side)
        for side, word in told.items()
    )


def _told(rule: Rule, lang: str) -> str:
    def shown(match: re.Match[str]) -> str:
        return str(rule.limits.get(match[1], "…"))

    return _PLACEHOLDER.sub(shown, rule.text(lang)).replace("|", "\\|")


def _limits(rule: Rule) -> str:
    return ", ".join(f"`{name} = {value}`" for name, value in rule.limits.items())


def _correction(rule: Rule, zh: bool) -> str:
    words = {
        "": "",
        "principal": "另一诊断作主要诊断" if zh else "another diagnosis as principal",
        "main": "另一操作作主要操作" if zh else "another operation as main",
        "heavier": "权重更高的操作作主要操作" if zh else "the heavier operation as main",
    }
    return words[rule.correction]


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


TABLES: dict[str, Callable[[str], str]] = {
    "rules": rules,
    "conditions": conditions,
    "sources": sources,
    "facts": facts,
    "lists": lists,
}


def fill(page: str) -> str:
    """The page with the tables made anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}{TABLES[found[2]](found[3])}\n{found[4]}", page)


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        write_text(path, fill(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
