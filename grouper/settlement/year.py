"""A year cleared: the points of all its months, one settlement value, and what is left to pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import ReconciliationError, UsageError
from grouper.base.money import Fen, yuan_of
from grouper.base.sql import literal, scan
from grouper.base.version import VERSION
from grouper.lake import commit, views
from grouper.lake.layout import Lake
from grouper.lake.ledger import Record
from grouper.payment.pool.budget import Entry
from grouper.payment.pool.pool import STAYS
from grouper.payment.pool.unused import not_used
from grouper.settlement import counties, offsite, tables
from grouper.settlement.corrections import check_hospitals
from grouper.settlement.counties import share_counties
from grouper.settlement.documents import check_documents
from grouper.settlement.funds import POOL, Key, clearing_differences, differences
from grouper.settlement.funds import amounts_of as run_amounts
from grouper.settlement.limits import case_counts, check_cleared, review_counts
from grouper.settlement.month import Done, finish
from grouper.settlement.plan.job import month_days
from grouper.settlement.plan.year_job import YearJob, YearPlan, make_year_plan
from grouper.settlement.records import ORDER, columns_of
from grouper.settlement.stage import Progress, Stage, followed, no_stage, onward
from grouper.settlement.statements import ledger_amounts, with_members

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from grouper.payment.pool.settle import Run

AMOUNTS = (
    "fund_due", "fund_by_item", "total_cost", "prepaid", "deposit", "balance", "returned", "forfeited",
    "advance", "audit", "final", "paid_later", "earlier_years",
)  # fmt: skip
_SURPLUS_THEN = dict.fromkeys((1, 2), "paid_out")  # by format, where the policy has no surplus_rule
_FOLDER = ("area", "year", "month", "run")


def clear_year(
    lake: Lake, job: YearJob, plan: YearPlan | None = None, stage: Stage = no_stage, *, reports: bool = True
) -> Done:
    """Clear a year into the lake; the run is there whole or not at all.

    Raises what ``settle_month`` raises.
    """
    with commit.new_run(lake) as (run, staged):
        plan = make_year_plan(lake, job)
        done = compute_year(lake, plan, run, staged, stage)
        placed = commit.place_tables(lake, staged, plan.area, job.year, run)
        finish(lake, done, placed, plan.policy, staged if reports else None, stage)
    return done


def compute_year(
    lake: Lake, plan: YearPlan, run: str, staged: Path, stage: Stage = no_stage, *, before: str | None = None
) -> Done:
    """The tables of a clearing in ``staged``, and its record."""
    from grouper.payment.pool.statement import hospital_statement, pool_summary
    from grouper.payment.price.pricing import connect

    with connect(plan.job.threads, plan.job.memory or None) as connection:
        connection.execute("SET temp_directory = ?", [str(staged / "spill")])
        views.connect(lake, before=before, connection=connection)
        with stage("read") as progress, followed(progress, connection, 0):
            rows = _effective(connection, plan, staged, progress)
            if not plan.job.held_remain:
                check_cleared(connection, staged / "priced.parquet")
        with stage("pool") as progress:
            settled = _pool(plan, staged, progress)
        with stage("statements") as progress, followed(progress, connection, rows):
            later = _paid_later(connection, plan)
            clearing, unused = _clear(connection, lake, plan, settled, later)
            statement = hospital_statement(
                [str(staged / "settled.parquet")], settled.pools, plan.budget, clearing,
                threads=plan.job.threads,
            )  # fmt: skip
            table = _with_others(connection, plan, _named(connection, plan, statement), later)
            pools = with_members(pool_summary(statement, settled.pools), plan.budget)
            beside = _offsite(connection, plan, staged)
            if plan.format > 3:
                table = offsite.with_hospitals(table, beside)
                pools = offsite.with_pools(pools, beside, plan.budget)
            told = onward(progress, 0, rows)
            tables.copy(staged / "settled.parquet", staged / "cases.parquet", plan.about("cases"), told)
            for name, made in (("hospitals", table), ("pools", pools), ("adjustments", _lines(plan))):
                tables.write(staged / f"{name}.parquet", made.schema, made.to_batches(), plan.about(name))
            shared = share_counties(settled.terms, settled.pools, plan.budget) if plan.format > 3 else []
            assumed = {
                **settled.terms.assumed, **plan.assumed, **offsite.assumed(beside, plan.policy, rows),
                **counties.told(shared),
            }  # fmt: skip
            record = _record(connection, plan, run, settled, rows, table, later, staged, assumed)
            record.rows["amounts"] += offsite.amounts(beside) + counties.amounts(shared)
            record.rows["counts"] += offsite.counts(beside)
    plan.certified.check()
    routes = {route.name: (route.zh, route.en) for route in plan.policy.routes}
    return Done(
        run, record, assumed=assumed, pools=pools.to_pylist(),
        routes=routes, unused_scores=unused, odd=[*not_used(plan.policy, plan.budget)],
    )  # fmt: skip


def _effective(
    connection: duckdb.DuckDBPyConnection, plan: YearPlan, staged: Path, progress: Progress | None
) -> int:
    """Every case of the year as it stands now, month by month, with the run that priced it: months of later
    years may have corrected it, and hold cases of this year beside their own."""
    own = [n for n in columns_of(connection, "cases_effective") if n not in _FOLDER]
    names = ", ".join(f'"{name}"' for name in own)
    year = int(plan.job.year)
    source = f"cases_effective WHERE area = {literal(plan.area)} AND year >= {year} AND pay_date BETWEEN "
    within = [f"DATE '{first}' AND DATE '{last}'" for first, last in map(month_days, sorted(plan.months))]
    parts = [f"SELECT {names}, run AS original_run FROM {source}{days} ORDER BY {ORDER}" for days in within]
    told = None
    if progress:  # counting them takes a scan that nobody else needs
        whole = f"DATE '{year}-01-01' AND DATE '{year}-12-31'"
        row = connection.execute(f"SELECT count(*) FROM {source}{whole}").fetchone()
        told = onward(progress, 0, row[0] if row else 0)
    return tables.write_parts(connection, parts, staged / "priced.parquet", progress=told, scratch=True)


def _pool(plan: YearPlan, staged: Path, progress: Progress | None) -> Run:
    from grouper.payment.pool.settle import settle_cases

    return settle_cases(
        plan.policy, [str(staged / "priced.parquet")], plan.budget, str(staged / "settled.parquet"),
        value="settlement", threads=plan.job.threads, memory=plan.job.memory or None, progress=progress,
        surplus=_SURPLUS_THEN.get(plan.format, STAYS), scratch=True,
    )  # fmt: skip


def _offsite(connection: duckdb.DuckDBPyConnection, plan: YearPlan, staged: Path) -> list[offsite.Account]:
    """The accounts of the year's cases as they stand. Raises UsageError where one money is there twice."""
    if plan.format < 4:
        return []
    found = offsite.accounts(connection, scan(staged / "settled.parquet"), plan.budget, "TRUE")
    offsite.check_once(found, plan.budget)
    return found


