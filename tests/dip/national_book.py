"""The national DIP 3.0 workbook, written from the files of a folder in the layout of the ministry's."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Book = dict[str, list[list[str]]]
_HEAD = ["分类", "序号", "主要诊断编码", "主要诊断名称"]
_MAIN = ["主要手术操作编码", "主要手术操作名称"]
_RELATED = ["相关手术操作编码", "相关手术操作名称"]
_SAYS = {"conservative": "按保守治疗入组", "not_main": "不可作为主要手术操作"}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def national_book(folder: Path) -> Book:
    """Title rows, header, rows of every sheet; names are left to the reader's imagination."""
    rules = rows_of(folder / "rules.csv")
    out = rows_of(folder / "exclusions.csv")
    burn = [r for r in rules if r["step"] == "diagnosis_split" and r["other_dx"].startswith("T")]
    tumour = [r for r in rules if r["step"] == "diagnosis_split" and r["other_dx"].startswith("C")]
    tb = [r for r in rules if r["step"] == "diagnosis_split" and not r["other_dx"]]
    packet_head = [*_HEAD, *_MAIN, *_RELATED]
    return {
        "一、先期分组": _pre_groups([r for r in rules if r["step"] == "pre_group"]),
        "二、并项规则下的核心病种": _sheet(
            1, packet_head, (_packet(r) for r in rules if r["step"] == "merge")
        ),
        "三、诊断辅助细分-烧伤类病种": _sheet(
            2,
            [*_HEAD[:3], "烧伤腐蚀伤程度", "其他诊断编码", "烧伤腐蚀伤面积", *_MAIN, *_RELATED],
            ([*_packet(r)[:3], "", r["other_dx"], "", *_packet(r)[4:]] for r in burn),
        ),
        "三、诊断辅助细分-肿瘤类病种": _sheet(
            1,
            [*_HEAD, "其他诊断编码", "其他诊断名称", *_MAIN, *_RELATED],
            ([*_packet(r)[:4], r["other_dx"], "", *_packet(r)[4:]] for r in tumour),
        ),
        "三、诊断辅助细分-结核类病种": _sheet(
            1, [*packet_head, "是否耐药", "是否耐药说明"], ([*_packet(r), *_resistance(r)] for r in tb)
        ),
        "附表—结核耐药诊断": _sheet(
            1,
            ["编码", "名称"],
            ([r["code"], ""] for r in rows_of(folder / "lists.csv") if r["place"] == "main"),
        ),
        "四、基础规则下的核心病种": _sheet(
            1, packet_head, (_packet(r) for r in rules if r["step"] == "basic")
        ),
        "五、不纳入分组的主要诊断": _sheet(
            2, ["编码", "名称"], ([r["code"], "某病"] for r in out if r["kind"] == "diagnosis")
        ),
        "五、不纳入分组的主要手术操作": _sheet(
            1,
            ["编码", "名称", "说明"],
            ([r["code"], "某手术", _says(r)] for r in out if r["kind"] == "procedure"),
        ),
        "六、基层病种": _sheet(
            1,
            ["序号", "主要诊断编码", "名称", "手术操作编码", "手术操作名称"],
            ([r["code"], r["dx"], "", r["procedures"], ""] for r in rows_of(folder / "primary_care.csv")),
        ),
    }


def _sheet(titles: int, header: Sequence[str], rows: Any) -> list[list[str]]:
    return [*([["按病种分值付费病种库（3.0版）"]] * titles), list(header), *map(list, rows)]


def _packet(rule: dict[str, str]) -> list[str]:
    group, _, seq = rule["code"].partition("-")
    return [group, seq, rule["dx"], "", rule["procedures"], "", rule["related"], ""]


def _pre_groups(rules: list[dict[str, str]]) -> list[list[str]]:
    header = ["分类", "序号", "分组名称", "主要诊断编码", "主要诊断名称", *_MAIN, "说明"]
    newborn = ["分类", "序号", "分组名称", "主要诊断编码", "主要诊断名称", "天龄", "出生体重", "说明"]
    plain = [
        ["", r["code"][3:], r["name"], "", "", r["procedures"], "",
         "出现在任一手术操作中" if r["position"] == "any" else "主要手术操作"]
        for r in rules if r["procedures"]
    ]  # fmt: skip
    bands = [
        ["", r["code"][3:], r["name"], r["any_dx"], "", f"＜{int(r['age_days'].split('-')[1]) + 1}天",
         f"{r['weight']}克", "诊断中有"]
        for r in rules if r["weight"]
    ]  # fmt: skip
    return [*_sheet(2, header, plain), newborn, *bands]


def _resistance(rule: dict[str, str]) -> list[str]:
    return ["是" if rule["listed"] else "否", "主要诊断在附表内，或其他诊断为U84.300"]


def _says(row: dict[str, str]) -> str:
    return _SAYS.get(row["rule"]) or f"主要诊断为{row['scope'].replace('|', '、')}时可作为主要手术操作"
