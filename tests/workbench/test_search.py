"""Searching codes and groups, and where a code can lead."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grouper
from grouper.base.errors import UsageError
from grouper.codes import icd
from grouper.grouping.drg.explain import explain
from grouper.workbench.pinyin import read, syllables
from grouper.workbench.pinyin_table import HAN, names
from grouper.workbench.search import KINDS

from ..in_process import call
from ..support import loaded, random_records

SCHEME = "chs-drg-2.0"


def found(text: str, **options: Any) -> list[str]:
    return [item["code"] for item in grouper.search(text, **options)["items"]]


@pytest.mark.parametrize(
    ("text", "first", "how"),
    [
        ("I63.900", "I63.900", "code"), ("i639", "I63.900", "code"), ("512300", "51.2300", "code"),
        ("脑梗死", "I63.900", "name"), ("ngs", "I63.900", "initials"), ("naogengsi", "I63.900", "pinyin"),
        ("fqjxdnqc", "51.2300", "initials"), ("NGS", "I63.900", "initials"), ("HC2", "HC2", "code"),
    ],
)  # fmt: skip
def test_the_first_that_is_found(text: str, first: str, how: str) -> None:
    item = grouper.search(text, SCHEME)["items"][0]
    assert (item["code"], item["how"]) == (first, how)


def test_characters_of_several_readings_are_found_by_each() -> None:
    assert syllables()["重"] == ("zhong", "chong") and "xie" in syllables()["血"]
    initials, whole = read("血管")
    assert initials == ["xg"] and whole == ["xueguan", "xieguan"]
    assert read("重症")[0] == ["zz", "cz"]
    by = {text: set(found(text, limit=200)) for text in ("xueguanliu", "xieguanliu", "血管瘤")}
    assert by["xueguanliu"] == by["xieguanliu"] and by["xueguanliu"] & by["血管瘤"]


def test_every_character_of_every_name_can_be_read() -> None:
    known = syllables()
    unread = {
        char for name in icd.diagnoses().values() for run in HAN.findall(name) for char in run
    } - known.keys()
    assert not unread
    assert all(re.fullmatch("[a-z]+", one) for several in known.values() for one in several)


@pytest.mark.slow
def test_the_table_is_what_its_generator_makes() -> None:
    pytest.importorskip("pypinyin")
    from grouper.base.paths import tables_dir
    from grouper.workbench.pinyin_table import table_text

    assert (tables_dir() / "icd" / "pinyin.csv").read_text(encoding="utf-8") == table_text()
    assert all(char in syllables() for name in names() for run in HAN.findall(name) for char in run)


def test_words_between_blanks_must_all_fit() -> None:
    names_ = [item["name"] for item in grouper.search("脑梗死 大脑", limit=50)["items"]]
    assert names_ and all("脑梗死" in name and "大脑" in name for name in names_)


def test_what_a_scheme_says_of_a_code() -> None:
    (item,) = grouper.search("I50.900", SCHEME, limit=1)["items"]
    assert item["standing"]["level"] == "MCC" and item["standing"]["exclusion"]["size"] > 0
    (grey,) = grouper.search("I63.600", limit=1)["items"]
    assert "standing" not in grey and isinstance(grey["grey"], bool)
    (operation,) = grouper.search("85.4300", SCHEME, limit=1)["items"]
    assert operation["grey"] and not operation["standing"]["used"]
    assert operation["class_text"] == "手术"
    assert grouper.search("85.4300", SCHEME, limit=1, lang="en")["items"][0]["class_text"] == "surgery"


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=20) | st.sampled_from(["a" * 500, "\x00", "\ud800", "I63\n", "% _ *"]))
def test_any_text_may_be_searched(text: str) -> None:
    answer = grouper.search(text, SCHEME, limit=5)
    assert len(answer["items"]) <= 5
    json.dumps(answer, ensure_ascii=False).encode()


@settings(max_examples=30, deadline=None)
@given(code=st.sampled_from(sorted(icd.diagnoses()) + sorted(icd.procedures())))
def test_every_code_is_found_by_itself_and_by_its_name(code: str) -> None:
    assert found(code, limit=1) == [code]
    name = icd.diagnoses().get(code) or icd.procedures()[code]
    assert code in found(name, limit=200)


def test_a_code_leads_to_every_group_that_it_puts_a_record_into() -> None:
    """The codes on which an explanation rests lead, at that place, to the ADRG of the record."""
    import random

    scheme = loaded(SCHEME)
    told = 0
    for record in random_records(scheme, random.Random(3), 30):
        explained = explain(scheme.engine, {**record, "flags": 0})
        for item in explained.because:
            leads = grouper.leads(item.code, SCHEME)["leads"]
            places = {(lead["as"], lead["list"]) for lead in leads}
            assert (item.subject, item.list) in places
            told += 1
    assert told > 20


def test_a_code_leads_to_packets() -> None:
    (first, *_) = [
        lead for lead in grouper.leads("51.2300", "dip-taian-2025")["leads"] if lead["above"] == "K80.0"
    ]
    assert first["code"] == "K80.0:51.2300" and first["as"] == "principal_proc"
    assert "K80.0:51.2300" in {
        lead["code"] for lead in grouper.leads("K80.000x002", "dip-taian-2025")["leads"]
    }


def test_a_wrong_call_raises() -> None:
    for wrong in ({"kinds": ("drug",)}, {"limit": 0}, {"scheme": "chs-drg-9"}):
        with pytest.raises(UsageError):
            grouper.search("x", **wrong)
    with pytest.raises(UsageError, match=r"I63\.900"):
        grouper.leads("I63.9", SCHEME)
    assert KINDS == ("diagnosis", "procedure", "group")


def test_the_command() -> None:
    code, out, _ = call("search", "ngs", "--scheme", SCHEME, "--limit", 3)
    assert code == 0 and out.decode().splitlines()[0].startswith("I63.900  脑梗死  [诊断]")
    code, out, _ = call("search", "I50.900", "--scheme", SCHEME, "--limit", 1, "--lang", "en")
    assert "MCC" in out.decode() and "exclusion table 90" in out.decode()
    code, out, _ = call("search", "I63.900", "--scheme", SCHEME, "--leads", "--json")
    assert {lead["code"] for lead in json.loads(out)["leads"]} == {"MDCB", "BR2"}
    code, _, err = call("search", "I63.900", "--leads")
    assert code == 1 and "--scheme" in err.decode()
