"""Whole files of every format that comes from outside, small enough that flips meet their structure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from grouper.synth.city import City, city_batches
from grouper.synth.city.hospitals import hospital_csv

from ..records import record_files
from ..schemes.scheme_samples import small_scheme

TABLES = Path(__file__).parent.parent.parent / "tables"
FEATURES = Path(__file__).parent.parent / "dip" / "features"
Files = list[tuple[str, Path]]  # what the child does with it, and the file or folder
_ROWS = 24


@cache
def month() -> pa.Table:
    """Some cases of a month, with every column that a settlement reads."""
    made = City(rows=1200, hospitals=30, dirty=0.1, year=2025)
    return pa.Table.from_batches(list(city_batches(made, 3))).slice(0, _ROWS)


def csv(folder: Path) -> Files:
    rows = [[record_files.text(value) for value in row.values()] for row in month().to_pylist()]
    path = record_files.write_csv(folder / "month.csv", month().column_names, rows)
    wide = record_files.hqms(_new(folder, "wide"), "gb18030")
    return [("records", path), ("records", wide), ("table", _hospitals(folder))]


def _hospitals(folder: Path) -> Path:
    path = folder / "hospitals.csv"
    path.write_text(hospital_csv(City(rows=1200, hospitals=30, year=2025)), "utf-8")
    return path


def xlsx(folder: Path) -> Files:
    return [
        ("records", record_files.canonical_xlsx(folder)),
        ("table", _workbook(folder / "hospitals.xlsx", _hospitals(folder))),
    ]


def _workbook(path: Path, table: Path) -> Path:
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    for number, line in enumerate(table.read_text("utf-8").splitlines()):
        sheet.write_row(number, 0, line.split(","))
    book.close()
    return path


def parquet(folder: Path) -> Files:
    table = month()
    pq.write_table(table, folder / "month.parquet", row_group_size=10)
    pq.write_table(table, folder / "plain.parquet", compression="none", use_dictionary=False)
    pq.write_table(table, folder / "summed.parquet", compression="zstd", write_page_checksum=True)
    found = [folder / "month.parquet", folder / "plain.parquet", folder / "summed.parquet"]
    other = _new(folder, "others")
    found += [record_files.dictionary_parquet(other), record_files.large_parquet(other)]
    return [("records", path) for path in found]


def _views() -> pa.Table:
    """A table whose texts are views, and lists of them."""
    table = month()
    for number, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(number, field.name, table.column(number).cast(pa.string_view()))
    return table


def _ipc(folder: Path, opened: Any, suffix: str) -> Files:
    found = []
    kinds = {
        "month": month(), "dictionary": record_files.dictionary_table(), "views": _views(),
        "large": record_files.canonical_table(pa.large_list(pa.large_string())),
    }  # fmt: skip
    for name, table in kinds.items():
        path = folder / f"{name}.{suffix}"
        with opened(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=10)
        found.append(("records", path))
    packed = folder / f"packed.{suffix}"
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with opened(packed, month().schema, options=options) as writer:
        writer.write_table(month())
    return [*found, ("records", packed)]


def arrow_file(folder: Path) -> Files:
    return _ipc(folder, pa.ipc.new_file, "arrow")


def arrow_stream(folder: Path) -> Files:
    return _ipc(folder, pa.ipc.new_stream, "arrows")


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if v is not None} for row in month().to_pylist()]


def jsonl(folder: Path) -> Files:
    path = folder / "month.jsonl"
    lines = [json.dumps(row, ensure_ascii=False, default=str) for row in _lines(folder)]
    path.write_text("\n".join(lines), "utf-8")
    return [("records", path)]


def json_array(folder: Path) -> Files:
    path = folder / "month.json"
    path.write_text(json.dumps(_lines(folder), ensure_ascii=False, default=str), "utf-8")
    return [("records", path)]


def messages(folder: Path) -> Files:
    return [("records", record_files.json_4101(folder)), ("records", record_files.json_4101a(folder))]


def toml(folder: Path) -> Files:
    """Policies (which stand alone and which extend another), a budget, a column map."""
    shutil.copytree(TABLES / "policies" / "national", folder / "national", dirs_exist_ok=True)
    shutil.copytree(TABLES / "policies" / "base", folder / "base", dirs_exist_ok=True)
    names = ("national/dip", "national/drg-points-3.0", "tianmen/2025", "lishui/2022")
    found: Files = []
    for name in names:
        path = folder / f"{name}.toml"
        if not path.exists():
            path.parent.mkdir()
            shutil.copy(TABLES / "policies" / f"{name}.toml", path)
        found.append(("policy", path))
    budget = folder / "budget.toml"
    budget.write_text(
        'area = "a"\nperiod = "2025-03"\nsource = "预算"\n[pools.employee]\nannual_budget = "56000000.00"\n'
        "month_weights = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        'reserve = "10000"\ncarve_outs = [{ name = "单列", amount = "5", source = "x" }]\n'
        '[pools.resident]\ngrowth_base = "12.5"\ngrowth_rate = "0.05"\n'
        '[[hospitals]]\nhospital_code = "H1"\npool = "employee"\nprepaid = "12.50"\nscore = "98"\n',
        "utf-8",
    )
    columns = folder / "columns.toml"
    columns.write_text(
        'base = "canonical"\nheader_row = 1\ndrop = ["x"]\n[fields]\n'
        'diagnoses = { columns = ["JBDM{n}"], separator = "|" }\nsex = "JBDM1"\nicu_hours = '
        '{ columns = ["JBDM2", "JBDM3"], unit = "days+hours" }\n[values.sex]\n"男" = 1\n',
        "utf-8",
    )
    return [*found, ("budget", budget), ("columns", columns)]


def catalogue(folder: Path) -> Files:
    place = folder / "catalogue"
    shutil.copytree(FEATURES, place)
    return [("catalogue", place)]


def scheme(folder: Path) -> Files:
    from grouper.grouping.drg.tables.store import save

    place = folder / "scheme"
    save(small_scheme(), place)
    return [("scheme", place)]


FORMATS: dict[str, Callable[[Path], Files]] = {
    "csv": csv, "xlsx": xlsx, "parquet": parquet, "arrow-file": arrow_file, "arrow-stream": arrow_stream,
    "json": json_array, "jsonl": jsonl, "toml": toml, "json-4101": messages, "catalogue": catalogue,
    "scheme": scheme,
}  # fmt: skip


def _new(folder: Path, name: str) -> Path:
    (folder / name).mkdir(exist_ok=True)
    return folder / name
