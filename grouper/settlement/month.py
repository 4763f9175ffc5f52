"""A month, from files to committed tables: read, validate, group, price, pool, statements, report, commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import DataError, ReconciliationError, UsageError
from grouper.base.money import fen_of
from grouper.base.sql import rows_of, scan
from grouper.base.version import VERSION
from grouper.lake import commit, views
from grouper.lake.layout import REPORTS, Lake
from grouper.lake.ledger import Record
from grouper.payment.policy import pool_names
from grouper.payment.policy.describe import value_text
from grouper.payment.pool.unused import Unused, not_used
from grouper.payment.price.inputs import Files
from grouper.payment.price.oddities import Oddity, find
from grouper.settlement import adjust, offsite, relations, tables
from grouper.settlement.corrections import check_hospitals
from grouper.settlement.documents import check_documents
from grouper.settlement.hospitals import load_hospitals
from grouper.settlement.intake import Taken, read_files
from grouper.settlement.limits import (
    case_counts,
    check_codes,
    check_deducted,
    check_held,
    code_counts,
    quota_counts,
    review_counts,
    summed,
)
from grouper.settlement.plan.job import Job, Plan, make_plan, still_holds
from grouper.settlement.plan.key import key_mark
from grouper.settlement.plan.past import Past, late_sql, make_known, offsite_sql
from grouper.settlement.reasons import text, treatment, unknown_words
from grouper.settlement.records import (
    ORDER,
    beside,
    columns_of,
    decide,
    named,
    records_sql,
    resolve,
    widened,
)
from grouper.settlement.reports import write_reports
from grouper.settlement.stage import STAGES, Progress, Stage, followed, no_stage, onward
from grouper.settlement.statements import month_statements, offsite_accounts
from grouper.settlement.validate import judge

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy
    from grouper.payment.pool.settle import Settling
    from grouper.payment.price.pricing import Priced


@dataclass
class Done:
    """What a run did; ``record`` is what the ledger has of it. Amounts in fen."""

    run: str
    record: Record
    rejected: dict[str, int] = field(default_factory=dict)
    adjustments: dict[str, int] = field(default_factory=dict)
    assumed: dict[str, str] = field(default_factory=dict)
    pools: list[dict[str, Any]] = field(default_factory=list)
    hash: str = ""
    report: Path | None = None
    routes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    odd: list[Oddity | Unused] = field(default_factory=list)
    unused_scores: tuple[tuple[str, str], ...] = ()  # hospital and pool ("*": all) that a clearing has not


def settle_month(
    lake: Lake, job: Job, plan: Plan | None = None, stage: Stage = no_stage, *, reports: bool = True
) -> Done:
    """Settle a month into the lake; the run is there whole or not at all.

    Raises UsageError, TableError or DataError (also for too many rejected rows), ReconciliationError when
    rows or amounts do not add up; the lake is then as it was.
    """
    with commit.new_run(lake, shared=job.shared) as (run, staged):
        plan = plan if plan is not None and still_holds(lake, plan) else make_plan(lake, job)
        done = compute(lake, plan, run, staged, stage)
        placed = commit.place_tables(lake, staged, plan.month.area, plan.month.period, run)
        finish(lake, done, placed, plan.policy, staged if reports else None, stage)
    return done


def compute(
    lake: Lake, plan: Plan, run: str, staged: Path, stage: Stage = no_stage, *, before: str | None = None
) -> Done:
    """The tables of a run in ``staged``, and its record; nothing else is touched.

    Raises DataError when a file is not the one whose digest the plan has.
    """
    plan.certified.look()
    with stage("read") as progress:
        taken = read_files(plan.files, plan.grouper, staged / "rows.parquet", progress)
    check_codes(plan, taken)
    rows = sum(taken.rows.values())
    with ExitStack() as database:
        connection = database.enter_context(_database(lake, plan, staged, before))
        with stage("validate") as progress, followed(progress, connection, rows):
            given = _prepare(connection, lake, plan, staged, taken)
            judge(
                connection,
                plan.month,
                plan.job.interim,
                repeats_first=plan.format > 2,
                conflicts_first=plan.format > 3,
            )
            _finish_decisions(connection)
            _check_rejected(connection, plan, taken)
            _write_records(connection, plan, taken, given, staged)
            if plan.format > 2:
                check_deducted(connection)
        with stage("price") as progress:
            priced = _price(plan, staged, progress)
            check_held(plan, priced, _waiting(connection, staged))
            odd: list[Oddity | Unused] = [*find(connection, staged / "priced.parquet")]
            odd += not_used(plan.policy, plan.budget)
        with stage("pool") as progress:
            settled = database.enter_context(_pool(plan, staged))
            if progress:
                progress(priced.rows, priced.rows)
        with stage("adjust") as progress, followed(progress, connection, priced.rows):
            rules = Past(connection, plan)
            adjusted = adjust.adjust(rules, late_sql(rules, taken, given, staged), staged)
        with stage("statements") as progress, followed(progress, connection, priced.rows):
            _write_cases(connection, plan, settled, adjusted, staged, progress)
            _write_rejected(connection, plan, staged)
            _write_adjustments(connection, plan, staged)
            accounts = offsite_accounts(connection, plan, staged)
            pools, amounts = month_statements(connection, plan, settled, staged, accounts)
            assumed = {
                **priced.assumed, **settled.terms.assumed, **_left_out(plan, taken), **rules.changed,
                **plan.assumed, **offsite.assumed(accounts, plan.policy, priced.rows),
            }  # fmt: skip
            record = _record(connection, plan, run, taken, priced, settled, staged, amounts, assumed)
            record.rows["inputs"] = plan.inputs + rules.inputs()
            record.rows["counts"] += offsite.counts(accounts)
            reviews = review_counts(connection, staged / "priced.parquet")
            record.rows["counts"] += summed([*reviews, *adjusted.reviews])
            record.rows["counts"] += quota_counts(
                connection, plan.policy, plan.month.last, staged / "priced.parquet"
            )
    plan.certified.check()
    return Done(
        run, record,
        {r["reason"]: r["rows"] for r in record.rows["counts"] if r["status"] == "rejected"},
        {r["reason"]: r["rows"] for r in record.rows["counts"] if r["status"] == "adjustment"},
        assumed, pools, odd=odd, routes={route.name: (route.zh, route.en) for route in plan.policy.routes},
    )  # fmt: skip


class _database:
    """DuckDB for one run; what does not fit in memory goes to the staging folder."""

    def __init__(self, lake: Lake, plan: Plan, staged: Path, before: str | None) -> None:
        from grouper.payment.price.pricing import connect

        self.connection = connect(plan.job.threads, plan.job.memory or None)
        self.connection.execute("SET temp_directory = ?", [str(staged / "spill")])
        if lake.ledger.is_file():
            gone = [run for run in (plan.replaces, *plan.voids) if run]
            views.connect(lake, before=before, without=gone, connection=self.connection, kinds=("current",))

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        return self.connection

    def __exit__(self, *_: Any) -> None:
        self.connection.close()


def _prepare(
    connection: duckdb.DuckDBPyConnection, lake: Lake, plan: Plan, staged: Path, taken: Taken
) -> tuple[list[str], list[str]]:
    """What ``judge`` reads; returns the columns of hospitals and of decisions that are given."""
    relations.make(connection, relations.ROWS, f"SELECT * FROM {scan(staged / 'rows.parquet')}")
    hospitals = load_hospitals(connection, plan.job.hospitals, plan.reading.also["hospital_level"])
    if pool_names.BY not in plan.policy.parameters:
        hospitals = [name for name in hospitals if name != "alliance"]  # nothing goes by it
    if plan.format > 2:
        found = connection.execute("SELECT hospital_code FROM hospitals").fetchall()
        lines = plan.corrections.of("quality", "audit_deduction")
        check_hospitals(lines, [code for (code,) in found], " --hospitals ", "in --hospitals")
        check_documents(connection, lake, lines, plan.month.area, ("settle", plan.month.period))
    items = [*plan.decisions, *plan.corrections.of("special_review", "decision")]
    decided = decide(connection, items)
    relations.make(connection, relations.WITHDRAWALS)
    for item in plan.corrections.of("withdrawal"):
        connection.execute(
            "INSERT INTO withdrawals VALUES (?, ?, ?, ?, ?)",
            [item.id, item.file, item.row, item.reason or None, item.clause or None],
        )
    relations.make(connection, relations.CLOSED_MONTHS)
    for period in plan.closed:
        connection.execute("INSERT INTO closed_months VALUES (?)", [period])
    make_known(connection, plan)
    return hospitals, decided


def _finish_decisions(connection: duckdb.DuckDBPyConnection) -> None:
    """Decisions and withdrawals find their cases, or the run stops."""
    relations.make(
        connection,
        relations.LEFT_ROWS,
        "SELECT r.* FROM judged AS r "
        "WHERE NOT EXISTS (SELECT 1 FROM fate AS f WHERE f.n = r.n AND f.fate <> 'late')",
    )
    resolve(connection)
    row = connection.execute(
        "SELECT file, row, id FROM withdrawals WHERE id NOT IN (SELECT record_id FROM known) "
        "AND id NOT IN (SELECT settlement_id FROM known) AND id NOT IN "
        f"(SELECT unnest([rid, sid]) FROM judged WHERE {named('withdrawals')}) ORDER BY 1, 2 LIMIT 1"
    ).fetchone()
    if row:
        raise DataError(
            zh=f"{row[0]} 第 {row[1]} 行：要撤销的 {row[2]} 不在本次输入中，也没有在本湖结算过",
            en=f"{row[0]}, row {row[1]}: {row[2]} is to be withdrawn, but is neither in the input nor "
            f"in this lake",
        )


def _check_rejected(connection: duckdb.DuckDBPyConnection, plan: Plan, taken: Taken) -> None:
    """Too many rows refused: something is wrong with the input as a whole."""
    counted = connection.execute(
        "SELECT reason, count(*) FROM fate WHERE fate = 'rejected' GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    refused = [(reason, n) for reason, n in counted if treatment(reason) == "rejected"]
    row = connection.execute("SELECT count(*) FROM judged").fetchone()
    rows, number = (row[0] if row else 0), sum(n for _, n in refused)
    limit = Decimal(plan.job.max_rejected)
    if number > rows * limit:
        told = ", ".join(f"{reason} {n}" for reason, n in refused[:5])
        zh, en = unknown_words(taken.unknown)
        raise DataError(
            zh=f"{rows} 行中有 {number} 行被退回，超过 --max-rejected {limit}：{told}；没有写入湖{zh}",
            en=f"{number} of {rows} rows are rejected, more than --max-rejected {limit}: {told}; "
            f"nothing was written to the lake{en}",
        )


def _write_records(
    connection: duckdb.DuckDBPyConnection, plan: Plan, taken: Taken, given: tuple[list[str], list[str]],
    staged: Path,
) -> None:  # fmt: skip
    kinds = offsite_sql(plan, taken.present, given[0])
    sql = records_sql(taken.present, *given, plan.job.allow_missing, where="f.n IS NULL", offsite=kinds)
    output = staged / "accepted.parquet"
    sql = f"SELECT * FROM ({sql}) ORDER BY {ORDER}"
    if not tables.write_sql(connection, sql, output, plan.about("records")):
        raise DataError(
            zh="没有一行可作为本月病例；请核对 --month 与 --input",
            en="no row is a case of this month; check --month and --input",
        )
    relations.make(connection, relations.RECORDS_NEW, f"SELECT * FROM {scan(output)}")


def _price(plan: Plan, staged: Path, progress: Progress | None) -> Priced:
    files = Files([str(staged / "accepted.parquet")], hold_above=plan.format > 2)
    try:
        return _price_files(plan, files, staged, progress)
    except UsageError as error:  # name what the user gave, not where it is kept meanwhile
        own = str(staged / "accepted.parquet")
        if own not in error.en:
            raise
        given = ", ".join(file.path for file in plan.files if file.role == "input")
        raise UsageError(
            zh=error.zh.replace(own, given) + "；确无此列时可用 --allow-missing 列名",
            en=error.en.replace(own, given)
            + "; where there is none, --allow-missing COLUMN goes on without it",
        ) from error


def _price_files(plan: Plan, files: Files, staged: Path, progress: Progress | None) -> Priced:
    from grouper.payment.price.pricing import price_files

    return price_files(
        plan.policy, files, str(staged / "priced.parquet"), threads=plan.job.threads,
        memory=plan.job.memory or None, progress=progress, scratch=True,
    )  # fmt: skip


def _waiting(connection: duckdb.DuckDBPyConnection, staged: Path) -> list[dict[str, Any]]:
    """Cases as they are priced, by status and cause; their records stand in the same order."""
    priced, accepted = scan(staged / "priced.parquet"), scan(staged / "accepted.parquet")
    more = beside(columns_of(connection, priced), columns_of(connection, accepted))
    told = [f"r.{more[name]} AS {name}" for name in ("reason", "input_file") if more.get(name)]
    same = (
        "CASE WHEN s.record_id = r.record_id THEN s.record_id "
        "ELSE error('out of order: ' || s.record_id || ', ' || r.record_id) END AS record_id"
    )
    both = f"{priced} AS s POSITIONAL JOIN {accepted} AS r"
    return case_counts(connection, f"(SELECT {', '.join([f's.* REPLACE ({same})', *told])} FROM {both})")


def _pool(plan: Plan, staged: Path) -> AbstractContextManager[Settling]:
    from grouper.payment.pool.settle import settling

    return settling(
        plan.policy, [str(staged / "priced.parquet")], plan.budget, value=plan.job.value,
        threads=plan.job.threads, memory=plan.job.memory or None, output=str(staged / "cases.parquet"),
    )  # fmt: skip


def _write_cases(
    connection: duckdb.DuckDBPyConnection, plan: Plan, settled: Settling, adjusted: adjust.Adjusted,
    staged: Path, progress: Progress | None,
) -> None:  # fmt: skip
    """Tables cases and records: the month's own in their order, then what adjustments added in theirs."""
    accepted, records = staged / "accepted.parquet", staged / "records.parquet"
    own = widened(settled.batches(), accepted, settled.schema)
    cases = rows_of(accepted, *adjusted.cases)
    total = cases + (rows_of(accepted, *adjusted.records) if adjusted.records else 0)
    told = onward(progress, 0, total)
    about = plan.about("cases")
    tables.write_after(connection, own, _added(adjusted.cases), staged / "cases.parquet", about, told)
    if adjusted.records:
        parts = [f"SELECT * FROM {scan(accepted)}", *_added(adjusted.records)]
        told = onward(progress, cases, total)
        tables.write_parts(connection, parts, records, plan.about("records"), told)
    else:
        accepted.replace(records)  # nothing reads records_new from here on


