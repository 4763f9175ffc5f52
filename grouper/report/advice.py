"""What a hospital sends, so that a case that waits can be paid."""

from __future__ import annotations

from grouper.report.numbers import Lang

_SCHEME = (
    "核对主要诊断、手术操作编码后，报更正清单",
    "check diagnoses and operations, send a corrected list",
)
_AGENCY = ("无需报送，由经办机构补齐支付参数", "nothing: the agency lacks a parameter")
_STAY = ("补齐入院、出院日期和住院天数后，报更正清单", "send a corrected list with the days of the stay")
_MONEY = ("核对按项目结算的各项金额后，报更正清单", "check the amounts by item, send a corrected list")
_BILLS = ("报齐本次住院的全部账单", "send all bills of the stay")
_OTHER = ("按原因核对后报更正清单；有异议的填申诉表", "send a corrected list, or object by the form")
_REVIEW = (
    "待特例单议：在申诉期内报病历、费用清单和超支说明",
    "waits for a review: send chart, bill and why it was so dear",
)
_SENT = {
    "extreme-review": _REVIEW, "extreme": _REVIEW, "no-settlement": _MONEY, "fund-above-cost": _MONEY,
    "benefit-differs": _MONEY, "no-benefit": _AGENCY, "no-county": (
    "核对医院所在县（医共体）或参保地：经办机构在医院表补齐，或报更正清单",
    "the agency completes the table of hospitals, or send a corrected list with the region of insurance"),
    "no-pool": ("核对险种后，报更正清单",
    "check the insurance type, send a corrected list"), "no-weight": _AGENCY, "no-base-rate": _AGENCY,
    "no-coefficient": _AGENCY, "no-group-mean": _AGENCY, "no-level-mean": _AGENCY, "no-standard": _AGENCY,
    "no-value": _AGENCY, "no-stay": _STAY, "not-in-force": _AGENCY, "held": _SCHEME, "ungrouped": _SCHEME,
    "ambiguous": _SCHEME, "interim": _BILLS, "interim-waiting": _BILLS, "dates-out-of-order": _STAY,
    "refund-partial": ("核对冲正与原结算的金额后，一并重报", "check refund and original, send both again"),
}  # fmt: skip


def what_to_send(reason: str, status: str, t: Lang) -> str:
    """``reason``: why the case is not paid; of cases outside the policy, nothing."""
    if status == "outside":
        return t("不由本政策支付，无需报送", "nothing: outside this policy")
    return t(*_SENT.get(reason.partition(":")[0], _OTHER))
