"""Kind ``rules``: budgets, policies, decisions, corrections, hospitals, maps and schemes that are wrong.

Every key of a good file gets values that it cannot have; and each file has faults of its own.
"""

# ruff: noqa: E501  # a kind is a line
from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import tomli_w

from tests.faults.judge import Call, Case
from tests.faults.scene import Scene

FIRST = {
    "budget": 'period = "2025"\narea = "tianmen"\nmonth_weights = ["1","1","1","1","1","1","1","1","1","1","1","1"]\n[pools.employee]\nbudget = "9000000"\nreserve = "0.05"\n'
              'carve_outs = [{ name = "a", amount = "10", source = "s" }]\n[pools.resident]\nbudget = "9000000"\n',
    "policy": 'id = "own/2025"\narea = "tianmen"\nextends = "tianmen/2025"\nname = "本地"\nname_en = "own"\nscheme = "dip-taian-2025"\n'
              'valid_from = 2025-01-01\nvalid_to = 2025-12-31\nvalidity_verified = false\n[parameters.high_limit]\nvalue = "2.0"\nsource = "s"\nverified = false\n'
              '[[routes]]\nname = "own"\nzh = "自"\nen = "own"\nmethod = "item"\nwhen = { department = ["A21"] }\nsource = "s"\nverified = false\n',
    "map": 'layout = "own"\nbase = "canonical"\nheader_row = 1\ndrop = ["record_no"]\n[fields]\nsex = "sex"\n'
           'diagnoses = { columns = "diagnoses", separator = "|" }\n[values.sex]\n"1" = "1"\n',
}  # fmt: skip
CALL = {"budget": ("plan", "--budget", "budget.toml"), "policy": ("pay", "--policy", "own.toml"),
        "map": ("group", "--columns", "map.toml")}  # fmt: skip
