"""Numbers that the kernel computes with must fit the tables of reasons and flags."""

from __future__ import annotations

from grouper.base.reasons import REASON_NUMBER, REASONS, STATUS_NAMES, STATUS_ZH, Flag, Status
from grouper.grouping.drg.compile import FIELDS


def test_each_flag_has_its_reason_in_the_order_of_the_bits() -> None:
    first = REASON_NUMBER["bad-sex"]
    for bit, flag in enumerate(Flag):
        reason = REASONS[first + bit]
        assert flag.name is not None and flag.name.lower().replace("_", "-") == reason.code
        assert flag == 1 << bit and reason.status == Status.INVALID


def test_each_field_of_the_kernel_has_its_missing_reason_in_order() -> None:
    words = ["sex", "age", "age-days", "birth-weight", "stay", "icu-hours", "discharge-way", "department"]
    assert len(words) == len(FIELDS)
    for number, word in enumerate(words):
        assert REASON_NUMBER[f"missing-{word}"] == REASON_NUMBER["missing-sex"] + number


def test_codes_are_unique_and_texts_are_there() -> None:
    assert len(REASON_NUMBER) == len(REASONS)
    assert all(reason.zh and reason.en for reason in REASONS)
    assert len(STATUS_NAMES) == len(STATUS_ZH) == len(Status)
