"""Is the lake what its ledger says? Digests, hash chain, control totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grouper.base.scratch import spill_folder
from grouper.lake import intent, ledger, whole
from grouper.lake.formats import REPORT
from grouper.lake.layout import Lake
from grouper.lake.owned import set_aside
from grouper.lake.steps import APPROVE, OF_RUN, SETTLED, entry_of
from grouper.lake.views import scan_parts
from grouper.lake.whole import Finding
from grouper.settlement.states import same_person

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Audited:
    """``checks`` were made; ``findings`` are those that failed. ``head``: hash of the last run, ``run``.

    ``since``: the runs whose heads or seals were expected and found. ``aside``: files that repair set aside.
    """

    runs: int
    files: int
    checks: int
    findings: list[Finding]
    head: str = ""
    run: str = ""
    since: tuple[str, ...] = ()
    aside: int = 0


def audit(lake: Lake, *, expect: Sequence[str] = ()) -> Audited:
    """Check every run: ledger, chain, files, control totals re-derived from the Parquet; and that every file
    is one that a run wrote. ``expect``: heads that the chain has or had, as they are known elsewhere.

    Raises UsageError where there is no lake, DataError where the ledger cannot be read.
    """
    import duckdb

    lake.must_exist()
    try:
        with ledger.opened(lake) as source:
            findings = list(whole.shape(source))
            records = whole.records(source)
    except duckdb.Error as error:
        raise ledger.broken(lake.ledger, error) from error
    findings += whole.linked(records)
    unfinished = intent.unfinished(lake)
    findings += whole.chained(lake, records, [one.run for one in unfinished])
    files = checks = 0
    with duckdb.connect(config={"temp_directory": spill_folder()}) as connection:
        for record in records:
            broken = list(whole.files(lake, record))
            findings += broken
            files += len(record.rows["outputs"])
            if not broken and record.run["kind"] in SETTLED:
                findings += _totals_of(connection, lake, record)
                checks += len(_SUMS) + 2
    findings += whole.strangers(lake, records, unfinished)
    findings += whole.pending(lake, records, unfinished)
    findings += _steps(records)
    since = {text: whole.expected(records, text) for text in expect}
    findings += [
        Finding("", f"链中没有 {text}：历史被截断、回退或重写",
                f"the chain never had {text}: its history was cut off, rolled back or written again")
        for text, run in since.items() if run is None
    ]  # fmt: skip
    last = records[-1].run if records else {"run": "", "hash": ""}
    return Audited(
        len(records), files, checks + 2 * files + len(records), findings, last["hash"] or "", last["run"],
        tuple(run for run in since.values() if run), len(set_aside(lake)),
    )  # fmt: skip


def _steps(records: Sequence[ledger.Record]) -> Iterator[Finding]:
    """Steps that are about no run before them, and approvals that the lake's options forbade."""
    found = [entry_of(record.run) for record in records]
    known = {entry.run: entry for entry in found if entry.kind in SETTLED}
    for number, entry in enumerate(found):
        if entry.kind not in OF_RUN:
            continue
        about = known.get(entry.of)
        if about is None or about.run >= entry.run:
            yield Finding(entry.run, f"此步骤所指的运行 {entry.of or '-'} 不在账本中",
                          f"is about run {entry.of or '-'}, which the ledger does not have")  # fmt: skip
        elif entry.kind == APPROVE and same_person(found[:number], about, entry):
            yield Finding(entry.run, "结算与审批为同一人，而本湖要求两人",
                          "was approved by who settled it, where the lake required two persons")  # fmt: skip


def _totals_of(connection: duckdb.DuckDBPyConnection, lake: Lake, record: ledger.Record) -> list[Finding]:
    """``_totals``; where the tables cannot give them, that is the finding."""
    import duckdb

    try:
        return list(_totals(connection, lake, record))
    except (duckdb.Error, KeyError) as error:
        name = type(error).__name__
        return [
            Finding(record.run["run"], "数据无法得出合计：缺表、缺列或类型不符",
                    f"its data give no totals ({name}): a table or column is missing, or of another type")
        ]  # fmt: skip


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
    places = {
        row["table_name"]: scan_parts([str(lake.root / row["path"])])
        for row in record.rows["outputs"]
        if row["table_name"] != REPORT
    }
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


__all__ = ["Audited", "Finding", "audit"]
