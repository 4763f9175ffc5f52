"""Kinds ``values`` and ``money``: one call for many rows, one fault a row; each row is a case.

A fault must end where it stands: its row is flagged, and every other row is what it was.
"""

# ruff: noqa: E501  # a kind is a line
from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.faults.judge import Call, Case
from tests.faults.scene import Scene, plain, write

HERE = Path(__file__).parent
# Fields of grouping: class, and a scheme that reads it; a newborn, so that all of them count.
DRG, DRG_3, DIP = "chs-drg-2.0", "chs-drg-3.0", "dip-taian-2025"
GROUPING = {
    "sex": ("number", DRG), "age_years": ("number", DRG), "age_days": ("number", DRG),
    "birth_weight_g": ("number", DRG), "admission_weight_g": ("number", DRG_3), "los_days": ("number", DIP),
    "discharge_way": ("number", DIP), "icu_hours": ("number", DIP), "birth_date": ("date", DRG),
    "admission_date": ("date", DRG),
}  # fmt: skip
SEVERAL = ("semicolon", "pipe", "decimal-comma", "misplaced-commas")  # weights of several newborns
DURATION = ("day-first", "thirds")  # days, hours and minutes of a stay
NEWBORN = {
    "record_id": "", "diagnoses": "P07.300", "procedures": "-", "sex": "1", "age_years": "0", "age_days": "9",
    "birth_weight_g": "2400", "admission_weight_g": "2400", "los_days": "5", "discharge_way": "1",
    "department": "0302", "icu_hours": "0", "birth_date": "", "admission_date": "", "discharge_date": "",
}  # fmt: skip
AMOUNTS = (
    "total_cost", "own_expense", "self_pay_first", "deductible", "in_scope_amount", "pool_paid", "fund_paid",
    "serious_illness_paid", "medical_aid_paid", "account_paid", "cash_paid", "drug_cost", "consumable_cost",
)  # fmt: skip
SETTLED = dict.fromkeys(AMOUNTS, ("amount", "")) | {
    "discharge_date": ("date", ""), "admission_date": ("date", ""), "settlement_date": ("date", ""),
    "age_years": ("number", ""), "los_days": ("number", ""),
}  # fmt: skip
TRANSPORTS = ("csv", "jsonl")


def texts() -> list[dict[str, Any]]:
    found = tomllib.loads((HERE / "values.toml").read_text(encoding="utf-8"))["text"]
    return [row | {"text": row["text"] * row.get("times", 1)} for row in found]


def cases() -> Iterator[Case]:
    for kind, fields, transports in (("values", GROUPING, TRANSPORTS), ("money", SETTLED, ("csv",))):
        for transport in transports:
            for name, (class_, scheme) in fields.items():
                for number, row in enumerate(texts()):
                    several = row["name"] in (
                        SEVERAL if "weight" in name else DURATION if "hours" in name else ()
                    )
                    expected = "either" if several else row[class_]
                    told = partial(_told, kind, transport, scheme, name, number, expected)
                    yield Case(kind, f"{transport}/{name}/{row['name']}", told=told)


def _told(
    kind: str, transport: str, scheme: str, field: str, number: int, expected: str, scene: Scene
) -> tuple[str, str]:
    key = (kind, transport, scheme)
    if key not in scene.memory:
        make = _grouped if kind == "values" else _settled
        scene.memory[key] = make(scene, transport, scheme)
    failed, states = scene.memory[key]
    if failed:
        return failed
    state = states.get(f"{field}-{number}", "lost")
    if state == "lost":
        return "silent", f"the row of {field} is neither in the result nor among what was refused"
    flagged = state.startswith(("invalid", "rejected")) or " bad-" in state
    good = {"bad": flagged, "blank": True, "either": True}[expected]
    return ("clean", state) if good else ("silent", f"{field}: {state}")


def _grouped(scene: Scene, transport: str, scheme: str) -> tuple[Any, dict[str, str]]:
    """State of each row after ``group``."""
    rows = [NEWBORN | {"record_id": "plain"}]
    for name in (name for name, (_, own) in GROUPING.items() if own == scheme):
        for number, text in enumerate(texts()):
            row = NEWBORN | {"record_id": f"{name}-{number}"}
            if name.endswith("date"):
                row |= {
                    "birth_date": "2025-04-20",
                    "admission_date": "2025-04-29",
                    "discharge_date": "2025-05-04",
                }
            rows.append(row | {name: text["text"]})
    folder = scene.root / f"values-{transport}-{scheme}"
    folder.mkdir()
    _write(folder / f"cases.{transport}", rows)
    call = Call([*f"group cases.{transport} -o out.parquet --scheme {scheme}".split()])
    done = scene.server.call(folder, call, 120)
    if done["code"] != 0:
        return _failure(done), {}
    table = pq.read_table(folder / "out.parquet")
    shutil.rmtree(folder)
    states = dict(zip(table["record_id"].to_pylist(),
                      (f"{s} {r}" for s, r in zip(table["status"].to_pylist(), table["reason"].to_pylist(), strict=True)),
                      strict=True))  # fmt: skip
    plain_state = states["plain"]
    if plain_state.startswith(("invalid", "needs")):
        return ("silent", f"the plain row is {plain_state}"), {}
    return None, states


def _settled(scene: Scene, transport: str, _: str) -> tuple[Any, dict[str, str]]:
    """State of each row after ``settle``."""
    base = {name: plain(value) for name, value in scene.rows[0].items()}
    rows = []
    for name in SETTLED:
        for number, text in enumerate(texts()):
            own = dict.fromkeys(("record_id", "settlement_id", "visit_id", "person_id"), f"{name}-{number}")
            dated = {"birth_date": ""} if name == "age_years" else {}  # else the age comes from the dates
            rows.append(base | own | dated | {name: text["text"]})
    folder = scene.root / f"money-{transport}"
    shutil.copytree(
        scene.root,
        folder,
        ignore=lambda path, names: [n for n in names if n not in ("budget.toml", "hospitals.csv")],
    )
    _write(folder / f"cases.{transport}", rows)
    argv = scene.call("settle").replace("cases.parquet", f"cases.{transport}").split()
    done = scene.server.call(folder, Call(argv), 120)
    if done["code"] != 0:
        return _failure(done), {}
    found: dict[str, str] = {}
    for table, word in (("records", "taken"), ("cases", "case"), ("rejected", "rejected")):
        for path in (folder / "lake").glob(f"{table}/*/*/*/*/*.parquet"):
            read = pq.read_table(path, partitioning=None)
            reasons = read["reason"].to_pylist() if "reason" in read.column_names else [""] * read.num_rows
            found |= {i: f"{word} {r}" for i, r in zip(read["record_id"].to_pylist(), reasons, strict=True)}
    shutil.rmtree(folder)
    return None, found


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    import pyarrow as pa

    write(path, rows, pa.schema([(name, pa.string()) for name in rows[0]]))


def _failure(done: dict[str, Any]) -> tuple[str, str]:
    code = done["code"]
    verdict = "hang" if code is None else "crash" if code < 0 else "traceback" if code == 70 else "partial"
    return verdict, f"the whole call ended with {code}: {done['err'][-300:]}"
