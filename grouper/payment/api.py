"""Pay: one call from grouped files to priced cases, hospital statement, pool summary and what-if."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import UsageError
from grouper.base.leftovers import clear, tag
from grouper.base.output import Output
from grouper.base.plain import refuse_passing
from grouper.base.shown import Shown
from grouper.base.sql import scan
from grouper.base.whole import refuse_input
from grouper.payment.policy.policy import Policy, find_policy
from grouper.payment.price.gated import LEFT
from grouper.payment.price.inputs import Files
from grouper.payment.price.oddities import Oddity, find
from grouper.payment.price.pricing import Priced, connect, price_files
from grouper.payment.price.whatif import WhatIf, by_hospital, compare, write_beside
from grouper.records.stays import Gate

if TYPE_CHECKING:
    from grouper.payment.pool.budget import Budget
    from grouper.payment.pool.settle import Run as Settlement
    from grouper.payment.pool.unused import Unused
    from grouper.records import ColumnMap

Progress = Callable[[int, int | None], None]
_BESIDE = ("hospitals", "pools", "what-if")  # the tables beside the cases
_Settled = tuple["Settlement", "Budget"]


@dataclass
class Paid(Shown):
    """What a run made. ``hospitals``, ``pools``: the statements as tables; ``totals``: cases and yuan by
    pool, status and reason; ``paths``: what was written, by name."""

    priced: Priced
    hospitals: pa.Table
    pools: pa.Table
    totals: list[dict[str, Any]]
    settlement: Settlement | None = None
    cleared: bool = False
    what_if: WhatIf | None = None
    odd: list[Oddity | Unused] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """What it is, in one line."""
        return self.priced.line()


@dataclass(frozen=True)
class _Job:
    """How cases are priced, whatever the policy."""

    files: Files
    budget: str | None
    value: str
    threads: int | None
    memory: str | None
    progress: Progress | None
    shared: bool


def pay(
    grouped: str | Sequence[str],
    policy: Policy | str,
    output: str,
    *,
    as_of: Date | None = None,
    date: str = "discharge_date",
    hospitals: str | None = None,
    decisions: str | None = None,
    columns: ColumnMap | None = None,
    budget: str | None = None,
    value: str = "settlement",
    what_if: Mapping[str, str] | None = None,
    interim: str = "hold",
    scheme_differs: bool = False,
    stay: str = "",
    threads: int | None = None,
    memory: str | None = None,
    progress: Progress | None = None,
    shared: bool = False,
) -> Paid:
    """Price grouped files (Parquet or CSV) and write the cases to ``output`` (.parquet).

    ``policy``: a policy, its id or path, or an area. ``as_of``: the day whose parameters all cases take;
    else each case takes those of its ``date`` column. ``hospitals``, ``decisions``: CSV files with
    properties of hospitals and decisions by case. ``budget``: a budget file; the pools are then settled,
    at the "settlement" or the "budget" ``value`` of a point. ``what_if``: parameters to change
    ("base_rate": "11000", "level_coefficient.3": "1.1"): every case has its amounts under the policy and, as
    ``what_if_amount`` and the like, under the reform; hospitals are compared, provenance names the changes.
    Every row comes out, in order; a refund with its original, and any other row that is no stay, has the
    status "left" and no amounts. A file of another scheme than the policy's is refused, but for
    ``scheme_differs``. ``interim``: several bills of one stay are held ("hold") or joined ("join").
    ``stay``: "given", "nights" or "days"; "" is as the files were grouped.
    Beside ``output``: STEM-hospitals.csv, STEM-pools.csv and, with ``what_if``, STEM-what-if.csv.
    A new ``output`` may be read by others only with ``shared``.

    Raises UsageError, TableError or DataError before anything is written, ReconciliationError when
    rows or sums do not add up.
    """
    chosen = find_policy(policy, as_of) if isinstance(policy, str) else policy
    paths = [grouped] if isinstance(grouped, str) else list(grouped)
    _check_output(output, [*paths, *(str(path) for path in (hospitals, decisions, budget) if path)])
    reform = chosen.changed(what_if) if what_if else None
    gate = Gate(dated=as_of is None and date == "discharge_date", interim=interim, net=True)
    files = Files(
        [str(p) for p in paths], columns, hospitals, decisions, date, as_of, gate, scheme_differs, stay
    )
    job = _Job(files, budget, value, threads, memory, progress, shared)
    compared = None
    clear(Path(output).resolve().parent, ".what-if")
    with tempfile.TemporaryDirectory(prefix=f".what-if.{tag()}.", dir=Path(output).resolve().parent) as place:
        other = str(Path(place) / "cases.parquet")
        if reform is None or not what_if:
            priced, settlement = _run(chosen, job, output)
        else:
            first = str(Path(place) / "as-it-is.parquet")
            _run(reform, job, other)
            priced, settlement = _run(chosen, job, first)
            compared = _compared(first, other, what_if, job)
            told = {"changes": dict(what_if), "policy": reform.id, "sha256": reform.digest}
            write_beside(first, other, output, told, shared=shared)
    done = _statements(priced, settlement, output, job)
    done.what_if = compared
    with connect(threads, memory) as connection:
        done.odd = [*find(connection, output), *_unused(chosen, settlement)]
    _write(done, output)
    return done


def _check_output(output: str, inputs: Sequence[str]) -> None:
    place = Path(output)
    if place.suffix.lower() != ".parquet":
        raise UsageError(zh=f"-o {output}：应为 .parquet 文件", en=f"-o {output}: should be a .parquet file")
    refuse_passing(place)
    for path in (place, *(_beside(output, name) for name in _BESIDE)):
        refuse_input(path, inputs)
    if not place.resolve().parent.is_dir():
        raise UsageError(zh=f"-o {output}：没有这个目录", en=f"-o {output}: there is no such folder")


def _run(policy: Policy, job: _Job, output: str) -> tuple[Priced, _Settled | None]:
    """Price, and with a budget settle; ``output`` appears whole or not at all."""
    if job.budget is None:
        return _price(policy, job, output), None
    from grouper.payment.pool.budget import read_budget
    from grouper.payment.pool.settle import settle_cases
    from grouper.payment.pool.unused import refuse_without_lake

    budget = read_budget(job.budget)
    refuse_without_lake(budget)
    clear(Path(output).resolve().parent, ".pay")
    with tempfile.TemporaryDirectory(prefix=f".pay.{tag()}.", dir=Path(output).resolve().parent) as place:
        between = str(Path(place) / "priced.parquet")
        priced = _price(policy, job, between)
        run = settle_cases(
            policy, [between], budget, output, value=job.value, threads=job.threads, memory=job.memory,
            shared=job.shared,
        )  # fmt: skip
    return priced, (run, budget)


def _price(policy: Policy, job: _Job, output: str) -> Priced:
    return price_files(
        policy, job.files, output, threads=job.threads, memory=job.memory, progress=job.progress,
        shared=job.shared,
    )  # fmt: skip


def _unused(policy: Policy, settled: _Settled | None) -> list[Unused]:
    """What the budget file says and nothing went by, its area among it where it is another."""
    from grouper.payment.pool.unused import Unused, not_used

    if settled is None:
        return []
    _, budget = settled
    found = not_used(policy, budget)
    if budget.area and budget.area != policy.area:
        own = policy.area
        found.append(
            Unused(
                "area",
                f"政策的地区是 {own}，不是 {budget.area}",
                f"the policy is of {own}, not {budget.area}",
            )
        )
    return found


def _compared(before: str, after: str, changes: Mapping[str, str], job: _Job) -> WhatIf:
    with connect(job.threads, job.memory) as connection:
        first, settled = by_hospital(connection, before)
        second, _ = by_hospital(connection, after)
    return compare(first, second, changes, settled)


def _statements(priced: Priced, settled: _Settled | None, output: str, job: _Job) -> Paid:
    """The statements: of the settlement where there is one, else of the cases as priced."""
    from grouper.payment.pool.priced_statement import hospitals_priced, pools_priced

    with connect(job.threads, job.memory) as connection:
        totals = _totals(connection, output)
        if settled is None:
            points = priced.policy.method != "drg_rate"
            hospitals = hospitals_priced(connection, output, points)
            pools = pools_priced(connection, output, points)
    if settled is None:
        return Paid(priced, hospitals, pools, totals, paths={"cases": output})
    from grouper.payment.pool.statement import hospital_statement, pool_summary

    run, budget = settled
    clearing = _clearing(run, budget)
    hospitals = hospital_statement([output], run.pools, budget, clearing, threads=job.threads)
    pools = pool_summary(hospitals, run.pools)
    return Paid(priced, hospitals, pools, totals, run, bool(clearing), paths={"cases": output})


def _clearing(run: Settlement, budget: Budget) -> Sequence[Any]:
    """The clearing of the period, where the budget file says what hospitals already had."""
    from grouper.payment.pool.clearing import clear_month, clear_year, dues

    if not budget.hospitals:
        return ()
    clear = clear_year if budget.yearly else clear_month
    return clear(run.terms, budget, dues(run.pools))


def _totals(connection: Any, output: str) -> list[dict[str, Any]]:
    """Cases and yuan by pool, status and reason; rows that are no cases are not in it."""
    rows = connection.execute(
        "SELECT pool, pay_status, pay_reason, count(*), sum(total_cost), coalesce(sum(amount), 0), "
        f"coalesce(sum(fund_due), 0) FROM {scan(output)} WHERE pay_status <> '{LEFT}' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    names = ("pool", "status", "reason", "cases", "total_cost", "amount", "fund_due")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _write(done: Paid, output: str) -> None:
    """The CSV files beside the cases."""
    tables = {"hospitals": done.hospitals, "pools": done.pools}
    if done.what_if is not None:
        tables["what-if"] = done.what_if.table
    for name, table in tables.items():
        path = str(_beside(output, name))
        with Output(path, "csv") as out:
            writer = out.open(table.schema)
            for batch in table.to_batches():
                writer.write(batch)
        done.paths[name] = path


def _beside(output: str, name: str) -> Path:
    place = Path(output)
    return place.with_name(f"{place.stem}-{name}.csv")


def total(rows: Sequence[Mapping[str, Any]], name: str) -> Decimal:
    """The sum of a column of ``Paid.totals``."""
    return sum((row[name] for row in rows), Decimal(0))
