"""The file of ``--decisions``: its words read, and each decision one that the policy can carry out."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from grouper.base.errors import DataError
from grouper.payment.price.decided import WORDS, known, read_word, unfit

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy


def check_decisions(
    connection: duckdb.DuckDBPyConnection, path: str, given: Collection[str], policy: Policy
) -> None:
    """Read the words of ``decisions_by_key`` (grouper.payment.formula.keyed) in place.

    Raises DataError that names the record, the column and the known words.
    """
    names = sorted(given)
    listed = ", ".join(f'"{name}"' for name in names)
    if not names:
        return
    rows = connection.execute(f"SELECT key_of_row, {listed} FROM decisions_by_key").fetchall()
    for record, *cells in rows:
        values = {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None}
        for name in WORDS.keys() & values.keys():
            word = read_word(name, values[name])
            if word is None:
                given_word, words = values[name], known(name)
                raise DataError(
                    zh=f"{path}（--decisions），{record}，{name}：{given_word!r} 不认识；可用：{words}",
                    en=f"{path} (--decisions), {record}, {name}: {given_word!r} is not understood; known "
                    f"are {words}",
                )
            if word != values[name]:
                connection.execute(
                    f'UPDATE decisions_by_key SET "{name}" = ? WHERE key_of_row = ?', [word, record]
                )
            values[name] = word
        wrong = unfit(policy, values)
        if wrong is not None:
            raise DataError(
                zh=f"{path}（--decisions），{record}：{wrong[0]}",
                en=f"{path} (--decisions), {record}: {wrong[1]}",
            )
