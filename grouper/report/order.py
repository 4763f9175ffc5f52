"""Payment orders on paper: for each fund a summary of all hospitals and an order for each, to be signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grouper.base.capitals import capitals
from grouper.base.money import Fen, yuan_of
from grouper.report.draw.html import Html, document, el
from grouper.report.numbers import Lang, yuan

# What leads from the due to the payment: name -> words, and whether it is taken off (-1), added (1) or just
# told (0).
MONTH: dict[str, tuple[tuple[str, str], int]] = {
    "due": (("应付合计", "due"), 0),
    "deposit": (("预留保证金", "deposit withheld"), 0),
    "deferred": (("留待清算", "left to the clearing"), 0),
    "prepaid": (("本期预拨", "prepaid"), 1),
    "earlier_years": (("往年调整", "of earlier years"), 1),
    "advance": (("冲抵预付金", "advance offset"), -1),
    "audit": (("稽核扣款", "audit deductions"), -1),
    "carried_in": (("上期结转扣减", "carried in, taken off"), -1),
    "paid_difference": (("以前多付（负为少付）", "over-paid before (negative: under)"), -1),
    "carried": (("结转下期扣减", "carried to the next"), 1),
}
OTHER: dict[str, tuple[tuple[str, str], int]] = {
    "due": (("本期应付", "due"), 1), **{n: MONTH[n] for n in ("carried_in", "paid_difference", "carried")},
}  # fmt: skip
YEAR: dict[str, tuple[tuple[str, str], int]] = {
    "due": (("全年应付", "due of the year"), 0),
    "paid_before": (("各月已预拨", "prepaid by the months"), 0),
    "deposit": (("预留保证金", "deposit withheld"), 0),
    "balance": (("清算差额", "balance"), 1),
    "returned": (("返还保证金", "deposit returned"), 1),
    "advance": (("冲抵预付金", "advance offset"), -1),
    "audit": (("稽核扣款及结转", "audit deductions and what was carried"), -1),
    "recover": (("应收回", "to be recovered"), 1),
}
SIGN = (("制表", "made by"), ("复核", "checked by"), ("审批", "approved by"), ("财务", "finance"))
ACCOUNT = (("户名", "account name"), ("开户银行", "bank"), ("账号", "account number"))


@dataclass(frozen=True)
class OrderLine:
    """A hospital in a pool. ``pays``: fen that are paid; ``account``: name, bank, number, blank where they
    are not known; ``shown``: fen by the names of MONTH, OTHER or YEAR. ``number`` is "" where nothing is
    paid."""

    number: str
    hospital: str
    name: str
    pool: str
    pays: Fen
    account: tuple[str, str, str]
    shown: Mapping[str, Fen]


@dataclass(frozen=True)
class Order:
    """What a fund pays for a period. ``run``: the settlement; ``step``: the entry of the chain that this
    order is; ``instead``: the order that it replaces, or ""; ``seal``: of the run."""

    fund: str
    words: tuple[str, str]
    yearly: bool
    period: str
    area: tuple[str, str]
    run: str
    step: str
    instead: str
    made_by: str
    lines: tuple[OrderLine, ...]
    seal: str

    @property
    def total(self) -> Fen:
        return sum(line.pays for line in self.lines)

    @property
    def pools(self) -> list[str]:
        return sorted({line.pool for line in self.lines})

    @property
    def columns(self) -> dict[str, tuple[tuple[str, str], int]]:
        """The amounts that some hospital has, in their order."""
        whole = YEAR if self.yearly else MONTH if self.fund == "pool" else OTHER
        return {
            name: own for name, own in whole.items()
            if name == "due" or any(line.shown.get(name) for line in self.lines)
        }  # fmt: skip

    def of(self, pool: str) -> list[OrderLine]:
        return [line for line in self.lines if line.pool == pool]

    def title(self, t: Lang) -> str:
        """The area, 清算 or not, and the fund."""
        kind = t("年度清算", " yearly clearing") if self.yearly else ""
        basic = t("基本医疗保险", " basic insurance") if self.fund == "pool" else ""
        return f"{t(*self.area)}{kind}{basic}{t(self.words[0], ' ' + self.words[1])}"

    def when(self, t: Lang) -> str:
        """The period as people say it."""
        year, _, month = self.period.partition("-")
        return t(f"{year}年" + (f"{int(month)}月" if month else "度"), self.period)

    def purpose(self, t: Lang) -> str:
        """What the money is for."""
        return t(
            f"{self.when(t)}住院医疗费用{'清算' if self.yearly else '结算'}款",
            f"inpatient care of {self.period}, {'clearing' if self.yearly else 'settlement'}",
        )

    def file_stem(self, t: Lang) -> str:
        return f"{t('拨付单', 'order')}-{t(*self.words)}-{self.period}".replace(" ", "-")

    def facts(self, t: Lang) -> list[str]:
        """What the head of a paper says: period, run, order, seal."""
        told = [
            t(f"期间 {self.when(t)}", f"period {self.period}"),
            t(f"结算运行 {self.run}", f"settlement {self.run}"),
            t(f"单据批号 {self.step}", f"order {self.step}"),
        ]
        if self.instead:
            told.append(t(f"取代批号 {self.instead}，原单作废", f"in place of {self.instead}, which is void"))
        return [*told, t(f"链印 {self.seal[:12]}", f"seal {self.seal[:12]}"), t("单位：元", "yuan")]


def pool_words(pool: str, t: Lang) -> str:
    return t.pool(pool)


def order_page(order: Order, lang: str) -> str:
    """All of a fund to print: the summary on A4 across, then two orders a sheet."""
    t = Lang(lang)
    title = f"{order.title(t)}{t('拨付', ' payment')} {order.period}"
    forms = [_form(order, line, t) for line in order.lines if line.pays]
    style = (Path(__file__).parent / "pages" / "order.css").read_text(encoding="utf-8")
    return document(title, t.html, style, _summary(order, t), forms)


def _summary(order: Order, t: Lang) -> Html:
    names = order.columns
    head = el("tr", (el("th", text) for text in (
        t("序号", "no."), t("医院编码", "code"), t("医院名称", "hospital"),
        *(t(*own) for own, _ in names.values()), t("本期应拨", "to pay"), t("收款账户", "account"),
    )))  # fmt: skip
    rows: list[Html] = []
    for pool in order.pools:
        own = order.of(pool)
        rows.append(el("tr", el("th", pool_words(pool, t), colspan=len(names) + 5), class_="pool"))
        for number, line in enumerate(own, 1):
            account = [part for part in line.account if part and part != line.name]
            rows.append(el("tr", el("td", str(number), class_="c"), el("td", line.hospital, class_="l"),
                           el("td", line.name, class_="l"), _cells(line, names), el("td", _yuan(line.pays)),
                           el("td", (el("div", part) for part in account), class_="l small")))  # fmt: skip
        if len(order.pools) > 1:
            rows.append(_sum(t("小计", "subtotal"), own, names))
    rows.append(_sum(t("合计", "total"), order.lines, names))
    told = el("p", el("b", t("合计大写", "in words")), " ", capitals(order.total), class_="words")
    return el(
        "section", el("h1", f"{order.title(t)}{t('拨付汇总表', ': summary of payments')}"), _facts(order, t),
        el("table", el("thead", head), el("tbody", rows)), told, _formula(order, t), _boxes(order, t),
        class_="across",
    )  # fmt: skip


def _cells(line: OrderLine, names: Mapping[str, object]) -> list[Html]:
    return [el("td", _yuan(line.shown.get(name, 0), name == "due")) for name in names]


def _sum(text: str, lines: Sequence[OrderLine], names: Mapping[str, object]) -> Html:
    sums = [sum(line.shown.get(name, 0) for line in lines) for name in names]
    paid = sum(line.pays for line in lines)
    return el("tr", el("th", text, colspan=3), (el("td", _yuan(fen)) for fen in (*sums, paid)), el("td", ""),
              class_="sum")  # fmt: skip


def formula(order: Order, t: Lang) -> str:
    """How what is paid comes of the columns that are shown."""
    signed = [(t(*own), sign) for own, sign in order.columns.values() if sign]
    parts = [("" if sign > 0 and not n else " + " if sign > 0 else " − ") + text
             for n, (text, sign) in enumerate(signed)]  # fmt: skip
    return t("本期应拨 = ", "to pay = ") + "".join(parts)


def _formula(order: Order, t: Lang) -> Html:
    return el("p", formula(order, t), class_="note")


def _facts(order: Order, t: Lang) -> Html:
    return el("p", (el("span", text) for text in order.facts(t)), class_="facts")


def _form(order: Order, line: OrderLine, t: Lang) -> Html:
    account = [
        el("tr", el("th", t(*name)), el("td", value, colspan=3, class_="l"))
        for name, value in zip(ACCOUNT, line.account, strict=True)
    ]
    names = [(t(*own), line.shown.get(name, 0)) for name, (own, _) in order.columns.items()]
    if len(names) % 2:
        names.append(("", 0))
    grid = [
        el("tr", (cell for text, fen in names[n : n + 2] for cell in (
            el("th", text), el("td", _yuan(fen) if text else ""))))
        for n in range(0, len(names), 2)
    ]  # fmt: skip
    inwords = t("金额（大写）", "in words")
    figures = el("th", t("本期应拨（小写）", "in figures")), el("td", f"¥ {_yuan(line.pays)}")
    paid = el("tr", el("th", inwords), el("td", capitals(line.pays), class_="l"), *figures, class_="pay")
    use = el("tr", el("th", t("用途", "for")), el("td", order.purpose(t), colspan=3, class_="l"))
    to = el("tr", el("th", t("收款单位", "to")), el("td", f"{line.name}（{line.hospital}）", class_="l"),
            el("th", t("险种", "insurance")), el("td", pool_words(line.pool, t)))  # fmt: skip
    return el(
        "section", el("h2", f"{order.title(t)}{t('拨付单', ': payment order')}"),
        el("p", el("span", f"{t('编号', 'no.')} {line.number}"), (el("span", one) for one in order.facts(t)),
           class_="facts"),
        el("table", el("tbody", to, account, use, grid, paid)), _formula(order, t), _boxes(order, t),
        class_="form",
    )  # fmt: skip


def _boxes(order: Order, t: Lang) -> Html:
    boxes = [el("div", el("b", t(*name)), el("i", t("签名、日期", "signature, date"))) for name in SIGN]
    return el("div", boxes, class_="boxes")


def _yuan(fen: Fen, zero: bool = True) -> str:
    """Yuan to the fen; without ``zero`` nothing is left blank."""
    return yuan(yuan_of(fen)) if fen or zero else ""
