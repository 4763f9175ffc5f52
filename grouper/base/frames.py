"""Any dataframe in, the same kind out. Libraries are told by name: none is imported that is not in use."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import pyarrow as pa

from grouper.base.arrow import batches_of, plain_table
from grouper.base.errors import DataError, UsageError


class Frame:
    """A dataframe that was given: a polars DataFrame or LazyFrame, a pandas DataFrame, a pyarrow Table,
    RecordBatch or reader, a duckdb relation, or anything with the Arrow stream interface.

    A LazyFrame is collected, a relation or reader is read once; ``table`` holds all rows in Arrow.
    """

    def __init__(self, data: Any) -> None:
        self.kind = type(data).__module__.partition(".")[0].lstrip("_")
        self._lazy = self.kind == "polars" and type(data).__name__ == "LazyFrame"
        self.data = data.collect() if self._lazy else data

    @cached_property
    def table(self) -> pa.Table:
        """All rows. Raises DataError for what is no dataframe, UsageError for two columns of one name."""
        if self.kind == "pandas" and hasattr(self.data, "columns"):
            _distinct([str(name) for name in self.data.columns])
        if type(self.data).__name__ in ("Series", "ChunkedArray"):
            raise _no_frame(self.data)
        try:
            source = batches_of(self.data)
        except pa.ArrowException as error:  # a stream of values that are no rows
            raise _no_frame(self.data) from error
        _distinct(source.schema.names)
        return source.read_all()

    def beside(self, results: pa.Table) -> Any:
        """The given columns with ``results`` behind them, of the same height, in the kind that was given."""
        if self.kind == "polars":
            import polars

            made = polars.concat([self.data, polars.from_arrow(plain_table(results))], how="horizontal")
            return made.lazy() if self._lazy else made
        if self.kind == "pandas":
            made = plain_table(results).to_pandas()
            return self.data.assign(**{name: made[name].array for name in made.columns})
        schema = pa.schema([*self.table.schema, *results.schema])
        return self.back(pa.table([*self.table.columns, *results.columns], schema=schema))

    def back(self, table: pa.Table) -> Any:
        """``table`` in the kind that was given; a relation on the connection of the given one."""
        if self.kind == "polars":
            import polars

            made = polars.DataFrame(polars.from_arrow(plain_table(table)))
            return made.lazy() if self._lazy else made
        if self.kind == "pandas":
            frame = plain_table(table).to_pandas()
            return frame.set_axis(self.data.index) if len(frame) == len(self.data) else frame
        if self.kind == "duckdb":
            made = table  # DuckDB finds the variable by its name
            return self.data.query("_given", "SELECT * FROM made")
        if isinstance(self.data, pa.RecordBatch):
            return _one_batch(table)
        return table


def _distinct(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(
                zh=f"数据有两个名为 {name} 的列；请先改名或删去一个",
                en=f"the data have two columns called {name}; rename one or leave it out",
            )
        seen.add(name)


def _no_frame(data: Any) -> DataError:
    name = type(data).__name__
    return DataError(
        zh=f"类型 {name} 不是数据表：需要有列名的数据表（DataFrame、Table、关系）",
        en=f"{name} is no dataframe: a table with named columns is needed (DataFrame, Table, relation)",
    )


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    if not table.num_rows:
        return pa.RecordBatch.from_pylist([], table.schema)
    return table.combine_chunks().to_batches()[0]
