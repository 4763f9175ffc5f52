"""Is a lake whole: the shape of its ledger, its chain, and whether every file is one that a run wrote.

Nothing here knows what the tables mean; ``settlement.audit`` derives the totals again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grouper.base.digests import sha256
from grouper.base.errors import UsageError
from grouper.base.sql import literal, quote
from grouper.lake import chain, intent, ledger
from grouper.lake.formats import CHAINED, HASHED, REPORT
from grouper.lake.layout import Lake, is_run
from grouper.lake.ledger import Record
from grouper.lake.lock import writing
from grouper.lake.owned import links, unowned

if TYPE_CHECKING:
    import duckdb

SHORT = 12  # characters of a hash that tell it from others


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be. ``run`` "" concerns the whole lake."""

    run: str
    zh: str
    en: str


def shape(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """What the ledger database has beside its tables, what they lack, and rows of no run."""
    columns = _columns(connection)
    older = ledger.may_lack(_formats(connection, columns.get("runs", {})))
    for table in ledger.COLUMNS.keys() - columns.keys():
        yield Finding("", f"账本缺表 {table}", f"the ledger lacks the table {table}")
    for table in sorted(columns.keys() - ledger.COLUMNS.keys()):
        yield Finding("", f"账本中有外来的表或视图 {table}", f"foreign table or view {table} in the ledger")
    for table in sorted(ledger.COLUMNS.keys() & columns.keys()):
        wanted, found = ledger.COLUMNS[table], columns[table]
        for name in sorted(found.keys() - wanted.keys()):
            yield Finding("", f"账本表 {table} 有外来的列 {name}",
                          f"foreign column {name} in the table {table} of the ledger")  # fmt: skip
        for name, kind in wanted.items():
            if found.get(name, kind if (table, name) in older else "-") != kind:
                yield Finding("", f"账本表 {table} 的列 {name} 缺失或类型不符（应为 {kind}）",
                              f"column {name} of the table {table} of the ledger is missing or of another "
                              f"type than {kind}")  # fmt: skip
    for kind, name in connection.execute(_OBJECTS).fetchall():
        yield Finding("", f"账本中有外来的{_KINDS[kind]} {name}", f"foreign {kind} {name} in the ledger")
    if "run" in columns.get("runs", {}):
        yield from _orphans(connection, columns)


_KINDS = {"schema": "模式", "macro": "宏", "sequence": "序列", "index": "索引", "type": "类型"}
_OWN = "database_name = current_database()"
_OBJECTS = f"""SELECT 'schema', schema_name FROM duckdb_schemas() WHERE {_OWN} AND NOT internal
    AND schema_name <> 'main'
UNION ALL SELECT 'macro', function_name FROM duckdb_functions() WHERE {_OWN} AND NOT internal
UNION ALL SELECT 'sequence', sequence_name FROM duckdb_sequences() WHERE {_OWN}
UNION ALL SELECT 'index', index_name FROM duckdb_indexes() WHERE {_OWN}
UNION ALL SELECT 'type', type_name FROM duckdb_types() WHERE {_OWN} AND NOT internal
ORDER BY ALL"""


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "SELECT CASE schema_name WHEN 'main' THEN table_name ELSE schema_name || '.' || table_name END, "
        f"column_name, data_type FROM duckdb_columns() WHERE {_OWN} AND NOT internal"
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


def _formats(connection: duckdb.DuckDBPyConnection, runs: Mapping[str, str]) -> set[int]:
    """The formats of the runs of a ledger; what says none, or none that is known, is taken for format 1."""
    if "format" not in runs:
        return {1}
    found = connection.execute("SELECT DISTINCT format FROM runs").fetchall()
    return {number if number in HASHED else 1 for (number,) in found}


def _orphans(connection: duckdb.DuckDBPyConnection, columns: dict[str, dict[str, str]]) -> Iterator[Finding]:
    for table in sorted(ledger.COLUMNS.keys() - {"runs"}):
        if "run" not in columns.get(table, {}):
            continue
        rows = connection.execute(
            f"SELECT DISTINCT coalesce(run, '-') FROM {quote(table)} WHERE run IS NULL "
            "OR run NOT IN (SELECT run FROM runs WHERE run IS NOT NULL) ORDER BY 1"
        ).fetchall()
        for (run,) in rows:
            yield Finding("", f"账本表 {table} 有不存在的运行 {run} 的行",
                          f"the table {table} of the ledger has rows of run {run}, which it does not "
                          "list")  # fmt: skip


def records(connection: duckdb.DuckDBPyConnection) -> list[Record]:
    """The runs of a ledger of whatever shape, as far as it has them."""
    columns = _columns(connection)
    if "run" not in columns.get("runs", {}):
        return []
    found = []
    for (run,) in connection.execute("SELECT run FROM runs ORDER BY run").fetchall():
        rows: dict[str, list[dict[str, Any]]] = {}
        for table, wanted in ledger.COLUMNS.items():
            if "run" not in columns.get(table, {}):
                rows[table] = []
                continue
            own = [name for name in wanted if name in columns[table]]
            listed = ", ".join(quote(name) for name in own)
            taken = connection.execute(
                f"SELECT {listed} FROM {quote(table)} WHERE run IS NOT DISTINCT FROM {_text(run)}"
            ).fetchall()
            rows[table] = [dict.fromkeys(wanted) | dict(zip(own, row, strict=True)) for row in taken]
        head = rows.pop("runs")[0]
        found.append(Record({**head, "run": str(run)}, rows))
    return found


def _text(run: str | None) -> str:
    return "NULL" if run is None else literal(str(run))


def linked(found: Sequence[Record]) -> Iterator[Finding]:
    """Whether every run of a ledger follows from the one before, and has the rows that its hash is over."""
    previous = ""
    for run, number in Counter(record.run["run"] for record in found).items():
        if number > 1:
            yield Finding(run, f"在账本中出现 {number} 次", f"is {number} times in the ledger")
    for number, record in enumerate(found, 1):
        run = record.run["run"]
        if not is_run(run):
            yield Finding(run, "运行号不是六位数字", "is no id of a run: six digits")
        elif int(run) != number:
            yield Finding(run, f"缺运行 {number:06d}", f"run {number:06d} is missing")
        if record.run["previous_hash"] != previous:
            yield Finding(run, "与上一运行的哈希不衔接", "does not follow from the hash of the run before")
        if hash_of(record) != record.run["hash"]:
            yield Finding(
                run, "账本记录被改动：哈希不符", "its rows in the ledger were changed: the hash differs"
            )
        previous = record.run["hash"]


def hash_of(record: Record) -> str:
    """The hash that the rows of a run give; "" where they are none that could have one."""
    try:
        return ledger.digest(record.body(record.run["previous_hash"] or ""))
    except (KeyError, TypeError, ValueError):
        return ""


def chained(lake: Lake, found: Sequence[Record], unfinished: Sequence[str] = ()) -> Iterator[Finding]:
    """Whether ledger and chain have the same runs with the same rows."""
    listed = {record.run["run"]: record for record in found}
    kept = set(chain.runs(lake))
    since = [run for run, record in listed.items() if record.format >= CHAINED]
    for run, record in listed.items():
        if run not in kept:
            if since:  # the first run of that format gave those before it theirs
                yield Finding(run, f"缺链中的记录 {chain.place_of(run)}",
                              f"its record {chain.place_of(run)} is missing from the chain")  # fmt: skip
            continue
        try:
            link = chain.read(lake, run)
        except chain.BrokenLink as error:
            yield Finding(run, error.zh, error.en)
            continue
        if link.hash != record.run["hash"]:
            yield Finding(run, f"账本与链中的记录 {chain.place_of(run)} 不同",
                          f"the ledger differs from its record {chain.place_of(run)}")  # fmt: skip
    for run in sorted(kept - listed.keys() - set(unfinished)):
        yield Finding(run, "链中有此运行而账本没有：账本被截断或回退；见 grouper lake repair",
                      "is in the chain but not in the ledger, which was cut off or rolled back; see grouper "
                      "lake repair")  # fmt: skip


def files(lake: Lake, record: Record) -> Iterator[Finding]:
    """Whether the files of a run, its reports too, are the ones that it wrote."""
    for row in record.rows["outputs"]:
        path, run = lake.root / str(row["path"]), record.run["run"]
        if not path.is_file():
            yield Finding(run, f"缺文件 {row['path']}", f"the file {row['path']} is missing")
        elif path.stat().st_size != row["bytes"] or sha256(path) != row["sha256"]:
            mend_zh, mend_en = (
                ("请从备份恢复", "restore it from a backup") if row["table_name"] == REPORT
                else ("请从备份恢复，或重新结算该期", "restore it, or settle the period again")
            )  # fmt: skip
            yield Finding(run, f"文件被改动：{row['path']}；{mend_zh}",
                          f"the file was changed: {row['path']}; {mend_en}")  # fmt: skip


def strangers(lake: Lake, found: Sequence[Record], unfinished: Sequence[intent.Intent]) -> Iterator[Finding]:
    """Links, and files that no run owns."""
    linked_files = links(lake)
    for name in linked_files:
        yield Finding("", f"{name} 是链接；湖中不应有链接", f"{name} is a link; a lake has none")
    for name in unowned(lake, found, unfinished):
        if name not in linked_files:
            yield Finding("", f"不属于任何运行的文件 {name}；可用 grouper lake repair 移到一旁",
                          f"no run owns the file {name}; grouper lake repair sets it aside")  # fmt: skip


def pending(lake: Lake, found: Sequence[Record], unfinished: Sequence[intent.Intent]) -> Iterator[Finding]:
    """Runs that died before they were in the ledger; not one that is at work now."""
    if not unfinished or _somebody_writes(lake):
        return
    listed = {record.run["run"] for record in found}
    for one in unfinished:
        if one.run in listed:
            zh, en = (
                "运行已完成，工作文件未清除；下次运行会清除",
                "done, its working files left; the next run removes them",
            )
        elif one.run in chain.runs(lake):
            zh, en = "已完成而未入账；下次运行会入账", "done, but not in the ledger; the next run enters it"
        else:
            zh, en = "未完成；下次运行会收回", "unfinished; the next run takes it back"
        yield Finding("", f"被中断的运行 {one.run}：{zh}", f"interrupted run {one.run}: {en}")


def _somebody_writes(lake: Lake) -> bool:
    try:
        with writing(lake):
            return False
    except UsageError:
        return True


def heads(found: Sequence[Record]) -> dict[str, str]:
    """Every head that this chain had, and every seal on its statements, to its run; as the rows give them."""
    known = {}
    for record in found:
        known[hash_of(record)] = record.run["run"]
        known[record.sealed(record.run["previous_hash"] or "")] = record.run["run"]
    known.pop("", None)
    return known


def expected(found: Sequence[Record], text: str) -> str | None:
    """The run whose head or seal is ``text``, in full or its beginning; None where the chain has none.

    Raises UsageError for what is no hash, or too short a beginning of one.
    """
    wanted = text.strip().lower()
    if not SHORT <= len(wanted) <= 64 or not set(wanted) <= set("0123456789abcdef"):
        raise UsageError(
            zh=f"--expect {text!r} 应为链头的哈希：64 位十六进制，或至少前 {SHORT} 位",
            en=f"--expect {text!r} should be the head of a chain: 64 hexadecimal digits, or the first "
            f"{SHORT} at least",
        )
    return next((run for head, run in heads(found).items() if head.startswith(wanted)), None)
