"""The door: every input file is opened alone, read, made canonical and grouped; all rows come out, in order.

Nothing is judged here. What a value could not be read as is named in ``fault`` ("bad-amount:total_cost"),
and settlement.validate decides what becomes of the row. Names and addresses have no canonical column, so
they end here; person ids may be replaced by a keyed hash.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.errors import DataError, GrouperError
from grouper.records import ColumnMap, Normaliser, RecordSource, open_records, scalars
from grouper.records.columns import fold
from grouper.records.normalise import MAX_AGE, MAX_STAY
from grouper.records.values import integer, parse_discharge_way
from grouper.settlement import tables

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper

Progress = Callable[[int, int | None], None]
_BATCH = 131_072
_TEXT_FILES = frozenset({".csv", ".tsv", ".txt", ".jsonl", ".ndjson"})
_SAMPLE = 1 << 20
TEXTS = (
    "record_id", "settlement_id", "visit_id", "person_id", "hospital_code", "hospital_level",
    "insurance_type", "region_code", "region_of_treatment", "department", "admission_type", "payment_method",
)  # fmt: skip
DATES = ("admission_date", "discharge_date", "settlement_date")
AMOUNTS = (
    "total_cost", "own_expense", "self_pay_first", "deductible", "in_scope_amount", "pool_paid",
    "pool_paid_before", "fund_paid", "serious_illness_paid", "medical_aid_paid", "civil_servant_paid",
    "large_amount_paid", "account_paid", "cash_paid", "drug_cost", "consumable_cost", "service_cost",
)  # fmt: skip
NUMBERS = {
    "age_years": integer(0, MAX_AGE, "周?岁"),
    "los_days": integer(0, MAX_STAY, "天|日"),
}
FLAGS = ("refund_flag", "valid_flag", "interim_flag")
GROUPED = ("mdc", "drg", "drg_name", "dip_code", "dip_name", "dip_kind", "score", "status", "reason")
_ORIGINALS = ("refund_of", "orig_setl_id", "refd_setl_id", "原结算id")  # no canonical name; folded
_YES = {"1", "true", "t", "y", "yes", "是", "1.0"}
_NO = {"0", "false", "f", "n", "no", "否", "0.0", ""}
_LEVELS = {"一级": "1", "二级": "2", "三级": "3", "一": "1", "二": "2", "三": "3"}
_YUAN = pa.decimal128(18, 2)
_NO_TEXT = pa.scalar(None, pa.string())

SCHEMA = pa.schema(
    [("n", pa.int64()), ("input_file", pa.string()), ("input_row", pa.int64()), ("role", pa.string())]
    + [(name, pa.string()) for name in TEXTS]
    + [("refund_of", pa.string())]
    + [(name, pa.date32()) for name in DATES]
    + [(name, _YUAN) for name in AMOUNTS]
    + [(name, pa.int32()) for name in NUMBERS]
    + [("discharge_way", pa.int32())]
    + [(name, pa.bool_()) for name in FLAGS]
    + [("diagnoses", pa.list_(pa.string())), ("procedures", pa.list_(pa.string()))]
    + [(name, pa.decimal128(18, 6) if name == "score" else pa.string()) for name in GROUPED]
    + [("fault", pa.string())]
)


@dataclass(frozen=True)
class Reading:
    """How input files are read; the options of ``open_records``. ``key``: of the hash of person ids."""

    columns: ColumnMap | None = None
    layout: str | None = None
    input_format: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    key: bytes | None = None


@dataclass
class Taken:
    """What came in: rows by role, what normalisation changed, and which canonical columns some file has."""

    rows: Counter[str]
    changed: Counter[str]
    present: set[str]


def read_files(
    files: Sequence[tuple[str, str]],
    grouper: Grouper,
    reading: Reading,
    output: Path,
    progress: Progress | None = None,
) -> Taken:
    """Write all rows of ``files`` (role, path) into ``output`` in canonical columns.

    Raises UsageError or DataError that names the file.
    """
    taken = Taken(Counter(), Counter(), set())

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        total = None
        for number, (role, path) in enumerate(files):
            with _opened(path, reading) as source:
                work = _File(source, grouper, reading, role, Path(path).name)
                if progress:
                    total = _all_rows(source, [path for _, path in files], number, done)
                    progress(done, total)
                for batch in _reading(source, path):
                    made = work.canonical(batch, done)
                    done += made.num_rows
                    taken.rows[role] += made.num_rows
                    yield made
                    if progress:
                        progress(done, total)
                taken.changed += work.counts
                taken.present |= work.present

    tables.write(output, SCHEMA, batches())
    return taken


def _all_rows(source: RecordSource, paths: Sequence[str], number: int, before: int) -> int | None:
    """About how many rows the files have: ``before`` and those of the one now open, and as many by its
    bytes in those that follow. None where the open file does not tell."""
    here = source.num_rows if source.num_rows is not None else _lines(Path(paths[number]))
    if here is None:
        return None
    sizes = [Path(path).stat().st_size if Path(path).is_file() else 0 for path in paths]
    opened, rest = sum(sizes[: number + 1]), sum(sizes[number + 1 :])
    return before + here + (rest * (before + here) // opened if opened else 0)


def _lines(path: Path) -> int | None:
    """About how many rows a text file has, by the lines of its beginning; None for other files."""
    if not path.is_file() or path.suffix.lower() not in _TEXT_FILES:
        return None
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    lines = max(sample.count(b"\n"), 1)
    return max(lines * path.stat().st_size // max(len(sample), 1) - 1, 1)  # one is the header


def _opened(path: str, reading: Reading) -> RecordSource:
    return open_records(
        [path], layout=reading.layout, columns=reading.columns, file_format=reading.input_format,
        encoding=reading.encoding, sheet=reading.sheet, batch_rows=_BATCH,
    )  # fmt: skip


def _reading(source: RecordSource, path: str) -> Iterator[pa.RecordBatch]:
    """The batches; what a reader could not foresee becomes an error that names the file."""
    try:
        yield from source.batches()
    except GrouperError:
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(
            zh=f"{path} 读取中断：{error}；请重新导出该文件",
            en=f"{path} cannot be read: {error}; export it again",
        ) from error


class _File:
    """One input file on its way to canonical columns."""

    def __init__(
        self, source: RecordSource, grouper: Grouper, reading: Reading, role: str, name: str
    ) -> None:
        self.map, self.schema, self.grouper = source.columns, source.schema, grouper
        self.key, self.role, self.name = reading.key, role, name
        self.counts: Counter[str] = Counter()
        self.rows = 0
        self.present: set[str] = set()
        self.normaliser: Normaliser = self._normaliser(reading)

    def _normaliser(self, reading: Reading) -> Normaliser:
        from dataclasses import replace

        from grouper.grouping.api import Grouper

        # results never meet the input's own columns of the same names, so a prefix is of no use here
        apart = Grouper(self.grouper.engine, replace(self.grouper.options, prefix="grouped__"))
        return apart.normaliser(self.map, self.schema)

    def canonical(self, batch: pa.RecordBatch, before: int) -> pa.RecordBatch:
        """The rows of ``batch`` in the columns of SCHEMA; ``before``: rows of all files before it."""
        rows = batch.num_rows
        prepared = self.normaliser.prepare(batch, self.rows)
        grouped = self.grouper.engine.group(prepared.batch, prepared.flags)
        self.counts += prepared.counts
        made: dict[str, pa.Array] = {
            "n": _counting(before, rows),
            "input_file": pa.repeat(self.name, rows),
            "input_row": _counting(self.rows + 1, rows),
            "role": pa.repeat(self.role, rows),
        }
        self.rows += rows
        faults: list[tuple[str, pa.Array | None]] = []
        for name in (*TEXTS, *DATES, *AMOUNTS, *NUMBERS, "discharge_way", *FLAGS):
            made[name] = self._field(batch, name, faults)
        made["refund_of"] = self._original(batch)
        for name, column in zip(prepared.batch.schema.names, prepared.batch.columns, strict=True):
            if name in ("diagnoses", "procedures", "los_days", "age_years"):
                made[name] = column
        for item, column in zip(self.grouper.engine.result_fields, grouped.columns, strict=True):
            if item.name in GROUPED:
                made[item.name] = column
        made["fault"] = _first(faults, rows)
        self.present |= {name for name, array in made.items() if array is not None}
        arrays = [_as(made.get(item.name), item.type, rows) for item in SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)

    def _field(
        self, batch: pa.RecordBatch, name: str, faults: list[tuple[str, pa.Array | None]]
    ) -> pa.Array | None:
        source = self.map.fields.get(name)
        if source is None or self.map.ambiguous(name) or source.columns[0] not in batch.schema.names:
            return None
        array = batch.column(source.columns[0])
        if name in DATES:
            column = scalars.dates(array, self.counts, name)
            faults.append((f"bad-date:{name}", column.bad))
            return column.values
        if name in AMOUNTS:
            return self._amount(array, name, faults)
        if name in NUMBERS:
            top = MAX_AGE if name == "age_years" else MAX_STAY
            return scalars.integers(array, 0, top, NUMBERS[name], self.counts, name).values
        if name == "discharge_way":
            return scalars.codes(array, parse_discharge_way, self.counts, name).values
        if name in FLAGS:
            values, bad = _flag(array)
            faults.append((f"bad-flag:{name}", bad))
            return values
        return self._text(array, name)

    def _amount(self, array: pa.Array, name: str, faults: list[tuple[str, pa.Array | None]]) -> pa.Array:
        try:
            column = scalars.money(array, self.counts, name)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                zh=f"{self.name}：列 {name} 的类型 {array.type} 不能读作金额（{error}）；请重新导出，"
                "或用 --columns 指明来源列",
                en=f"{self.name}: column {name} of type {array.type} cannot be read as an amount ({error}); "
                "export it again or name its source with --columns",
            ) from error
        faults.append((f"bad-amount:{name}", column.bad))
        return column.values

    def _text(self, array: pa.Array, name: str) -> pa.Array:
        if name == "hospital_level":
            return _by_value(array, level)
        texts = _plain(array, name, self.name)
        if name == "person_id" and self.key is not None:
            key = self.key
            return _by_value(texts, lambda value: hmac.new(key, value.encode(), hashlib.sha256).hexdigest())
        return texts

    def _original(self, batch: pa.RecordBatch) -> pa.Array | None:
        """The settlement that a refund takes back, where the file says so."""
        for name in batch.schema.names:
            if fold(name) in _ORIGINALS:
                return _plain(batch.column(name), name, self.name)
        return None


def level(text: str) -> str:
    """A level of hospitals as the policies write it: "01", "1", "1.0" and 一级 are "1"; others stay."""
    word = text.strip()
    if word in _LEVELS:
        return _LEVELS[word]
    bare = word.removesuffix(".0").lstrip("0")
    return bare if bare in ("1", "2", "3") else word


def _plain(array: pa.Array, name: str, file: str) -> pa.Array:
    """Ids and codes as texts without blanks; whole numbers as they are written."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_floating(kind):
        whole = pc.equal(pc.floor(array), array)
        if pc.all(whole).as_py() is False or (pc.max(pc.abs(array)).as_py() or 0) >= 2**53:
            raise DataError(
                zh=f"{file}：列 {name} 是小数，不能作标识；请以文本重新导出",
                en=f"{file}: column {name} holds decimals, which name nothing; export it again as text",
            )
        array = array.cast(pa.int64())
    text = array.cast(pa.string())
    trimmed = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.equal(trimmed, ""), _NO_TEXT, trimmed)


