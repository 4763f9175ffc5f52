"""The objections of hospitals, by period: how many wait, and what became of the others."""

from __future__ import annotations

from grouper.report.data import RunInfo
from grouper.report.draw.html import Html, section, table
from grouper.report.numbers import Lang, number


def objections(info: RunInfo, t: Lang) -> Html | None:
    """The objections that were known when the run was made; None where no statements were sent."""
    if not info.objections:
        return None
    names = list(dict.fromkeys(words for row in info.objections for words in row["states"]))
    header = [
        t("期间", "period"),
        t("申诉截止", "until"),
        t("件数", "number"),
        *(t(*words) for words in names),
    ]
    rows = [
        [row["period"], row["deadline"] or "—", number(row["total"]),
         *(number(row["states"].get(words, 0)) for words in names)]
        for row in info.objections
    ]  # fmt: skip
    lead = t("本次结算前已收到的申诉。", "Objections that had come before this settlement.")
    return section("objections", t("申诉", "Objections"), table(header, rows, short=(1,)), lead=lead)