def _added(files: Sequence[Path]) -> list[str]:
    """SQL of what files of adjustments add to a table."""
    return [f"SELECT * FROM {scan(*files)} ORDER BY {ORDER}"] if files else []


def _write_rejected(connection: duckdb.DuckDBPyConnection, plan: Plan, staged: Path) -> None:
    """Every row that left, with why and what was done with it."""
    found = connection.execute("SELECT DISTINCT reason FROM fate WHERE fate = 'rejected'").fetchall()
    relations.make(connection, relations.WORDS)
    for (reason,) in found:
        connection.execute(
            "INSERT INTO words VALUES (?, ?, ?, ?)",
            [reason, text(reason, "zh"), text(reason, "en"), treatment(reason)],
        )
    sql = (
        "SELECT r.input_file, r.input_row, coalesce(r.record_id, r.settlement_id) AS record_id, "
        "r.settlement_id, r.visit_id, r.hospital_code, r.total_cost, split_part(f.reason, ':', 1) AS reason, "
        "w.zh AS reason_text_zh, w.en AS reason_text_en, w.treatment "
        "FROM fate AS f JOIN rows AS r USING (n) JOIN words AS w ON w.reason = f.reason "
        "WHERE f.fate = 'rejected' ORDER BY r.n"
    )
    tables.write_sql(connection, sql, staged / "rejected.parquet", plan.about("rejected"), tables.REJECTED)


