"""The public face: load a scheme once, then group dataframes, streams and files, or explain a record."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from grouper.base.arrow import batches_of
from grouper.base.errors import UsageError
from grouper.codes import icd
from grouper.codes.book import CodeBook, CodeOptions
from grouper.grouping.drg.compile import CompiledScheme, compile_scheme
from grouper.grouping.drg.engine import DrgEngine
from grouper.grouping.drg.tables import store
from grouper.grouping.engine import Engine, Explained, Grouped
from grouper.grouping.locate import locate

if TYPE_CHECKING:
    from grouper.records import ColumnMap, NormaliseOptions, Normaliser


@dataclass(frozen=True)
class Options:
    """How records are read and codes understood.

    ``codes``: edition of the codes in the data, "insurance" or "clinical" (converted).
    ``repair_codes``: accept repaired codes (lost zeros, half a dagger pair).
    ``allow_missing``: canonical columns that the data may lack although the scheme reads them.
    ``stay``, ``age``, ``age_days_unit``: see grouper.records.NormaliseOptions.
    ``prefix``: put before the names of the result columns.
    ``lang``: language of ``reason_text``.
    """

    codes: Literal["insurance", "clinical"] = "insurance"
    repair_codes: bool = False
    allow_missing: Collection[str] = ()
    stay: Literal["given", "nights", "days"] = "given"
    age: Literal["dates", "given"] = "dates"
    age_days_unit: Literal["days", "months"] | None = None
    prefix: str = ""
    lang: Literal["zh", "en"] = "zh"

    def as_dict(self) -> dict[str, Any]:
        """For the provenance of a result."""
        return {**self.__dict__, "allow_missing": sorted(self.allow_missing)}


@dataclass
class Grouper:
    """A loaded scheme. Immutable in use: one object may serve many threads."""

    engine: Engine
    options: Options = field(default_factory=Options)

    @property
    def id(self) -> str:
        """The id of the scheme."""
        return self.engine.scheme.id

    @property
    def compiled(self) -> CompiledScheme:
        """The compiled tables of a DRG scheme.

        Raises AttributeError for other kinds of scheme.
        """
        return self.engine.compiled  # type: ignore[attr-defined]

    @property
    def required(self) -> tuple[str, ...]:
        """The canonical columns that this scheme reads."""
        return ("diagnoses", "procedures", *self.engine.fields)

    def normaliser(self, columns: ColumnMap, schema: pa.Schema) -> Normaliser:
        """The normaliser for data of this header.

        Raises UsageError when a column that the scheme reads is missing.
        """
        from grouper.records import Normaliser

        made = Normaliser(columns, self.required, self._normalise_options(), self.options.allow_missing)
        made.check(schema)
        taken = [name for name in self.result_names if name in schema.names]
        if taken:
            raise UsageError(
                zh=f"输入已有结果列 {taken[0]}；请用 --prefix 给结果列加前缀，例如 --prefix new_",
                en=f"the input already has the result column {taken[0]}; put a prefix before the results "
                "with --prefix, such as --prefix new_",
            )
        return made

    def _normalise_options(self) -> NormaliseOptions:
        from grouper.records import NormaliseOptions

        return NormaliseOptions(self.options.stay, self.options.age, self.options.age_days_unit)

    @property
    def result_fields(self) -> list[pa.Field]:
        """The result columns, prefix included."""
        return [f.with_name(self.options.prefix + f.name) for f in self.engine.result_fields]

    @property
    def result_names(self) -> list[str]:
        """The names of the result columns, prefix included."""
        return [f.name for f in self.result_fields]

    def result_schema(self, schema: pa.Schema) -> pa.Schema:
        """The input's columns with the result columns behind them."""
        return pa.schema([*schema, *self.result_fields])

    def group(self, data: Any, *, columns: ColumnMap | None = None) -> Any:
        """Group a dataframe; the same kind comes back, its columns kept and the results behind them.

        ``data``: a polars DataFrame or LazyFrame, a pandas DataFrame, a pyarrow Table or
        RecordBatch, a duckdb relation, or anything with the Arrow stream interface (gives a
        Table). Columns are found by their names in any known layout, or by ``columns``.
        Raises UsageError when a needed column is missing, DataError for unusable types.
        """
        lazy = type(data).__module__.startswith("polars") and type(data).__name__ == "LazyFrame"
        frame = data.collect() if lazy else data
        results = self._results(frame, columns)
        return _attach(frame, results).lazy() if lazy else _attach(frame, results)

    def _results(self, data: Any, columns: ColumnMap | None) -> tuple[pa.Table, pa.Table]:
        """The input as a table, and the result columns as another of the same height."""
        source = batches_of(data)
        schema = source.schema
        batches = list(source)
        normaliser = self.normaliser(columns or _layout(schema), schema)
        grouped = [self._group(normaliser, batch) for batch in batches]
        fields = self.result_fields
        made = [pa.RecordBatch.from_arrays(g.columns, schema=pa.schema(fields)) for g in grouped]
        return pa.Table.from_batches(batches, schema), pa.Table.from_batches(made, pa.schema(fields))

    def _group(self, normaliser: Normaliser, batch: pa.RecordBatch) -> Grouped:
        prepared = normaliser.prepare(batch)
        return self.engine.group(prepared.batch, prepared.flags)

    def group_batches(
        self, batches: Iterable[pa.RecordBatch] | Any, *, columns: ColumnMap | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Group a stream of record batches: each comes back with the result columns behind its own.

        ``batches``: record batches of one schema, or any object with the Arrow stream
        interface. Memory is bounded by one batch.
        """
        stream = iter(batches if _is_batches(batches) else batches_of(batches))
        normaliser: Normaliser | None = None
        for batch in stream:
            if normaliser is None:
                normaliser = self.normaliser(columns or _layout(batch.schema), batch.schema)
                schema = self.result_schema(batch.schema)
            grouped = self._group(normaliser, batch)
            yield pa.RecordBatch.from_arrays([*batch.columns, *grouped.columns], schema=schema)

    def explain(self, record: Mapping[str, Any]) -> Explained:
        """Explain one record, given by canonical column names (``sex``, ``age_years``, ``diagnoses`` …).

        ``diagnoses`` and ``procedures`` are lists of codes or texts joined by ``|``.
        """
        return self.engine.explain(record)


def load_scheme(
    name: str,
    *,
    when: date | None = None,
    profile: str | None = None,
    options: Options | None = None,
    **kwargs: Any,
) -> Grouper:
    """Load a DRG or DIP scheme by id, by the path of its folder, or by area and date.

    ``profile`` chooses among the option sets of a DIP folder that holds several.
    ``options`` or its fields as keywords (``codes="clinical"``, ``repair_codes=True`` …).
    Raises UsageError for an unknown name, TableError for broken tables.
    """
    chosen = options or Options(**kwargs)
    if name in store.scheme_folders():  # the common case does without what DIP needs
        return Grouper(_drg_engine(name, when, chosen), chosen)
    kind, folder = locate(name, when)
    if kind == "dip":
        return Grouper(_dip_engine(folder, profile, chosen), chosen)
    return Grouper(_drg_engine(str(folder), when, chosen), chosen)


def _dip_engine(folder: Path, profile: str | None, options: Options) -> Engine:
    from grouper.grouping.dip.engine import make_engine
    from grouper.grouping.dip.tables import catalogue

    return make_engine(catalogue.load(folder, None, profile), _code_options(options), options.lang)


def _code_options(options: Options) -> CodeOptions:
    return CodeOptions(options.codes == "clinical", options.repair_codes)


def _drg_engine(name: str, when: date | None, options: Options) -> DrgEngine:
    compiled = compile_scheme(store.load(name, when), icd.diagnoses(), icd.procedures())
    how = _code_options(options)
    diagnoses = CodeBook("diagnosis", compiled.diagnoses, icd.crosswalk("diagnosis"), how)
    procedures = CodeBook("procedure", compiled.procedures, icd.crosswalk("procedure"), how)
    return DrgEngine(compiled, diagnoses, procedures, options.lang)


def _layout(schema: pa.Schema) -> ColumnMap:
    from grouper.records import detect_layout

    return detect_layout(schema.names)


def _is_batches(data: Any) -> bool:
    return isinstance(data, Sequence | Iterator) and not hasattr(data, "__arrow_c_stream__")


def _attach(data: Any, parts: tuple[pa.Table, pa.Table]) -> Any:
    """The results behind the columns of ``data``, in the kind of ``data``.

    Libraries are asked for by name, so none is imported that the caller does not use.
    """
    table, results = parts
    kind = type(data).__module__.partition(".")[0]
    if kind == "polars":
        import polars

        return polars.concat([data, polars.from_arrow(_plain(results))], how="horizontal")
    if kind == "pandas":
        return data.assign(**{name: _plain(results)[name].to_pylist() for name in results.column_names})
    whole = pa.table([*table.columns, *results.columns], names=[*table.column_names, *results.column_names])
    if kind in ("duckdb", "_duckdb") and not isinstance(data, pa.RecordBatchReader):
        return sys.modules["duckdb"].from_arrow(whole)
    if isinstance(data, pa.RecordBatch):
        return (
            whole.combine_chunks().to_batches()[0]
            if whole.num_rows
            else pa.RecordBatch.from_pylist([], whole.schema)
        )
    return whole


def _plain(table: pa.Table) -> pa.Table:
    """Dictionary columns as plain text."""
    fields = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in table.schema]
    return table.cast(pa.schema(fields))