def _paid_later(connection: duckdb.DuckDBPyConnection, plan: YearPlan) -> dict[Key, Fen]:
    """Fen that adjustments in months of later years paid (or took back) for this one, which are whole.

    Raises UsageError where the budget lacks the pool of such a case.
    """
    rows = connection.execute(
        f"""SELECT a.hospital_code, coalesce(n.pool, c.pool) AS pool, (sum(a.difference) * 100)::BIGINT
        FROM adjustments_current AS a
        LEFT JOIN cases_all AS n ON n.run = a.run AND n.record_id = a.record_id
        LEFT JOIN cases_all AS c ON c.run = a.original_run AND c.record_id = a.record_id
        WHERE {_later(plan)} AND a.difference <> 0 GROUP BY 1, 2 ORDER BY 1, 2"""
    ).fetchall()
    found: dict[Key, Fen] = {}
    for hospital, member, fen in rows:
        key = hospital, plan.budget.pool_of(member)
        found[key] = found.get(key, 0) + fen
    return found


def _later(plan: YearPlan) -> str:
    """SQL: an adjustment ``a`` of a later year that concerns a case of this one."""
    return (
        f"a.area = {literal(plan.area)} AND a.year > {int(plan.job.year)} "
        f"AND left(a.original_period, 4) = {literal(plan.job.year)}"
    )


