"""``grouper pay-order`` and ``grouper paid``: what a settled period pays, and what was paid."""

from __future__ import annotations

from pathlib import Path

import click

from grouper.commands.options.settling import area_option, one_period, step_options
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    emit,
    lang_option,
    language,
    option,
    say,
    with_options,
)

LAKE = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False)
_period = with_options(
    option("--month", default="", metavar="YYYY-MM", help=both("月份", "Month")),
    option("--year", default="", metavar="YYYY", help=both("年度（清算）", "Year, as cleared")),
    area_option,
)


@click.command(
    "pay-order",
    cls=BilingualCommand,
    help=both(
        "开拨付单：每项基金一个工作簿和一个可打印网页，含汇总表和各医院的拨付单（账户、大写金额、预拨、保证金、"
        "冲抵、稽核扣款、结转、制表复核审批栏）；合计与账本逐分核对，不符则不写。草稿须先审批。\n\n"
        "示例：grouper pay-order 结算湖 --month 2025-06 --who 李明 -o 拨付单",
        "Write payment orders: for each fund a workbook and a page to print, with a summary and an order for "
        "each hospital (account, amount in words, prepayment, deposit, offsets, deductions, what is carried, "
        "boxes to sign); the sums are those of the ledger to the fen, else nothing is written. A draft must "
        'be approved first.\n\nExample: grouper pay-order LAKE --month 2025-06 --who "Li" -o orders',
    ),
)
@click.argument("lake", type=LAKE)
@_period
@option(
    "--hospitals",
    default="",
    metavar="FILE",
    help=both(
        "医院账户表：医院编码、户名、开户银行、账号（默认用结算时的医院表）",
        "Table with hospital_code, account_name, bank, account_number (default: the hospitals of the run)",
    ),
)
@option(
    "-o", "--output", "folder", required=True, type=LAKE, metavar="FOLDER", help=both("输出目录", "Folder")
)
@step_options
@lang_option
def pay_order(
    lake: Path, month: str, year: str, area: str, hospitals: str, folder: Path, who: str, when: str, note: str
) -> None:
    from grouper.commands.text.payments import order_lines
    from grouper.lake import Lake
    from grouper.settlement.orders import pay_order as library

    done = library(Lake(lake), one_period(month, year), folder, who=who, when=when, note=note, area=area,
                   hospitals=hospitals, lang=language())  # fmt: skip
    if done.said[0]:
        say(*done.said)
    emit(order_lines(done, language()))


@click.command(
    "paid",
    cls=BilingualCommand,
    help=both(
        "登记实际拨付（小表：医院编码、基金、险种、日期、凭证号、金额），与拨付单比较；差额结转到下一个月的结算。\n\n"
        "示例：grouper paid 结算湖 --month 2025-06 --from 回单.xlsx --who 张丽",
        "Enter what was really paid (a small table: hospital_code, fund, pool, date, voucher, amount), and "
        "compare it with the orders; differences are carried to the next month's settlement.\n\n"
        'Example: grouper paid LAKE --month 2025-06 --from receipts.xlsx --who "Zhang"',
    ),
)
@click.argument("lake", type=LAKE)
@_period
@option("--from", "path", required=True, type=FILE, metavar="FILE", help=both("拨付明细", "Payments made"))
@step_options
@lang_option
def paid(
    lake: Path, month: str, year: str, area: str, path: str, who: str, when: str, note: str
) -> None:  # fmt: skip
    from grouper.commands.text.payments import paid_lines
    from grouper.lake import Lake
    from grouper.settlement.paid import record_paid

    done = record_paid(Lake(lake), one_period(month, year), path, who=who, when=when, note=note, area=area)
    emit(paid_lines(done, language()))
