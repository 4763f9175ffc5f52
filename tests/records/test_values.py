"""Single values read from text, and the same values read a column at a time."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.records import scalars
from grouper.records.values import (
    hours,
    integer,
    months_as_days,
    newborn_weight,
    parse_date,
)
from grouper.records.words import parse_discharge_way, parse_sex

DATES = st.dates(date(1880, 1, 1), date(2100, 12, 31))
NOTATIONS = [
    "{d:%Y-%m-%d}",
    "{d:%Y/%m/%d}",
    "{d:%Y.%m.%d}",
    "{d:%Y%m%d}",
    "{d:%Y年%m月%d日}",
    "{d.year}-{d.month}-{d.day}",
    "{d.year}/{d.month}/{d.day}",
    "{d.year}年{d.month}月{d.day}日",
]
CLOCKS = [
    "",
    " {t:%H:%M}",
    " {t:%H:%M:%S}",
    "T{t:%H:%M:%S}",
    "T{t:%H:%M:%S}.123",
    " {t:%H:%M:%S}+08:00",
    "  {t.hour}:{t.minute}",
    " {t.hour}时{t.minute}分",
]


@given(DATES, st.times(), st.sampled_from(NOTATIONS), st.sampled_from(CLOCKS))
def test_dates_of_all_notations(day, clock, notation, clock_notation):
    moment = datetime.combine(day, clock)
    text = notation.format(d=day) + clock_notation.format(t=moment)
    assert parse_date(text).value == day, text
    assert parse_date(f"  {text} ").value == day


@given(DATES, st.times(), st.sampled_from(["{t:%H%M%S}", " {t:%H%M%S}", "{t:%H%M}", "T{t:%H%M%S}"]))
def test_compact_dates(day, clock, notation):
    assert parse_date(f"{day:%Y%m%d}" + notation.format(t=clock)).value == day


@given(st.lists(st.tuples(DATES, st.times(), st.sampled_from(NOTATIONS), st.sampled_from(CLOCKS))))
def test_columns_of_dates_agree_with_single_dates(parts):
    texts = [n.format(d=d) + c.format(t=datetime.combine(d, t)) for d, t, n, c in parts] + [
        None,
        "-",
        "2025-02-30",
    ]
    expected = [parse_date(text or "").value for text in texts]
    column = scalars.dates(pa.array(texts, pa.string()), Counter(), "d")
    assert column.values.to_pylist() == expected
    assert column.bad.to_pylist() == [False] * (len(texts) - 1) + [True]


def test_many_times_of_day_are_cut_off_first():
    texts = [
        f"2025-01-{i % 28 + 1:02d} {i // 3600 % 24:02d}:{i // 60 % 60:02d}:{i % 60:02d}"
        for i in range(30_000)
    ]
    texts[12_345] = "2025-01-05 25:00:00"
    column = scalars.dates(pa.array(texts), Counter(), "d")
    assert [i for i, bad in enumerate(column.bad.to_pylist()) if bad] == [12_345]
    assert column.values[100].as_py() == date(2025, 1, 17)


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-29",
        "2025-13-01",
        "2025-1",
        "20250",
        "1879-12-31",
        "2101-01-01",
        "0000-00-00",
        "45658",
        "昨天",
        "2025-01-01 24:00",
        "2025-01-01 10:60",
        "2025-01-01x",
        "2025-01/01",
        "2025-01-01 10",
        "2025-01-01T10:00:00Z",
        "01/02/2025",
        "2025年1月",
        "202501011",
        "2025010124",
    ],
)
def test_bad_dates(text):
    assert parse_date(text) == (None, True, "")


@pytest.mark.parametrize("text", ["２０２５－０１－０５", "２０２５年１月５日"])
def test_full_width_dates(text):
    assert parse_date(text) == (date(2025, 1, 5), False, "full-width")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([date(2025, 1, 5), None]), [date(2025, 1, 5), None]),
        (pa.array([date(1969, 12, 31), None], pa.date64()), [date(1969, 12, 31), None]),
        (pa.array([datetime(2025, 1, 5, 23, 59), None]), [date(2025, 1, 5), None]),
        (
            pa.array([datetime(1960, 1, 5, 23, 59, 59, 999999), None], pa.timestamp("ns")),
            [date(1960, 1, 5), None],
        ),
        # 17:00 UTC is the next day in China: a time with a zone is the local one.
        (
            pa.array([datetime(2025, 1, 5, 17), None], pa.timestamp("s", "Asia/Shanghai")),
            [date(2025, 1, 6), None],
        ),
        (pa.array([20250105, None]), [date(2025, 1, 5), None]),
        (pa.array([20250105.0, float("nan")]), [date(2025, 1, 5), None]),
        (pa.array(["2025-01-05", None]).dictionary_encode(), [date(2025, 1, 5), None]),
        (pa.array(["2025-01-05", None], pa.string_view()), [date(2025, 1, 5), None]),
        (pa.array(["x", "2025-01-05", None], pa.large_string()).slice(1), [date(2025, 1, 5), None]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_dates_of_all_types(array, expected):
    column = scalars.dates(array, Counter(), "d")
    assert column.values.type == pa.date32()
    assert column.values.to_pylist() == expected
    assert column.bad is None or not any(column.bad.to_pylist())


@pytest.mark.parametrize(
    "array",
    [
        pa.array([date(1879, 12, 31), date(2025, 1, 1)]),
        pa.array([datetime(2101, 1, 1), datetime(2025, 1, 1)]),
        pa.array([20251332, 20250101]),
        pa.array([45658.5, 20250101]),
        pa.array([2**31 - 1, 20089], pa.int32()).cast(pa.date32()),
    ],
)
def test_typed_dates_out_of_range(array):
    column = scalars.dates(array, Counter(), "d")
    assert column.bad.to_pylist() == [True, False]
    assert column.values.to_pylist() == [None, date(2025, 1, 1)]


WHOLE = integer(0, 150, "周?岁")


@pytest.mark.parametrize(
    ("text", "value", "note"),
    [
        ("64", 64, ""),
        (" 64 ", 64, ""),
        ("064", 64, ""),
        ("64.0", 64, "decimal-integer"),
        ("６４", 64, "full-width"),
        ("64岁", 64, "unit-text"),
        ("64 周岁", 64, "unit-text"),
        ("", None, ""),
        ("-", None, "blank-marker"),
        ("NULL", None, "blank-marker"),
        ("－", None, "blank-marker"),
        ("　", None, ""),
        ("0", 0, ""),
        ("150", 150, ""),
    ],
)
def test_integers(text, value, note):
    assert WHOLE(text) == (value, False, note)


@pytest.mark.parametrize("text", ["-1", "151", "3.5", "abc", "3月", "1e2", "6 4岁x", "+", ".", "64天"])
def test_bad_integers(text):
    assert WHOLE(text) == (None, True, "")


@given(st.integers(-(10**12), 10**12))
def test_integers_of_all_types_agree(number):
    expected = WHOLE(str(number))
    for array in (pa.array([number]), pa.array([float(number)]), pa.array([str(number)])):
        column = scalars.integers(array, 0, 150, WHOLE, Counter(), "n")
        assert column.values.to_pylist() == [expected.value]
        assert (column.bad is not None and column.bad[0].as_py()) == expected.bad


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/2/30", 26.5),
        ("0/0/0", 0),
        ("12.5", 12.5),
        (".5", 0.5),
        ("1天2小时30分钟", 26.5),
        ("3小时", 3),
        ("30分", 0.5),
        ("１/２/３０", 26.5),
    ],
)
def test_durations(text, value):
    assert hours(1)(text).value == value


@pytest.mark.parametrize("text", ["1/2", "-3", "1/2/3/4", "abc", "1/-2/3", "nan1"])
def test_bad_durations(text):
    assert hours(1)(text).bad


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0", 0),
        ("0.5", 15),
        ("10/30", 10),
        ("2 15/30", 75),
        ("2", 60),
        ("11月", 334),
        ("1.1", 33),
        ("-", None),
    ],
)
def test_ages_in_months(text, days):
    assert months_as_days(text)[:2] == (days, False)


@pytest.mark.parametrize("text", ["13", "31/30", "x", "-1", "1//30"])
def test_bad_ages_in_months(text):
    assert months_as_days(text).bad


@pytest.mark.parametrize(
    ("text", "value", "bad", "note"),
    [
        ("2850", 2850, False, ""),
        ("2850克", 2850, False, "unit-text"),
        ("0", None, False, "zero-as-missing"),
        ("2850,2900", None, False, "several"),
        ("2850,", 2850, False, ""),
        ("2850,x", None, True, ""),
        ("20001", None, True, ""),
        ("2.85", None, True, ""),
        ("-", None, False, "blank-marker"),
    ],
)
def test_birth_weights(text, value, bad, note):
    assert newborn_weight(1, 20_000)(text) == (value, bad, note)


@pytest.mark.parametrize(
    ("text", "value", "bad"),
    [
        ("1", 1, False),
        ("2", 2, False),
        ("男", 1, False),
        ("女", 2, False),
        ("M", 1, False),
        ("f", 2, False),
        ("Male", 1, False),
        ("男性", 1, False),
        ("01", 1, False),
        ("2.0", 2, False),
        ("１", 1, False),
        ("0", None, False),
        ("9", None, False),
        ("未知", None, False),
        ("", None, False),
        ("-", None, False),
        ("3", None, True),
        ("x", None, True),
        ("12", None, True),
        ("1.5", None, True),
    ],
)
def test_sex(text, value, bad):
    assert parse_sex(text)[:2] == (value, bad)


@pytest.mark.parametrize(
    ("text", "value", "bad"),
    [
        ("1", 1, False),
        ("05", 5, False),
        ("9", 9, False),
        ("3.0", 3, False),
        ("死亡", 5, False),
        ("医嘱离院", 1, False),
        ("医嘱转社区卫生服务机构/乡镇卫生院", 3, False),
        ("医嘱转社区卫生服务机构", 3, False),
        ("其他", 9, False),
        ("", None, False),
        ("-", None, False),
        ("0", None, True),
        ("6", None, True),
        ("治愈", None, True),
    ],
)
def test_discharge_way(text, value, bad):
    assert parse_discharge_way(text)[:2] == (value, bad)


@pytest.mark.parametrize("parse", [parse_sex, parse_discharge_way])
@given(number=st.integers(-5, 120))
def test_codes_of_all_types_agree(parse, number):
    expected = parse(str(number))
    for array in (pa.array([number, 1]), pa.array([float(number), 1]), pa.array([str(number), "1"])):
        column = scalars.codes(array, parse, Counter(), "c")
        assert column.values.to_pylist() == [expected.value, 1]
        assert (column.bad is not None and column.bad[0].as_py()) == expected.bad


def test_truth_values_are_told_by_their_words() -> None:
    from grouper.records.words import known_words

    assert known_words("refund_flag") == "true 是、false 否"
