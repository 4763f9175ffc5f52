"""What ``grouper explain --policy`` adds: the payment of the record, from wherever the record comes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import DataError, UsageError
from grouper.base.scratch import spill_folder
from grouper.records.values import money_text

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper
    from grouper.payment.explain.explanation import NoCase, PaymentExplanation

_AMOUNT = re.compile(r"[+-]?\d+(\.\d*)?")
_IDS = ("record_id", "settlement_id", "visit_id", "record_no")


def is_priced(path: str) -> bool:
    """Whether a file is a Parquet file that pricing wrote; cheap for all others."""
    if Path(path).suffix.lower() != ".parquet" or not Path(path).is_file():
        return False
    from grouper.payment.explain.row import is_priced as priced

    return priced(path)


class Pricing:
    """The options of payment: a policy, a day, and columns given on the command line."""

    def __init__(self, policy: str | None, as_of: date | None, settings: Sequence[str]) -> None:
        if policy is None and (as_of or settings):
            raise UsageError(
                zh="--as-of 和 --set 须与 --policy 同用", en="--as-of and --set go with --policy"
            )
        self.policy, self.as_of, self.settings = policy, as_of, settings
        self.left: str | None = None  # why the record of a file is no stay
        self.net: dict[str, Decimal | None] = {}  # its amounts, where refunds of parts are taken off them
        self.parts = 0  # how many of them

    def scheme(self) -> str:
        """The grouping scheme of the policy."""
        from grouper.payment.policy.policy import find_policy

        found = find_policy(self.policy, self.as_of).scheme if self.policy else ""
        if not found:
            raise UsageError(
                zh="请用 --scheme 指明分组方案（或用 --policy 指明带方案的政策）",
                en="Missing option '--scheme': name the scheme, or a --policy that has one",
            )
        return found

    def check_scheme(self, grouper: Grouper, differs: bool) -> None:
        """Refuse a scheme that is not the policy's, unless it ``differs`` by will."""
        from grouper.payment.policy.policy import find_policy
        from grouper.payment.price.scheme_check import check_scheme

        found = find_policy(str(self.policy), self.as_of)
        check_scheme(found, [("--scheme", grouper.id, grouper.engine.scheme.digest)], differs)

    def of_priced(self, path: str, record_id: str) -> PaymentExplanation | NoCase:
        """The payment of a row of a priced file, compared with what the file has."""
        from grouper.payment.explain.explanation import no_case
        from grouper.payment.explain.row import priced_row
        from grouper.payment.price.gated import NOT_IN_FORCE
        from grouper.records.gate import REASONS

        row, digest = priced_row(path, record_id)
        if row["pay_reason"] in (*REASONS, NOT_IN_FORCE):
            return no_case(record_id, row["pay_reason"])
        explained = self._explain({**row, **self._given()}, row)
        return explained.priced_by(digest)

    def of_record(self, record: Mapping[str, Any], result: Mapping[str, Any]) -> PaymentExplanation | NoCase:
        """The payment of a record, with the result of its grouping; of a row that is no stay, why."""
        from grouper.payment.explain.explanation import no_case
        from grouper.payment.price.inputs import GROUPED, sources

        reason = self.left or _reason_of({**record, **self._given()})
        if reason is not None:
            return no_case(str(record.get("record_id") or ""), reason)
        grouped = {name: result[name] for name in GROUPED if name in result}
        group = next((result[name] for name in sources("group") if result.get(name)), None)
        row = {**record, **self.net, **grouped, "group": group, **self._given()}
        explained = self._explain(row, None)
        if not self.parts:
            return explained
        cost = self.net.get("total_cost")
        note = {
            "zh": f"已减去 {self.parts} 笔部分冲正，总费用为 {cost} 元（与 pay、settle 相同）",
            "en": f"{self.parts} refunds of a part are taken off, which leaves a total cost of {cost} yuan "
            "(as in pay and settle)",
        }
        return replace(explained, notes=(note, *explained.notes))

    def _given(self) -> dict[str, str]:
        from grouper.payment.explain.row import parse_settings
        from grouper.payment.price.inputs import INPUTS

        given = parse_settings(self.settings)
        for name in given:
            if name not in INPUTS and name != "discharge_date":
                raise UsageError(
                    zh=f"--set {name}：没有这样的列；可用 {'、'.join(INPUTS)}",
                    en=f"--set {name}: no such column; there are {', '.join(INPUTS)}",
                )
        return given

    def _explain(self, row: Mapping[str, Any], stored: Mapping[str, Any] | None) -> PaymentExplanation:
        from grouper.payment.explain.explain import day_of, explain_case
        from grouper.payment.policy.policy import find_policy
        from grouper.payment.price.accepted import row_words

        assert self.policy is not None
        when = self.as_of or day_of(row)
        policy = find_policy(self.policy, when)
        if stored is None:  # what pricing wrote are values already
            row = row_words(policy, row)
        return explain_case(policy, row, when, stored=stored)

    def fields(self, path: str | None, record_id: str | None, reading: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a file's record that payment may read and grouping does not."""
        if path is None or path == "-" or record_id is None:
            return {}
        import duckdb
        import pyarrow as pa
        import pyarrow.compute as pc

        from grouper.payment.price.inputs import INPUTS
        from grouper.records.source import open_records
        from grouper.records.stays import STAGED, Gate, pass_gate, stage

        with open_records([path], **reading) as source:
            plain = {
                name: field.columns[0]
                for name, field in source.columns.fields.items()
                if len(field.columns) == 1 and not field.transform and (name in INPUTS or name in _IDS)
            }
            column = next((plain[name] for name in _IDS if name in plain), None)
            if column is None:
                return {}
            found, number, rows = None, 0, 0
            with duckdb.connect(config={"temp_directory": spill_folder()}) as connection:
                connection.execute(STAGED)
                has: set[str] = set()
                for batch in source.batches():
                    has |= stage(connection, batch, source.columns, rows)
                    place = pc.index(pc.cast(batch.column(column), pa.string()), record_id).as_py()
                    if found is None and place >= 0:
                        number = rows + place
                        found = {
                            name: source.columns.translated(name, batch.column(given))[place].as_py()
                            for name, given in plain.items()
                            if given in batch.schema.names
                        }
                    rows += batch.num_rows
                if found is not None:
                    gate = Gate(amounts="total_cost" in has, net=True)
                    gated = pass_gate(connection, "SELECT * FROM at_gate", has, gate)
                    if gated.joined:
                        bills = f"SELECT n FROM gate_bills WHERE of = {number} AND refund ORDER BY 1"
                        parts = [n for (n,) in connection.execute(bills).fetchall()]
                        self._take_off(path, reading, plain, number, parts)
                    left = connection.execute(f"SELECT reason FROM gate_left WHERE n = {number}").fetchall()
                    self.left = left[0][0] if left else None
                    return found
        raise DataError(zh=f"{path} 中没有记录 {record_id}", en=f"{path} has no record {record_id}")

    def _take_off(
        self,
        path: str,
        reading: Mapping[str, Any],
        plain: Mapping[str, str],
        number: int,
        parts: Sequence[int],
    ) -> None:
        """The amounts of row ``number`` less those of the rows ``parts`` (from 0 on); as in ``pay`` one that
        a row lacks is missing."""
        from grouper.payment.price.inputs import DECIDED, INPUTS
        from grouper.records.source import open_records

        if not parts:
            return
        own = (*DECIDED, "pool_paid_before")
        money = [
            name for name in plain if name in INPUTS and INPUTS[name].kind == "money" and name not in own
        ]
        rows: list[dict[str, str | None]] = []
        first, wanted = 0, {number, *parts}
        with open_records([path], **reading) as source:
            for batch in source.batches():
                here = [n - first for n in sorted(wanted) if first <= n < first + batch.num_rows]
                given = batch.take(here).select([plain[name] for name in money]).to_pylist()
                rows += [{name: money_text(str(row[plain[name]])) for name in money} for row in given]
                first += batch.num_rows
        self.parts = len(parts)
        for name in money:
            amounts = [row[name] for row in rows]
            whole = sum((Decimal(amount) for amount in amounts if amount is not None), Decimal(0))
            self.net[name] = None if None in amounts else whole


def _reason_of(record: Mapping[str, Any]) -> str | None:
    """Why a single record is no stay, as far as it can be told without others."""
    from grouper.records.alone import reason_alone

    plain = dict(record)
    if not _AMOUNT.fullmatch(str(plain.get("total_cost"))):
        plain.pop("total_cost", None)  # pricing says what is wrong with it
    return reason_alone(plain)