# Values that a key cannot have: a table where none is, vast and deep ones.
WRONG: dict[str, Any] = {
    "table": {"a": 1}, "list": [["x"]], "vast": "1e999999999", "nan": float("nan"), "digits": "9" * 5000,
    "truth": True, "blank": "", "minus": "-1",
}  # fmt: skip
TEXTS = {
    "budget": {
        "two-weights": ("month_weights = [", 'month_weights = ["1","2"]\nx_ = ['), "pool-moon": ("[pools.employee]", '[pools.moon]\nbudget = "1"\n[pools.employee]'),
        "no-toml": ("period", "period ="), "period-13": ('"2025"', '"2025-13"'), "other-year": ('"2025"', '"2024"'),
        "other-area": ('"tianmen"', '"yulin"'), "twice": ("period", 'period = "2025"\nperiod'), "unknown": ("period", "x = 1\nperiod"),
        "deep": ("period", "d = " + "[" * 3000 + "]" * 3000 + "\nperiod"), "percent": ('"0.05"', '"5%"'), "reserve-2": ('"0.05"', '"2"'),
        "passwd": ("period", 'hospitals = "/etc/passwd"\nperiod'), "no-file": ("period", 'hospitals = "none.csv"\nperiod'),
        "no-pool": ("[pools.resident]\n", "[pools.other]\n"), "comma": ('"9000000"', '"9,000,000.5,0"'), "carve-more": ('"10"', '"99999999999"'),
    },
    "policy": {
        "text-for-table": ("[parameters.high_limit]", 'point_value = "80"\n[parameters.high_limit]'), "list": ("[parameters.high_limit]", "parameters = []\n[x]"),
        "bad-condition": ('department = ["A21"]', 'total_cost = { above = "abc" }'), "no-method": ('"item"', '"none"'),
        "extends-number": ('"tianmen/2025"', "5"), "extends-self": ('"tianmen/2025"', '"own.toml"'), "extends-loop": ('"tianmen/2025"', '"sub/../own.toml"'),
        "extends-none": ('"tianmen/2025"', '"none/2025"'), "time": ("2025-01-01", "2025-01-01T00:00:00"), "turned": ("2025-12-31", "2024-12-31"),
        "unknown-parameter": ("high_limit", "height_limit"), "unknown-key": ('name = "本地"', 'nam = "x"\nname = "本地"'), "no-scheme": ("dip-taian-2025", "none"),
        "other-scheme": ("dip-taian-2025", "chs-drg-2.0"), "fifty-digits": ('"2.0"', '"2.' + "1" * 50 + '"'), "no-toml": ('value = "2.0"', "value = 2.0.0"),
        "route-twice": ('[[routes]]\n', '[[routes]]\nname = "own"\nmethod = "item"\nwhen = { department = ["A"] }\nzh = "z"\nen = "e"\nsource = "s"\nverified = true\n[[routes]]\n'),
        "future-format": ('id = ', "format = 99\nid = "),
    },
    "map": {
        "no-toml": ("sex =", "sex = ="), "unknown-field": ("sex =", "sexe ="), "no-column": ('"sex"', '"none"'), "bad-base": ('"canonical"', '"none"'),
        "row-0": ("header_row = 1", "header_row = 0"), "row-text": ("header_row = 1", 'header_row = "1"'),
        "backtrack": ('"sex"\ndiag', '"' + "d{n}" * 12 + '"\ndiag'), "unit": ("sex =", 'icu_hours = { columns = "icu_hours", unit = "years" }\nsex ='),
        "bad-value": ('"1" = "1"', '"1" = "7"'), "empty-separator": ('separator = "|"', 'separator = ""'), "two-columns": ('"sex"\ndiag', '["sex", "age_years"]\ndiag'),
    },
}  # fmt: skip
TABLES: dict[str, dict[str, str]] = {
    "decisions": {
        "unknown-column": "record_id,x\n{0},1\n", "unknown-record": "record_id,unreasonable_cost\nZ,1\n", "twice": "record_id,unreasonable_cost\n{0},1\n{0},1\n",
        "text": "record_id,unreasonable_cost\n{0},abc\n", "vast": "record_id,unreasonable_cost\n{0},1E+999999\n", "digits": "record_id,unreasonable_cost\n{0}," + "9" * 5000 + "\n",
        "nan": "record_id,unreasonable_cost\n{0},nan\n", "comma": 'record_id,unreasonable_cost\n{0},"1,2"\n', "ragged": "record_id,unreasonable_cost\n{0},1,2\n",
        "empty": "", "blank-id": "record_id,unreasonable_cost\n,1\n", "header-twice": "record_id,record_id\n{0},{0}\n", "minus": "record_id,unreasonable_cost\n{0},-1\n",
    },
    "corrections": {
        "unknown-kind": "kind,record_id\nnone,{0}\n", "unknown-column": "kind,x\nquality,1\n", "no-score": "kind,hospital_code,score\nquality,{1},\n",
        "bad-score": "kind,hospital_code,score\nquality,{1},abc\n", "vast-amount": "kind,hospital_code,pool,amount\naudit_deduction,{1},employee,1E+999\n",
        "long-amount": "kind,hospital_code,pool,amount\naudit_deduction,{1},employee," + "9" * 40 + "\n", "fen-parts": "kind,hospital_code,pool,amount\naudit_deduction,{1},employee,1.001\n",
        "unknown-pool": "kind,hospital_code,pool,amount\naudit_deduction,{1},moon,1\n", "unknown-hospital": "kind,hospital_code,pool,amount\naudit_deduction,H9,employee,1\n",
        "unknown-case": "kind,record_id\nwithdrawal,Z9\n", "empty": "", "text": "不是表格\n", "score-101": "kind,hospital_code,score\nquality,{1},1e9\n",
    },
    "hospitals": {
        "empty": "", "no-code": "name\nx\n", "twice": "hospital_code,hospital_level\n{1},3\n{1},2\n", "bad-level": "hospital_code,hospital_level\n{1},nine\n",
        "bad-coefficient": "hospital_code,hospital_level,hospital_coefficient\n{1},3,abc\n", "blank": "hospital_code,hospital_level\n,3\n", "header-twice": "hospital_code,hospital_code\n{1},{1}\n",
        "ragged": "hospital_code,hospital_level\n{1},3,4,5\n", "open-quote": 'hospital_code,hospital_level\n"{1},3\n', "nul": "hospital_code,hospital_level\n{1}\x00,3\n",
    },
}  # fmt: skip
OPEN = {("corrections", "empty"), ("corrections", "text"),  # taken for lists, which a plan does not open
        ("hospitals", "bad-level"), ("decisions", "unknown-record"), ("corrections", "score-101"), ("corrections", "unknown-case"),
        ("corrections", "unknown-hospital"), ("decisions", "minus"), ("hospitals", "ragged"), ("hospitals", "bad-coefficient")}  # fmt: skip
