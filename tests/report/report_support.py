"""A settled month of an invented city, as the lake keeps it: five files and the record of the run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import grouper
from grouper.payment.policy.areas import area_name
from grouper.payment.policy.policy import find_policy
from grouper.payment.pool.budget import parse_budget
from grouper.payment.pool.clearing import clear_month, clear_year, dues
from grouper.payment.pool.settle import settle_cases
from grouper.payment.pool.statement import hospital_statement, pool_summary
from grouper.payment.price.inputs import Files
from grouper.payment.price.pricing import price_files
from grouper.report import Paths, ReportData
from grouper.synth.city import City, city_batches
from grouper.synth.city.hospitals import hospitals as hospitals_of

CLERK = "2025-07-08 10:00"
_MONEY = pa.decimal128(18, 2)
_ADJUSTMENT = {
    "adjustment_id": pa.string(), "kind": pa.string(), "record_id": pa.string(),
    "settlement_id": pa.string(), "original_run": pa.string(), "original_period": pa.string(),
    "hospital_code": pa.string(), "pool": pa.string(), "points_before": pa.decimal128(38, 4),
    "points_after": pa.decimal128(38, 4), "amount_before": _MONEY, "amount_after": _MONEY,
    "difference": _MONEY, "reason": pa.string(), "clause": pa.string(), "source_file": pa.string(),
}  # fmt: skip
_REJECTED = {
    "input_file": pa.string(), "input_row": pa.int64(), "record_id": pa.string(),
    "settlement_id": pa.string(), "hospital_code": pa.string(), "total_cost": _MONEY,
    "reason": pa.string(), "reason_text_zh": pa.string(), "reason_text_en": pa.string(),
    "treatment": pa.string(),
}  # fmt: skip
_FAULTS = {
    "negative-cost": ("费用为负而无冲正标志", "negative costs without the refund flag"),
    "no-cost": ("没有费用", "no cost"),
    "refund": ("冲正记录，原记录在本月", "a refund of a settlement of this month"),
    "invalid": ("无效标志", "marked as not valid"),
    "out-of-month": ("日期不在本期", "dates out of the period"),
}


@dataclass(frozen=True)
class Sample:
    """What a run left: paths of its tables, and the run's own record."""

    paths: Paths
    run_info: dict[str, Any]

    def data(self, **changes: Any) -> ReportData:
        return ReportData.from_paths(self.paths, {**self.run_info, **changes})

    def tables(self) -> dict[str, pa.Table]:
        return {name: pa.concat_tables(map(pq.read_table, paths)) for name, paths in self.paths.items()}


