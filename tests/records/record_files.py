"""A handful of invented discharges, and writers that put them into every layout that is read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

FIELDS = (
    "diagnoses",
    "procedures",
    "sex",
    "age_years",
    "age_days",
    "birth_weight_g",
    "los_days",
    "discharge_way",
    "department",
)


def record(
    record_id: str,
    diagnoses: list[str],
    procedures: list[str],
    sex: int,
    birth: date,
    admission: date,
    discharge: date,
    years: int,
    days: int | None,
    weight: int | None,
    way: int,
    department: str,
) -> dict[str, Any]:
    return {
        "record_id": record_id,
        "diagnoses": diagnoses,
        "procedures": procedures,
        "sex": sex,
        "birth_date": birth,
        "age_years": years,
        "age_days": days,
        "birth_weight_g": weight,
        "admission_date": admission,
        "discharge_date": discharge,
        "los_days": max((discharge - admission).days, 1),
        "discharge_way": way,
        "department": department,
    }


RECORDS = [
    record(
        "R1",
        ["I21.001", "I10.x05", "E11.900"],
        ["36.0601", "88.5500"],
        1,
        date(1960, 5, 17),
        date(2025, 1, 3),
        date(2025, 1, 10),
        64,
        None,
        None,
        1,
        "心内科",
    ),
    record(
        "R2",
        ["P07.100x001"],
        [],
        2,
        date(2025, 2, 1),
        date(2025, 2, 6),
        date(2025, 2, 20),
        0,
        5,
        2850,
        1,
        "新生儿科",
    ),
    record(
        "R3",
        ["J18.900", "J96.000", "I50.900", "N17.900"],
        ["06.3100", "96.7201", "06.3100"],
        2,
        date(1939, 12, 31),
        date(2025, 3, 31),
        date(2025, 3, 31),
        85,
        None,
        None,
        5,
        "ICU",
    ),
    record(
        "R4",
        ["K35.800"],
        ["47.0100"],
        1,
        date(2012, 2, 29),
        date(2025, 2, 28),
        date(2025, 3, 5),
        12,
        None,
        None,
        9,
        "普外科",
    ),
    record(
        "R5",
        ["O80.000x001", "Z37.000"],
        ["73.5900"],
        2,
        date(1994, 7, 7),
        date(2025, 7, 7),
        date(2025, 7, 9),
        31,
        None,
        None,
        4,
        "产科",
    ),
]

EXPECTED = [{field: row[field] for field in FIELDS} for row in RECORDS]


def text(value: Any) -> str:
    """A value as a CSV cell."""
    if value is None:
        return ""
    return "|".join(value) if isinstance(value, list) else str(value)


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], encoding: str = "utf-8"
) -> Path:
    with path.open("w", encoding=encoding, newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows([text(cell) for cell in row] for row in rows)
    return path


def canonical_table(list_type: pa.DataType | None = None) -> pa.Table:
    types = {
        "sex": pa.int8(),
        "age_years": pa.int32(),
        "age_days": pa.int16(),
        "birth_weight_g": pa.int64(),
        "los_days": pa.int32(),
        "discharge_way": pa.int8(),
        "birth_date": pa.date32(),
        "admission_date": pa.date64(),
        "discharge_date": pa.date32(),
    }
    lists = list_type or pa.list_(pa.string())
    return pa.table(
        {
            name: pa.array(
                [row[name] for row in RECORDS],
                lists if name in ("diagnoses", "procedures") else types.get(name, pa.string()),
            )
            for name in RECORDS[0]
        }
    )


def canonical_csv(folder: Path, encoding: str = "utf-8") -> Path:
    return write_csv(folder / "canonical.csv", list(RECORDS[0]), ([*r.values()] for r in RECORDS), encoding)


def canonical_parquet(folder: Path) -> Path:
    pq.write_table(canonical_table(), folder / "canonical.parquet", row_group_size=2)
    return folder / "canonical.parquet"


def dictionary_table() -> pa.Table:
    table = canonical_table()
    for name in ("diagnoses", "procedures"):
        lists = table[name].combine_chunks()
        encoded = pa.ListArray.from_arrays(lists.offsets, lists.values.dictionary_encode())
        table = table.set_column(table.schema.get_field_index(name), name, encoded)
    return table


def dictionary_parquet(folder: Path) -> Path:
    pq.write_table(dictionary_table(), folder / "dictionary.parquet", use_compliant_nested_type=False)
    return folder / "dictionary.parquet"


def large_parquet(folder: Path) -> Path:
    pq.write_table(canonical_table(pa.large_list(pa.large_string())), folder / "large.parquet")
    return folder / "large.parquet"


def arrow_file(folder: Path) -> Path:
    with pa.ipc.new_file(folder / "r.arrow", dictionary_table().schema) as writer:
        writer.write_table(dictionary_table(), max_chunksize=2)
    return folder / "r.arrow"


def arrow_stream(folder: Path) -> Path:
    with pa.ipc.new_stream(folder / "r.arrows", canonical_table().schema) as writer:
        writer.write_table(canonical_table(), max_chunksize=2)
    return folder / "r.arrows"


def canonical_jsonl(folder: Path) -> Path:
    lines = [json.dumps(row, default=str, ensure_ascii=False) for row in RECORDS]
    (folder / "r.jsonl").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return folder / "r.jsonl"


def canonical_json_array(folder: Path) -> Path:
    (folder / "flat.json").write_text(json.dumps(RECORDS, default=str, indent=1), encoding="utf-8-sig")
    return folder / "flat.json"


def canonical_xlsx(folder: Path) -> Path:
    with xlsxwriter.Workbook(str(folder / "r.xlsx")) as book:
        sheet, day = book.add_worksheet("病案"), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, list(RECORDS[0]))
        for i, row in enumerate(RECORDS, 1):
            for j, (name, value) in enumerate(row.items()):
                if name == "discharge_date":  # a serial number, as a cell without a date format
                    sheet.write_number(i, j, (value - date(1899, 12, 30)).days)
                elif isinstance(value, date):
                    sheet.write_datetime(i, j, datetime(value.year, value.month, value.day), day)
                elif isinstance(value, int):
                    sheet.write_number(i, j, value)
                elif value:
                    sheet.write_string(i, j, text(value))
    return folder / "r.xlsx"


def opendrg(folder: Path) -> Path:
    header = [
        "Index",
        "gender",
        "age",
        "ageDay",
        "weight",
        "dept",
        "inHospitalTime",
        "leavingType",
        "ICD10",
        "ICD9",
    ]
    names = [
        "record_id",
        "sex",
        "age_years",
        "age_days",
        "birth_weight_g",
        "department",
        "los_days",
        "discharge_way",
        "diagnoses",
        "procedures",
    ]
    return write_csv(folder / "opendrg.csv", header, ([row[name] for name in names] for row in RECORDS))


def hqms(folder: Path, encoding: str = "utf-8") -> Path:
    """About 800 columns, the case of x mixed, blanks as ``-``, dates with slashes."""
    header = [
        "A48",
        "A11",
        "A12C",
        "A13",
        "A14",
        "A16",
        "A17",
        "A18x01",
        "A18x02",
        "B12",
        "B13C",
        "B15",
        "B16C",
        "B20",
        "b34c",
        "A20",
        "C03C",
        "C04N",
        "C05C",
    ]
    for i in range(1, 41):
        x = "xX"[i % 2]
        header += [f"C06{x}{i:02d}C", f"C07{x}{i:02d}N", f"C08{x}{i:02d}C"]
    header += ["C14x01C", "C15x01N", "C16x01"]
    # Not in the order of the numbers, as some exports are.
    for i in reversed(range(1, 41)):
        header += [f"C35X{i:02d}C", f"C36x{i:02d}N", f"C37x{i:02d}"]
    header += ["D01"] + [f"Z{i:03d}" for i in range(799 - len(header))]
    rows = []
    for row in RECORDS:
        slash = "{0.year}/{0.month}/{0.day}".format
        cells = {
            "A48": row["record_id"],
            "A11": "张三",
            "A20": "110101190001010000",
            "A12C": row["sex"],
            "A13": slash(row["birth_date"]),
            "A14": row["age_years"],
            "A16": row["age_days"],
            "A18x01": row["birth_weight_g"],
            "B12": slash(row["admission_date"]) + " 08:05:00",
            "B15": slash(row["discharge_date"]),
            "B16C": row["department"],
            "B20": row["los_days"],
            "b34c": row["discharge_way"],
            "C03C": row["diagnoses"][0],
            "D01": "1234.50",
            **{f"C06{'xX'[i % 2]}{i:02d}C": code for i, code in enumerate(row["diagnoses"][1:], 1)},
            **{("C14x01C" if i == 0 else f"C35X{i:02d}C"): code for i, code in enumerate(row["procedures"])},
        }
        rows.append([("-" if cells.get(name) is None else cells[name]) for name in header])
    return write_csv(folder / "hqms.csv", header, rows, encoding)


def pinyin(folder: Path) -> Path:
    header = [
        "USERNAME",
        "BAH",
        "XM",
        "XB",
        "CSRQ",
        "NL",
        "BZYZSNL",
        "XSECSTZ",
        "RYSJ",
        "RYSJ_S",
        "CYSJ",
        "CYKB",
        "SJZYTS",
        "LYFS",
        "JBDM",
        *(f"JBDM{i}" for i in range(1, 16)),
        *(f"SSJCZBM{i}" for i in range(1, 9)),
        "ZFY",
    ]
    rows = []
    for row in RECORDS:
        others = row["diagnoses"][1:] + [None] * (16 - len(row["diagnoses"]))
        operations = row["procedures"] + [None] * (8 - len(row["procedures"]))
        rows.append(
            [
                "H001",
                row["record_id"],
                "李四",
                {1: "男", 2: "女"}[row["sex"]],
                row["birth_date"].strftime("%Y%m%d"),
                row["age_years"],
                row["age_days"],
                row["birth_weight_g"],
                row["admission_date"],
                8,
                row["discharge_date"],
                row["department"],
                row["los_days"],
                row["discharge_way"],
                row["diagnoses"][0],
                *others,
                *operations,
                "99.90",
            ]
        )
    return write_csv(folder / "pinyin.csv", header, rows, "gb18030")


def message(row: dict[str, Any], *, a: bool = False) -> dict[str, Any]:
    """A 4101 message (4101A with ``a``): principal and main operation marked, but not first."""
    info = {
        "setl_id": row["record_id"],
        "mdtrt_id": "V" + row["record_id"],
        "psn_name": "王五",
        "gend": str(row["sex"]),
        "brdy": str(row["birth_date"]),
        "age": row["age_years"],
        "adm_time": f"{row['admission_date']} 08:05:00",
        "dscg_time": f"{row['discharge_date']} 10:00:00",
        "dscg_caty": row["department"],
        "act_ipt_days": row["los_days"],
        "dscg_way": str(row["discharge_way"]),
        "diag_code_cnt": len(row["diagnoses"]),
    }
    if row["age_days"] is not None:  # left out where there is none
        info["nwb_age"] = row["age_days"]
        info["nwbbirwt" if a else "nwb_bir_wt"] = str(row["birth_weight_g"])
    principal, *others = row["diagnoses"]
    diseases = [
        {"diag_type": "2", "diag_code": "BNG080", "maindiag_flag": "1"},
        *(
            {"diag_type": "1", "diag_code": code, "maindiag_flag": "0", "adm_cond_type": "4"}
            for code in others
        ),
        {"diag_type": "1", "diag_code": principal, "maindiag_flag": "1", "adm_cond_type": "1"},
    ]
    flag, main, other = ("main_oprn_flag", "1", "0") if a else ("oprn_oprt_type", "1", "2")
    operations = [{"oprn_oprt_code": code, flag: other} for code in row["procedures"][1:]]
    operations += [{"oprn_oprt_code": code, flag: main} for code in row["procedures"][:1]]
    nodes = {
        "setlinfo": info,
        "diseinfo": diseases,
        "oprninfo": operations,
        "icuinfo": [{"scs_cutd_sum_dura": "1/2/30"}, {"scs_cutd_sum_dura": "0/1/0"}]
        if row["department"] == "ICU"
        else [],
        "iteminfo": [{"amt": 100.1}, {"amt": "23.45"}],
        "payinfo": [{"fund_pay_type": "310100", "fund_payamt": 80}],
    }
    return nodes | ({"bldinfo": []} if a else {})


def json_4101(folder: Path) -> Path:
    (folder / "4101.json").write_text(
        json.dumps([message(row) for row in RECORDS], ensure_ascii=False), "utf-8"
    )
    return folder / "4101.json"


def json_4101a(folder: Path) -> Path:
    lines = [
        json.dumps({"infno": "4101A", "input": message(row, a=True)}, ensure_ascii=False) for row in RECORDS
    ]
    (folder / "4101a.jsonl").write_bytes("\n".join(lines).encode("gb18030"))
    return folder / "4101a.jsonl"


def flat_tables(folder: Path) -> Path:
    """setlinfo, diseinfo, oprninfo and icuinfo as CSV, the entries of the settlements mixed up."""
    folder = folder / "tables"
    folder.mkdir()
    messages = [message(row) for row in RECORDS]
    header = list(dict.fromkeys(name for m in messages for name in m["setlinfo"]))
    write_csv(
        folder / "setlinfo.csv", header, ([m["setlinfo"].get(name) for name in header] for m in messages)
    )
    for node, names in (
        ("diseinfo", ["diag_code", "diag_type", "maindiag_flag", "adm_cond_type"]),
        ("oprninfo", ["oprn_oprt_code", "oprn_oprt_type"]),
        ("icuinfo", ["scs_cutd_sum_dura"]),
    ):
        depth = max(len(m[node]) for m in messages)
        rows = [
            [m["setlinfo"]["setl_id"], *(m[node][i].get(name) for name in names)]
            for i in range(depth)
            for m in messages
            if i < len(m[node])
        ]
        write_csv(folder / f"{node}.csv", ["setl_id", *names], rows)
    return folder


def agency(folder: Path) -> Path:
    header = [
        "setl_id",
        "mdtrt_id",
        "psn_no",
        "gend",
        "brdy",
        "age",
        "begndate",
        "enddate",
        "ipt_days",
        "dscg_dept_name",
        "dscg_way",
        "dscg_maindiag_code",
        "oprn_oprt_code",
        "medfee_sumamt",
    ]
    rows = [
        [
            row["record_id"],
            "V",
            "P",
            row["sex"],
            row["birth_date"],
            row["age_years"],
            row["admission_date"],
            row["discharge_date"],
            row["los_days"],
            row["department"],
            row["discharge_way"],
            row["diagnoses"][0],
            row["procedures"],
            "12.30",
        ]
        for row in RECORDS
    ]
    return write_csv(folder / "agency.csv", header, rows)