def _write_adjustments(connection: duckdb.DuckDBPyConnection, plan: Plan, staged: Path) -> None:
    names = ", ".join(name for name in tables.ADJUSTMENTS.names if name != "adjustment_id")
    order = "kind, hospital_code, pool, record_id, source_file, source_row"
    number = f"'{plan.month.period}-' || lpad(CAST(row_number() OVER (ORDER BY {order}) AS VARCHAR), 7, '0')"
    sql = f"SELECT {number} AS adjustment_id, {names} FROM adjustments_new ORDER BY {order}"
    tables.write_sql(
        connection, sql, staged / "adjustments.parquet", plan.about("adjustments"), tables.ADJUSTMENTS
    )


def _record(
    connection: duckdb.DuckDBPyConnection, plan: Plan, run: str, taken: Taken, priced: Priced,
    settled: Settling, staged: Path, amounts: list[dict[str, Any]], assumed: Mapping[str, str],
) -> Record:  # fmt: skip
    """What the ledger keeps; the identities are checked on the way."""
    counts = count(connection, staged) + code_counts(taken)
    totals = _totals(connection, counts, sum(taken.rows.values()))
    parameters = [
        {"name": p["name"], "valid_from": p["from"], "valid_to": p["to"], "source": p["source"],
         "article": p["article"], "verified": p["verified"],
         "value": _value(plan, p["name"], p["from"])} for p in priced.parameters
    ]  # fmt: skip
    parameters += [
        {"name": c["name"], "value": c["value"], "source": c["source"], "article": c["article"],
         "verified": c["verified"]} for _, c in sorted(settled.terms.cited.items())
    ]  # fmt: skip
    parameters += [
        {"name": name, "value": value, "source": "assumed", "verified": False}
        for name, value in sorted(assumed.items())
    ]
    parameters.append({"name": "person_key", "value": key_mark(plan.reading.key), "verified": True})
    due = sum(row["fen"] for row in amounts if row["name"] == "fund_due")
    adjusted = sum(row["fen"] for row in amounts if row["name"] in ("adjustments", "earlier_years"))
    scheme = plan.grouper.engine.scheme
    own = {
        "run": run, "kind": "settle", "area": plan.month.area, "period": plan.month.period,
        "started_by": plan.job.who, "note": plan.job.note, "as_of": plan.job.when, "software": VERSION,
        "scheme_id": plan.grouper.id, "scheme_sha256": scheme.digest, "policy_id": plan.policy.id,
        "policy_sha256": plan.policy_digest, "options_json": plan.job.as_json(),
        "voids": ",".join(plan.voids), "format": plan.format, **totals, "fund_due_fen": due,
        "adjustments_fen": adjusted,
    }  # fmt: skip
    return Record(
        own, {"inputs": plan.inputs, "parameters": parameters, "counts": counts, "amounts": amounts}
    )


