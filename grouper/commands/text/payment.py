"""What ``grouper explain --policy`` adds: the payment of the record, from wherever the record comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import DataError, UsageError

if TYPE_CHECKING:
    from grouper.payment.explain.explanation import PaymentExplanation

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

    def of_priced(self, path: str, record_id: str) -> PaymentExplanation:
        """The payment of a row of a priced file, compared with what the file has."""
        from grouper.payment.explain.row import priced_row

        row, digest = priced_row(path, record_id)
        explained = self._explain({**row, **self._given()}, row)
        return explained.priced_by(digest)

    def of_record(self, record: Mapping[str, Any], result: Mapping[str, Any]) -> PaymentExplanation:
        """The payment of a record, with the result of its grouping."""
        from grouper.payment.price.inputs import GROUPED, sources

        grouped = {name: result[name] for name in GROUPED if name in result}
        group = next((result[name] for name in sources("group") if result.get(name)), None)
        return self._explain({**record, **grouped, "group": group, **self._given()}, None)

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
        import pyarrow as pa
        import pyarrow.compute as pc

        from grouper.payment.price.inputs import INPUTS
        from grouper.records.source import open_records

        with open_records([path], **reading) as source:
            plain = {
                name: field.columns[0]
                for name, field in source.columns.fields.items()
                if len(field.columns) == 1 and not field.transform and (name in INPUTS or name in _IDS)
            }
            column = next((plain[name] for name in _IDS if name in plain), None)
            if column is None:
                return {}
            for batch in source.batches():
                same = pc.equal(pc.cast(batch.column(column), pa.string()), record_id)
                rows = batch.filter(pc.fill_null(same, False))
                if rows.num_rows:
                    return {
                        name: source.columns.translated(name, rows.column(given))[0].as_py()
                        for name, given in plain.items()
                        if given in rows.schema.names
                    }
        raise DataError(zh=f"{path} 中没有记录 {record_id}", en=f"{path} has no record {record_id}")
