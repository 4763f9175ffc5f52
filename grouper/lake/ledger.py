"""The ledger: what every run read, decided and wrote, in one DuckDB file that is only ever added to.

A run enters in one transaction, which is the commit point of the lake. ``hash`` is the SHA-256 over the
canonical JSON of all rows of the run with the hash of the run before, so a changed past shows. Which columns
that is over goes by the format of the run (``formats.HASHED``), never by the columns of today.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.digests import sha256_of
from grouper.base.errors import DataError, UsageError
from grouper.base.formats import known
from grouper.base.scratch import spill_folder
from grouper.base.sql import literal
from grouper.lake.formats import HASHED, REPORT
from grouper.lake.layout import Lake, run_id

if TYPE_CHECKING:
    import duckdb

COLUMNS: dict[str, dict[str, str]] = {
    "runs": {
        "run": "VARCHAR", "kind": "VARCHAR", "area": "VARCHAR", "period": "VARCHAR", "started_by": "VARCHAR",
        "note": "VARCHAR", "as_of": "VARCHAR", "software": "VARCHAR", "scheme_id": "VARCHAR",
        "scheme_sha256": "VARCHAR", "policy_id": "VARCHAR", "policy_sha256": "VARCHAR",
        "options_json": "VARCHAR", "voids": "VARCHAR", "rows_in": "BIGINT", "cases": "BIGINT",
        "rejected": "BIGINT", "netted": "BIGINT", "adjusted": "BIGINT", "cost_in_fen": "BIGINT",
        "cases_cost_fen": "BIGINT", "fund_due_fen": "BIGINT", "adjustments_fen": "BIGINT",
        "previous_hash": "VARCHAR", "hash": "VARCHAR", "format": "BIGINT",
    },
    "inputs": {
        "run": "VARCHAR", "role": "VARCHAR", "path": "VARCHAR", "bytes": "BIGINT", "sha256": "VARCHAR",
    },
    "outputs": {
        "run": "VARCHAR", "table_name": "VARCHAR", "path": "VARCHAR", "rows": "BIGINT", "bytes": "BIGINT",
        "sha256": "VARCHAR",
    },
    "parameters": {
        "run": "VARCHAR", "name": "VARCHAR", "value": "VARCHAR", "valid_from": "VARCHAR",
        "valid_to": "VARCHAR", "source": "VARCHAR", "article": "VARCHAR", "verified": "BOOLEAN",
    },
    "counts": {
        "run": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "rows": "BIGINT", "cost_fen": "BIGINT",
    },
    "amounts": {
        "run": "VARCHAR", "hospital_code": "VARCHAR", "pool": "VARCHAR", "name": "VARCHAR", "fen": "BIGINT",
    },
}  # fmt: skip
_TRIES, _PAUSE = 50, 0.1  # a writer holds the file for a moment only
_HELD = ("could not set lock", "conflicting lock", "being used by another process")  # what DuckDB says then
_DENIED = ("permission denied", "read-only")
_CONFIG: dict[str, Any] = {"threads": 1}  # starting more takes longer than what they would do
_ONE = threading.RLock()  # one look or one entry at a time: locks of files are the process's, not a thread's


@dataclass
class Record:
    """All rows of one run. ``run`` is its row of ``runs`` without the hashes."""

    run: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def body(self, previous: str) -> dict[str, Any]:
        """What is hashed: every row with its run left out, in a fixed order."""
        columns = HASHED[self.format]
        own = {name: self.run.get(name) for name in columns["runs"]}
        rows = {table: self.rows.get(table, []) for table in columns if table != "runs"}
        plain = {table: _plain(columns[table], found) for table, found in rows.items()}
        return {
            "run": own, "previous": previous,
            **{table: sorted(found, key=_text) for table, found in plain.items()},
        }  # fmt: skip

    def sealed(self, previous: str) -> str:
        """The hash over the same without the reports, which can therefore show it."""
        outputs = [row for row in self.rows.get("outputs", []) if row["table_name"] != REPORT]
        return digest(Record(self.run, {**self.rows, "outputs": outputs}).body(previous))

    @classmethod
    def of_body(cls, body: Mapping[str, Any]) -> Record:
        """The record that has this body."""
        return cls(dict(body["run"]), {name: body[name] for name in COLUMNS if name != "runs"})

    @property
    def format(self) -> int:
        """The format of the run; 1 where its ledger has no such column."""
        return int(self.run.get("format") or 1)


def _plain(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in names} for row in rows]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(body: Mapping[str, Any]) -> str:
    """The hash of a run's body."""
    return sha256_of(_text(body))


