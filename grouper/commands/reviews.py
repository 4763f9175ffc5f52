"""``grouper reviews``: a session of special reviews, from the candidates to the decisions."""

from __future__ import annotations

from pathlib import Path

import click

from grouper.commands.options.settling import area_option
from grouper.commands.options.shared import BilingualCommand, both, emit, lang_option, language, option, say


@click.command(
    cls=BilingualCommand,
    help=both(
        "特例单议：列出候选病例（倍率、排序、是否在名额内）和统筹地区各期名额；-o 写成会议记录工作簿；会议"
        "填好后用 --decided 读回，写成决定文件（湖：供 settle --corrections；文件：供 pay --decisions）。\n\n"
        "示例：grouper reviews 结算湖 --month 2025-04..2025-06 -o 单议.xlsx",
        "Special reviews: list the candidates (multiple, rank, whether the quota reaches them) and the "
        "quota of the area by period; -o writes the record of the session as a workbook; filled in, "
        "--decided reads it back and writes its decisions (of a lake: for settle --corrections; of a file: "
        "for pay --decisions).\n\n"
        "Example: grouper reviews LAKE --month 2025-04..2025-06 -o session.xlsx",
    ),
)
@click.argument("source", metavar="LAKE|FILE", type=click.Path(exists=True))
@option(
    "--month",
    "months",
    multiple=True,
    metavar="YYYY-MM[..YYYY-MM]",
    help=both("月份或起止月份，可重复（湖）", "Month or range of months, repeatable (of a lake)"),
)
@area_option
@option(
    "--policy",
    default="",
    metavar="ID|FILE",
    help=both(
        "支付政策（文件必填；湖默认用各月的）", "Policy (needed for a file; of a lake, that of each month)"
    ),
)
@option(
    "--ratio",
    default="",
    metavar="N",
    help=both(
        "费用倍率不低于 N 的病例（默认：高倍率病例）",
        "Cases of at least this multiple (default: high outliers)",
    ),
)
@option("--decided", default="", metavar="XLSX", help=both("填好的会议记录", "The record, filled in"))
@option("--over-quota", is_flag=True, help=both("超过名额也照写", "Write them although beyond the quota"))
@option(
    "-o", "--output", "output", default=None, type=click.Path(path_type=Path), metavar="OUT",
    help=both("会议记录（.xlsx）；与 --decided 同用时为决定文件（.csv）",
              "Record of the session (.xlsx); with --decided the file of decisions (.csv)"),
)  # fmt: skip
@lang_option
def reviews(
    source: str, months: tuple[str, ...], area: str, policy: str, ratio: str, decided: str, over_quota: bool,
    output: Path | None,
) -> None:  # fmt: skip
    from grouper.base.errors import UsageError
    from grouper.base.whole import refuse_existing, whole_file
    from grouper.commands.text.reviews import candidate_lines, decided_lines, quota_lines
    from grouper.lake import Lake
    from grouper.report.review_book import write_session
    from grouper.settlement.reviews import of_file, of_lake, take_back

    if Path(source).is_dir():
        session = of_lake(Lake(Path(source)), months, area=area, policy=policy, ratio=ratio)
    elif policy:
        session = of_file(source, policy, ratio=ratio)
    else:
        raise UsageError(zh="文件须用 --policy 指定政策", en="a file needs --policy")
    if decided:
        if output is None:
            raise UsageError(zh="请用 -o 指定决定文件", en="name the file of decisions by -o")
        emit(decided_lines(take_back(session, decided, output, over_quota=over_quota), language()))
        return
    emit(quota_lines(session.quotas, language()))
    emit(candidate_lines(session.candidates, language()))
    if output is not None:
        refuse_existing(output, force=False)
        with whole_file(output) as part:
            write_session(part, session.quotas, session.candidates, session.area, language())
        say(f"会议记录 {output}", f"record of the session {output}")