def _by_value(array: pa.Array, made: Callable[[str], str]) -> pa.Array:
    """``made`` of every distinct text, put back in place."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    plain = array.cast(kind).cast(pa.string()) if not pa.types.is_floating(kind) else _float_text(array)
    encoded = plain.dictionary_encode()
    values = [None if value is None else made(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)


def _float_text(array: pa.Array) -> pa.Array:
    return array.cast(pa.float64()).cast(pa.string())


def _flag(array: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    """A flag from booleans, numbers or texts, and which rows hold something else."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_boolean(kind):
        return array.cast(pa.bool_()), None
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(array.cast(kind).cast(pa.string())))
    yes = pc.is_in(texts, pa.array(sorted(_YES)))
    no = pc.or_(pc.is_in(texts, pa.array(sorted(_NO))), pc.is_null(texts))
    return pc.if_else(pc.is_null(texts), pa.scalar(None, pa.bool_()), yes), pc.invert(pc.or_(yes, no))


def _first(faults: Sequence[tuple[str, pa.Array | None]], rows: int) -> pa.Array:
    """The name of the first fault of each row, null where there is none."""
    found = pa.nulls(rows, pa.string())
    for name, bad in faults:
        if bad is not None and pc.any(bad).as_py():
            here = pc.if_else(pc.fill_null(bad, False), pa.scalar(name), _NO_TEXT)
            found = pc.coalesce(found, here)
    return found


def _counting(first: int, rows: int) -> pa.Array:
    return pa.arange(first, first + rows)


def _as(array: Any, kind: pa.DataType, rows: int) -> pa.Array:
    if array is None:
        return pa.nulls(rows, kind)
    if pa.types.is_list(kind):
        return pa.array(array).cast(kind) if not isinstance(array, pa.Array) else array.cast(kind)
    return array if array.type == kind else array.cast(kind)
