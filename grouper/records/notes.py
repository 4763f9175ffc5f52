"""Names of what was normalised, in words: ``age-from-dates`` and its like."""

from __future__ import annotations

_FIELDS: dict[str, tuple[str, str]] = {
    "age-days": ("天龄", "age in days"),
    "age": ("年龄", "age"),
    "sex": ("性别", "sex"),
    "stay": ("住院天数", "stay"),
    "birth-weight": ("出生体重", "birth weight"),
    "admission-weight": ("入院体重", "weight on admission"),
    "icu-hours": ("重症监护时长", "ICU hours"),
    "discharge-way": ("离院方式", "way of discharge"),
    "department": ("科室", "department"),
    "birth-date": ("出生日期", "birth date"),
    "admission-date": ("入院日期", "admission date"),
    "discharge-date": ("出院日期", "discharge date"),
}
_NOTES: dict[str, tuple[str, str]] = {
    "from-dates": ("由日期推算", "derived from dates"),
    "differs-from-dates": (
        "与日期推算不一致，以日期为准",
        "given value differs from the dates, which are used",
    ),
    "text": ("文字写法，已转换", "written as text, converted"),
    "value-map": ("按列映射的 [values] 对应", "mapped by [values] of the column map"),
    "unit-text": ("带单位，已去除", "written with its unit"),
    "full-width": ("全角字符，已转换", "full-width characters, converted"),
    "padded": ("首尾空格，已去除", "blanks around it, removed"),
    "blank-marker": ("占位符，按缺失处理", "a placeholder, taken as missing"),
    "zero-as-missing": ("为 0，按缺失处理", "zero, taken as missing"),
    "not-stated": ("未说明，按缺失处理", "not stated, taken as missing"),
    "several": ("多个值，按缺失处理", "several values, taken as missing"),
    "decimal-integer": ("小数写法的整数", "a whole number written with decimals"),
    "duration-text": ("天/小时/分钟写法，已换算", "days/hours/minutes, converted"),
    "from-months": ("由月龄换算", "converted from months"),
}
_WHOLE: dict[str, tuple[str, str]] = {
    "principal-blank": ("主要诊断为空而有其他诊断", "principal diagnosis blank although there are others"),
    "main-procedure-blank": (
        "主要手术操作为空而有其他手术操作",
        "main procedure blank although there are others",
    ),
    "blank-code": ("编码栏为占位符", "placeholder in a code column"),
    "full-width-separator": ("全角分隔符，已转换", "full-width separator, converted"),
    "other-than-western-diagnosis": ("非西医诊断，不参与分组", "diagnosis other than western, not grouped"),
    "several-principal-diagnoses": ("多个主要诊断", "several principal diagnoses"),
    "no-principal-diagnosis": ("没有标记主要诊断", "no diagnosis marked as principal"),
    "fund-pay-type-unknown": (
        "基金支付类型不认识，统筹等各项按缺失处理",
        "fund types that are not known: the parts by fund are missing",
    ),
    "med-chrgitm-unknown": (
        "收费项目类别不认识，药品、耗材费按缺失处理",
        "kinds of charges that are not known: costs of drugs and consumables are missing",
    ),
    "settlement-without-list": ("结算行没有对应的清单", "settlement rows without a list"),
    "list-without-settlement": ("清单没有对应的结算行，未读入", "lists without a settlement row, not read"),
    "several-main-procedures": ("多个主要手术操作", "several main procedures"),
}


def describe(name: str, lang: str) -> str:
    """The words for a count; a name that is not known comes back as it is."""
    index = 1 if lang == "en" else 0
    if name in _WHOLE:
        return _WHOLE[name][index]
    for field, labels in _FIELDS.items():
        note = name.removeprefix(field + "-")
        if note != name and note in _NOTES:
            return f"{labels[index]}{': ' if index else '：'}{_NOTES[note][index]}"
    return name
