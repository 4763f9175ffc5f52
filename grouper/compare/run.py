"""``compare``: both sides grouped and priced, their rows side by side, tables and page in a folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import UsageError
from grouper.base.leftovers import clear, tag
from grouper.base.machine import peak_rss_mib
from grouper.base.whole import put_text, refuse_existing, refuse_inside, whole_folder
from grouper.compare import given as taken
from grouper.compare import money, rows, tables
from grouper.compare.compared import Compared, Settings
from grouper.compare.explained import explained
from grouper.compare.sides import (
    Progress,
    Side,
    fit_weights,
    group,
    mean_weight,
    price,
    refuse_scores,
    with_weights,
)
from grouper.fitting.sums import workspace
from grouper.fitting.weights import fits
from grouper.grouping.api import load_scheme
from grouper.grouping.family import family
from grouper.lake.layout import Lake
from grouper.payment.policy.policy import find_policy
from grouper.settlement.tables import write_sql

if TYPE_CHECKING:
    import duckdb

    from grouper.records import ColumnMap

_SCRATCH = ".compare"


def compare(
    inputs: Sequence[str],
    folder: str | Path,
    settings: Settings,
    *,
    reading: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    columns: ColumnMap | None = None,
    lang: str = "zh",
    progress: Progress | None = None,
) -> Compared:
    """Compare two schemes or policies over files, or over one lake, tables and a page into ``folder``.

    ``reading``: layout, input_format, encoding, sheet of the files; ``options``: of both schemes (Options).
    Memory is bounded by ``settings.memory`` and a batch. The folder appears whole or not at all; an older one
    that nobody changed is replaced. Raises UsageError for sides that are not named or are the same,
    TableError or DataError as grouping and pricing do, ReconciliationError where rows or fen do not add up.
    """
    from grouper.compare.page import write_page

    target = Path(folder)
    refuse_existing(target, force=True, folder=True)
    refuse_inside(target, list(inputs))
    clear(target.resolve().parent, _SCRATCH)
    place = tempfile.TemporaryDirectory(prefix=f"{_SCRATCH}.{tag()}.", dir=target.resolve().parent)
    with place as name, workspace(settings.memory, settings.threads) as connection:
        scratch = Path(name)
        given = _given(inputs, settings, scratch)
        old, new = _sides(given, settings, options or {}, lang)
        made_of = {**(reading or {}), "columns": columns}
        for side in (old, new):
            group(side, given.paths, scratch, made_of, settings.threads, progress)
        counts = _price(connection, old, new, given, settings, columns, scratch)
        done = Compared(old, new, counts, settings, given, target)
        if done.priced:
            assert old.policy is not None and new.policy is not None
            if settings.neutral:
                done.neutral = money.make_neutral(connection)
            done.unit = money.decompose(connection, (old.policy.method, new.policy.method))
        _side_weights(connection, done)
        _names(connection, done)
        names = tables.make(connection, done.priced)
        _totals(connection, done)
        done.moved = explained(connection, done, settings.moved, lang)
        with whole_folder(target) as part:
            about = done.provenance()
            for table in names:
                done.written[table] = write_sql(
                    connection, f"SELECT * FROM {table}", part / f"{table}.parquet", about
                )
            done.written["cases"] = write_sql(
                connection, tables.cases(done.priced), part / "cases.parquet", about
            )
            put_text(part / "provenance.json", json.dumps(about, ensure_ascii=False, indent=1) + "\n")
            write_page(connection, done, part, lang)
    done.peak_rss_mib = peak_rss_mib()
    return done


def _given(inputs: Sequence[str], settings: Settings, scratch: Path) -> taken.Given:
    if len(inputs) == 1 and _is_lake(inputs[0]):
        return taken.of_lake(Path(inputs[0]), scratch / "records.parquet", settings.period, settings.area)
    if settings.period or settings.area:
        raise UsageError(
            zh="--period 和 --area 只用于结算湖；输入文件按文件选取",
            en="--period and --area choose months of a lake; of files, name those to compare",
        )
    return taken.of_files(inputs, settings.hospitals)


def _is_lake(path: str) -> bool:
    lake = Lake(Path(path))
    return lake.root.is_dir() and (lake.ledger.is_file() or bool(lake.traces()))


def _sides(
    given: taken.Given, settings: Settings, options: Mapping[str, Any], lang: str
) -> tuple[Side, Side]:
    """Both sides with schemes and policies. Raises UsageError where they are not named or the same."""
    before = settings.from_policy or given.policy
    old_policy = find_policy(before) if before else None
    policy = find_policy(settings.policy, settings.as_of) if settings.policy else None
    if policy is not None and old_policy is None:
        raise UsageError(
            zh="给出了 --policy，但没有旧政策可比；请用 --from-policy 给出",
            en="--policy is there, but no policy of the old side; name it with --from-policy",
        )
    old_scheme = settings.from_scheme or (
        old_policy.scheme if old_policy and settings.from_policy else given.scheme
    )
    if not old_scheme:
        raise UsageError(
            zh="不知道旧方案；请用 --from-scheme（或 --from-policy）给出",
            en="the old scheme is not known; name it with --from-scheme (or --from-policy)",
        )
    new_scheme = settings.scheme or (policy.scheme if policy else "") or old_scheme
    old = Side("old", load_scheme(old_scheme, lang=lang, **options), old_policy)
    new = Side("new", load_scheme(new_scheme, lang=lang, **options), policy or old_policy, settings.as_of)
    for side, flag in ((old, "--from-scheme"), (new, "--scheme")):
        own = side.policy.scheme if side.policy else ""
        if own and own != side.scheme and (side is old or policy is not None):
            raise UsageError(
                zh=f"政策 {side.policy and side.policy.id} 采用方案 {own}，不是 {side.scheme}；请核对 {flag}",
                en=f"policy {side.policy and side.policy.id} goes by {own}, not {side.scheme}; check {flag}",
            )
    if old.scheme == new.scheme and policy is None and settings.weights != "fit":
        raise UsageError(
            zh=f"两侧都是 {old.scheme} 和同一政策，没有可比的；请用 --scheme 或 --policy 给出新的一侧",
            en=f"both sides are {old.scheme} and the same policy; name the new side by --scheme or --policy",
        )
    if new.policy is not None and new.policy.scheme != new.scheme:
        refuse_scores(new)
    return old, new


def _price(
    connection: duckdb.DuckDBPyConnection,
    old: Side,
    new: Side,
    given: taken.Given,
    settings: Settings,
    columns: ColumnMap | None,
    scratch: Path,
) -> rows.Counts:
    """Weights and amounts of both sides, then their rows side by side."""
    files = {"columns": columns, "hospitals": settings.hospitals, "decisions": settings.decisions}
    chosen = {"taken": (), "fit": (new,), "both": (old, new)}[settings.weights]
    fitting = [side for side in (old, new) if side in chosen or _lacks_weights(side)]
    if old.policy is None:
        counts = rows.load(connection, (old, new), given.hospitals, columns)
        for side in fitting:
            _fit(connection, side, scratch, Decimal(1))
        return counts
    assert new.policy is not None
    old.weights = new.weights = "taken"
    price(old, files, scratch, settings.threads, settings.memory)
    if fitting:
        new_priced, new.priced = new.priced, old.priced  # rows of the old side are enough to fit on
        counts = rows.load(connection, (old, new), given.hospitals, columns)
        new.priced = new_priced
        level = mean_weight(_weights_of(connection)) or Decimal(1)
        for side in fitting:
            base = side.policy if side.policy is not None else old.policy
            _fit(connection, side, scratch, level)
            side.policy = with_weights(side, base, scratch)
        if old in fitting:
            price(old, files, scratch, settings.threads, settings.memory)
    price(new, files, scratch, settings.threads, settings.memory)
    return rows.load(connection, (old, new), given.hospitals, columns)


def _lacks_weights(side: Side) -> bool:
    """Whether the policy of a side is of another scheme, or there is none and weights can be fitted."""
    if side.policy is None:
        return fits(side.kind)
    return side.policy.scheme != side.scheme


def _fit(connection: duckdb.DuckDBPyConnection, side: Side, scratch: Path, level: Decimal) -> None:
    history = scratch / f"{side.name}-history.parquet"
    write_sql(connection, rows.history_sql(0 if side.name == "old" else 1), history)
    fit_weights(side, history, level, tables.THIN)


def _weights_of(connection: duckdb.DuckDBPyConnection) -> list[tuple[Decimal, int]]:
    """Weights of the old side with their cases."""
    return connection.execute(
        "SELECT weight_0, count(*) FROM cases WHERE kind = 'case' AND status_0 = 'grouped' "
        "AND weight_0 IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()


def _side_weights(connection: duckdb.DuckDBPyConnection, done: Compared) -> None:
    """Table ``side_weights``: the weight of each group that has cases, as pricing took it or as fitted."""
    connection.execute(
        "CREATE OR REPLACE TABLE side_weights (side VARCHAR, code VARCHAR, weight DECIMAL(18,6))"
    )
    for number, side in enumerate((done.old, done.new)):
        if done.priced:
            connection.execute(
                f"INSERT INTO side_weights SELECT '{side.name}', group_{number}, max(weight_{number}) "
                f"FROM cases "
                f"WHERE kind = 'case' AND status_{number} = 'grouped' GROUP BY 2"
            )
        elif side.fitted is not None:
            found = [[side.name, g.drg, g.weight] for g in side.fitted.groups if g.weight is not None]
            connection.executemany("INSERT INTO side_weights VALUES (?, ?, ?)", found)


def _totals(connection: duckdb.DuckDBPyConnection, done: Compared) -> None:
    for side in (done.old, done.new):
        found = connection.execute(
            f"SELECT {side.name}_status, CAST(sum(cases) AS BIGINT) AS cases FROM statuses GROUP BY 1 "
            f"ORDER BY 2 DESC, 1"
        ).fetchall()
        done.statuses[side.name] = {str(status): int(number) for status, number in found}
    if done.priced:
        rows = connection.sql("SELECT * FROM money WHERE dimension = 'all'").to_arrow_table().to_pylist()
        done.total = rows[0] if rows else None


def _names(connection: duckdb.DuckDBPyConnection, done: Compared) -> None:
    """Table ``names``: side, level and code of an MDC or an ADRG to its name."""
    connection.execute(
        "CREATE OR REPLACE TABLE names (side VARCHAR, level VARCHAR, code VARCHAR, name VARCHAR)"
    )
    for side in (done.old, done.new):
        book = family(side.kind).codebook(side.grouper.engine.scheme)
        found = [
            [side.name, level, row[level], row["name_zh"]]
            for level, table in (("mdc", "mdcs"), ("adrg", "adrgs"))
            for row in book.get(table, ())
        ]
        if found:
            connection.executemany("INSERT INTO names VALUES (?, ?, ?, ?)", found)
