"""Payment orders and payments in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from grouper.commands.text.aligned import aligned
from grouper.commands.text.ledger import yuan
from grouper.commands.text.states import step_line
from grouper.payment.policy.words import pool as pool_in_words
from grouper.settlement.funds import FUNDS

if TYPE_CHECKING:
    from grouper.settlement.orders import Ordered
    from grouper.settlement.paid import Compared, Paid


def order_lines(done: Ordered, lang: str) -> Iterator[str]:
    """What the orders come to, fund by fund, and where they are."""
    zh = lang != "en"
    for order in done.orders:
        hospitals = sum(bool(line.pays) for line in order.lines)
        name, total = FUNDS[order.fund][not zh], yuan(order.total)
        yield f"{name}  {hospitals} 单  {total} 元" if zh else f"{name}  {hospitals} orders  {total} yuan"
    yield from (f"  {path}" for path in done.files)
    yield step_line(done.state, lang)


def paid_lines(done: Paid, lang: str) -> Iterator[str]:
    """What is ordered and paid in all, and every difference."""
    zh = lang != "en"
    known = [row for row in done.rows if row.vouchers]
    ordered, paid = sum(row.ordered for row in done.rows), sum(row.paid for row in known)
    yield f"应拨 {yuan(ordered)} 元，已登记拨付 {yuan(paid)} 元" if zh else (
        f"{yuan(ordered)} yuan ordered, {yuan(paid)} known to be paid"
    )  # fmt: skip
    yield from difference_lines(done.rows, lang)
    yield step_line(done.state, lang)


def difference_lines(rows: Sequence[Compared], lang: str) -> Iterator[str]:
    """Hospitals that were paid otherwise than ordered, and those of which nothing is known yet."""
    zh = lang != "en"
    off = [row for row in rows if row.difference]
    if off:
        head = ("医院", "名称", "基金", "险种", "应拨", "实拨", "差额") if zh else (
            "hospital", "name", "fund", "pool", "ordered", "paid", "difference"
        )  # fmt: skip
        yield from aligned(
            [head, *((row.hospital, row.name, FUNDS[row.fund][not zh], pool_in_words(row.pool, lang),
                      yuan(row.ordered), yuan(row.paid), yuan(row.difference)) for row in off)],
            right={4, 5, 6}, indent="  ",
        )  # fmt: skip
        yield (
            "  差额结转到下一个月：多付的扣回，少付的补付" if zh
            else "  carried to the next month: over-paid is taken off, under-paid is added"
        )  # fmt: skip
    waiting = [row for row in rows if row.ordered and not row.vouchers]
    if waiting:
        fen = yuan(sum(row.ordered for row in waiting))
        yield f"  尚未登记拨付：{len(waiting)} 单，{fen} 元" if zh else (
            f"  not known to be paid yet: {len(waiting)} orders, {fen} yuan"
        )  # fmt: skip
