"""The file of ``--hospitals``: properties of hospitals, by the same rules for pricing and settling."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from grouper.base.errors import DataError
from grouper.base.tables_in import Row, read_table
from grouper.payment.price.decided import read_number
from grouper.payment.price.inputs import INPUTS
from grouper.records.headings import headings
from grouper.records.words import WordReader

Hospital = dict[str, str | None]


def read_hospitals(
    path: str, columns: Sequence[str], levels: Collection[str]
) -> tuple[list[Hospital], list[str]]:
    """The hospitals of a file with ``columns``, None where one is empty, and those of them that it has.

    ``levels``: those that the policy knows. Raises UsageError for a file that cannot be read or has no
    column hospital_code; DataError for a code that is blank or there twice, a level that nobody knows, and
    a coefficient that is no number. Other columns are left alone.
    """
    table = read_table(path, needed=("hospital_code",), flag="--hospitals", headings=headings())
    level = WordReader("hospital_level", levels)
    found: list[Hospital] = []
    first: dict[str, int] = {}  # code -> row
    for each in table:
        row = Row(each.path, each.row, each.cells, DataError)
        code = row.text("hospital_code")
        if not code:
            raise row.error("hospital_code", "（空） 重复或为空", "(blank) is there twice or blank")
        if code in first:
            zh = f"{code} 重复或为空（首见第 {first[code]} 行）"
            raise row.error("hospital_code", zh, f"{code} is there twice or blank (first row {first[code]})")
        first[code] = row.row
        found.append(_hospital(row, columns, level))
    return found, [name for name in columns if name in table.header]


def _hospital(row: Row, columns: Sequence[str], level: WordReader) -> Hospital:
    made: Hospital = {name: row.text(name) or None for name in columns}
    word, factor = row.text("hospital_level"), row.text("hospital_coefficient")
    if word and "hospital_level" in columns:
        parsed = level(word)
        if parsed.bad:
            raise row.error(
                "hospital_level",
                f"{word!r} 无法识别；可用：{level.known()}",
                f"{word!r} is not understood; known are {level.known()}",
            )
        made["hospital_level"] = parsed.value
    if factor and "hospital_coefficient" in columns:
        digits = INPUTS["hospital_coefficient"].digits
        number = made["hospital_coefficient"] = read_number(factor, digits)
        if number is None:
            zh, en = f"{factor!r} 应为最多 {digits} 位小数的数", f"{factor!r} should be a number"
            raise row.error("hospital_coefficient", zh, f"{en} of at most {digits} decimals")
    return made