RECORDS = {
    "list": "[]", "null": "null", "number": "5", "text": '"x"', "bad-sex": '{"sex":"x"}', "number-code": '{"diagnoses":[5]}', "half": '{"diagnoses":',
    "empty": "", "deep": "[" * 100_000, "unknown": '{"x":1}', "huge": '{"age_years":' + "9" * 5000 + "}", "minus-age": '{"diagnoses":["I63.900"],"sex":1,"age_years":-5}',
    "two": '{"diagnoses":["I63.900"],"sex":1}{"sex":2}', "key-twice": '{"sex":1,"sex":2,"diagnoses":["I63.900"]}', "infinite": '{"diagnoses":["I63.900"],"age_years":1e999}',
    "surrogate": '{"diagnoses":["\\ud800"]}', "nested": '{"diagnoses":[["I63.900"]]}', "object": '{"diagnoses":{"a":1}}', "truth": '{"diagnoses":["I63.900"],"sex":true,"age_years":70}',
}  # fmt: skip


def cases() -> Iterator[Case]:
    for what, text in FIRST.items():
        for path in leaves(tomllib.loads(text)):
            for name, value in WRONG.items():
                yield Case(
                    "rules",
                    f"{what}/{'.'.join(map(str, path))}/{name}",
                    partial(_key, what, path, name, value),
                )
        for name, (before, after) in TEXTS[what].items():
            yield Case("rules", f"{what}/{name}", partial(_text, what, before, after))
    for what, table in TABLES.items():
        for name in table:
            yield Case("rules", f"{what}/{name}", partial(_table, what, name))
    for name, text in RECORDS.items():
        yield Case("rules", f"record/{name}", partial(_record, name, text))


def leaves(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The keys of a document, those of a list once."""
    items: list[tuple[str | int, Any]] = (
        list(document.items()) if isinstance(document, dict) else [(0, document[0])] if document else []
    )
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))


def _words(scene: Scene, folder: Path, what: str, text: str) -> Call:
    call, flag, name = CALL[what]
    words = scene.base(folder, call)
    (folder / name).write_text(text, encoding="utf-8")
    if flag in words:
        words[words.index(flag) + 1] = name
    else:
        words += [flag, name]
    outputs = [words[words.index("-o") + 1]] if call != "plan" else []
    return Call(
        words,
        None,
        [name, flag, name.removesuffix(".toml"), "extends", "scheme", "none.csv", "name is too long"],
        outputs,
    )


def _key(what: str, path: tuple[str | int, ...], name: str, value: Any, scene: Scene, folder: Path) -> Call:
    document: Any = tomllib.loads(FIRST[what])
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    plain = not isinstance(inner[path[-1]], dict | list)
    inner[path[-1]] = value
    made = _words(scene, folder, what, tomli_w.dumps(document))
    if what == "policy" and name not in PRICED:  # pricing takes a second where the file is taken
        made = replace(made, argv=["policy", "show", "own.toml"], outputs=())
    must = (
        name == "table"
        and plain
        and not (what == "map" and path == ("fields", "sex"))
        and path[-1] not in FREE
    )
    return Call(made.argv, True if must else None, made.names, made.outputs)


PRICED = ("vast", "minus")
FREE = ("name", "name_en", "source", "zh", "en", "layout")  # texts for people, which may be anything


def _text(what: str, before: str, after: str, scene: Scene, folder: Path) -> Call:
    assert before in FIRST[what], before
    made = _words(scene, folder, what, FIRST[what].replace(before, after, 1))
    return Call(made.argv, True, made.names, made.outputs)


def _table(what: str, name: str, scene: Scene, folder: Path) -> Call:
    text = TABLES[what][name].format(scene.record, scene.hospital)
    words = scene.base(folder, "plan")
    (folder / f"{what}.csv").write_text(text, encoding="utf-8")
    if f"--{what}" not in words:
        words += [f"--{what}", f"{what}.csv"]
    refused = None if (what, name) in OPEN else True
    return Call(words, refused, [rf"{what}\.csv", f"--{what}"])


def _record(name: str, text: str, scene: Scene, folder: Path) -> Call:
    shutil.copy(scene.root / "record.json", folder)
    (folder / "record.json").write_text(text, encoding="utf-8")
    words = scene.call("explain-json").split()
    good = name in ("minus-age", "unknown", "truth", "two", "key-twice", "bad-sex", "infinite", "huge")
    return Call(words, None if good else True, stdin="record.json")
