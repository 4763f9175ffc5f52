"""Why a case is not paid: where pricing says that its grouping held it, the reason of its grouping."""

from __future__ import annotations

from collections.abc import Collection

# Reasons of pricing that stand for whatever the grouping said.
OF_GROUPING = ("held", "ungrouped", "ambiguous")
SILENT = ("", "grouped")  # reasons of a grouping that say nothing against it
_SILENT = ", ".join(f"'{reason}'" for reason in SILENT)
_LISTED = ", ".join(f"'{reason}'" for reason in OF_GROUPING)


def cause_sql(names: Collection[str]) -> str:
    """SQL of the cause of a priced case whose columns are ``names``; the reason of its pay for a paid one.

    Where the cases do not say why they were grouped as they are (``reason``), the reason of pricing stays.
    """
    if "reason" not in names:
        return "pay_reason"
    return (
        f"CASE WHEN pay_status <> 'paid' AND pay_reason IN ({_LISTED}) AND reason NOT IN ({_SILENT}) "
        "THEN reason ELSE pay_reason::VARCHAR END"
    )


def cause(status: str, reason: str, of_grouping: str | None) -> str:
    """The same of one case: its status and reason of pay, and the reason of its grouping."""
    told = status != "paid" and reason in OF_GROUPING and of_grouping not in (None, *SILENT)
    return str(of_grouping) if told else reason