def make_sample(folder: Path, rows: int, area: str = "lishui", year: bool = False) -> Sample:
    """Settle June (or clear a year of June and July) of a city of ``rows`` settlements a year."""
    city = City(rows=rows, year=2025, hospitals=40 if rows < 100_000 else 120)
    months = [6, 7] if year else [6]
    table = pa.Table.from_batches(batch for month in months for batch in city_batches(city, month=month))
    good, rejected = _sort_out(table, {(2025, month) for month in months})
    policy = find_policy(area, date(2025, 6, 30))
    grouped = grouper.load_scheme(policy.scheme).group(good)
    source = str(folder / "grouped.parquet")
    pq.write_table(grouped, source)
    hospitals = folder / "hospitals.csv"
    names = "\n".join(f"{h.code},{h.level},{h.kind},{h.county}" for h in hospitals_of(city))
    hospitals.write_text(f"hospital_code,hospital_level,hospital_kind,county\n{names}\n", encoding="utf-8")
    priced_path, settled = str(folder / "priced.parquet"), str(folder / "settled.parquet")
    files = Files([source], hospitals=str(hospitals))
    priced = price_files(policy, files, priced_path)
    budget = parse_budget(_budget(folder, grouped, year))
    run = settle_cases(policy, [priced_path], budget, settled)
    due = dues(run.pools)
    if year:
        known = [
            {"hospital_code": h, "pool": p, "prepaid": str(Decimal(max(fen, 0) // 100 * 9) / 10),
             "deposit": str(Decimal(max(fen, 0) // 2000)), "score": "88"}
            for (h, p), fen in due.items()
        ]  # fmt: skip
        budget = replace(budget, hospitals=parse_budget(_budget(folder, grouped, year, known)).hospitals)
    clearing = clear_year(run.terms, budget, due) if year else clear_month(run.terms, budget, due)
    statement = hospital_statement([settled], run.pools, budget, clearing)
    tables = {
        "cases": _cases(pq.read_table(settled), good),
        "hospitals": _named(statement, city),
        "pools": pool_summary(statement, run.pools),
        "rejected": rejected,
        "adjustments": _adjustments(good, statement),
        "records": good.select(["record_id", "record_no"]),
    }
    paths = {}
    for name, made in tables.items():
        paths[name] = [str(folder / f"{name}.parquet")]
        pq.write_table(made, paths[name][0])
    info = _run_info(area, policy, priced, run, source, "2025" if year else "2025-06")
    return Sample(Paths(**paths), info)


def _sort_out(table: pa.Table, months: set[tuple[int, int]]) -> tuple[pa.Table, pa.Table]:
    """The rows that can be settled, and the others as the lake's table of rejected rows."""
    seen: set[str] = set()
    reasons: list[str | None] = []
    flags = ("settlement_id", "refund_flag", "valid_flag", "total_cost", "discharge_date")
    for identity, refund, valid, cost, day in zip(*(table[name].to_pylist() for name in flags), strict=True):
        reason = (
            "refund"
            if refund
            else "invalid"
            if valid is False
            else "negative-cost"
            if cost < 0
            else "no-cost"
            if cost == 0
            else "out-of-month"
            if (day.year, day.month) not in months
            else "duplicate"
            if identity in seen
            else None
        )
        seen.add(identity)
        reasons.append(reason)
    marks = pa.array(reasons, pa.string())
    table = table.append_column("input_row", pa.array(range(2, table.num_rows + 2), pa.int64()))
    good = table.filter(pc.is_null(marks))
    good = good.append_column("payment_method", pa.nulls(good.num_rows, pa.string()))
    columns = ("input_row", "record_id", "settlement_id", "hospital_code", "total_cost")
    bad = table.filter(pc.is_valid(marks)).select(columns).to_pylist()
    found = [reason for reason in reasons if reason]
    rows = []
    for row, reason in zip(bad, found, strict=True):
        zh, en = _FAULTS.get(reason, ("重复的结算号", "a settlement that is there twice"))
        told = {"reason": reason, "reason_text_zh": zh, "reason_text_en": en, "input_file": "2025-06.parquet"}
        rows.append({**row, **told, "treatment": "netted" if reason == "refund" else "rejected"})
    return good, pa.Table.from_pylist(rows, schema=pa.schema(_REJECTED))


def _budget(
    folder: Path, grouped: pa.Table, year: bool, hospitals: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """About 97 % of what the pools pay by item."""
    pools = {}
    for name, code in (("employee", "310"), ("resident", "390")):
        paid = pc.sum(grouped["pool_paid"].filter(pc.equal(grouped["insurance_type"], code))).as_py()
        pools[name] = {"budget": str(paid.quantize(Decimal(1)) * 97 // 100)}
    made: dict[str, Any] = {"period": "2025" if year else "2025-06", "pools": pools}
    pools["employee"]["carve_outs"] = [{"name": "急救", "amount": "1000", "source": "test"}]  # type: ignore[assignment]
    return made if hospitals is None else made | {"hospitals": hospitals}


def _cases(settled: pa.Table, good: pa.Table) -> pa.Table:
    """The settled cases with what the lake adds."""
    wanted = ("settlement_id", "person_id", "input_row", "discharge_date")
    extra = good.select(["record_id", *(name for name in wanted if name not in settled.column_names)])
    joined = settled.join(extra, "record_id").sort_by("record_id")
    for name, value in (("row_kind", "case"), ("input_file", "2025-06.parquet"), ("mdc", "")):
        joined = joined.append_column(name, pa.array([value] * joined.num_rows))
    groups = joined["group"].to_pylist()
    return joined.append_column("group_name", pa.array([g and f"病组 {g}" for g in groups], pa.string()))


def _named(statement: pa.Table, city: City) -> pa.Table:
    known = {h.code: h for h in hospitals_of(city)}
    codes = statement["hospital_code"].to_pylist()
    for column, field in (("hospital_name", "name"), ("hospital_level", "level"), ("county", "county")):
        values = [getattr(known.get(code), field, None) for code in codes]
        statement = statement.append_column(column, pa.array(values, pa.string()))
    return statement


def _adjustments(good: pa.Table, statement: pa.Table) -> pa.Table:
    """One adjustment of each of three kinds."""
    names = ("record_id", "settlement_id", "hospital_code", "total_cost")
    cases = good.slice(0, 3).select(names).to_pylist()
    rows = []
    for number, (case, kind) in enumerate(
        zip(cases, ("refund", "special_review", "readmission"), strict=True), 1
    ):
        before = case.pop("total_cost")
        after = Decimal(0) if kind == "refund" else before * 2 if kind == "special_review" else before / 2
        after = after.quantize(Decimal("0.01"))
        rows.append(
            {**case, "adjustment_id": f"A{number:04}", "kind": kind, "original_run": "000001",
             "original_period": "2025-05", "pool": statement["pool"][0].as_py(),
             "points_before": Decimal("100.0000"), "points_after": Decimal("50.0000"),
             "amount_before": before, "amount_after": after, "difference": after - before,
             "reason": "测试", "clause": "第九条", "source_file": "decisions.csv"}
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(_ADJUSTMENT))


def _run_info(area: str, policy: Any, priced: Any, run: Any, source: str, period: str) -> dict[str, Any]:
    digest = hashlib.sha256(b"test").hexdigest()
    return {
        "run": "000007", "kind": "clear" if len(period) == 4 else "settle", "area": area, "period": period,
        "area_name": area_name(area), "who": "结算科", "when": CLERK, "note": "",
        "software": {"name": "grouper", "version": grouper.__version__},
        "scheme": {"id": policy.scheme, "sha256": digest},
        "policy": {"id": policy.id, "name": policy.name, "name_en": policy.name_en, "sha256": policy.digest,
                   "method": policy.method},
        "inputs": [{"role": "input", "path": "2025-06.parquet", "bytes": 12_345, "sha256": digest}],
        "parameters": [{k: v for k, v in p.items() if k != "value"} for p in priced.parameters]
        + list(run.terms.cited.values()),
        "assumed": priced.assumed | run.terms.assumed,
        "routes": {route.name: (route.zh, route.en) for route in policy.routes},
        "pseudonymised": False,
    }  # fmt: skip
