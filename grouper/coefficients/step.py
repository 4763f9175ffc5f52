"""The coefficients of whole batches: classes, packets and days joined, the highest hit chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.arrow import numbered, pick
from grouper.base.errors import DataError, UsageError
from grouper.codes.book import CodeOptions
from grouper.coefficients.facts import Facts
from grouper.coefficients.parameters import EXEMPT, ONE, Coefficients
from grouper.coefficients.questions import in_preference, numbers, own_column, questions
from grouper.records import ColumnMap, NormaliseOptions, Normaliser, scalars

if TYPE_CHECKING:
    import polars as pl

COEFFICIENT = pa.decimal128(9, 4)
_TEXT = pa.dictionary(pa.int32(), pa.string())
_LIST = pa.list_(pa.string())
RESULT_COLUMNS = {
    "auxiliary_tool": _TEXT,
    "auxiliary_class": _TEXT,
    "auxiliary_coefficient": COEFFICIENT,
    "auxiliary_hits": _LIST,
    "auxiliary_missing": _LIST,
}
_NOTHING = 0  # the number of a packet without coefficients
_WORD = 30  # answers in a word
_ALL = (1 << _WORD) - 1
_State = tuple[Any, ...]
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class StepOptions:
    """How rows are read.

    ``date_column``: the day that chooses the coefficients (else that of the map, discharge_date);
    ``as_of``: one day for all rows instead. ``prefix``: of the result columns of grouping, and of these.
    ``variant_rows`` "one": a row whose score already has an auxiliary class gets 1 instead of an error.
    ``allow_missing``: canonical columns that the data may lack. The others as in grouping.
    """

    date_column: str | None = None
    as_of: date | None = None
    prefix: str = ""
    variant_rows: Literal["refuse", "one"] = "refuse"
    codes: Literal["insurance", "clinical"] = "insurance"
    repair_codes: bool = False
    stay: Literal["given", "nights", "days"] = "given"
    age: Literal["dates", "given"] = "dates"
    age_days_unit: Literal["days", "months"] | None = None
    allow_missing: Sequence[str] = ()


class _Decision(NamedTuple):
    """The class with the highest coefficient, all hits as texts, and the tools that lacked a number."""

    best: int | None
    coefficient: Decimal
    hits: list[str]
    missing: list[str]
    exempt: bool


class Step:
    """Parameters bound to data of one header. ``schema`` is that of the batches it gives.

    ``counts`` adds up what was decided, by tool ("" for none) and ``missing:`` tool.
    """

    def __init__(
        self, parameters: Coefficients, columns: ColumnMap, schema: pa.Schema, options: StepOptions
    ) -> None:
        self.parameters, self.options = parameters, options
        self.counts: Counter[str] = Counter()
        self._names = [options.prefix + name for name in RESULT_COLUMNS]
        self._dip, self._row_class = options.prefix + "dip_code", options.prefix + "auxiliary"
        self._day = options.date_column or next(iter(_sources(columns, "discharge_date")), "discharge_date")
        self._check(schema)
        self._facts = Facts(parameters, CodeOptions(options.codes == "clinical", options.repair_codes))
        self._normaliser: Normaliser | None = None
        if self._facts.fields or self._facts.coded:
            how = NormaliseOptions(options.stay, options.age, options.age_days_unit)
            self._normaliser = Normaliser(columns, self._facts.fields, how, options.allow_missing)
            self._normaliser.check(schema)
        types = RESULT_COLUMNS.values()
        self.schema = pa.schema([*schema, *(pa.field(n, t) for n, t in zip(self._names, types, strict=True))])
        self._tools = numbered([*(tool.name for tool, _ in parameters.classes), EXEMPT])
        self._classes = numbered([class_.name for _, class_ in parameters.classes])
        self._questions = questions(parameters.tools)
        place = {question.key: divmod(i, _WORD) for i, question in enumerate(self._questions)}
        self._plan = [
            (tool, [(*place[k], k) for k in in_preference(tool) if k in place], place.get(tool.name))
            for tool in parameters.tools
        ]
        self._labels = [f"{tool.name}:{class_.name}" for tool, class_ in parameters.classes]
        # Packets with equal coefficients share a number; 0 is that of packets without any.
        self._numbers: dict[tuple[Any, ...], int] = {(False,): _NOTHING}
        self._rates: list[dict[int, int]] = [{}]
        self._asked: list[list[int]] = [[0] for _ in range(0, len(self._questions), _WORD)]
        self._exempt: set[int] = set()
        self._pairs: dict[tuple[str, int], int] = {}  # packet and period -> its number
        self._decided: dict[_State, _Decision] = {}

    def _check(self, schema: pa.Schema) -> None:
        needed = [(self._dip, "--prefix")]
        needed += [] if self.options.as_of else [(self._day, "--date-column / --as-of")]
        needed += [(tool.column, "--parameters") for tool in self.parameters.tools if tool.kind == "column"]
        for column, flag in needed:
            if column not in schema.names:
                raise UsageError(
                    zh=f"输入缺少列 {column}；请用 {flag} 指明", en=f"there is no column {column}; see {flag}"
                )
        taken = [name for name in self._names if name in schema.names]
        if taken:
            raise UsageError(
                zh=f"输入已有结果列 {taken[0]}；请先去掉，或用 --prefix 换一组列",
                en=f"the input already has the column {taken[0]}; drop it, or use other columns by --prefix",
            )

    # --- one batch --------------------------------------------------------------------------

    def batch(self, batch: pa.RecordBatch, first_row: int = 0) -> pa.RecordBatch:
        """The batch with the result columns; ``first_row`` is the number of rows before it."""
        import polars as pl

        rows = batch.num_rows
        codes = _text(batch.column(self._dip))
        codes = pc.if_else(pc.equal(codes, ""), pa.scalar(None, pa.string()), codes)
        in_row = self._in_score(batch, codes, first_row)
        pair = self._pair(codes, self._period(batch, codes, first_row))
        prepared = self._normaliser.prepare(batch, first_row).batch if self._normaliser else batch
        if in_row is not None:
            pair = pc.if_else(in_row, pa.scalar(_NOTHING, pa.int32()), pair)
        facts, listed = self._facts.of(prepared, rows)
        facts = facts.with_columns(pl.Series(pair).alias("pair"), *self._own_columns(batch, first_row))
        number, states = self._states(facts, listed)
        arrays = self._columns(number, [self._decide(state) for state in states])
        return pa.RecordBatch.from_arrays([*batch.columns, *arrays], schema=self.schema)

    def _period(self, batch: pa.RecordBatch, codes: pa.Array, first_row: int) -> pa.Array:
        """The number of the span of days in which no coefficient changes; any for rows without packet."""
        import polars as pl

        whole = self.parameters
        if self.options.as_of:
            days = pa.repeat(pa.scalar(self.options.as_of, pa.date32()), batch.num_rows)
        else:
            days = scalars.dates(batch.column(self._day), Counter(), "date").values
        first, last = pa.scalar(whole.valid_from), pa.scalar(whole.valid_to)
        inside = pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))
        wrong = pc.and_(pc.is_valid(codes), pc.invert(pc.fill_null(inside, False)))
        row = pc.index(wrong, True).as_py()
        if row >= 0:
            self._refuse_day(batch, row, first_row)
        starts = pl.Series([day.toordinal() - _EPOCH for day in whole.starts], dtype=pl.Int32)
        numbers = pl.Series(pc.fill_null(days.cast(pa.int32()), 0))
        return (starts.search_sorted(numbers, side="right").cast(pl.Int32) - 1).to_arrow()

    def _refuse_day(self, batch: pa.RecordBatch, row: int, first_row: int) -> None:
        whole = self.parameters
        span = f"{whole.valid_from} – {whole.valid_to}"
        if self.options.as_of:
            raise UsageError(
                zh=f"--as-of {self.options.as_of} 不在参数 {whole.id} 的有效期 {span} 内",
                en=f"--as-of {self.options.as_of} is outside the validity of {whole.id}, {span}",
            )
        value = batch.column(self._day)[row].as_py()
        shown = "" if value is None else str(value)
        raise DataError(
            zh=f"第 {first_row + row + 1} 行列 {self._day}：日期 {shown!r} 不在参数 {whole.id} 的"
            f"有效期 {span} 内；可用 --parameters 换参数，--date-column 换日期列，"
            "或用 --as-of DATE 对所有行用同一日期",
            en=f"row {first_row + row + 1}, column {self._day}: {shown!r} is no day within the validity of "
            f"{whole.id}, {span}; choose other --parameters, another --date-column, or one day for all rows "
            "with --as-of DATE",
        )

    def _in_score(self, batch: pa.RecordBatch, codes: pa.Array, first_row: int) -> pa.Array | None:
        """Rows whose score already is that of an auxiliary class."""
        if self._row_class not in batch.schema.names:
            return None
        text = _text(batch.column(self._row_class))
        has = pc.and_(pc.fill_null(pc.not_equal(text, ""), False), pc.is_valid(codes))
        row = pc.index(has, True).as_py()
        if row < 0:
            return None
        if self.options.variant_rows == "refuse":
            raise DataError(
                zh=f"第 {first_row + row + 1} 行列 {self._row_class}：分值已含辅助分型 {text[row].as_py()}，"
                "再乘系数会重复计算；请用不含分型行的目录分组，或用 --variant-rows one 使这些行的系数为 1",
                en=f"row {first_row + row + 1}, column {self._row_class}: the score already is that of "
                f"{text[row].as_py()}, and a coefficient would count it twice; group by a catalogue without "
                "such rows, or give these rows the coefficient 1 with --variant-rows one",
            )
        return has

    def _pair(self, codes: pa.Array, period: pa.Array) -> pa.Array:
        """The number of packet and period of each row, null without packet."""
        encoded = pc.dictionary_encode(codes)
        spans = len(self.parameters.starts)
        joint = pc.add(pc.multiply(encoded.indices.cast(pa.int64()), spans), period.cast(pa.int64()))
        joint = pc.dictionary_encode(joint)
        texts = encoded.dictionary.to_pylist()
        numbers = [self._number(texts[j // spans], j % spans) for j in joint.dictionary.to_pylist()]
        return pa.array(numbers, pa.int32()).take(joint.indices)

    def _number(self, code: str, period: int) -> int:
        known = self._pairs.get((code, period))
        if known is not None:
            return known
        exempt = code.upper() in self.parameters.exempt
        rates = self.parameters.rates(code, self.parameters.starts[period])
        number = self._numbers.setdefault((exempt, *rates.items()), len(self._rates))
        if number == len(self._rates):
            self._rates.append(rates)
            self._exempt |= {number} if exempt else set()
            for word, asked in enumerate(self._asked):
                some = self._questions[word * _WORD : (word + 1) * _WORD]
                asked.append(sum(1 << i for i, question in enumerate(some) if question.matters(rates)))
        self._pairs[code, period] = number
        return number

    def _own_columns(self, batch: pa.RecordBatch, first_row: int) -> list[pl.Series]:
        """The columns that tools of kind ``column`` read. Raises DataError for a class that is not listed."""
        import polars as pl

        made = []
        for tool in (tool for tool in self.parameters.tools if tool.kind == "column"):
            text = _text(batch.column(tool.column))
            known = [class_.test["value"] for class_ in tool.classes]
            listed = pc.is_in(text, pa.array([*known, *tool.none, "", None], pa.string()))
            row = pc.index(listed, False).as_py()
            if row >= 0:
                raise DataError(
                    zh=f"第 {first_row + row + 1} 行列 {tool.column}：参数 {self.parameters.id} 的 "
                    f"{tool.name} 没有分类 {text[row].as_py()!r}；请在 --parameters 文件的 value 或 none "
                    "中列出",
                    en=f"row {first_row + row + 1}, column {tool.column}: {tool.name} of "
                    f"{self.parameters.id} has no class {text[row].as_py()!r}; list it as a value "
                    "or under none in --parameters",
                )
            made.append(pl.Series(own_column(tool), text))
        return made

    # --- decisions --------------------------------------------------------------------------

    def _states(self, facts: pl.DataFrame, listed: dict[int, list[int]]) -> tuple[pa.Array, list[_State]]:
        """The distinct states of a batch, and the number of that of each row (null without packet).

        A state is the packet and period, the answers to the questions that matter there, and the
        classes of code lists: all that the coefficient depends on. There are far fewer than rows.
        """
        import polars as pl

        number, states = facts["pair"].to_arrow(), [(pair,) for pair in range(len(self._rates))]
        for word, asked in enumerate(self._asked):
            some = self._questions[word * _WORD : (word + 1) * _WORD]
            bits = [q.test.fill_null(False).cast(pl.Int64) * (1 << i) for i, q in enumerate(some)]
            answers = facts.select(answers=pl.sum_horizontal(bits))["answers"]
            answers &= pl.Series(asked, dtype=pl.Int64).gather(facts["pair"])
            number, states = _joined(number, states, answers.to_arrow(), list)
        sets = {classes: i for i, classes in enumerate(dict.fromkeys([(), *map(tuple, listed.values())]))}
        of_row = pl.zeros(facts.height, pl.Int64, eager=True)
        if listed:
            of_row = of_row.scatter([*listed], [sets[tuple(classes)] for classes in listed.values()])
        texts = [*sets]
        return _joined(number, states, of_row.to_arrow(), lambda ids: [texts[i] for i in ids])

    def _decide(self, state: _State) -> _Decision:
        """What the hits of a state are and which is the highest; of equal ones the first in the file."""
        if state in self._decided:
            return self._decided[state]
        pair, *words, listed = state
        rates, hits, missing = self._rates[pair], [], []
        for tool, places, unknown in self._plan:
            if tool.kind == "codes":
                hits += [k for k in numbers(tool) if k in listed and k in rates]
                continue
            hits += [k for word, bit, k in places if words[word] >> bit & 1][:1]
            if unknown is not None and words[unknown[0]] >> unknown[1] & 1:
                missing.append(tool.name)
        best = max(hits, key=lambda k: (rates[k], -k), default=None)
        texts = [f"{self._labels[k]}={_coefficient(rates[k]):.4f}" for k in sorted(hits)]
        value = _coefficient(ONE if best is None else rates[best])
        made = self._decided[state] = _Decision(best, value, texts, missing, pair in self._exempt)
        return made

    def _columns(self, number: pa.Array, decisions: Sequence[_Decision]) -> list[pa.Array]:
        """The result columns, from the decision of each row by its number."""
        exempt = len(self._labels)  # its place behind the tools of the classes
        for item in pc.value_counts(number.drop_null()).to_pylist():
            decision = decisions[item["values"]]
            name = "" if decision.best is None else self._labels[decision.best].partition(":")[0]
            self.counts[EXEMPT if decision.exempt else name] += item["counts"]
            self.counts.update({f"missing:{name}": item["counts"] for name in decision.missing})
        best = pa.array([decision.best for decision in decisions], pa.int32())
        tool = pa.array([exempt if d.exempt else d.best for d in decisions], pa.int32())
        return [
            pick(self._tools, tool.take(number)),
            pick(self._classes, best.take(number)),
            pa.array([decision.coefficient for decision in decisions], COEFFICIENT).take(number),
            pa.array([decision.hits for decision in decisions], _LIST).take(number),
            pa.array([decision.missing for decision in decisions], _LIST).take(number),
        ]


def _sources(columns: ColumnMap, field: str) -> tuple[str, ...]:
    source = columns.fields.get(field)
    return source.columns if source else ()


def _text(column: pa.Array) -> pa.Array:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _coefficient(value: int) -> Decimal:
    return Decimal(value).scaleb(-4)


def _joined(
    number: pa.Array, states: Sequence[_State], also: pa.Array, shown: Callable[[list[int]], Sequence[Any]]
) -> tuple[pa.Array, list[_State]]:
    """States with one more part each: the distinct pairs of ``number`` and ``also`` (from 0 on)."""
    encoded = pc.dictionary_encode(
        pc.add(pc.multiply(number.cast(pa.int64()), 1 << _WORD), also.cast(pa.int64()))
    )
    distinct = encoded.dictionary.to_pylist()
    parts = shown([joint & _ALL for joint in distinct])
    return encoded.indices, [(*states[j >> _WORD], part) for j, part in zip(distinct, parts, strict=True)]