def create(lake: Lake, folder: Path, records: Sequence[tuple[Record, str, str]] = ()) -> None:
    """A ledger of these records with their previous and own hashes, in the place of the one there may be.

    Made in ``folder`` of the same file system, so that it is there whole or not at all.
    """
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "ledger.new"
    with duckdb.connect(str(made), config=_CONFIG) as connection:
        for table, columns in COLUMNS.items():
            told = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute(f"CREATE TABLE {table} ({told})")
        for record, previous, own in records:
            insert(connection, record, previous, own)
    if lake.private:
        made.chmod(0o600)
    os.replace(made, lake.ledger)


@contextmanager
def opened(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The ledger to read, as a DuckDB connection; waits while another process has it for a moment.

    Opening a database anew for each look would take longer than the looks, so the file is attached to one
    that stays. Not within another ``opened``. Raises DataError when it cannot be opened.
    """
    with _ONE:
        base = _reader(os.getpid())
        _patiently(
            lake.ledger, lambda: base.execute(f"ATTACH {literal(str(lake.ledger))} AS ledger (READ_ONLY)")
        )
        connection = base.cursor()
        try:
            connection.execute("USE ledger")
            _check_format(connection, lake.ledger)
            yield connection
        except _harmed() as error:
            raise broken(lake.ledger, error) from error
        finally:
            connection.close()
            base.execute("DETACH ledger")


@lru_cache(maxsize=64)
def _reader(process: int) -> duckdb.DuckDBPyConnection:
    """The database that ledgers are attached to; one a process, as none outlives a fork."""
    import duckdb

    return duckdb.connect(config={**_CONFIG, "temp_directory": spill_folder()})


@contextmanager
def _writable(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The ledger to write, in a database of its own. Raises as ``opened``."""
    import duckdb

    opening = lambda: duckdb.connect(str(lake.ledger), config=_CONFIG)  # noqa: E731
    with _ONE, _patiently(lake.ledger, opening) as connection:
        try:
            _check_format(connection, lake.ledger)
            yield connection
        except _harmed() as error:
            raise broken(lake.ledger, error) from error


def _harmed() -> tuple[type[Exception], ...]:
    """What DuckDB raises where blocks, tables or columns of a ledger are not what they should be."""
    import duckdb

    return (
        duckdb.IOException, duckdb.FatalException, duckdb.SerializationException, duckdb.InternalException,
        duckdb.CatalogException, duckdb.BinderException,
    )  # fmt: skip


def _check_format(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raises DataError for a ledger with a run of a newer format than this version knows."""
    if not _has_format(connection):
        return
    newest = connection.execute(
        "SELECT format, software FROM runs WHERE format IS NOT NULL ORDER BY format DESC, run DESC LIMIT 1"
    ).fetchall()
    for number, software in newest:
        known(number, "lake", str(path), DataError, software or "")


def _has_format(connection: duckdb.DuckDBPyConnection) -> bool:
    """False for a ledger that has been written by 0.1.0 only."""
    found = connection.execute(
        "SELECT 1 FROM duckdb_columns() WHERE database_name = current_database() "
        "AND table_name = 'runs' AND column_name = 'format'"
    ).fetchall()
    return bool(found)


def _patiently(path: Path, opening: Callable[[], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    """What ``opening`` gives, tried again while another process holds the file."""
    import duckdb

    for _ in range(_TRIES):
        try:
            return opening()
        except duckdb.IOException as error:
            told = str(error).lower()
            if not any(words in told for words in _HELD):
                if any(words in told for words in _DENIED):
                    raise UsageError(
                        zh=f"没有权限打开 {path}", en=f"{path} cannot be opened: permission denied"
                    ) from error
                raise broken(path, error) from error
            time.sleep(_PAUSE)
            last = error
        except duckdb.Error as error:
            raise broken(path, error) from error
    raise held(path) from last


class BrokenLedger(DataError):
    """A ledger that is none, or damaged."""


def broken(path: Path, error: object) -> BrokenLedger:
    """The error for a ledger that cannot be read."""
    return BrokenLedger(
        zh=f"{path} 无法读取或已损坏；没有改动任何文件。请从备份恢复该文件，或运行 grouper lake repair "
        f"{path.parent}，由各运行的记录重建账本",
        en=f"cannot read {path}: {error}; no file was touched. Restore it from a backup, or run grouper lake "
        f"repair {path.parent} to make it again from the records of the runs",
    )


def held(path: Path) -> UsageError:
    """The error for a ledger that another program has open: nothing is wrong with it."""
    return UsageError(
        zh=f"{path} 正被另一个程序打开（例如 DuckDB 或 Python 会话）；账本没有损坏，湖保持原状。"
        "请关闭该程序，再运行同一命令",
        en=f"{path} is open in another program, such as a DuckDB or Python session; nothing is wrong with it "
        "and the lake is as it was. Close that program and run the same command again",
    )


def ask(lake: Lake) -> None:
    """Raises UsageError where the ledger could not be written to, because another program has it open."""
    if lake.ledger.is_file():
        with _writable(lake):
            pass


def hashes(lake: Lake) -> dict[str, str]:
    """Run to hash, in order; {} where there is no ledger."""
    if not lake.ledger.is_file():
        return {}
    with opened(lake) as connection:
        return dict(connection.execute("SELECT run, hash FROM runs ORDER BY run").fetchall())


def next_run(lake: Lake) -> str:
    """The id that the next run takes."""
    if not lake.ledger.is_file():
        return run_id(1)
    with opened(lake) as connection:
        row = connection.execute("SELECT max(run) FROM runs").fetchone()
    return run_id(int((row and row[0]) or 0) + 1)


def append(lake: Lake, record: Record) -> str:
    """Enter a run: the commit point. Returns its hash.

    A ledger of an older format gets the columns that it lacks; its rows stay as they are.
    """
    if not lake.ledger.is_file():
        folder = lake.staging / record.run["run"]
        create(lake, folder)
        with suppress(OSError):  # in use, where a run works there
            folder.rmdir()
            lake.staging.rmdir()
    with _writable(lake) as connection:
        _add_columns(connection)
        last = connection.execute("SELECT hash FROM runs ORDER BY run DESC LIMIT 1").fetchone()
        previous = last[0] if last else ""
        own = digest(record.body(previous))
        insert(connection, record, previous, own)
    return own


def _add_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """The columns that came after the formats of a ledger's runs; one that is gone otherwise stays so."""
    found = connection.execute("SELECT DISTINCT format FROM runs") if _has_format(connection) else None
    later = may_lack({number or 1 for (number,) in found.fetchall()} if found else {1})
    there = set(
        connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database()"
        ).fetchall()
    )
    for table, columns in COLUMNS.items():
        for name, kind in columns.items():
            if (table, name) in later - there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


def may_lack(formats: Collection[int]) -> set[tuple[str, str]]:
    """(table, column) that a ledger with runs of these formats only need not have: no hash is over them."""
    always = {"run", "previous_hash", "hash"}
    hashed = {(table, name) for one in formats for table, names in HASHED[one].items() for name in names}
    every = {(table, name) for table, columns in COLUMNS.items() for name in columns.keys() - always}
    return every - hashed


def insert(connection: duckdb.DuckDBPyConnection, record: Record, previous: str, own: str) -> None:
    """The rows of a run into tables of this shape, all or none."""
    run = record.run["run"]
    rows = {"runs": [{**record.run, "previous_hash": previous, "hash": own}], **record.rows}
    connection.execute("BEGIN")
    try:
        for table, found in rows.items():
            _insert_rows(connection, table, run, found)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _insert_rows(
    connection: duckdb.DuckDBPyConnection, table: str, run: str, found: Sequence[Mapping[str, Any]]
) -> None:
    """All rows at once: row by row would take a second for a city."""
    import pyarrow as pa

    kinds = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "BOOLEAN": pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS[table].items()])
    rows = [{name: run if name == "run" else row.get(name) for name in schema.names} for row in found]
    if rows:
        connection.register("_entering", pa.Table.from_pylist(rows, schema=schema))
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM _entering")
        connection.unregister("_entering")