def _left_out(plan: Plan, taken: Taken) -> dict[str, str]:
    """Columns that the inputs lack by leave of --allow-missing: every value of them is empty."""
    return {name: "NULL" for name in plan.job.allow_missing if name not in taken.present}


def _value(plan: Plan, name: str, start: str) -> str:
    for dated in plan.policy.parameters[name].values:
        if str(dated.start) == start:
            return value_text(dated.value, "en")
    return ""


def count(connection: duckdb.DuckDBPyConnection, staged: Path) -> list[dict[str, Any]]:
    """Rows and fen by status and reason, from the written tables themselves."""
    cases, rejected, adjusted = (scan(staged / f"{n}.parquet") for n in ("cases", "rejected", "adjustments"))
    rows = connection.execute(
        f"""SELECT 'input', role, count(*), coalesce(sum(total_cost), 0) FROM rows GROUP BY role
        UNION ALL SELECT 'grouping', reason, count(*), sum(total_cost) FROM {cases}
          WHERE row_kind = 'case' GROUP BY 2
        UNION ALL SELECT CASE WHEN treatment IN ('rejected', 'held') THEN 'rejected' ELSE 'netted' END,
          reason, count(*), coalesce(sum(CASE WHEN treatment <> 'joined' THEN total_cost END), 0)
          FROM {rejected} GROUP BY 1, 2
        UNION ALL SELECT 'adjusted-row', fate, count(*), sum(total_cost) FROM fate JOIN rows USING (n)
          WHERE fate <> 'rejected' GROUP BY 2
        UNION ALL SELECT 'adjustment', kind, count(*), coalesce(sum(total_cost), 0)
          FROM {adjusted} GROUP BY kind
        ORDER BY ALL"""
    ).fetchall()
    found = [
        {"status": status, "reason": reason or "", "rows": number, "cost_fen": fen_of(cost)}
        for status, reason, number, cost in rows
    ]
    found += case_counts(connection, f"(SELECT * FROM {cases} WHERE row_kind = 'case')")
    return sorted(found, key=lambda row: (row["status"], row["reason"]))


