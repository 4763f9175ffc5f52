"""``grouper capitation`` and ``grouper alliance``: the layers of payment beside cases."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from grouper.commands.options.shared import (
    DATE,
    BilingualCommand,
    both,
    lang_option,
    option,
    say,
    with_options,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from grouper.payment.policy.terms import Terms


_common = with_options(
    option("--policy", required=True, metavar="ID|AREA|FILE", help=both("支付政策", "Payment policy")),
    option("--as-of", "when", required=True, type=DATE, metavar="DATE",
           help=both("取哪一天的参数", "Day whose parameters are taken")),
    option("-o", "--output", required=True, metavar="OUT",
           help=both("结果文件（CSV、XLSX、Parquet）", "Result (CSV, XLSX, Parquet)")),
)  # fmt: skip


@click.command(
    cls=BilingualCommand,
    help=both(
        "按人头包干：由签约（认定）人数、实际费用和转外费用，算出包干额、结余留用、超支分担和余额。\n\n"
        "表中的列：institution、package、heads、actual，可有 factor、referral_out、prepaid、pool、county；"
        "金额为元。\n\n示例：grouper capitation 门诊.csv --policy lishui --as-of 2025-12-31 -o 人头.csv",
        "Capitation packages: from heads, actual cost and referrals to the package, the surplus kept, the "
        "overspend shared and the balance.\n\n"
        "Columns: institution, package, heads, actual; optional factor, referral_out, prepaid, pool, county; "
        "amounts in yuan.\n\n"
        "Example: grouper capitation outpatient.csv --policy lishui --as-of 2025-12-31 -o capitation.csv",
    ),
)
@click.argument("table", metavar="CSV")
@_common
@lang_option
def capitation(table: str, policy: str, when: datetime, output: str) -> None:
    from grouper.payment.packages.layers import capitation as settled
    from grouper.payment.policy.policy import find_policy

    day = when.date()
    rows, terms = settled(find_policy(policy, day), day, table)
    _write(rows, output)
    _told(rows, terms, "due", "应付", "due")


@click.command(
    cls=BilingualCommand,
    help=both(
        "紧密型医共体总额：参保人数×人均基金，减风险金和单列；扣除域内应付、域外（转外）支出和门诊包干，"
        "得结余留用或超支分担。医院的结算金额不变。\n\n"
        "表中的列：alliance、county（参保地编码前缀）、insured，可有 outpatient、outside、carve_outs、score。"
        "给出 --cases 时，按参保地把病例的基金归属医共体。\n\n"
        "示例：grouper alliance 医共体.csv --policy yulin --as-of 2025-12-31 --cases 已计价.parquet "
        "--hospitals 医院.csv -o 结果.csv",
        "County alliances: insured heads times the fund per head, less reserve and carve-outs; less care "
        "inside, care outside the county and outpatient packages; the surplus kept or the overspend shared. "
        "What hospitals are paid does not change.\n\n"
        "Columns: alliance, county (prefix of the insured's region code), insured; optional outpatient, "
        "outside, carve_outs, score. With --cases the fund of cases is charged to the alliance of the "
        "insured.\n\n"
        "Example: grouper alliance alliances.csv --policy yulin --as-of 2025-12-31 --cases priced.parquet "
        "--hospitals hospitals.csv -o result.csv",
    ),
)
@click.argument("table", metavar="CSV")
@option("--cases", multiple=True, metavar="PARQUET",
        help=both("已计价或已结算的病例，可重复", "Priced or settled cases; repeatable"))  # fmt: skip
@option("--hospitals", default="", metavar="CSV",
        help=both("医院表：hospital_code、alliance", "Hospitals: hospital_code, alliance"))  # fmt: skip
@option("--persons", default="", metavar="FILE",
        help=both("record_id 与 region_code 的表（病例中没有参保地时）",
                  "Table of record_id and region_code, where the cases lack it"))  # fmt: skip
@_common
@lang_option
def alliance(
    table: str,
    cases: tuple[str, ...],
    hospitals: str,
    persons: str,
    policy: str,
    when: datetime,
    output: str,
) -> None:
    from grouper.base.errors import UsageError
    from grouper.payment.packages.layers import alliances
    from grouper.payment.policy.policy import find_policy

    if cases and not hospitals:
        raise UsageError(
            zh="--cases 需要 --hospitals（hospital_code 与 alliance 的表）",
            en="--cases needs --hospitals, a table of hospital_code and alliance",
        )
    day: date = when.date()
    rows, terms, others = alliances(find_policy(policy, day), day, table, cases, hospitals, persons or None)
    _write(rows, output)
    _told(rows, terms, "balance", "余额", "balance")
    if cases:
        say(f"不属于任何医共体的基金：{others:,.2f} 元", f"fund of no alliance: {others:,.2f} yuan")


def _write(rows: pa.Table, output: str) -> None:
    from grouper.base.output import Output, output_format

    with Output(output, output_format(output, None)) as out:
        writer = out.open(rows.schema)
        for batch in rows.to_batches():
            writer.write(batch)


def _told(rows: pa.Table, terms: Terms, column: str, zh: str, en: str) -> None:
    total = sum(rows[column].to_pylist())
    say(
        f"{rows.num_rows} 行，{zh}合计 {total:,.2f} 元",
        f"{rows.num_rows} rows, {en} in all {total:,.2f} yuan",
    )
    doubtful = sorted(name for name, dated in terms.values.used.items() if not dated.verified)
    if doubtful:
        say(f"未核实参数：{'、'.join(doubtful)}", f"not verified: {', '.join(doubtful)}")
