"""A lake that is open to be asked: ``grouper.open_lake("LAKE")``."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from grouper.base.errors import UsageError
from grouper.grouping.family import FAMILIES
from grouper.lake.layout import Lake
from grouper.research import current, functions, views
from grouper.research.columns import ABOUT, TABLES
from grouper.research.measures import MACROS, VIEWS

if TYPE_CHECKING:
    import duckdb

    from grouper.grouping.api import Grouper

As = Literal["duckdb", "polars", "arrow"]


class OpenLake:
    """Tables, views and measures of a lake as it was when it was opened; nothing is written to it.

    ``scheme``: of the functions ``drg`` and ``dip``; else the scheme of the last month of the lake.
    """

    def __init__(self, path: str | Path, *, scheme: str = "") -> None:
        self.lake = Lake(Path(path)).must_exist()
        self.connection: duckdb.DuckDBPyConnection = current.opened(self.lake)
        views.define(self.connection)
        self._functions: set[str] = set()
        if scheme:
            self.register(scheme)

    def __repr__(self) -> str:
        ((months, years, run),) = self.connection.execute(
            "SELECT count(*) FILTER (kind = 'settle'), count(*) FILTER (kind = 'clear'), max(run) "
            "FROM periods"
        ).fetchall()
        return f"<OpenLake {self.lake.root}: {months} months, {years} years cleared, run {run or '-'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the lake itself, as it is then."""
        return OpenLake, (self.lake.root,)

    def __enter__(self) -> OpenLake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()

    @property
    def head(self) -> str:
        """The hash of the lake's last run."""
        rows = self.connection.execute("SELECT hash FROM lake.runs ORDER BY run DESC LIMIT 1").fetchall()
        return str(rows[0][0]) if rows else ""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables, and the views of the measures."""
        return (*TABLES, *VIEWS)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """A query over tables, views, macros and, where it calls them, ``drg(…)`` and ``dip(…)``.

        Raises UsageError for a query that DuckDB does not take.
        """
        import duckdb

        try:
            kinds = [each.type for each in self.connection.extract_statements(query)]
            if kinds != [duckdb.StatementType.SELECT]:
                raise UsageError(zh="只接受一条查询语句", en="one query is taken, and no other statement")
            self._know(query)
            return self.connection.sql(query)
        except duckdb.Error as error:
            raise _refused(error) from error

    def table(self, name: str, kind: As = "duckdb") -> Any:
        """A table as a DuckDB relation, a polars LazyFrame or a pyarrow Table.

        Raises UsageError for a table that is not there.
        """
        if name not in self.tables:
            raise UsageError(
                zh=f"没有表 {name}；有 {'、'.join(self.tables)}",
                en=f"there is no table {name}; there are {', '.join(self.tables)}",
            )
        found = self.connection.sql(f"SELECT * FROM {name}")
        if kind == "duckdb":
            return found
        arrow = found.to_arrow_table()
        if kind == "arrow":
            return arrow
        import polars as pl

        return pl.LazyFrame(arrow)

    def cases(self, effective: bool = True, kind: As = "duckdb") -> Any:
        """The cases: those that stand (``effective``), or every row that any committed run wrote."""
        if effective:
            return self.table("cases", kind)
        found = self.connection.sql('SELECT * RENAME ("group" AS group_code) FROM lake.cases_all')
        if kind == "duckdb":
            return found
        arrow = found.to_arrow_table()
        import polars as pl

        return arrow if kind == "arrow" else pl.LazyFrame(arrow)

    def register(self, scheme: str | Grouper) -> str:
        """Make the function of a scheme (``drg`` or ``dip``); returns its name."""
        from grouper.grouping.api import load_scheme

        name = functions.register(self.connection, load_scheme(scheme) if isinstance(scheme, str) else scheme)
        self._functions.add(name)
        return name

    def _know(self, query: str) -> None:
        """Load the scheme of a function only when it is called."""
        from grouper.grouping.locate import locate

        called = [
            k
            for k in FAMILIES
            if k not in self._functions and re.search(rf"\b{k}\s*\(", query, re.IGNORECASE)
        ]
        if not called:
            return
        rows = self.connection.execute(
            "SELECT scheme_id FROM periods WHERE scheme_id <> '' ORDER BY period DESC, run DESC"
        ).fetchall()
        for scheme in dict.fromkeys(scheme for (scheme,) in rows):
            kind = locate(scheme, None).family.KIND
            if kind in called and kind not in self._functions:
                self.register(scheme)
        if left := [kind for kind in called if kind not in self._functions]:
            raise UsageError(
                zh=f"湖中没有用 {left[0]} 方案结算的月份；请用 scheme=（命令行 --scheme）指定方案",
                en=f"no month of the lake was settled by a scheme of {left[0]}; name one by scheme= "
                "(--scheme on the command line)",
            )


def _refused(error: Exception) -> UsageError:
    first = str(error).strip().splitlines()[0]
    return UsageError(zh=f"查询有误，DuckDB 的原文：{first}", en=f"the query is wrong: {first}")


def open_lake(path: str | Path, *, scheme: str = "") -> OpenLake:
    """Open a lake to ask it. Raises UsageError where there is none."""
    return OpenLake(path, scheme=scheme)


def listing(lang: str) -> list[tuple[str, str]]:
    """Tables, views and macros, each with a sentence."""
    pick = 1 if lang == "en" else 0
    found = [(name, ABOUT[name][pick]) for name in TABLES]
    found += [(name, about[pick]) for name, (_, *about) in VIEWS.items()]
    found += [(f"{name}({given})", about[pick]) for name, (given, _, *about) in MACROS.items()]
    words = (
        "分组函数：给出诊断、手术和其他字段，返回分组结果的各列",
        "grouping: takes diagnoses, procedures and other fields, gives the columns of the result",
    )
    return [*found, *((f"{kind}(diagnoses, procedures, sex := …)", words[pick]) for kind in FAMILIES)]
