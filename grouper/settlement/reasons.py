"""Why a row of the input is no case of the month, in two languages; docs/settlement.md lists them."""

from __future__ import annotations

from collections.abc import Mapping

from grouper.records import gate
from grouper.records.words import known_words

REASONS: dict[str, tuple[str, str]] = {
    **gate.REASONS,
    "bad-amount": ("金额无法识别", "an amount is not understood"),
    "bad-date": ("日期无法识别", "a date is not understood"),
    "bad-flag": ("标志无法识别", "a flag is not understood"),
    "bad-value": ("取值无法识别", "a value is not understood"),
    "unknown-hospital": ("医院编码不在 --hospitals 中", "the hospital is not in --hospitals"),
    "future-date": ("出院日期晚于本月", "discharged after the month"),
    "closed-year": ("出院日期在以前年度，该月在本湖中没有结算过", "discharged in an earlier year, in a "
                                              "month that this lake has not settled"),
    "month-not-settled": ("出院月份在本湖中没有结算过", "discharged in a month that this lake has not "
                                           "settled"),
    "already-settled": ("已在以前的月份结算；更正请用 --corrections", "settled in an earlier month; "
                                                        "corrections come by --corrections"),
    "correction-moves": ("更正后的出院月份或医院与原结算不同；请先撤销再补报", "the correction changes the "
                                                      "month of discharge or the hospital; withdraw the "
                                                      "old one and send it as late"),
    "superseded": ("被 --corrections 中的更正清单取代",
                   "replaced by a corrected list in --corrections"),
    "interim-settled": (
        "本次住院的另一张账单已在以前月份结算；撤销那一次后与各账单一并补报（--interim join）",
        "another bill of this stay was settled in an earlier month; withdraw that one and give all bills "
        "together (--interim join)",
    ),
    "interim-waiting": (
        "本次住院的中途结算在以前月份暂未支付，而本次输入没有它；请一并给出（--interim join）",
        "an interim bill of this stay waits in an earlier month and is not in this input; give them together "
        "(--interim join)",
    ),
    "withdrawn": ("已按 --corrections 撤销", "withdrawn by --corrections"),
}  # fmt: skip
TREATMENTS = {
    "refund-netted": "netted",
    "withdrawn": "withdrawn",
    "superseded": "superseded",
    "interim": "held",
    "interim-joined": "joined",
    "refund-joined": "joined",
    "refund-partial": "held",
    "interim-settled": "held",
    "interim-waiting": "held",
}


def treatment(reason: str) -> str:
    """What was done with a row: rejected, unless it left by a rule of its own."""
    return TREATMENTS.get(reason.split(":", maxsplit=1)[0], "rejected")


def text(reason: str, lang: str) -> str:
    """A reason in words; "bad-amount:total_cost" names its column."""
    code, _, column = reason.partition(":")
    words = REASONS[code][lang == "en"]
    if column and (known := known_words(column)) and code == "bad-value":
        words += f"；可用：{known}" if lang == "zh" else f"; known are {known}"
    return f"{words}（{column}）" if column and lang == "zh" else f"{words} ({column})" if column else words


def unknown_words(unknown: Mapping[tuple[str, str], int]) -> tuple[str, str]:
    """The words that nobody knows, by column, with those that are known: for an error, zh and en."""
    zh, en = "", ""
    for column in dict.fromkeys(column for column, _ in unknown):
        words = sorted(((n, w) for (c, w), n in unknown.items() if c == column), reverse=True)[:5]
        told = ", ".join(f"{word!r} {n}" for n, word in words)
        known = known_words(column)
        zh += f"\n{column} 不认识：{told}；认识：{known}；可在 --columns 文件的 [values.{column}] 中对应"
        en += f"\n{column}: not understood {told}; known are {known}; "
        en += f"map them in [values.{column}] of the file of --columns"
    return zh, en
