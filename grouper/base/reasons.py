"""Row statuses and reason codes, with their text in Chinese and English.

Every record ends with one :class:`Status` and one reason. The order of
``REASONS`` is the order of the numbers that the kernel returns; append, never
insert. Flags are the bits by which normalisation tells the kernel that a field
of a row cannot be used.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import NamedTuple


class Status(IntEnum):
    """What became of a record."""

    GROUPED = 0
    AMBIGUOUS = 1
    UNGROUPED = 2
    NEEDS_DATA = 3
    INVALID = 4


STATUS_NAMES = ["grouped", "ambiguous", "ungrouped", "needs-data", "invalid"]
STATUS_ZH = ["入组", "歧义组", "未入组", "缺数据", "无效"]


class Reason(NamedTuple):
    code: str
    status: Status
    zh: str
    en: str


REASONS: list[Reason] = [
    Reason("grouped", Status.GROUPED, "正常入组", "grouped"),
    Reason(
        "unrelated-procedure",
        Status.AMBIGUOUS,
        "手术操作与主要诊断无关，进入歧义组",
        "the procedure does not belong to the principal diagnosis (QY group)",
    ),
    Reason(
        "no-mdc",
        Status.UNGROUPED,
        "主要诊断不在任何主要诊断大类的条件内",
        "no MDC of the scheme takes the record",
    ),
    Reason(
        "no-adrg",
        Status.UNGROUPED,
        "已进入主要诊断大类，但没有一个核心组（ADRG）条件成立",
        "an MDC takes the record, but none of its ADRG conditions holds",
    ),
    Reason(
        "no-drg",
        Status.UNGROUPED,
        "已进入核心组（ADRG），但方案没有给出成立的细分组",
        "an ADRG takes the record, but the scheme has no DRG whose condition holds",
    ),
    Reason(
        "principal-not-in-scheme",
        Status.UNGROUPED,
        "主要诊断编码不参与本方案分组",
        "the scheme does not use the principal diagnosis code",
    ),
    Reason(
        "principal-unknown",
        Status.UNGROUPED,
        "主要诊断编码不在编码版本中",
        "the principal diagnosis code is not in the code edition",
    ),
    Reason(
        "missing-sex", Status.NEEDS_DATA, "缺性别，分组结果取决于性别", "sex is missing and decides the group"
    ),
    Reason(
        "missing-age", Status.NEEDS_DATA, "缺年龄，分组结果取决于年龄", "age is missing and decides the group"
    ),
    Reason(
        "missing-age-days",
        Status.NEEDS_DATA,
        "缺不足一周岁的天龄，分组结果取决于天龄",
        "age in days is missing and decides the group",
    ),
    Reason(
        "missing-birth-weight",
        Status.NEEDS_DATA,
        "缺新生儿出生体重，分组结果取决于体重",
        "birth weight is missing and decides the group",
    ),
    Reason(
        "missing-stay",
        Status.NEEDS_DATA,
        "缺住院天数，分组结果取决于住院天数",
        "length of stay is missing and decides the group",
    ),
    Reason(
        "missing-icu-hours",
        Status.NEEDS_DATA,
        "缺重症监护时长，分组结果取决于该时长",
        "ICU hours are missing and decide the group",
    ),
    Reason(
        "missing-discharge-way",
        Status.NEEDS_DATA,
        "缺离院方式，分组结果取决于离院方式",
        "way of discharge is missing and decides the group",
    ),
    Reason(
        "missing-department",
        Status.NEEDS_DATA,
        "缺科室，分组结果取决于科室",
        "department is missing and decides the group",
    ),
    Reason("no-principal-diagnosis", Status.INVALID, "缺主要诊断", "the principal diagnosis is missing"),
    Reason(
        "lost-zero",
        Status.INVALID,
        "手术操作编码疑似丢失前导零或末尾零；核实后用 --repair-codes 接受修复",
        "a procedure code seems to have lost leading or trailing zeros; --repair-codes accepts the repair",
    ),
    Reason("bad-sex", Status.INVALID, "性别取值无法识别", "sex has a value that is not understood"),
    Reason("bad-age", Status.INVALID, "年龄不是 0 至 150 的整数", "age is not a whole number from 0 to 150"),
    Reason(
        "bad-age-days",
        Status.INVALID,
        "天龄无法识别或超出范围",
        "age in days is not understood or out of range",
    ),
    Reason(
        "bad-birth-weight",
        Status.INVALID,
        "出生体重无法识别或超出范围（克）",
        "birth weight is not understood or out of range (grams)",
    ),
    Reason(
        "bad-stay",
        Status.INVALID,
        "住院天数无法识别或超出范围",
        "length of stay is not understood or out of range",
    ),
    Reason(
        "bad-icu-hours",
        Status.INVALID,
        "重症监护时长无法识别或为负",
        "ICU hours are not understood or negative",
    ),
    Reason(
        "bad-discharge-way",
        Status.INVALID,
        "离院方式取值无法识别",
        "way of discharge has a value that is not understood",
    ),
    Reason("bad-date", Status.INVALID, "日期无法识别或超出范围", "a date is not understood or out of range"),
    Reason(
        "dates-out-of-order",
        Status.INVALID,
        "出生、入院、出院日期先后矛盾",
        "birth, admission and discharge dates are out of order",
    ),
    # Further flags come here, in the order of their bits.
    Reason("bad-total-cost", Status.INVALID, "总费用无法识别", "total cost is not understood"),
    # What only DIP needs.
    Reason(
        "blank-packet",
        Status.GROUPED,
        "没有核心、基层或综合病种，进入空白病种",
        "no core, primary-care or mixed packet takes the record: blank packet",
    ),
    Reason(
        "no-packet",
        Status.UNGROUPED,
        "目录中没有适合的核心、基层或综合病种",
        "no core, primary-care or mixed packet of the catalogue takes the record",
    ),
    Reason(
        "missing-total-cost",
        Status.NEEDS_DATA,
        "缺总费用，分组结果取决于总费用",
        "total cost is missing and decides the group",
    ),
    Reason(
        "principal-malformed",
        Status.INVALID,
        "主要诊断编码不是以一个字母和两位数字开头",
        "the principal diagnosis code does not begin with a letter and two digits",
    ),
    Reason(
        "principal-unlisted",
        Status.INVALID,
        "主要诊断编码不在编码版本中，本方案不接受",
        "the principal diagnosis code is not in the code edition, which this scheme refuses",
    ),
    Reason(
        "principal-grey",
        Status.INVALID,
        "主要诊断是医保灰码，本方案不接受",
        "the principal diagnosis is a grey code, which this scheme refuses",
    ),
    Reason(
        "principal-excluded",
        Status.UNGROUPED,
        "主要诊断在不纳入分组的清单中",
        "the principal diagnosis is on the scheme's list of diagnoses that are not grouped",
    ),
    # What CHS-DRG 3.0 adds.
    Reason(
        "mdc-ends",
        Status.UNGROUPED,
        "已进入主要诊断大类，但不符合其中任何分组；方案规定在此终止，不再进入其他大类",
        "an MDC takes the record, but none of its groups does; the scheme ends here and tries no other MDC",
    ),
    Reason(
        "missing-admission-weight",
        Status.NEEDS_DATA,
        "缺新生儿入院体重，分组结果取决于入院体重（不以出生体重代替）",
        "weight on admission is missing and decides the group (birth weight does not stand in for it)",
    ),
    Reason(
        "bad-admission-weight",
        Status.INVALID,
        "入院体重无法识别或超出范围（克）",
        "weight on admission is not understood or out of range (grams)",
    ),
    # What is found beside the kernel (grouper.grouping.marks).
    Reason(
        "principal-not-for-grouping",
        Status.UNGROUPED,
        "主要诊断是灰码或方案列为不作为分组规则的编码；请改用同一亚目的具体编码",
        "the principal diagnosis is a grey code, or one that the scheme does not use for grouping; use a "
        "specific code of its subcategory",
    ),
    Reason(
        "main-procedure-unknown",
        Status.NEEDS_DATA,
        "主要手术操作编码不在编码版本中，分组结果取决于它",
        "the main procedure code is not in the code edition, and the group hangs on it",
    ),
    # An ambiguous group that asks for no procedure.
    Reason(
        "unfitting-diagnosis",
        Status.AMBIGUOUS,
        "诊断与年龄等信息不相符，进入歧义组",
        "the diagnoses do not fit age or other data of the record (QY group)",
    ),
]

REASON_NUMBER: dict[str, int] = {reason.code: i for i, reason in enumerate(REASONS)}


class Flag(IntFlag):
    """Why a row's fields cannot be used; set by normalisation, read by the kernel.

    The lowest set bit gives the reason of an invalid row: bit 0 is "bad-sex", the others follow in REASONS,
    but for BAD_ADMISSION_WEIGHT, which came later.
    """

    BAD_SEX = 1
    BAD_AGE = 2
    BAD_AGE_DAYS = 4
    BAD_BIRTH_WEIGHT = 8
    BAD_STAY = 16
    BAD_ICU_HOURS = 32
    BAD_DISCHARGE_WAY = 64
    BAD_DATE = 128
    DATES_OUT_OF_ORDER = 256
    BAD_TOTAL_COST = 512
    BAD_ADMISSION_WEIGHT = 1024
