"""What is written as TOML is read back equal, whatever stands in it."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grouper.base.toml_in import parse_toml, read_toml
from grouper.base.toml_out import comment, toml_line, toml_text

ROOT = Path(__file__).parent.parent
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        '"',
        "'",
        "\\",
        '"""',
        "\n",
        "\r\n",
        "\t",
        "\x00",
        "\x1f",
        "\x7f",
        "\x85",
        "\u2028",
        "a\n[b]\nc = 1",
        "# x",
    ]
)
PLAIN = (
    TEXTS
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.times()
    | st.datetimes()
)
TABLES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    TEXTS,
    st.recursive(
        PLAIN,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(TABLES, st.lists(TEXTS, max_size=2))
def test_a_file_is_read_back_equal(data: dict[str, Any], notes: list[str]) -> None:
    assert parse_toml(toml_text(data, notes).encode(), "x.toml", exact=True) == data


@given(TEXTS, st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3)) | TABLES, TEXTS)
def test_a_line_is_one_line_and_is_read_back_equal(key: str, value: Any, note: str) -> None:
    line = toml_line(key, value)
    assert "\n" not in line
    assert tomllib.loads(f"{line}  {comment(note)}\n", parse_float=Decimal) == {key: value}


def test_the_layout_of_the_shipped_tables_is_kept() -> None:
    data = {"a": "x", "b": ["1", "2"], "c": {"d": date(2025, 1, 2)}, "e": [{"f": "long " * 30}], "g": []}
    assert toml_text(data, ["one", "two"]) == (
        '# one\n# two\na = "x"\nb = [\n  "1",\n  "2",\n]\ng = []\n\n[c]\nd = 2025-01-02\n\n'
        f'[[e]]\nf = "{"long " * 30}"\n'
    )
    path = ROOT / "tables" / "drg" / "chs-drg-2.0" / "scheme.toml"
    assert toml_text(read_toml(path)) == path.read_text(encoding="utf-8")


def test_no_value_is_no_key_and_an_unknown_kind_is_an_error() -> None:
    assert toml_text({"a": None, "b": {"c": None, "d": 1}}) == "[b]\nd = 1\n"
    for wrong in ({"a": object()}, {"a": [None]}, {1: "a"}):
        with pytest.raises(TypeError):
            toml_text(wrong)  # type: ignore[arg-type]


def test_times_and_days_keep_their_kind() -> None:
    data = {
        "day": date(2025, 6, 1),
        "at": datetime(2025, 6, 1, 8, 30),
        "time": time(8, 30),
        "n": Decimal("1"),
    }
    read = parse_toml(toml_text(data).encode(), "x.toml", exact=True)
    assert {key: type(value) for key, value in read.items()} == {
        key: type(value) for key, value in data.items()
    }
