"""The public face: load a scheme once, then group dataframes, streams and files, or explain a record."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from grouper.base.arrow import batches_of, sound
from grouper.base.errors import DataError, UsageError
from grouper.codes.book import CodeOptions
from grouper.grouping.compiled import CompiledEngine
from grouper.grouping.engine import Engine, Explained, Grouped
from grouper.grouping.family import family
from grouper.grouping.locate import locate
from grouper.grouping.origin import origin_of

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
    """A loaded scheme. Immutable in use: one object may serve many threads.

    It pickles by the id of its scheme (the path of its folder) and its options; a process that is given
    several of the same compiles one.
    """

    engine: Engine
    options: Options = field(default_factory=Options)

    @property
    def id(self) -> str:
        """The id of the scheme."""
        return self.engine.scheme.id

    @property
    def compiled(self) -> Any:
        """What the engine runs: the compiled tables of its scheme, of a type of its family's own."""
        return self.engine.compiled

    @property
    def required(self) -> tuple[str, ...]:
        """The canonical columns that this scheme reads."""
        return ("diagnoses", "procedures", *self.engine.fields)

    def normaliser(self, columns: ColumnMap, schema: pa.Schema, *, adds: bool = True) -> Normaliser:
        """The normaliser for data of this header. ``adds``: results will stand beside its columns.

        Raises UsageError when a column that the scheme reads is missing, or one of the results is there.
        """
        from grouper.records import Normaliser

        made = Normaliser(columns, self.required, self.normalise_options, self.options.allow_missing)
        made.check(schema)
        taken = [name for name in self.result_names if adds and name in schema.names]
        if taken:
            raise UsageError(
                zh=f"输入已有结果列 {taken[0]}；请用 --prefix 给结果列加前缀，例如 --prefix new_",
                en=f"the input already has the result column {taken[0]}; put a prefix before the results "
                "with --prefix, such as --prefix new_",
            )
        return made

    @property
    def normalise_options(self) -> NormaliseOptions:
        """How stays and ages are derived."""
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
        prepared = normaliser.prepare(sound(batch))
        return self.engine.group(prepared.batch, prepared.flags)

    def group_batches(
        self, batches: Iterable[pa.RecordBatch] | Any, *, columns: ColumnMap | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Group a stream of record batches: each comes back with the result columns behind its own.

        ``batches``: record batches with the same columns, or any object with the Arrow stream
        interface. Columns are matched by name, in the order of the first batch; memory is bounded by
        one batch. Raises DataError for a batch whose columns differ in name or type.
        """
        stream = iter(batches if _is_batches(batches) else batches_of(batches))
        normaliser: Normaliser | None = None
        for batch in stream:
            if normaliser is None:
                normaliser = self.normaliser(columns or _layout(batch.schema), batch.schema)
                first, schema = batch.schema, self.result_schema(batch.schema)
            else:
                batch = _alike(batch, first)
            grouped = self._group(normaliser, batch)
            yield pa.RecordBatch.from_arrays([*batch.columns, *grouped.columns], schema=schema)

    def explain(self, record: Mapping[str, Any]) -> Explained:
        """Explain one record, given by column names of any known layout (``sex``, ``diagnoses`` …).

        It goes through the normaliser, as a row of a file would: ``男``, birth dates and 4101 messages
        are understood, and what a file's row is invalid for makes it invalid. ``diagnoses`` and
        ``procedures`` are lists of codes or texts joined by ``|``. A record with ``flags`` has been
        prepared already. Raises UsageError or DataError.
        """
        from grouper.grouping.one import prepare_record

        prepared = record if "flags" in record else prepare_record(self, record)
        return family(self.engine.kind).explain(self.engine, prepared)


def load_scheme(
    name: str,
    *,
    when: date | None = None,
    profile: str | None = None,
    options: Options | None = None,
    **kwargs: Any,
) -> Grouper:
    """Load a scheme of any family by id, by the path of its folder, or by area and date.

    ``profile`` chooses among the option sets of a DIP folder that holds several.
    ``options`` or its fields as keywords (``codes="clinical"``, ``repair_codes=True`` …).
    Raises UsageError for an unknown name, TableError for broken tables.
    """
    chosen = options or Options(**kwargs)
    located = locate(name, when)
    codes = CodeOptions(chosen.codes == "clinical", chosen.repair_codes)
    scheme = located.load(profile)
    engine = located.family.engine(scheme, codes, chosen.lang)
    if isinstance(engine, CompiledEngine):
        engine.origin = origin_of(located, profile, scheme.digest)
    return Grouper(engine, chosen)


def _alike(batch: pa.RecordBatch, first: pa.Schema) -> pa.RecordBatch:
    """The columns of ``batch`` in the order of the first batch. Raises DataError when they differ."""
    if batch.schema.equals(first):
        return batch
    names, known = batch.schema.names, first.names
    if sorted(names) != sorted(known):
        other = "、".join(sorted(set(names) ^ set(known))) or "、".join(
            n for n in names if names.count(n) > 1
        )
        raise DataError(
            zh=f"各批次的列不同：{other}；一个流中的批次须有相同的列",
            en=f"the batches have different columns: {other}; the batches of a stream must have the same",
        )
    batch = batch.select(known)
    for mine, theirs in zip(batch.schema, first, strict=True):
        if mine.type != theirs.type:
            raise DataError(
                zh=f"列 {mine.name!r} 的类型在各批次中不同：{theirs.type} 与 {mine.type}",
                en=f"column {mine.name!r} has different types in the batches: {theirs.type} and {mine.type}",
            )
    return pa.RecordBatch.from_arrays(batch.columns, schema=first)


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
