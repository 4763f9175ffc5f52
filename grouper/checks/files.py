"""Check whole files: every record by every rule, counted rule by rule, then the rules over all stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.certified import marks, same_marks
from grouper.base.errors import ReconciliationError
from grouper.base.leftovers import tag
from grouper.base.machine import peak_rss_mib
from grouper.base.output import Output, output_format
from grouper.base.provenance import stamped
from grouper.base.shown import Shown
from grouper.base.whole import refuse_input
from grouper.checks import month
from grouper.checks.evaluate import Checker
from grouper.checks.lake import is_lake, open_records_of
from grouper.checks.money import Spool, price
from grouper.checks.rank import SCHEMA as RANKED
from grouper.checks.rank import ranked
from grouper.checks.record import checker_of
from grouper.checks.rules import Rule
from grouper.checks.store import SCHEMA, Store
from grouper.fitting.sums import workspace
from grouper.grouping.api import Grouper, load_scheme
from grouper.grouping.files import input_digest
from grouper.records import open_records

if TYPE_CHECKING:
    from grouper.payment.policy.policy import Policy
    from grouper.records import ColumnMap

Progress = Callable[[int, int | None], None]
_BATCH_ROWS = 100_000


@dataclass
class Tally:
    """What became of one rule: ``found`` + ``passed`` + ``not_evaluated`` are the rows, of a rule of scope
    record. ``lacks``: fields that the source has not. ``findings``: rows of the result; ``money``: yuan."""

    rule: Rule
    found: int = 0
    passed: int = 0
    not_evaluated: int = 0
    lacks: tuple[str, ...] = ()
    findings: int = 0
    money: Decimal | None = None


@dataclass
class CheckSummary(Shown):
    """What a run did. ``tallies``: of every rule, in the order of the rules; ``off``: rules that the area
    switches off. ``records``: rows with a finding of their own."""

    scheme: str
    area: str
    inputs: list[str]
    output: str | None
    rows: int = 0
    records: int = 0
    findings: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    off: tuple[str, ...] = ()
    dropped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    peak_rss_mib: int | None = None

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.scheme}: {self.rows:,} rows, {self.records:,} with findings → {self.output}"


def check_files(
    grouper: Grouper,
    inputs: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    area: str = "",
    when: date | None = None,
    policy: Policy | None = None,
    months: bool = True,
    rank: bool = False,
    lang: str = "zh",
    layout: str | None = None,
    columns: ColumnMap | None = None,
    input_format: str | None = None,
    to: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    memory: str = "2GiB",
    threads: int = 2,
    progress: Progress | None = None,
    shared: bool = False,
) -> CheckSummary:
    """Evaluate all rules over files and write the findings, one a row; the summary counts by rule.

    ``output``: findings as Parquet, CSV, JSONL or XLSX; None: the summary only. ``months``: also the
    rules over all stays of the files. ``policy``: findings with a
    correction get the difference in yuan, and costs are held against its limits. ``rank``: by case, the
    suspicious first, for audit. Memory is bounded by a batch and
    ``memory``. Raises UsageError, DataError or TableError before anything is written, ReconciliationError
    when rows do not add up.
    """
    begin = time.perf_counter()
    paths, target = [str(path) for path in inputs], None if output is None else str(output)
    format_ = output_format(target, to) if target else ""
    if target:
        refuse_input(target, paths)
    before = marks(paths)
    checker = checker_of(grouper, area, when, lang)
    source = open_records(
        paths, layout=layout, columns=columns, file_format=input_format, encoding=encoding, sheet=sheet,
        batch_rows=_BATCH_ROWS, look=True,
    )  # fmt: skip
    with source, workspace(memory, threads) as connection:
        summary = CheckSummary(grouper.id, area, paths, target, off=checker.rules.off, dropped=source.kinds)
        run = Run(checker, Store(connection), summary, months)
        if policy is None:
            run.read(source.columns, source.schema, source.batches(), progress, source.num_rows)
        else:
            _check_scheme(policy, grouper)
            with TemporaryDirectory(prefix=f"grouper.{tag()}.") as folder:
                with Spool(Path(folder), checker, source.columns, source.schema) as run.spool:
                    run.read(source.columns, source.schema, source.batches(), progress, source.num_rows)
                if summary.rows:
                    price(connection, run.spool, policy, when, memory, threads)
        run.finish(lang)
        if target:
            write(run, target, format_, rank=rank, shared=shared)
        same_marks(before)
    summary.seconds = time.perf_counter() - begin
    summary.peak_rss_mib = peak_rss_mib()
    return summary


def check_lake(
    lake: str | Path,
    output: str | Path | None = None,
    *,
    area: str = "",
    scheme: str = "",
    months: Sequence[str] = (),
    when: date | None = None,
    rank: bool = False,
    lang: str = "zh",
    to: str | None = None,
    memory: str = "2GiB",
    threads: int = 2,
    progress: Progress | None = None,
    shared: bool = False,
) -> CheckSummary:
    """Evaluate all rules over the current cases of a lake: groups and amounts are those that were settled.

    ``months``: "2025-06" and the like; none: all. ``scheme``: default that of the runs. As ``check_files``
    otherwise.
    """
    begin = time.perf_counter()
    target = None if output is None else str(output)
    format_ = output_format(target, to) if target else ""
    source = open_records_of(lake, area, months)
    with source.connection, workspace(memory, threads) as connection:
        checker = checker_of(load_scheme(scheme or source.scheme), source.area, when, lang)
        summary = CheckSummary(checker.grouper.id, source.area, [str(lake)], target, off=checker.rules.off)
        run = Run(checker, Store(connection), summary, months=True, settled=True)
        run.read(source.columns, source.schema, source.batches(), progress, source.rows)
        source.priced(connection)
        run.finish(lang)
        if target:
            write(run, target, format_, rank=rank, shared=shared)
    summary.seconds = time.perf_counter() - begin
    summary.peak_rss_mib = peak_rss_mib()
    return summary


def _check_scheme(policy: Policy, grouper: Grouper) -> None:
    from grouper.payment.price.scheme_check import check_scheme

    check_scheme(policy, [("--scheme", grouper.id, grouper.engine.scheme.digest)], differs=False)


class Run:
    """The evaluation of one source of records, whatever holds them."""

    def __init__(
        self, checker: Checker, store: Store, summary: CheckSummary, months: bool, *, settled: bool = False
    ) -> None:
        self.settled = settled
        self.spool: Spool | None = None
        self.checker, self.store, self.summary = checker, store, summary
        self._months = checker.rules.of("month") if months else ()
        self._fields: frozenset[str] = frozenset()
        summary.tallies = {rule.id: Tally(rule) for rule in (*checker.rules.of("record"), *self._months)}
        places = {"rule": list(summary.tallies), "place": list(range(len(summary.tallies)))}
        store.connection.register("_rules", pa.table(places))
        store.connection.execute("CREATE TABLE rules AS SELECT * FROM _rules")

    def read(
        self,
        columns: ColumnMap,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        progress: Progress | None = None,
        expected: int | None = None,
    ) -> None:
        """Evaluate the rules of scope record over all batches."""
        reader = self.checker.reader(columns, schema)
        self._fields = reader.fields
        rows = 0
        for batch in batches:
            settled = {name: batch.column(name) for name in batch.schema.names} if self.settled else None
            read = reader.read(batch, rows)
            done = self.checker.check(read, reader.fields, rows, settled)
            self._count(done.states, batch.num_rows)
            self.store.add(done, rows, bool(self._months))
            if self.spool is not None:
                self.spool.add(batch, read, done, rows)
            rows += batch.num_rows
            if progress:
                progress(rows, expected)
        self.summary.rows = rows
        self._reconcile(expected)

    def _count(self, states: pl.DataFrame, rows: int) -> None:
        found, unknown = states.sum(), states.null_count()
        for name, tally in self.summary.tallies.items():
            if tally.rule.scope != "record":
                continue
            here = (int(found[name][0] or 0), int(unknown[name][0])) if name in states.columns else (0, rows)
            tally.found += here[0]
            tally.not_evaluated += here[1]
            tally.passed += rows - sum(here)

    def _reconcile(self, expected: int | None) -> None:
        for tally in self.summary.tallies.values():
            total = tally.found + tally.passed + tally.not_evaluated
            if tally.rule.scope == "record" and (total != self.summary.rows or expected not in (None, total)):
                raise ReconciliationError(
                    zh=f"行数不符：规则 {tally.rule.id} 共 {total} 行，"
                    f"读入 {expected or self.summary.rows} 行",
                    en=f"rows do not add up: {total} by rule {tally.rule.id}, "
                    f"{expected or self.summary.rows} read",
                )

    def finish(self, lang: str) -> None:
        """The rules of scope month, and the totals."""
        priced = "priced" in {name for (name,) in self.store.connection.execute("SHOW TABLES").fetchall()}
        has = self._fields | ({"weights"} if self.checker.has_weights else set())
        has |= {"policy"} if priced else set()
        for tally in self.summary.tallies.values():
            tally.lacks = tuple(name for name in tally.rule.needs if name not in has)
            if tally.rule.scope == "month" and not tally.lacks:
                month.find(self.store.connection, tally.rule, lang)
        for name, (found, records, money) in self.store.totals().items():
            tally = self.summary.tallies[name]
            tally.findings, tally.money = found, None if money is None else Decimal(money)
            if tally.rule.scope == "month":
                tally.found = records or found
        self.summary.findings = sum(tally.findings for tally in self.summary.tallies.values())
        [(self.summary.records,)] = self.store.connection.execute(
            "SELECT count(DISTINCT row) FROM findings"
        ).fetchall()


def write(run: Run, target: str, format_: str, *, rank: bool, shared: bool) -> None:
    """Write the findings, one a row; with ``rank`` the cases that have some."""
    batches = ranked(run.store.connection, run.checker.rules.rank) if rank else run.store.batches()
    with Output(target, format_, private=not shared) as out:
        writer = out.open(RANKED if rank else SCHEMA)
        rows = 0
        for batch in batches:
            writer.write(batch)
            told = [batch[name] for name in ("errors", "warnings", "hints")] if rank else []
            rows += sum(pc.sum(column).as_py() or 0 for column in told) if rank else len(batch)
        if rows != run.summary.findings:
            raise ReconciliationError(
                zh=f"写出 {rows} 条发现，应为 {run.summary.findings} 条",
                en=f"{rows} findings written, {run.summary.findings} expected",
            )
        writer.provenance = provenance(run.checker, run.summary)


def provenance(checker: Checker, summary: CheckSummary) -> dict[str, Any]:
    """What made a table of findings."""
    scheme = checker.grouper.engine.scheme
    return {
        **stamped(),
        "scheme": {"id": summary.scheme, "sha256": scheme.digest},
        "options": checker.grouper.options.as_dict(),
        "area": summary.area,
        "inputs": [{"lake": path} if is_lake(path) else input_digest(path) for path in summary.inputs],
        "rows": summary.rows,
        "findings": summary.findings,
        "rules_off": list(summary.off),
        "weights": f"weights/{summary.scheme}.csv" if checker.has_weights else "",
        "rules": {
            name: {
                "found": tally.found, "passed": tally.passed, "not_evaluated": tally.not_evaluated,
                "lacks": list(tally.lacks), "limits": dict(tally.rule.limits),
                "verified": tally.rule.verified,
            }
            for name, tally in summary.tallies.items()
        },
    }  # fmt: skip