def _clear(
    connection: duckdb.DuckDBPyConnection, lake: Lake, plan: YearPlan, settled: Run, later: Mapping[Key, Fen]
) -> tuple[list[Any], tuple[Key, ...]]:
    """Balances: dues of the year less what the months prepaid and withheld, as the ledger has it, and what
    months of later years paid for it; and the scores that concern nobody of it."""
    from grouper.payment.pool import clearing

    runs = list(plan.months.values())
    prepaid, deposit = (run_amounts(connection, runs, name) for name in ("prepaid", "deposit"))
    for key, fen in later.items():
        prepaid[key] = prepaid.get(key, 0) + fen
    advances = {
        key: max(0, fen - offset.get(key, 0))
        for offset in [run_amounts(connection, runs, "advance")]
        for key, fen in run_amounts(connection, runs, "advanced").items()
    }
    last = plan.months[max(plan.months)]
    carried = run_amounts(connection, [last], "carried")
    due = clearing.dues(settled.pools)
    if plan.format > 2:
        rows = connection.execute("SELECT DISTINCT hospital_code FROM hospitals_current").fetchall()
        known = {code for (code,) in rows} | {code for code, _ in plan.budget.hospitals}
        lines = plan.corrections.of("audit_deduction")  # scores may be of hospitals without a case
        check_hospitals(lines, known, "账本的医院", "among the hospitals of the ledger")
        check_documents(connection, lake, lines, plan.area, ("clear", plan.job.year))
    scores = _scores(connection, plan)
    audits: dict[Key, Fen] = {key: -fen for key, fen in carried.items()}
    paid = [differences(connection, plan.area, plan.months, POOL)]
    paid += [clearing_differences(connection, plan.area, plan.job.year)] if plan.format > 3 else []
    for key, fen in (item for found in paid for item in found.items()):
        audits[key] = audits.get(key, 0) + fen
    for item in plan.corrections.of("audit_deduction"):
        audits[item.hospital, item.pool] = audits.get((item.hospital, item.pool), 0) + item.amount_fen
    hospitals = {key: replace(entry, advance_base=None) for key, entry in plan.budget.hospitals.items()}
    keys = sorted(due.keys() | prepaid.keys() | deposit.keys() | audits.keys() | advances.keys())
    there = {*keys, *((hospital, "*") for hospital, _ in keys)}
    for key in keys:
        given = hospitals.get(key, Entry())
        _same(plan, key, "prepaid", given.prepaid, prepaid.get(key, 0))
        _same(plan, key, "deposit", given.deposit, deposit.get(key, 0))
        left = advances.get(key, 0)
        if left:  # of an advance that was paid elsewhere, only the file can know
            _same(plan, key, "advance", given.advance or None, left)
        score = scores.get(key, scores.get((key[0], "*"), given.score))
        hospitals[key] = replace(
            given, prepaid=prepaid.get(key, 0), deposit=deposit.get(key, 0), score=score,
            audit=given.audit + audits.get(key, 0), advance=left or given.advance,
        )  # fmt: skip
    cleared = clearing.clear_year(settled.terms, replace(plan.budget, hospitals=hospitals), due)
    return list(cleared), tuple(sorted(key for key in scores if key not in there))


def _same(plan: YearPlan, key: Key, name: str, given: int | None, known: int) -> None:
    """The budget file may repeat what the ledger knows, not contradict it."""
    if given is not None and given != known:
        raise UsageError(
            zh=f"{plan.job.budget}：hospitals 中 {key[0]}、{key[1]} 的 {name} 是 {given} 分，"
            f"账本为 {known} 分；请删去该列",
            en=f"{plan.job.budget}: hospitals: {name} of {key[0]}, {key[1]} is {given} fen, in the ledger "
            f"{known}; leave it out",
        )


def _scores(connection: duckdb.DuckDBPyConnection, plan: YearPlan) -> dict[Key, Fraction]:
    """Scores by hospital and pool ("*": all), the last one given."""
    rows = connection.execute(
        "SELECT hospital_code, pool, score FROM adjustments_current WHERE area = ? AND year = ? "
        "AND kind = 'quality' ORDER BY month, source_row",
        [plan.area, int(plan.job.year)],
    ).fetchall()
    found = {(hospital, pool): Fraction(score) for hospital, pool, score in rows}
    for item in plan.corrections.of("quality"):
        found[item.hospital, item.pool] = Fraction(item.score)
    return found


def _named(connection: duckdb.DuckDBPyConnection, plan: YearPlan, statement: pa.Table) -> pa.Table:
    """The statement with the name, level and county that a hospital had last."""
    import pyarrow as pa

    rows = connection.execute(
        "SELECT hospital_code, max_by(hospital_name, month), max_by(hospital_level, month), "
        "max_by(county, month) FROM hospitals_current WHERE area = ? AND year = ? GROUP BY 1",
        [plan.area, int(plan.job.year)],
    ).fetchall()
    known = {row[0]: row[1:] for row in rows}
    names = ("hospital_name", "hospital_level", "county")
    for number, name in enumerate(names):
        values = [
            known.get(code, (None, None, None))[number] for code in statement["hospital_code"].to_pylist()
        ]
        statement = statement.append_column(name, pa.array(values, pa.string()))
    return statement


def _with_others(
    connection: duckdb.DuckDBPyConnection, plan: YearPlan, statement: pa.Table, later: Mapping[Key, Fen]
) -> pa.Table:
    """The statement with what passed between years: ``paid_later`` is part of ``prepaid``; ``earlier_years``
    was paid by months of this year for others, and is no part of its clearing."""
    import pyarrow as pa

    apart = run_amounts(connection, list(plan.months.values()), "earlier_years")
    keys = list(zip(statement["hospital_code"].to_pylist(), statement["pool"].to_pylist(), strict=True))
    for name, found in (("paid_later", later), ("earlier_years", apart)):
        values = [yuan_of(found.get(key, 0)) for key in keys]
        statement = statement.append_column(name, pa.array(values, pa.decimal128(38, 2)))
    return statement


