"""The file of ``--decisions``: each decision one that is understood and that the policy can carry out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grouper.base.errors import DataError
from grouper.base.tables_in import Row, read_table
from grouper.payment.price.decided import read_decisions, unfit
from grouper.payment.price.inputs import DECIDED
from grouper.records.headings import headings

if TYPE_CHECKING:
    from grouper.payment.policy.policy import Policy

# The last three are for people to read.
COLUMNS = ("record_id", "settlement_id", *DECIDED, "reason", "clause", "document")


@dataclass(frozen=True)
class Decision:
    """A row of the file. ``record_id``: or the settlement_id, where the row has that only. ``values``: the
    columns of DECIDED that it gives, read."""

    record_id: str
    values: Mapping[str, str]
    row: Row

    def check(self, policy: Policy) -> None:
        """Raise DataError, with file, row and column, where the policy can do nothing with it."""
        wrong = unfit(policy, self.values)
        if wrong is not None:
            raise self.row.error(*wrong)


def decisions(path: str) -> tuple[list[Decision], list[str]]:
    """The decisions of a file, and the columns of DECIDED that it has.

    Raises DataError for a file that cannot be read, for unknown columns, for a record_id that is not given
    or there twice, and for what is not understood.
    """
    table = read_table(path, known=COLUMNS, flag="--decisions", kind=DataError, headings=headings())
    key = (
        "record_id" if "record_id" in table.header or "settlement_id" not in table.header else "settlement_id"
    )
    table.need((key,))
    found: dict[str, Decision] = {}
    for row in table:
        record = row.text("record_id") or row.text("settlement_id")
        if not record:
            raise row.error(key, "缺失", "is missing")
        if record in found:
            first = found[record].row.row
            raise row.error(
                key,
                f"{record} 重复（首见第 {first} 行）",
                f"{record} is there twice (first row {first})",
            )
        found[record] = Decision(record, read_decisions(row), row)
    return list(found.values()), [name for name in DECIDED if name in table.header]
