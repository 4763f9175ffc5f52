"""Five lines first: the group, its codes, complications, what is one step away, and what is wrong."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from grouper.commands import cli
from grouper.grouping.drg.describing import list_words
from grouper.grouping.drg.explanation import Explanation

from .support import loaded, random_records

LABELS = {
    "zh": ("病组：", "依据：", "并发症：", "差一步：", "问题："),
    "en": ("Group: ", "Because of: ", "Complications: ", "One step away: ", "Wrong: "),
}
_FREE = re.compile(r"[A-Za-z]?[a-z]{3,}")  # words of English, unlike codes and MCC, DRG, ICU


def explained(diagnoses: str, procedures: str = "", **other: object) -> Explanation:
    record = {"diagnoses": diagnoses.split(), "procedures": procedures.split(), "sex": 1, "age_years": 50}
    found = loaded("chs-drg-2.0").explain(record | other)
    assert isinstance(found, Explanation)
    return found


def line(found: Explanation, number: int, lang: str = "zh") -> str:
    return found.summary(lang).splitlines()[number]


@pytest.mark.parametrize("name", ["chs-drg-2.0", "zhejiang-2022", "beijing-2024", "dip-taian-2025"])
def test_there_are_five_lines_and_the_rest_stands_below(name: str) -> None:
    grouper = loaded(name)
    records = random_records(loaded("chs-drg-2.0"), random.Random(7), 40)
    for record in [*records, {"diagnoses": ["", "I10.x00"]}, {"diagnoses": ["nothing"], "sex": 3}]:
        found = grouper.explain(record)
        for lang, labels in LABELS.items():
            lines = found.summary(lang).splitlines()
            assert [part.startswith(label) for part, label in zip(lines, labels, strict=True)] == [True] * 5
            assert found.text(lang).startswith(found.summary(lang) + "\n\n")


def test_the_group_and_the_codes_that_gave_it() -> None:
    found = explained("K80.101 J96.000 K83.100", "51.2300", sex=2)
    assert line(found, 0).startswith("病组：HC23 胆囊切除手术，伴合并症或并发症（MDCH ")
    assert line(found, 1) == (
        "依据：主要手术操作 51.2300 腹腔镜下胆囊切除术（HC2 手术操作表）；"
        "主要诊断 K80.101 胆囊结石伴慢性胆囊炎（MDCH 诊断表）"
    )


def test_complications_that_count_and_those_that_the_principal_diagnosis_excludes() -> None:
    """The exclusion names the table by some of its principal diagnoses."""
    found = explained("K80.101 J96.000 K83.100", "51.2300", sex=2)
    told = line(found, 2)
    assert told.startswith(
        "并发症：J96.000 急性呼吸衰竭 MCC 计入；K83.100 胆管梗阻 MCC 被主要诊断 K80.101 排除（第 "
    )
    (hit,) = (hit for hit in found.severity if hit.excluded)
    table = loaded("chs-drg-2.0").engine.scheme.exclusions[hit.table]
    first = sorted(table)[:3]
    assert f"号排除表的主要诊断：{'、'.join(first)} 等，共 {len(table)} 个）" in told
    assert found.as_dict()["tables"][0]["size"] == len(
        loaded("chs-drg-2.0").engine.scheme.exclusions[found.as_dict()["tables"][0]["name"]]
    )


def test_all_complications_that_count_are_named() -> None:
    text = explained("I63.900 J96.000 K83.100").text("zh")
    assert "并发症水平：MCC，来自 J96.000、K83.100（任一即可）" in text


def test_a_complication_that_is_only_excluded_is_one_step_away() -> None:
    found = explained("K80.101 K83.100", "51.2300", sex=2)
    (near,) = (miss for miss in found.near if miss.kind == "excluded")
    assert (near.code, near.instead, near.of) == ("HC23", "K83.100", "K80.101")
    assert "K83.100 胆管梗阻 若不被主要诊断 K80.101 排除：HC23" in line(found, 3)
    assert not [m for m in explained("K80.101 J96.000 K83.100", "51.2300").near if m.kind == "excluded"]


def test_an_unusable_outcome_of_delivery_is_one_step_away() -> None:
    """The commonest fault of obstetrics: Z37.000 is grey, Z37.000x001 is what OR1 asks for."""
    found = explained("O80.000 Z37.000", "", sex=2, age_years=30)
    (near,) = (miss for miss in found.near if miss.code == "OR1")
    assert near.kind == "diagnosis" and near.samples[0] == ("Z37.000x001", "单胎活产")
    assert "再有诊断 Z37.000x001 单胎活产、" in line(found, 3) and "：OR1 阴道分娩" in line(found, 3)


def test_another_main_operation_gives_one_group() -> None:
    """The first of the ADRGs that would hold, as they are tried in order."""
    found = explained("K35.300", "88.7600 47.0100")
    assert [(m.code, m.instead) for m in found.near if m.kind == "main"] == [("GE1", "47.0100")]
    swapped = explained("K35.300", "47.0100 88.7600")
    assert swapped.result["adrg"] == "GE1"


def test_a_second_operation_is_one_step_away_and_a_first_is_not() -> None:
    found = explained("J18.900", "96.7201")
    assert {miss.kind for miss in found.near if miss.code == "AH2"} == {"diagnosis", "procedure"}
    assert "再有手术操作 31.1x00x005" in line(found, 3)
    assert not [miss for miss in explained("C50.900", sex=2).near if miss.kind == "procedure"]


def test_grey_codes_have_their_specific_ones_one_step_away() -> None:
    found = explained("C50.900", "85.4300", sex=2)
    assert "85.4300（方案不用）改为 85.4300x003、85.4300x004、85.4301" in line(found, 3)
    assert "JA29 乳房恶性肿瘤根治性切除术" in line(found, 3)
    assert (
        line(found, 4) == "问题：主要手术操作 85.4300 单侧扩大的单纯乳房切除术 是医保灰码，本方案不用它分组"
    )


def test_ambiguous_groups_and_other_bodies_are_no_near_misses() -> None:
    """QY groups, and ages and weights that the patient has not."""
    grouper = loaded("chs-drg-2.0")
    for record in random_records(grouper, random.Random(3), 150):
        for miss in grouper.explain(record).near:
            assert not miss.code.endswith("QY")
    newborn = {"diagnoses": ["P07.101"], "procedures": [], "sex": 1, "age_years": 0, "age_days": 3}
    near = grouper.explain(newborn | {"birth_weight_g": 2100}).near
    assert not [miss for miss in near if miss.kind == "number"]


def test_a_packet_of_which_nothing_is_recorded_is_not_near() -> None:
    found = loaded("dip-taian-2025").explain(
        {"diagnoses": ["K80.000"], "procedures": ["51.2300"], "age_years": 50}
    )
    told = found.summary("zh").splitlines()[3]
    assert "缺手术操作 47.0100（已有 51.2300）" in told and "51.0102" not in told
    assert "51.0102" not in found.text("zh").split("差一点的病种")[1]


def test_lists_are_named_in_words_with_codes_of_theirs() -> None:
    text = explained("I63.900").text("zh")
    assert (
        "主要手术操作在 AA1 手术操作表（33.6x00，共 1 个）" in text
        or "主要手术操作在 AA1 手术操作表（" in text
    )
    assert ".proc" not in text and ".dx" not in text and "VALID" not in text
    english = explained("I63.900").text("en")
    assert "main procedure in the procedures of AA1 (" in english and "the valid procedures" in english
    listed = {entry["name"]: entry for entry in explained("I63.900").as_dict()["lists"]}
    scheme = loaded("chs-drg-2.0").engine.scheme
    assert listed["AA1.proc"]["size"] == len(scheme.lists["AA1.proc"])
    assert {code for code, _ in listed["AA1.proc"]["samples"]} <= scheme.lists["AA1.proc"]


def test_every_list_of_every_scheme_has_words() -> None:
    for path in sorted((Path(__file__).parents[1] / "tables" / "drg").glob("*/lists.txt")):
        for name in re.findall(r"^\[(.+)\]$", path.read_text(encoding="utf-8"), re.MULTILINE):
            zh, en = list_words(name, "zh"), list_words(name, "en")
            assert name not in zh and not _FREE.search(zh), (path.parent.name, name, zh)
            assert name not in en and en.isascii()


def test_chinese_has_no_english_and_english_says_once_that_names_are_chinese() -> None:
    grouper = loaded("chs-drg-2.0")
    for record in random_records(grouper, random.Random(11), 60):
        found = grouper.explain(record)
        scheme = grouper.engine.scheme
        text = found.text("zh").replace(f"方案：{scheme.id}", "")
        names = {a.name for a in scheme.adrgs} | {d.name for _, d in scheme.groups()}
        for name in sorted(names | {step.name for step in found.codes}, key=len, reverse=True):
            text = text.replace(name, "") if name else text
        for step in found.codes:
            text = text.replace(step.raw, "")
        left = [word for word in _FREE.findall(text) if not re.fullmatch(r"[A-Z]?x?\d*", word)]
        assert not left, (left, text)
        if found.result["drg"]:
            assert found.text("en").count("in Chinese only") == 1


def test_what_of_a_department_matters() -> None:
    found = loaded("zhejiang-2022").explain({"diagnoses": ["A41.900"], "sex": 1, "age_years": 50})
    assert "科室只看是否为“ICU”，不是时写任何其他值都可以" in found.summary("zh")


def test_the_command_writes_five_lines_and_the_rest_when_asked() -> None:
    record = ["explain", "--scheme", "chs-drg-2.0", "--dx", "I63.900", "--sex", "1", "--age", "70"]
    short = CliRunner().invoke(cli, record).stdout
    whole = CliRunner().invoke(cli, [*record, "--full"]).stdout
    plain = json.loads(CliRunner().invoke(cli, [*record, "--json"]).stdout)
    assert len(short.splitlines()) == 5 and whole.startswith(short) and "一、编码" in whole
    assert plain["because"][0] == {"subject": "principal_dx", "code": "I63.900", "list": "BR2.dx"}


def test_the_lists_of_a_code_are_told_in_words() -> None:
    from click.testing import CliRunner

    from grouper.commands.tables import tables

    shown = CliRunner().invoke(tables, ["show", "chs-drg-2.0", "--code", "I63.900"]).output
    assert "主要诊断属于 BR2 诊断表" in shown and "principal_dx" not in shown