def _lines(plan: YearPlan) -> pa.Table:
    import pyarrow as pa

    rows = []
    for number, item in enumerate(plan.corrections.of("quality", "audit_deduction"), 1):
        audit = item.kind == "audit_deduction"
        rows.append(
            {"adjustment_id": f"{plan.job.year}-{number:07d}", "kind": item.kind,
             "hospital_code": item.hospital,
             "pool": item.pool, "difference": -yuan_of(item.amount_fen) if audit else None,
             "score": item.score or None, "reason": item.reason or item.kind, "clause": item.clause or None,
             "source_file": item.file, "source_row": item.row, "document": item.document or None}
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=tables.ADJUSTMENTS)


def _record(
    connection: duckdb.DuckDBPyConnection, plan: YearPlan, run: str, settled: Run, rows: int, table: pa.Table,
    later: Mapping[Key, Fen], staged: Path, assumed: Mapping[str, str],
) -> Record:  # fmt: skip
    """What the ledger keeps; prepaid + deposit + balance = due over all hospitals is checked again here."""
    amounts = ledger_amounts(table, AMOUNTS)
    sums = {name: sum(a["fen"] for a in amounts if a["name"] == name) for name in AMOUNTS}
    months = connection.execute(
        "SELECT coalesce(sum(fen), 0)::BIGINT FROM amounts WHERE list_contains(?, run) "
        "AND name IN ('prepaid', 'deposit')",
        [list(plan.months.values())],
    ).fetchone()
    parts = sums["prepaid"] + sums["deposit"] + sums["balance"]
    if (
        parts != sums["fund_due"]
        or not months
        or sums["paid_later"] != sum(later.values())
        or months[0] != sums["prepaid"] - sums["paid_later"] + sums["deposit"]
        or rows != settled.rows
    ):
        raise ReconciliationError(
            zh=f"年度清算对不上：应付 {sums['fund_due']} 分，预拨、保证金与余额合计 {parts} 分，"
            f"各月已拨 {months and months[0]} 分",
            en=f"the clearing does not add up: {sums['fund_due']} fen due, {parts} in parts, "
            f"{months and months[0]} prepaid and withheld by the months",
        )
    counts = (
        case_counts(connection, scan(staged / "priced.parquet"))
        + review_counts(connection, staged / "priced.parquet")
        if plan.format > 1
        else [
            {"status": "case", "reason": status, "rows": number, "cost_fen": None}
            for status, number in sorted(settled.counts.items())
        ]
    )
    parameters = [
        {"name": c["name"], "value": c["value"], "source": c["source"], "article": c["article"],
         "verified": c["verified"]} for _, c in sorted(settled.terms.cited.items())
    ]  # fmt: skip
    parameters += [
        {"name": name, "value": value, "source": "assumed", "verified": False}
        for name, value in sorted(assumed.items())
    ]
    inputs = plan.inputs + [
        {"role": "run", "path": f"{period} {number}", "bytes": 0, "sha256": _hash(connection, number)}
        for period, number in sorted({**plan.months, **_adjusting(connection, plan)}.items())
    ]
    own = {
        "run": run, "kind": "clear", "area": plan.area, "period": plan.job.year, "started_by": plan.job.who,
        "note": plan.job.note, "as_of": plan.job.when, "software": VERSION, "scheme_id": "",
        "scheme_sha256": "", "policy_id": plan.policy.id, "policy_sha256": plan.policy_digest,
        "options_json": plan.job.as_json(), "voids": "", "rows_in": rows, "cases": rows, "rejected": 0,
        "netted": 0, "adjusted": 0, "cost_in_fen": sums["total_cost"], "cases_cost_fen": sums["total_cost"],
        "fund_due_fen": sums["fund_due"], "adjustments_fen": 0, "format": plan.format,
    }  # fmt: skip
    return Record(own, {"inputs": inputs, "parameters": parameters, "counts": counts, "amounts": amounts})


def _adjusting(connection: duckdb.DuckDBPyConnection, plan: YearPlan) -> dict[str, str]:
    """The months of later years that adjusted cases of this one."""
    rows = connection.execute(
        f"SELECT DISTINCT a.run FROM adjustments_current AS a WHERE {_later(plan)}"
    ).fetchall()
    runs = {run for (run,) in rows}
    return {period: run for period, run in plan.after.items() if run in runs}


def _hash(connection: duckdb.DuckDBPyConnection, run: str) -> str:
    row = connection.execute("SELECT hash FROM runs WHERE run = ?", [run]).fetchone()
    return row[0] if row else ""
