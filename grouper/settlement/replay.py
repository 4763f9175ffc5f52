"""Runs computed again from their inputs, and compared to the fen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow.parquet as pq

from grouper.base.digests import sha256
from grouper.base.errors import DataError, UsageError
from grouper.base.leftovers import tag
from grouper.base.paths import local_path
from grouper.base.sql import quote, scan
from grouper.lake import ledger
from grouper.lake.formats import FORMAT, REPORT
from grouper.lake.layout import Lake
from grouper.lake.steps import SETTLED

if TYPE_CHECKING:
    import duckdb


class Parted(NamedTuple):
    """Columns of a table made today that the kept file lacks, and the other way round."""

    came: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class Replayed:
    """A run computed again. ``tables``: table to whether its bytes, or else its rows, are the same.

    ``columns``: of tables that differ by their columns, those that came and those that are gone; both empty
    where only their order is another.
    """

    run: str
    tables: dict[str, str]  # "bytes", "rows" or "differs"
    columns: dict[str, Parted] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        return "differs" not in self.tables.values()


def replay(lake: Lake, run: str) -> Replayed:
    """Compute a run again from its inputs, as the lake was before it, and compare to the fen.

    Raises UsageError when there is no such run, DataError when an input is not the one that was read.
    """
    lake.must_exist()
    with ledger.opened(lake) as source:
        if not source.execute("SELECT 1 FROM runs WHERE run = ?", [run]).fetchone():
            raise UsageError(zh=f"{lake.root} 没有运行 {run}", en=f"{lake.root} has no run {run}")
        record = ledger.read(source, run)
    if record.run["kind"] not in SETTLED:
        raise UsageError(
            zh=f"运行 {run} 是步骤（{record.run['kind']}），没有可重算的表",
            en=f"run {run} is a step ({record.run['kind']}) and has no tables to compute again",
        )
    same_inputs(record)
    with tempfile.TemporaryDirectory(prefix=f"grouper.{tag()}.") as place:
        staged = Path(place)
        _again(lake, record, staged)
        found = dict(_compare(lake, record, staged))
        differing = [table for table, state in found.items() if state == "differs"]
        return Replayed(run, found, dict(_columns(lake, record, staged, differing)))


_NO_FILES = ("run", "policy", "scheme")  # roles of inputs that name something else than a file


def same_inputs(record: ledger.Record) -> None:
    """Raises DataError for inputs that are not found, all of them named, and for one that is another file."""
    entries = [entry for entry in record.rows["inputs"] if entry["role"] not in _NO_FILES]
    if gone := [entry["path"] for entry in entries if not Path(entry["path"]).is_file()]:
        listed = ", ".join(dict.fromkeys(gone))
        raise DataError(
            zh=f"找不到该运行读取的文件：{listed}（在 {Path.cwd()} 中按原路径查找）；请放回原处，"
            "或在当时的目录中运行，再重算",
            en=f"what the run read is not found: {listed} is not found (looked for from {Path.cwd()}); put "
            "it back, or run from the folder of then, to compute it again",
        )
    for entry in entries:
        path = Path(entry["path"])
        if sha256(path) != entry["sha256"]:
            raise DataError(
                zh=f"{path} 已不是该运行读取的文件（SHA-256 {entry['sha256'][:12]}…），无法重算",
                en=f"{path} is no longer what the run read (SHA-256 {entry['sha256'][:12]}…); it cannot be "
                "computed again",
            )


def _again(lake: Lake, record: ledger.Record, staged: Path) -> None:
    from grouper.settlement import month, year
    from grouper.settlement.plan import job as plan
    from grouper.settlement.plan.year_job import YearJob, make_year_plan

    run = record.run["run"]
    if record.run["kind"] == "settle":
        job = plan.Job.from_json(record.run["options_json"], record.format)
        made = plan.make_plan(lake, job, before=run, format_=record.format)
        _same_rules(record, made.policy_digest, made.grouper.engine.scheme.digest)
        done = month.compute(lake, made, run, staged, before=run)
        _same_past(record, done.record)
        return
    yearjob = YearJob.from_json(record.run["options_json"], record.format)
    yearly = make_year_plan(lake, yearjob, before=run, format_=record.format)
    _same_rules(record, yearly.policy_digest, "")
    year.compute_year(lake, yearly, run, staged, before=run)


def _same_rules(record: ledger.Record, policy: str, scheme: str) -> None:
    if (policy, scheme) != (record.run["policy_sha256"], record.run["scheme_sha256"]):
        raise DataError(
            zh=f"政策 {record.run['policy_id']} 或分组方案 {record.run['scheme_id']} 已改动，无法重算",
            en=f"policy {record.run['policy_id']} or scheme {record.run['scheme_id']} has changed "
            f"since; the run "
            "cannot be computed again",
        )


def _same_past(record: ledger.Record, again: ledger.Record) -> None:
    """Policies and schemes of closed months that the run priced again. Raises DataError."""
    then, now = (
        {
            (row["role"], row["path"], row["sha256"])
            for row in found.rows["inputs"]
            if row["role"] in _NO_FILES
        }
        for found in (record, again)
    )
    for _, name, _ in sorted(then ^ now):
        raise DataError(
            zh=f"当月政策或分组方案已改动：{name}，无法重算",
            en=f"the policy or scheme of a closed month has changed since: {name}; the run cannot be "
            "computed again",
        )


def _compare(lake: Lake, record: ledger.Record, staged: Path) -> Iterator[tuple[str, str]]:
    import duckdb

    with duckdb.connect(config={"temp_directory": str(staged / "spill")}) as connection:
        for row in record.rows["outputs"]:
            if row["table_name"] == REPORT:
                continue
            made = staged / f"{row['table_name']}.parquet"
            if made.is_file() and sha256(made) == row["sha256"]:
                yield row["table_name"], "bytes"
                continue
            same = _same_rows(connection, made, lake.root / row["path"], record.format < FORMAT)
            yield row["table_name"], "rows" if same else "differs"


def _columns(
    lake: Lake, record: ledger.Record, staged: Path, tables: Sequence[str]
) -> Iterator[tuple[str, Parted]]:
    for row in record.rows["outputs"]:
        made, kept = staged / f"{row['table_name']}.parquet", lake.root / row["path"]
        if row["table_name"] in tables and made.is_file() and kept.is_file():
            parted = _parted(made, kept, record.format < FORMAT)
            if parted is not None:
                yield row["table_name"], parted


def _parted(made: Path, kept: Path, older: bool) -> Parted | None:
    """How the columns of two files differ; None where they do not. ``older``: as in ``_same_rows``."""
    now, then = (pq.read_schema(local_path(path)).names for path in (made, kept))
    gone = tuple(name for name in then if name not in now)
    if now == then or (older and not gone):
        return None
    return Parted(() if older else tuple(name for name in now if name not in then), gone)


def _same_rows(connection: duckdb.DuckDBPyConnection, made: Path, kept: Path, older: bool) -> bool:
    """The same rows as often, whatever the bytes: another release may write Parquet otherwise.

    ``older``: of an older format, which lacks columns of today; those that it has are compared.
    """
    if not (made.is_file() and kept.is_file()):
        return False
    if _parted(made, kept, older) is not None:
        return False
    then = pq.read_schema(local_path(kept)).names
    names = ", ".join(quote(name) for name in then)
    one, other = (f"SELECT {names} FROM {scan(path)}" for path in (made, kept))
    row = connection.execute(
        f"SELECT (SELECT count(*) FROM ({one} EXCEPT ALL {other})) + "
        f"(SELECT count(*) FROM ({other} EXCEPT ALL {one}))"
    ).fetchone()
    return row is not None and row[0] == 0
