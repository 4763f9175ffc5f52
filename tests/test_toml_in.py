"""TOML files: with the mark that Notepad writes; whatever is wrong is told with file and line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grouper.base.errors import GrouperError, TableError, UsageError
from grouper.base.toml_in import parse_toml, read_toml
from grouper.payment.pool.budget import read_budget


def test_a_mark_at_the_beginning_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes("名 = 1\r\nb = 1.50\r\n".replace("名", '"名"').encode("utf-8-sig"))
    assert read_toml(path) == {"名": 1, "b": 1.5}
    exact = read_toml(path, exact=True)["b"]
    assert isinstance(exact, Decimal) and str(exact) == "1.50"


def test_keys_in_chinese_may_stand_without_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    text = '期间 = "2025"\n[pools.职工]  # 池\nbudget = "1"\n注 = "甲=[乙]"\n[[医院]]\n名.称 = "A"\n'
    path.write_text(text, encoding="utf-8")
    assert read_toml(path) == {
        "期间": "2025", "pools": {"职工": {"budget": "1", "注": "甲=[乙]"}}, "医院": [{"名": {"称": "A"}}]
    }  # fmt: skip
    path.write_text(text + "职工 = 1\n职工 = 2\n", encoding="utf-8")  # still told, and where
    with pytest.raises(UsageError, match="line"):
        read_toml(path)


@pytest.mark.parametrize(
    ("content", "en", "zh"),
    [
        (b"a = 1\na = 2\n", "line 2, character 6", "第 2 行第 6 个字符：该键重复"),
        (b"[a]\nb = 1\n[a]\n", "line 3", "第 3 行第 3 个字符：该表重复"),
        (b"a = \n", "line 1, character 5: Invalid value", "此处的值写法不对"),
        (b"a = 1\nb c\n", "line 2, character 3: Expected '='", "键后面应为 ="),
        (b'a = 1\nb = "x', "line 2", "第 2 行"),
        ("a = 1\nb = '甲'\n".encode("gb18030"), "line 2: the text is not in UTF-8", "请另存为 UTF-8"),
        ("a = 1\n".encode("utf-16"), "line 1: the text is not in UTF-8", "请另存为 UTF-8"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "more than 32 deep", "超过 32 层"),
        (b"a = " + b"[" * 40 + b"]" * 40, "more than 32 deep", "超过 32 层"),
        (b".".join([b"a"] * 50) + b" = 1", "more than 32 deep", "超过 32 层"),
        (b"a = " + b"9" * 5000, "no valid TOML", "不是有效的 TOML"),
        (b"a = 2025-13-01\n", "line 1", "第 1 行"),
        (b"a = 1\n" + b"#" * (16 << 20), "has more than 16 MiB", "超过 16 MiB"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, content: bytes, en: str, zh: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(TableError) as caught:
        read_toml(path, flag="--budget", kind=TableError)
    assert en in caught.value.en and zh in caught.value.zh
    assert "a.toml (--budget)" in caught.value.en and "a.toml (--budget)" in caught.value.zh


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        read_toml(tmp_path)


@given(
    st.one_of(
        st.binary(max_size=80), st.text(alphabet="ab.=[]{}\"'\n#,\\x0-:TZ汉", max_size=60).map(str.encode)
    )
)
@example(b"a=1e99999999999999999999")
def test_only_errors_for_people_come_out(content: bytes) -> None:
    for exact in (True, False):
        try:
            parse_toml(content, "a.toml", exact=exact)
        except GrouperError as error:
            assert error.zh.startswith("a.toml") and error.en.startswith("a.toml")


def test_a_budget_from_notepad_is_read(tmp_path: Path) -> None:
    text = 'period = "2025-06"\n[pools.all]\nmembers = ["*"]\nbudget = "1000"\n'
    for name, encoding in (("a.toml", "utf-8"), ("b.toml", "utf-8-sig")):
        (tmp_path / name).write_bytes(text.replace("\n", "\r\n").encode(encoding))
    one, other = (read_budget(tmp_path / name) for name in ("a.toml", "b.toml"))
    assert (one.period, one.pools) == (other.period, other.pools)