def _totals(connection: duckdb.DuckDBPyConnection, counts: list[dict[str, Any]], read: int) -> dict[str, int]:
    """Rows in = cases + rejected + netted + adjusted, and the same of their costs; every adjusted row has
    its adjustment. Raises ReconciliationError."""
    rows: dict[str, int] = {}
    cost: dict[str, int] = {}
    for entry in counts:
        rows[entry["status"]] = rows.get(entry["status"], 0) + entry["rows"]
        cost[entry["status"]] = cost.get(entry["status"], 0) + (entry["cost_fen"] or 0)
    parts = ("case", "rejected", "netted", "adjusted-row")
    total, money = (sum(found.get(part, 0) for part in parts) for found in (rows, cost))
    lost = connection.execute(
        "SELECT count(*) FROM fate AS f JOIN judged AS j USING (n) WHERE fate <> 'rejected' AND NOT EXISTS "
        "(SELECT 1 FROM adjustments_new AS a WHERE a.record_id = coalesce(f.partner, j.rid))"
    ).fetchone()
    if (total, money) != (rows.get("input", 0), cost.get("input", 0)) or total != read or (lost and lost[0]):
        raise ReconciliationError(
            zh=f"对不上：读入 {read} 行 {cost.get('input', 0)} 分，去向合计 {total} 行 {money} 分，"
            f"{lost and lost[0]} 行缺调整记录；没有写入湖",
            en=f"does not add up: {read} rows and {cost.get('input', 0)} fen read, {total} and {money} "
            f"accounted for, {lost and lost[0]} without their adjustment; nothing was written to the lake",
        )
    return {
        "rows_in": read, "cases": rows.get("case", 0), "rejected": rows.get("rejected", 0),
        "netted": rows.get("netted", 0), "adjusted": rows.get("adjusted-row", 0),
        "cost_in_fen": cost.get("input", 0), "cases_cost_fen": cost.get("case", 0),
    }  # fmt: skip


def finish(
    lake: Lake, done: Done, placed: list[dict[str, Any]], policy: Policy, staged: Path | None, stage: Stage
) -> None:
    """Reports over the placed files, made in ``staged`` where there are to be any; then the commit."""
    done.record.rows["outputs"] = placed
    done.record.run["previous_hash"] = commit.head(lake)  # statements show where the run stands in the chain
    if staged is not None:
        with stage("report") as progress:
            folder = staged / REPORTS
            write_reports(lake, done.record, policy, done.assumed, folder, progress)
            done.record.rows["outputs"] = placed + commit.place_reports(lake, staged, done.run)
            done.report = lake.reports / done.run
    with stage("commit"):
        done.hash = commit.commit(lake, done.record)


__all__ = ["STAGES", "Done", "compute", "settle_month"]
