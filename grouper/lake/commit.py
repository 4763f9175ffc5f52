"""How a run becomes visible, and what is cleared away after one that did not.

Files are written below ``.staging/<run>``, moved to their places, and only then entered in the ledger in one
transaction. What the ledger does not know is invisible, and goes at the next start, under the lock.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from grouper.base.errors import UsageError
from grouper.base.whole import sync
from grouper.lake import ledger
from grouper.lake.layout import STAGING, TABLES, Lake, is_run, part
from grouper.lake.lock import writing


@contextmanager
def new_run(lake: Lake) -> Iterator[tuple[str, Path]]:
    """The id and the empty staging folder of a run, under the lock; all that is not committed goes after."""
    with writing(lake):
        try:
            recover(lake)
            run = ledger.next_run(lake)
            place = lake.staging / run
            place.mkdir(parents=True)
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
    """Remove everything that no committed run owns."""
    shutil.rmtree(lake.root / STAGING, ignore_errors=True)
    known = _known(lake)
    for table in TABLES:
        for folder in sorted((lake.root / table).glob("area=*/year=*/month=*/run=*")):
            if folder.name.removeprefix("run=") not in known:
                shutil.rmtree(folder)
                _prune(folder.parent, lake.root)
    for folder in sorted(lake.reports.glob("*")):
        if is_run(folder.name) and folder.name not in known:
            shutil.rmtree(folder)
            _prune(lake.reports, lake.root)


def _known(lake: Lake) -> set[str]:
    if not lake.ledger.is_file():
        return set()
    with ledger.opened(lake) as connection:
        return {row[0] for row in connection.execute("SELECT run FROM runs").fetchall()}


def _prune(folder: Path, root: Path) -> None:
    """Remove folders that have become empty."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def place_tables(lake: Lake, staged: Path, area: str, period: str, run: str) -> list[dict[str, Any]]:
    """Move ``staged/<table>.parquet`` to their places; returns the rows of ``outputs``."""
    import pyarrow.parquet as pq

    outputs = []
    for table in TABLES:
        source = staged / f"{table}.parquet"
        if not source.is_file():
            continue
        relative = part(table, area, period, run)
        target = lake.root / relative
        named = _make(target.parent, lake.root)
        outputs.append(
            {"table_name": table, "path": relative.as_posix(), "rows": pq.read_metadata(source).num_rows,
             "bytes": source.stat().st_size, "sha256": sha256(source)}
        )  # fmt: skip
        os.replace(source, target)
        for place in (target, *named):
            sync(place)
    return outputs


def commit(lake: Lake, record: ledger.Record) -> str:
    """The one moment in which the run comes to be. Returns its hash."""
    own = ledger.append(lake, record)
    sync(lake.root)
    return own


def _make(folder: Path, root: Path) -> list[Path]:
    """Make a folder; returns it and those above it that got a new name in them."""
    named = [folder]
    while folder != root and not folder.is_dir():
        folder = folder.parent
        named.append(folder)
    named[0].mkdir(parents=True)
    return named


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
