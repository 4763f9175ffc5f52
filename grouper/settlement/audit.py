"""Is the lake what its ledger says? Digests, hash chain, control totals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grouper.lake import ledger
from grouper.lake.commit import sha256
from grouper.lake.layout import Lake, is_run
from grouper.lake.views import scan_parts

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Finding:
    """Something that is not as the ledger says. ``run`` "" concerns the whole lake."""

    run: str
    zh: str
    en: str


@dataclass(frozen=True)
class Audited:
    """``checks`` were made; ``findings`` are those that failed."""

    runs: int
    files: int
    checks: int
    findings: list[Finding]


def audit(lake: Lake) -> Audited:
    """Check every run: chain, files, control totals re-derived from the Parquet.

    Raises UsageError where there is no lake, DataError where the ledger cannot be read.
    """
    import duckdb

    lake.must_exist()
    with ledger.opened(lake) as source:
        runs = [row[0] for row in source.execute("SELECT run FROM runs ORDER BY run").fetchall()]
        records = [ledger.read(source, run) for run in runs]
    findings = list(_chain(records))
    files = checks = 0
    with duckdb.connect() as connection:
        for record in records:
            broken = list(_files(lake, record))
            findings += broken
            files += len(record.rows["outputs"])
            if not broken:
                found = list(_totals(connection, lake, record))
                findings += found
                checks += len(_SUMS) + 2
    findings += _strays(lake, set(runs))
    return Audited(len(runs), files, checks + 2 * files + len(records), findings)


def _chain(records: list[ledger.Record]) -> Iterator[Finding]:
    previous = ""
    for number, record in enumerate(records, 1):
        run = record.run["run"]
        if int(run) != number:
            yield Finding(run, f"缺运行 {number:06d}", f"run {number:06d} is missing")
        if record.run["previous_hash"] != previous:
            yield Finding(run, "与上一运行的哈希不衔接", "does not follow from the hash of the run before")
        if ledger.digest(record.body(record.run["previous_hash"] or "")) != record.run["hash"]:
            yield Finding(
                run, "账本记录被改动：哈希不符", "its rows in the ledger were changed: the hash differs"
            )
        previous = record.run["hash"]


def _files(lake: Lake, record: ledger.Record) -> Iterator[Finding]:
    for row in record.rows["outputs"]:
        path, run = lake.root / row["path"], record.run["run"]
        if not path.is_file():
            yield Finding(run, f"缺文件 {row['path']}", f"the file {row['path']} is missing")
        elif path.stat().st_size != row["bytes"] or sha256(path) != row["sha256"]:
            yield Finding(run, f"文件被改动：{row['path']}；请从备份恢复，或重新结算该期",
                          f"the file was changed: {row['path']}; restore it, or settle the period "
                          f"again")  # fmt: skip


_SUMS = {  # total of the ledger: (table, SQL of fen or rows)
    "cases": ("cases", "count(*) FILTER ({case})"),
    "cases_cost_fen": ("cases", "coalesce(sum(total_cost) FILTER ({case}), 0) * 100"),
    "fund_due_fen": (
        "cases",
        "coalesce(sum(settled_fund) FILTER (({case}) AND pay_status = 'paid'), 0) * 100",
    ),
    "rejected": ("rejected", "count(*) FILTER (treatment = 'rejected')"),
    "netted": ("rejected", "count(*) FILTER (treatment <> 'rejected')"),
    "adjustments_fen": (
        "adjustments",
        "coalesce(sum(difference) FILTER (kind NOT IN ('quality', 'audit_deduction')), 0) * 100",
    ),
}


def _totals(connection: duckdb.DuckDBPyConnection, lake: Lake, record: ledger.Record) -> Iterator[Finding]:
    """The control totals again, from the tables themselves."""
    places = {row["table_name"]: scan_parts([str(lake.root / row["path"])]) for row in record.rows["outputs"]}
    run, yearly = record.run["run"], record.run["kind"] == "clear"
    case = "TRUE" if yearly else "row_kind = 'case'"
    for name, (table, sql) in _SUMS.items():
        if table not in places or (yearly and table == "adjustments"):
            continue
        row = connection.execute(f"SELECT ({sql.format(case=case)})::BIGINT FROM {places[table]}").fetchone()
        if row is None or row[0] != record.run[name]:
            found = row and row[0]
            yield Finding(run, f"{name}：账本 {record.run[name]}，数据 {found}",
                          f"{name}: {record.run[name]} in the ledger, {found} in the data")  # fmt: skip
    yield from _hospitals(connection, record, places, case)


def _hospitals(
    connection: duckdb.DuckDBPyConnection, record: ledger.Record, places: dict[str, str], case: str
) -> Iterator[Finding]:
    """Amounts of the ledger = statement of hospitals = cases; pools = their hospitals."""
    run = record.run["run"]
    told = {
        (a["hospital_code"], a["pool"]): a["fen"] for a in record.rows["amounts"] if a["name"] == "fund_due"
    }
    rows = connection.execute(
        f"SELECT hospital_code, pool, (fund_due * 100)::BIGINT FROM {places['hospitals']}"
    ).fetchall()
    if {(h, p): fen for h, p, fen in rows} != told:
        yield Finding(run, "医院结算表与账本金额不符", "the statement of hospitals differs from the ledger")
    sums = (
        "SELECT hospital_code, sum({}) AS fen FROM {} GROUP BY 1",
        ("settled_fund", f"{places['cases']} WHERE ({case}) AND pay_status = 'paid'"),
        ("fund_due", places["hospitals"]),
    )
    first, second = (sums[0].format(*part) for part in sums[1:])
    off = connection.execute(
        f"SELECT hospital_code FROM ({first}) AS a FULL JOIN ({second}) AS b USING (hospital_code) "
        "WHERE coalesce(a.fen, 0) <> coalesce(b.fen, 0) ORDER BY 1 LIMIT 1"
    ).fetchone()
    if off:
        yield Finding(
            run,
            f"医院 {off[0]} 的病例合计与结算表不符",
            f"the cases of hospital {off[0]} do not add up to its statement",
        )


def _strays(lake: Lake, runs: set[str]) -> list[Finding]:
    """Files that no run owns: left by a run that was killed; the next run removes them."""
    found = []
    for folder in sorted(lake.root.glob("*/area=*/year=*/month=*/run=*")):
        name = folder.name.removeprefix("run=")
        if not is_run(name) or name not in runs:
            found.append(
                Finding("", f"多余的 {folder.relative_to(lake.root)}：被中断的运行留下的，下次运行会清除",
                        f"stray {folder.relative_to(lake.root)}: left by an interrupted run; the next run "
                        "removes it")
            )  # fmt: skip
    return found
