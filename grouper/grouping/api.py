"""The public face: load a scheme once, then group dataframes, streams and files, or explain a record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from grouper.base.arrow import batches_of, plain, plain_type, sound
from grouper.base.errors import DataError, UsageError
from grouper.base.frames import Frame
from grouper.base.shown import Shown
from grouper.codes.book import CodeOptions
from grouper.grouping.compiled import CompiledEngine
from grouper.grouping.engine import Engine, Explained, Grouped
from grouper.grouping.family import family
from grouper.grouping.locate import locate
from grouper.grouping.origin import origin_of

if TYPE_CHECKING:
    from grouper.records import ColumnMap, NormaliseOptions, Normaliser, Prepared


@dataclass(frozen=True)
class Options:
    """How records are read and codes understood.

    ``codes``: edition of the codes in the data, "insurance" or "clinical" (converted).
    ``repair_codes``: accept repaired codes (lost zeros, half a dagger pair).
    ``allow_missing``: canonical columns that the data may lack although the scheme reads them.
    ``stay``, ``age``, ``age_days_unit``: see grouper.records.NormaliseOptions.
    ``prefix``: put before the names of the result columns.
    ``lang``: language of ``reason_text``.
    ``plain``: texts come as plain strings, not as Arrow dictionaries (numbers of a list of words).
    """

    codes: Literal["insurance", "clinical"] = "insurance"
    repair_codes: bool = False
    allow_missing: Collection[str] = ()
    stay: Literal["given", "nights", "days"] = "given"
    age: Literal["dates", "given"] = "dates"
    age_days_unit: Literal["days", "months"] | None = None
    prefix: str = ""
    lang: Literal["zh", "en"] = "zh"
    plain: bool = False

    def __repr__(self) -> str:
        """With what differs from the defaults."""
        changed = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Options({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"

    def as_dict(self) -> dict[str, Any]:
        """For the provenance of a result."""
        told = {**self.__dict__, "allow_missing": sorted(self.allow_missing)}
        del told["plain"]  # the same texts, in memory only
        return told


@dataclass
class Grouper(Shown):
    """A loaded scheme. Immutable in use: one object may serve many threads.

    It pickles by the id of its scheme (the path of its folder) and its options; a process that is given
    several of the same compiles one.
    """

    engine: Engine
    options: Options = field(default_factory=Options)

    def line(self) -> str:
        """The scheme, how many groups it has, and of which edition codes are."""
        scheme = self.engine.scheme
        told = scheme.line() if isinstance(scheme, Shown) else self.id
        return f"{told}, {self.options.codes} codes"

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
        named = [f.with_name(self.options.prefix + f.name) for f in self.engine.result_fields]
        return [f.with_type(plain_type(f.type)) for f in named] if self.options.plain else named

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
        frame = Frame(data)
        bound = self.bind(frame.table.schema, columns=columns)
        made = [
            pa.RecordBatch.from_arrays(bound.results(b), self.result_names) for b in frame.table.to_batches()
        ]
        return frame.beside(pa.Table.from_batches(made, pa.schema(self.result_fields)))

    def bind(self, schema: pa.Schema, *, columns: ColumnMap | None = None) -> Bound:
        """The grouper for batches of one schema: their layout is found once, here.

        For streams of small batches (functions of a database, ``mapInArrow`` of Spark). Raises as ``group``.
        """

        return Bound(self, schema, columns)

    def grouped(self, prepared: Prepared) -> Grouped:
        """The result columns of a prepared batch, as plain texts where ``Options.plain`` says so."""
        done = self.engine.group(prepared.batch, prepared.flags)
        return done._replace(columns=[plain(c) for c in done.columns]) if self.options.plain else done

    def group_batches(
        self, batches: Iterable[pa.RecordBatch] | Any, *, columns: ColumnMap | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Group a stream of record batches: each comes back with the result columns behind its own.

        ``batches``: record batches with the same columns, or any object with the Arrow stream
        interface. Columns are matched by name, in the order of the first batch; memory is bounded by
        one batch. Raises DataError for a batch whose columns differ in name or type.
        """
        stream = iter(batches if _is_batches(batches) else batches_of(batches))
        for first in stream:
            bound = self.bind(first.schema, columns=columns)
            yield bound.group(first)
            yield from bound.group_batches(stream)

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


class Bound(Shown):
    """Groups record batches of the columns of ``schema`` (``Grouper.bind``); serves many threads.

    ``adds``: results stand behind the columns of the batch; else they come alone, and may have their names.
    """

    def __init__(
        self, grouper: Grouper, schema: pa.Schema, columns: ColumnMap | None = None, *, adds: bool = True
    ) -> None:
        self.grouper, self.given, self.columns, self.adds = grouper, schema, columns, adds
        self._normaliser: Normaliser = grouper.normaliser(columns or _layout(schema), schema, adds=adds)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.grouper, self.given, self.columns, self.adds)

    def line(self) -> str:
        """The grouper, and how many columns its batches have."""
        return f"{self.grouper.line()}, {len(self.given)} columns"

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns that come out."""
        return self.grouper.result_schema(self.given if self.adds else pa.schema([]))

    def group(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch with its results behind its columns, matched by name, in the order of the bound schema.

        Raises DataError for a batch whose columns differ in name or type.
        """
        batch = _alike(batch, self.given)
        results = self.results(batch)
        return pa.RecordBatch.from_arrays(
            [*batch.columns, *results] if self.adds else results, schema=self.schema
        )

    def results(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The result columns of a batch of the bound schema."""
        prepared = self._normaliser.prepare(sound(batch))
        return self.grouper.grouped(prepared).columns

    def group_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """``group`` of each; for ``mapInArrow`` and the like."""
        return map(self.group, batches)


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


def _is_batches(data: Any) -> bool:
    return isinstance(data, Sequence | Iterator) and not hasattr(data, "__arrow_c_stream__")


def _again(grouper: Grouper, schema: pa.Schema, columns: ColumnMap | None, adds: bool) -> Bound:
    return Bound(grouper, schema, columns, adds=adds)


def _layout(schema: pa.Schema) -> ColumnMap:
    from grouper.records import detect_layout

    return detect_layout(schema.names)


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
