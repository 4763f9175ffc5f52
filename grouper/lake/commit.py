"""How a run becomes visible, and what is cleared away after one that did not.

1. ``.staging/<run>/intent.json`` is written: whatever dies from here on can be taken back.
2. Files are made below ``.staging/<run>``, named in the intent with their digests, and moved to their places.
3. The record of the run is put into the chain: the run is finished.
4. The ledger lists it, in one transaction: the run is visible.
5. The staging folder goes, the intent last.

A run that died before 3 is taken back by the next one, file by file as its intent has them. One that died
between 3 and 4 is entered. Nothing else is ever removed: what neither ledger nor intent explains stops the
run, before any work, with its names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from grouper.base.digests import sha256
from grouper.base.errors import DataError, GrouperError, UsageError
from grouper.base.paths import local_path
from grouper.base.whole import sync
from grouper.lake import chain, guide, intent, ledger
from grouper.lake.formats import REPORT
from grouper.lake.layout import LEDGER, REPORTS, TABLES, Lake, is_run, ledger_gone, part
from grouper.lake.lock import writing
from grouper.lake.owned import unexplained

SHOWN = 10  # files that a message lists


@contextmanager
def new_run(lake: Lake, *, shared: bool = False) -> Iterator[tuple[str, Path]]:
    """The id and the empty staging folder of a run, under the lock; all that is not committed goes after.

    ``shared``: a lake that is made now may be looked into by others, as far as the umask lets them.

    Raises UsageError when another run or program holds the lake, DataError when it has files that nothing
    explains.
    """
    _make_root(lake, shared)
    with writing(lake):
        try:
            recover(lake)
            ledger.ask(lake)
            run = ledger.next_run(lake)
            place = intent.begin(lake, run)
        except OSError as error:
            raise full(lake, error) from error
        try:
            yield run, place
        except OSError as error:
            raise full(lake, error) from error
        except Exception as error:
            if _no_room(error):
                raise full(lake, OSError(str(error))) from error
            raise
        finally:
            with suppress(Exception):
                recover(lake)


def ready(lake: Lake) -> None:
    """Raises what ``new_run`` would raise at once, before any work is done for it."""
    if lake.ledger.exists() or lake.traces():
        with writing(lake):
            recover(lake)
            ledger.ask(lake)


def _make_root(lake: Lake, shared: bool) -> None:
    try:
        if not lake.root.exists():
            lake.root.mkdir(parents=True, mode=0o777 if shared else 0o700)
    except OSError as error:
        raise UsageError(
            zh=f"无法写入 {lake.root}：{error.strerror}", en=f"cannot write {lake.root}: {error.strerror}"
        ) from error


def _no_room(error: Exception) -> bool:
    """DuckDB tells of a disk that takes no more by an error of its own, when it spills or commits."""
    import duckdb

    return isinstance(error, duckdb.IOException | duckdb.FatalException)


def full(lake: Lake, error: OSError) -> UsageError:
    """The error for a disk that does not take what is written."""
    name = error.filename or lake.root
    return UsageError(
        zh=f"无法写入 {name}：{error.strerror or error}；湖保持原状，腾出空间后重新运行同一命令即可",
        en=f"cannot write {name}: {error.strerror or error}; the lake is as it was: make room and run "
        "the same command again",
    )


def recover(lake: Lake) -> None:
    """End what a run left unfinished, under the lock. Raises DataError for what nothing explains."""
    known = ledger.hashes(lake)
    unfinished = intent.unfinished(lake)
    _known_runs(lake, known, {found.run for found in unfinished})
    intent.drop_empty(lake)
    for found in unfinished:
        if found.run not in known and found.run in chain.runs(lake):
            _enter(lake, found, known)
            known = ledger.hashes(lake)
        if found.run in known:
            intent.end(lake, found.run)
        elif strange := intent.others(lake, found):
            raise unexplained_files(lake, strange)
        else:
            intent.take_back(lake, found)
    if strange := unexplained(lake, known):
        raise unexplained_files(lake, strange)


def _enter(lake: Lake, found: intent.Intent, known: Mapping[str, str]) -> None:
    """Enter a run whose record is in the chain, where it follows from the last run of the ledger and all of
    its files are there; else leave everything as it is."""
    link = chain.read(lake, found.run)
    last = list(known.values())[-1] if known else ""
    if link.previous != last or len(known) + 1 != int(found.run):
        raise ledger_gone(lake) if not known else older(lake, list(known), chain.runs(lake))
    missing = [name for name in found.files if not (lake.root / name).is_file()]
    if strange := missing + intent.others(lake, found):
        raise unexplained_files(lake, strange)
    ledger.append(lake, link.record)


def _known_runs(lake: Lake, known: Mapping[str, str], dying: Collection[str]) -> None:
    """Raises DataError for a ledger that is gone, or that is older or another than the chain; ``dying`` runs
    need not be in it."""
    if strange := [run for run in known if not is_run(run)]:
        raise DataError(
            zh=f"{lake.ledger} 的运行号 {_listed(strange)} 不是六位数字：账本被改动；没有改动任何文件。"
            f"请运行 grouper audit {lake.root}，再用 grouper lake repair 修复",
            en=f"{lake.ledger} has runs {_listed(strange)}, which are no six digits: it was changed; no file "
            f"was touched. Run grouper audit {lake.root}, then grouper lake repair",
        )
    runs = [run for run in chain.runs(lake) if run in known or run not in dying]
    if not known and lake.traces() - set(dying):
        raise ledger_gone(lake)
    if not set(runs) <= set(known):
        raise older(lake, list(known), runs)
    if runs and chain.read(lake, runs[-1]).hash != known[runs[-1]]:
        raise DataError(
            zh=f"{lake.ledger} 中运行 {runs[-1]} 的哈希与 {chain.place_of(runs[-1])} 不符：账本不是本湖的，"
            f"或被改动；没有改动任何文件。请运行 grouper audit {lake.root}，再用 grouper lake repair 修复",
            en=f"the hash of run {runs[-1]} in {lake.ledger} is not that of {chain.place_of(runs[-1])}: the "
            f"ledger is of another lake, or was changed; no file was touched. Run grouper audit {lake.root}, "
            "then grouper lake repair",
        )


def older(lake: Lake, known: Sequence[str], runs: Sequence[str]) -> DataError:
    """The error for a ledger that ends before the chain does."""
    more = [run for run in runs if run not in known]
    last = known[-1] if known else "-"
    return DataError(
        zh=f"账本 {LEDGER} 比数据旧：它止于运行 {last}，而 {lake.root} 还有运行 {_listed(more)}；"
        f"没有改动任何文件。请恢复最新的账本，或运行 grouper lake repair {lake.root}，由各运行的记录重建账本",
        en=f"the ledger {LEDGER} is older than the data: it ends with run {last}, but {lake.root} has run "
        f"{_listed(more)} too; no file was touched. Restore the latest ledger, or run grouper lake repair "
        f"{lake.root} to make it again from the records of the runs",
    )


def unexplained_files(lake: Lake, names: Sequence[str]) -> DataError:
    """The error for files that neither the ledger nor an unfinished run explains."""
    return DataError(
        zh=f"{lake.root} 有 {len(names)} 个不属于任何运行的文件：{_listed(names)}；没有改动任何文件。"
        f"请自行移走，或运行 grouper lake repair {lake.root}，把它们移到一旁（不会删除）",
        en=f"{lake.root} has {len(names)} files that no run owns: {_listed(names)}; no file was touched. "
        f"Move them away, or run grouper lake repair {lake.root} to set them aside (nothing is deleted)",
    )


def _listed(names: Sequence[str]) -> str:
    more = f", … (+{len(names) - SHOWN})" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def place_tables(lake: Lake, staged: Path, area: str, period: str, run: str) -> list[dict[str, Any]]:
    """Move ``staged/<table>.parquet`` to their places; returns the rows of ``outputs``."""
    import pyarrow.parquet as pq

    outputs, files = [], {}
    for table in TABLES:
        source = staged / f"{table}.parquet"
        if source.is_file():
            name = part(table, area, period, run).as_posix()
            outputs.append(_output(table, name, source, pq.read_metadata(local_path(source)).num_rows))
            files[name] = source
    _place(lake, run, outputs, files)
    return outputs


def place_reports(lake: Lake, staged: Path, run: str) -> list[dict[str, Any]]:
    """Move what is below ``staged/reports`` to its place; returns the rows of ``outputs``."""
    folder = staged / REPORTS
    outputs, files = [], {}
    for source in sorted(folder.rglob("*")):
        if source.is_file():
            name = f"{REPORTS}/{run}/{source.relative_to(folder).as_posix()}"
            outputs.append(_output(REPORT, name, source, None))
            files[name] = source
    _place(lake, run, outputs, files)
    return outputs


def _output(table: str, name: str, source: Path, rows: int | None) -> dict[str, Any]:
    return {"table_name": table, "path": name, "rows": rows, "bytes": source.stat().st_size,
            "sha256": sha256(source)}  # fmt: skip


def _place(lake: Lake, run: str, outputs: Sequence[Mapping[str, Any]], files: Mapping[str, Path]) -> None:
    intent.add(lake, run, {row["path"]: row["sha256"] for row in outputs})
    intent.place(lake, files)


def commit(lake: Lake, record: ledger.Record) -> str:
    """The one moment in which the run comes to be. Returns its hash."""
    run = record.run["run"]
    folder = lake.staging / run
    chain.fill(lake, folder)
    chain.write(lake, folder, record, head(lake))
    try:
        own = ledger.append(lake, record)
    except BaseException as error:
        if isinstance(error, GrouperError) or not _may_be_listed(lake, run):
            chain.remove(lake, run)
        raise
    sync(lake.root)
    guide.put(lake, folder)
    with suppress(OSError):  # whatever becomes of the ledger from here on, nothing may be taken back
        intent.write(lake, intent.Intent(run, {}))
    return own


def _may_be_listed(lake: Lake, run: str) -> bool:
    """Whether the ledger has a run after all; True where it cannot be told."""
    try:
        return run in ledger.hashes(lake)
    except Exception:  # noqa: BLE001 - whatever the ledger answers, a run that may be in it is not taken back
        return True


def head(lake: Lake) -> str:
    """The hash of the last run of the ledger, which the next one builds on; "" where there is none."""
    found = ledger.hashes(lake)
    return list(found.values())[-1] if found else ""
