"""Indicators as a table: value, target, line and state of each for every period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import UsageError
from grouper.payment.formula.expression import half_up, literal
from grouper.watch.definitions import Condition, Indicator, Indicators, load
from grouper.watch.facts import Facts, read_facts
from grouper.watch.lake import Current, Lacking
from grouper.watch.measures import Outcome, compute
from grouper.watch.payments import FLAGS
from grouper.watch.periods import Period, parse_period, whole_periods

if TYPE_CHECKING:
    import duckdb

# State -> its words. "no-line": computed, but the file gives no warning line.
STATES = {
    "ok": ("正常", "ok"),
    "watch": ("关注", "watch"),
    "alarm": ("预警", "alarm"),
    "no-line": ("无警戒线", "no line"),
    "not-computed": ("未计算", "not computed"),
}
_MONEY = pa.decimal128(38, 2)
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("area", "period", "indicator", "zh", "en")),
        ("value", pa.decimal128(38, 4)),
        ("digits", pa.int32()),
        ("unit", pa.string()),
        ("numerator", _MONEY),
        ("denominator", _MONEY),
        *((name, pa.string()) for name in ("base", "target", "kind")),
        ("target_met", pa.bool_()),
        *((name, pa.string()) for name in ("watch_line", "alarm_line", "line", "state")),
        *((name, pa.string()) for name in ("note_zh", "note_en", "definition_zh", "definition_en")),
        *((name, pa.string()) for name in ("formula", "source")),
        ("verified", pa.bool_()),
        ("unverified", pa.string()),
    ]
)
FLAGGED = pa.schema([(name, pa.string()) for name in ("area", "period", "indicator", "record_id")])


def watch(
    connection: duckdb.DuckDBPyConnection,
    area: str,
    period: str | Sequence[str] | None = None,
    *,
    indicators: Indicators | str | Path | None = None,
    facts: Facts | str | Path | None = None,
) -> pa.Table:
    """The indicators of an area as rows of SCHEMA, by period in the order of the file.

    ``connection``: with the views cases_current and pools_current. ``period``: one or several such as
    "2025-06", "2025Q2", "2025H1", "2025"; None: every month of the lake and what months make up in whole.
    ``value`` is rounded to ``digits`` decimals, halves away from zero; states and ``target_met`` are found on
    the exact quotient. An indicator that lacks something has state "not-computed" and says what in the notes.
    Raises UsageError for an area or period that cannot be, TableError for a wrong file of indicators.
    """
    lake, chosen, periods = _open(connection, area, period, indicators, facts)
    rows = [_row(lake, indicator, each) for each in periods for indicator in chosen.indicators]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def flagged(
    connection: duckdb.DuckDBPyConnection,
    area: str,
    period: str | Sequence[str] | None = None,
    *,
    indicators: Indicators | str | Path | None = None,
) -> pa.RecordBatchReader:
    """The records that the rules for payments flag, as a stream of FLAGGED: record ids, no other data.

    Arguments as of ``watch``. A rule that lacks a column flags nothing, as its row in ``watch`` says.
    """
    lake, chosen, periods = _open(connection, area, period, indicators, None)
    return pa.RecordBatchReader.from_batches(FLAGGED, _flagged(lake, chosen, periods))


def _flagged(lake: Current, chosen: Indicators, periods: Sequence[Period]) -> Iterable[pa.RecordBatch]:
    for period in periods:
        for indicator in chosen.indicators:
            if indicator.measure not in FLAGS:
                continue
            try:
                sql = FLAGS[indicator.measure](lake, indicator, period)
            except Lacking:
                continue
            words = (lake.area, str(period), indicator.id)
            keys = ", ".join(
                f"{literal(word)} AS {name}" for word, name in zip(words, FLAGGED.names, strict=False)
            )
            found = lake.connection.sql(f"SELECT {keys}, record_id FROM ({sql}) ORDER BY record_id")
            for batch in found.to_arrow_reader(131_072):
                yield batch.cast(FLAGGED)


def _open(
    connection: duckdb.DuckDBPyConnection,
    area: str,
    period: str | Sequence[str] | None,
    indicators: Indicators | str | Path | None,
    facts: Facts | str | Path | None,
) -> tuple[Current, Indicators, list[Period]]:
    chosen = indicators if isinstance(indicators, Indicators) else load(area, indicators)
    known = facts if isinstance(facts, Facts) else read_facts(facts, area) if facts else Facts(area)
    lake = Current(connection, area, known)
    if not lake.months:
        areas = ", ".join(lake.areas())
        raise UsageError(
            zh=f"--area {area}：湖中没有该地区的月份；湖中有：{areas or '无'}",
            en=f"--area {area}: the lake has no month of it; it has: {areas or 'nothing'}",
        )
    if period is None:
        return lake, chosen, whole_periods(lake.months)
    texts = [period] if isinstance(period, str) else period
    return lake, chosen, [parse_period(text) for text in texts]


def _row(lake: Current, indicator: Indicator, period: Period) -> dict[str, Any]:
    """One row; with a state even where nothing can be computed."""
    target, base, lines = indicator.target, indicator.base, indicator.lines
    row: dict[str, Any] = {
        "area": lake.area,
        "period": str(period),
        "indicator": indicator.id,
        "zh": indicator.zh,
        "en": indicator.en,
        "digits": indicator.digits,
        "unit": indicator.unit,
        "base": base and f"{base.value} ({base.at})",
        "target": target and f"{target.wanted} ({target.by})",
        "kind": target and target.kind,
        "watch_line": lines and _texts(lines.watch),
        "alarm_line": lines and _texts(lines.alarm),
        "definition_zh": indicator.definition_zh,
        "definition_en": indicator.definition_en,
        "formula": indicator.formula,
        "source": _sources(indicator),
        "verified": not indicator.unverified,
        "unverified": ", ".join(indicator.unverified),
    }
    try:
        found = compute(lake, indicator, period)
    except Lacking as lacking:
        return row | {"state": "not-computed", "note_zh": lacking.zh, "note_en": lacking.en}
    return row | _computed(indicator, found)


def _computed(indicator: Indicator, found: Outcome) -> dict[str, Any]:
    state, line = _state(indicator, found.value)
    return {
        "value": half_up(found.value, indicator.digits),
        "numerator": Decimal(found.numerator),
        "denominator": None if found.denominator is None else Decimal(found.denominator),
        "target_met": indicator.target and indicator.target.wanted.holds(found.value),
        "line": line,
        "state": state,
        "note_zh": "；".join(zh for zh, _ in found.notes),
        "note_en": "; ".join(en for _, en in found.notes),
    }


def _state(indicator: Indicator, value: Fraction) -> tuple[str, str | None]:
    """The state, and the line that the value is beyond."""
    lines = indicator.lines
    if lines is None:
        return "no-line", None
    for state, conditions in (("alarm", lines.alarm), ("watch", lines.watch)):
        for condition in conditions:
            if condition.holds(value):
                return state, str(condition)
    return "ok", None


def _texts(conditions: Iterable[Condition]) -> str:
    return ", ".join(map(str, conditions))


def _sources(indicator: Indicator) -> str:
    """Where the definition, the base, the target and the lines come from; each source once."""
    parts = (indicator.base, indicator.target, indicator.lines)
    found = [indicator.source, *(part.source for part in parts if part is not None)]
    return "；".join(dict.fromkeys(found))
