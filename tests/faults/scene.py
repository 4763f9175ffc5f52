"""What the cases begin with: a small month in every format, its lake, its rules; made once a process."""

# ruff: noqa: E501  # a kind is a line
from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from tests.faults.judge import Call, Server
from tests.settlement import settle_support as support

MONTH = "2025-05"
FORMATS = ("parquet", "csv", "jsonl", "json", "xlsx", "arrow", "arrows")
SECRET = "张三丰330102199001011234"
DECISIONS = "record_id,unreasonable_cost\n{0},100.00\n"
CORRECTIONS = "kind,hospital_code,pool,amount,score\naudit_deduction,{1},employee,10.00,\nquality,{1},*,,90\n"
MAP = 'layout = "own"\nbase = "canonical"\n[fields]\nsex = "sex"\ndiagnoses = {{ columns = "diagnoses", separator = "|" }}\n'
CAPITATION = "institution,persons,fund,referrals\nA,1000,300.00,10.00\n"
# The calls of which one part is at fault; all go through as they stand.
CALLS: dict[str, str] = {
    "group": "group cases.parquet -o out.parquet --scheme chs-drg-2.0",
    "crosswalk": "crosswalk cases.parquet --from chs-drg-2.0 --to dip-taian-2025 -o out.csv",
    "columns": "columns cases.csv",
    "explain": "explain cases.csv --record-id {record} --scheme chs-drg-2.0",
    "explain-json": "explain - --scheme chs-drg-2.0",
    "pay": "pay grouped.parquet --policy tianmen --hospitals hospitals.csv -o out.parquet --as-of 2025-05-31",
    "plan": "settle --area tianmen --month 2025-05 --input cases.parquet --budget budget.toml "
            "--hospitals hospitals.csv -o lake --max-rejected 1 --dry-run",
    "settle": "settle --area tianmen --month 2025-05 --input cases.parquet --budget budget.toml "
              "--hospitals hospitals.csv -o lake --max-rejected 1 --max-held 1 --no-report --threads 1",
    "clear": "clear --area tianmen --year 2025 --budget budget.toml --partial --held-remain -o old --dry-run",
    "status": "status old",
    "statement": "statement old --hospital {hospital}",
    "audit": "audit old",
    "repair": "lake repair old",
    "watch": "watch old --area tianmen -o out.csv",
    "weights": "weights fit cases-grouped.parquet --scheme chs-drg-2.0 -o out.csv --round-cost",
    "indices": "indices grouped.parquet -o out.csv",
    "policy": "policy show tianmen",
    "verify": "policy verify tianmen",
    "tables": "tables show chs-drg-2.0",
    "export": "tables export dip-taian-2025 out.xlsx",
    "synth": "synth -o out --rows 200 --months 1 --hospitals 30",
}  # fmt: skip

MADE = {
    "grouped.parquet": "group cases.parquet -o grouped.parquet --scheme dip-taian-2025",
    "cases-grouped.parquet": "group cases.parquet -o cases-grouped.parquet --scheme chs-drg-2.0",
    "old": "settle",
}


@dataclass
class Scene:
    """A folder with everything that CALLS names, to be copied from."""

    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="faults-")))
    memory: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        city = support.city(900, 0.0, (5,))
        self.rows = support.take(city, MONTH, 24)
        self.schema = pq.read_schema(city / f"{MONTH}.parquet").remove_metadata()
        for format_ in FORMATS:
            write(self.root / f"cases.{format_}", self.rows, self.schema)
        for name in ("budget.toml", "hospitals.csv"):
            shutil.copy(city / name, self.root / name)
        self.record, self.hospital = self.rows[0]["record_id"], self.rows[0]["hospital_code"]
        for name, text in (
            ("decisions.csv", DECISIONS), ("corrections.csv", CORRECTIONS), ("map.toml", MAP),
            ("record.json", json.dumps({"diagnoses": ["I63.900"], "sex": 1, "age_years": 70}).replace("{", "{{").replace("}", "}}")),
        ):  # fmt: skip
            (self.root / name).write_text(text.format(self.record, self.hospital), encoding="utf-8")

    def call(self, name: str) -> str:
        return CALLS[name].format(record=self.record, hospital=self.hospital)

    def made(self, name: str) -> Path:
        """A file of the scene; results and the lake are made when they are first asked for."""
        path = self.root / name
        if name in MADE and not path.exists():
            argv = self.call("settle").replace("lake", "old") if name == "old" else MADE[name]
            done = self.server.call(self.root, Call(argv.split()), 120)
            assert done["code"] == 0, (argv, done)
            for left in (".out", ".err"):
                (self.root / left).unlink()
        return path

    def base(self, folder: Path, name: str) -> list[str]:
        """The words of a call, with all the files of the scene that it names in ``folder``."""
        words = self.call(name).split()
        for word in words:
            source = self.made(word)
            if source.is_dir():
                shutil.copytree(source, folder / word)
            elif source.is_file():
                shutil.copy(source, folder / word)
        if name == "explain-json":
            shutil.copy(self.root / "record.json", folder / "record.json")
        return words

    @cached_property
    def server(self) -> Server:
        return Server()


def write(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Rows in the format of the suffix; lists joined by | where a format has none."""
    kind = path.suffix[1:]
    if kind in ("parquet", "arrow", "arrows"):
        table = pa.Table.from_pylist(list(rows), schema=schema)
        if kind == "parquet":
            pq.write_table(table, path)
            return
        opened = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with opened(str(path), schema) as writer:
            writer.write_table(table)
        return
    flat = [{name: plain(row.get(name)) for name in schema.names} for row in rows]
    if kind == "csv":
        path.write_text(csv_text(flat), encoding="utf-8")
    elif kind == "xlsx":
        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet("cases")
            sheet.write_row(0, 0, list(flat[0]))
            for number, row in enumerate(flat, 1):
                for place, value in enumerate(row.values()):
                    sheet.write_string(number, place, value) if value else None
    else:
        found = [json.dumps({k: v for k, v in row.items() if v != ""}, ensure_ascii=False) for row in flat]
        text = "\n".join(found) + "\n" if kind == "jsonl" else f"[{','.join(found)}]"
        path.write_text(text, encoding="utf-8")


def plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "|".join(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def csv_text(rows: Sequence[Mapping[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
