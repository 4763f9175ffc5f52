"""``grouper search``: codes and groups by code, name, pinyin and initials, and where a code can lead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option

_KINDS = ("diagnosis", "procedure", "group")


@click.command(
    cls=BilingualCommand,
    help=both(
        "按编码、名称、拼音或拼音首字母查诊断、手术操作（医保版）和病组。--scheme 再说明编码在该方案中的作用"
        "（是否使用、MCC/CC、排除表），并查其病组。--leads 说明一个编码可以进入哪些组。\n\n"
        "示例：grouper search 腹腔镜胆囊 --scheme chs-drg-2.0；grouper search ngs；"
        "grouper search I63.900 --scheme chs-drg-2.0 --leads",
        "Find diagnoses, procedures (insurance editions) and groups by code, name, pinyin or initials. "
        "--scheme also tells what a scheme makes of each code (used, MCC/CC, exclusion table), and searches "
        "its groups. --leads tells which groups a code can lead to.\n\n"
        "Example: grouper search ngs --scheme chs-drg-2.0; "
        "grouper search I63.900 --scheme chs-drg-2.0 --leads",
    ),
)
@click.argument("text", nargs=-1, required=True)
@option("--scheme", metavar="ID|AREA|FOLDER", help=both("分组方案", "Scheme"))
@option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(_KINDS),
    help=both("只查诊断、手术操作或病组，可重复", "Only diagnoses, procedures or groups; repeatable"),
)
@option(
    "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help=both("最多列出", "At most")
)
@option("--leads", "where", is_flag=True, help=both("一个编码可以进入哪些组", "Where one code can lead"))
@option("--json", "as_json", is_flag=True, help=both("输出 JSON", "Write JSON"))
@lang_option
def search(
    text: tuple[str, ...], scheme: str | None, kinds: tuple[str, ...], limit: int, where: bool, as_json: bool
) -> None:
    from grouper.base.errors import UsageError
    from grouper.workbench.search import leads
    from grouper.workbench.search import search as find

    if where and scheme is None:
        raise UsageError(zh="--leads 须与 --scheme 同用", en="--leads goes with --scheme")
    if where and scheme is not None:
        found = leads(" ".join(text), scheme, lang=language())
        lines = _lead_lines(found)
    else:
        found = find(" ".join(text), scheme, kinds=kinds or _KINDS, limit=limit, lang=language())
        lines = _lines(found)
    click.echo(json.dumps(found, ensure_ascii=False, indent=1) if as_json else "\n".join(lines))


def _say(zh: str, en: str) -> str:
    return en if language() == "en" else zh


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    for item in found["items"]:
        yield _item(item)
    if not found["items"]:
        yield _say("没有找到", "nothing found")
    elif found["more"]:
        yield _say("还有更多，可用 --limit 或多写几个字", "there are more: use --limit, or write more")


def _item(item: Mapping[str, Any]) -> str:
    kinds = {
        "diagnosis": ("诊断", "diagnosis"),
        "procedure": ("操作", "procedure"),
        "group": ("病组", "group"),
    }
    told = [item["code"], item["name"], f"[{_say(*kinds[item['kind']])}]"]
    if item.get("class_text"):
        told.append(item["class_text"])
    if item.get("grey"):
        told.append(_say("医保灰码", "grey"))
    standing = item.get("standing")
    if standing:
        if standing["level"]:
            told.append(standing["level"])
        if standing["exclusion"]:
            table, size = standing["exclusion"]["table"], standing["exclusion"]["size"]
            told.append(
                _say(f"第 {table} 号排除表（{size} 个主要诊断）", f"exclusion table {table} ({size})")
            )
        if standing["not_for_grouping"]:
            told.append(_say("不作为分组规则", "not used for grouping"))
        elif not standing["used"]:
            told.append(_say("方案没有条件列有它", "no condition of the scheme names it"))
    return "  ".join(told)


def _lead_lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield _item(found["item"])
    for lead in found["leads"]:
        groups = _say("、", ", ").join(each["group"] for each in lead["groups"])
        inside = f"{_say('：', ': ')}{groups}" if groups else ""
        place = _say(f"作{lead['as_text']}", f"as {lead['as_text']}")
        yield f"  {lead['code']} {lead['name']}{_say('（', ' (')}{place}{_say('）', ')')}{inside}"
    if not found["leads"]:
        yield _say("  没有条件列有它", "  no condition names it")