def read(connection: duckdb.DuckDBPyConnection, run: str) -> Record:
    """A run's rows as they stand in the ledger."""
    rows = {table: _rows(connection, table, run) for table in COLUMNS}
    own = rows.pop("runs")[0]
    return Record(own, rows)


def _rows(connection: duckdb.DuckDBPyConnection, table: str, run: str) -> list[dict[str, Any]]:
    found = connection.execute(f"SELECT * FROM {table} WHERE run = ?", [run])
    names = [item[0] for item in found.description or ()]
    lacking = dict.fromkeys(COLUMNS[table])  # those that older ledgers have not
    return [lacking | dict(zip(names, row, strict=True)) for row in found.fetchall()]


def check_files(lake: Lake, runs: list[str]) -> None:
    """Raises DataError when a data file of these runs is not the one that the ledger knows.

    Sizes only, so that it is cheap before each run; ``audit`` reads the whole files.
    """
    if not runs:
        return
    with opened(lake) as source:
        rows = source.execute(
            "SELECT path, bytes FROM outputs WHERE list_contains(?, run) AND table_name <> ? ORDER BY 1",
            [runs, REPORT],
        ).fetchall()
    for path, size in rows:
        place = lake.root / path
        if not place.is_file() or place.stat().st_size != size:
            raise DataError(
                zh=f"{place} 缺失或被改动；请从备份恢复，或用 --reopen 重新结算该期（grouper audit "
                f"查看全部）",
                en=f"{place} is missing or was changed; restore it from a backup, or settle its period again "
                "with --reopen (grouper audit tells all)",
            )
