"""``grouper policy``: list, show, verify and compare payment policies."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from grouper.commands.options.shared import (
    DATE,
    BilingualGroup,
    both,
    day,
    emit,
    emit_json,
    json_option,
    lang_option,
    language,
    option,
    say,
    subcommands,
)
from grouper.commands.text.aligned import aligned


@click.group(
    cls=BilingualGroup,
    help=both(
        "查看、核对、比较支付政策。\n\n示例：grouper policy show national/drg-rate",
        "Look at, verify and compare payment policies.\n\nExample: grouper policy show national/drg-rate",
    ),
)
@lang_option
def policy() -> None:
    pass


command = subcommands(policy)
as_of_option = option(
    "--as-of",
    type=DATE,
    metavar="YYYY-MM-DD",
    help=both(
        "按哪一天的参数；也用于在一个地区的政策中选择",
        "The day whose parameters count; it also chooses among the policies of an area",
    ),
)


@command(
    "list",
    "列出随附的支付政策（全部，或一个地区的）：方式、分组方案、有效期、已核实和未核实的参数取值数。\n\n"
    "示例：grouper policy list yulin --as-of 2025-06-30",
    "List the shipped policies, all or those of an area: method, scheme, validity, numbers of parameter "
    "values that are verified and that are not.\n\n"
    "Example: grouper policy list yulin --as-of 2025-06-30",
)
@click.argument("area", required=False, metavar="[AREA]")
@option(
    "--as-of", type=DATE, metavar="YYYY-MM-DD", help=both("只列当日适用的", "Only those that apply on a day")
)
@json_option
def list_command(area: str | None, as_of: datetime | None, as_json: bool) -> None:
    from grouper.payment.policy import words
    from grouper.payment.policy.describe import listing

    rows, lang = listing(area, day(as_of)), language()
    if as_json:
        emit_json(rows)
        return
    zh = lang != "en"
    header = ["id", *(("方式", "方案", "起", "止", "已核实", "未核实", "名称") if zh else (
        "method", "scheme", "from", "to", "verified", "unverified", "name"))]  # fmt: skip
    table = []
    for row in rows:
        method, name = words.pick(words.METHODS[row["method"]], lang), row["name" if zh else "name_en"]
        days = [row["valid_from"], row["valid_to"]]
        marks = [str(row["verified"]), str(row["unverified"])]
        table.append([row["id"], method, row["scheme"] or "—", *days, *marks, name])
    for line in aligned([header, *table], right={5, 6}):
        click.echo(line)


@command(
    "show",
    "显示一个政策：基金池、支付路径及其条件、每个参数的取值、单位、出处、条款和是否核实。\n\n"
    "POLICY 为政策 id、文件路径或地区；--parameters 列出政策可设的全部参数。\n\n"
    "示例：grouper policy show national/drg-points --as-of 2025-06-30",
    "Show a policy: pools, routes with their conditions, and every parameter with its values, unit, source, "
    "article, and whether it is verified.\n\n"
    "POLICY is the id of a policy, the path of a file, or an area; --parameters lists all that a policy may "
    "set.\n\n"
    "Example: grouper policy show national/drg-points --as-of 2025-06-30",
)
@click.argument("name", required=False, metavar="[POLICY]")
@as_of_option
@option(
    "--parameters",
    "registry",
    is_flag=True,
    help=both("列出政策可设的全部参数", "List every parameter that a policy may set"),
)
@json_option
def show_command(name: str | None, as_of: datetime | None, registry: bool, as_json: bool) -> None:
    from grouper.base.errors import UsageError
    from grouper.payment.policy import describe
    from grouper.payment.policy.policy import find_policy

    if registry:
        if as_json:
            emit_json(describe.registry_rows())
        else:
            emit(describe.registry_lines(language()))
        return
    if name is None:
        raise UsageError(zh="请给出政策，或用 --parameters", en="name a policy, or use --parameters")
    found, when = find_policy(name, day(as_of)), day(as_of)
    if when is not None:
        found.on(when)  # refuses a day outside the validity
    if as_json:
        emit_json(describe.as_dict(found, when))
    else:
        emit(describe.show(found, language(), when))


@command(
    "verify",
    "核对政策（id、地区或文件；默认全部随附政策）：各时段能否建立步骤、缺少或不用的参数、分组方案与权重表是否相符、"
    "取值日期、分担分段的次序，以及费用越高支付反而越少之处。有错误时退出码为 1。\n\n"
    "示例：grouper policy verify national/drg-rate ./reform.toml",
    "Verify policies (ids, areas or files; by default all shipped ones): whether the steps can be built for "
    "every stretch of time, parameters that are missing or unread, scheme against weights, dates of values, "
    "order of sharing segments, and where a dearer case is paid less. Errors give exit code 1.\n\n"
    "Example: grouper policy verify national/drg-rate ./reform.toml",
)
@click.argument("policies", nargs=-1, metavar="[POLICY]...")
@option("--all", "everything", is_flag=True, help=both("也列出说明和细目", "List infos and details too"))
@json_option
def verify_command(policies: tuple[str, ...], everything: bool, as_json: bool) -> None:
    from grouper.base.errors import EXIT_USAGE
    from grouper.base.findings import count_by_severity, has_errors
    from grouper.payment.check.verify import verify

    findings = verify(policies)
    if as_json:
        emit_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            if everything or finding.severity != "info":
                click.echo(finding.text(language()))
                if everything and finding.details:
                    click.echo(f"    {', '.join(finding.details)}")
        counts = count_by_severity(findings)
        say(
            f"错误 {counts['error']}，警告 {counts['warning']}，说明 {counts['info']}",
            f"error {counts['error']}, warning {counts['warning']}, info {counts['info']}",
        )
    if has_errors(findings):
        sys.exit(EXIT_USAGE)


@command(
    "diff",
    "说明政策 B 相对于政策 A 改了什么：支付方式、方案、权重表、基金池、支付路径、参数。\n\n"
    "--as-of 只比较当日的取值；--as-of-b 为 B 另定日期，可比较同一政策的两个时点。\n\n"
    "示例：grouper policy diff national/drg-rate national/drg-points",
    "Say what policy B changes against policy A: method, scheme, weights, pools, routes, parameters.\n\n"
    "--as-of compares the values of that day only; --as-of-b names another day for B, so that a policy can "
    "be compared with itself.\n\n"
    "Example: grouper policy diff national/drg-rate national/drg-points",
)
@click.argument("a")
@click.argument("b")
@as_of_option
@option("--as-of-b", type=DATE, metavar="YYYY-MM-DD", help=both("B 的日期", "The day for B"))
@json_option
def diff_command(a: str, b: str, as_of: datetime | None, as_of_b: datetime | None, as_json: bool) -> None:
    from grouper.payment.policy.diff import diff
    from grouper.payment.policy.policy import find_policy

    first, second = day(as_of), day(as_of_b) or day(as_of)
    old, new = find_policy(a, first), find_policy(b, second)
    for found, when in ((old, first), (new, second)):
        if when is not None:
            found.on(when)
    changes: Sequence[Any] = diff(old, new, first, second)
    if as_json:
        emit_json([change.as_dict() for change in changes])
    elif changes:
        emit(change.text(language()) for change in changes)
    else:
        say("没有差别", "no difference", err=False)


@command(
    "new",
    "为一个地区写出政策文件，以另一政策的规则为起点：每个适用的参数，其单位、含义（注释）、来源，"
    "以及尚未核实之处，待逐项填写。写出的文件可直接用于 pay、settle。\n\n"
    "--weights 为 grouper weights fit 写出的权重表；方案与来源政策相同时可不给。"
    "DIP 的分值来自目录库。\n\n"
    "示例：grouper policy new mycity --from national/drg-rate-3.0 --scheme chs-drg-3.0 -o mycity.toml",
    "Write the policy file of an area, with the rules of another policy as a start: every parameter that "
    "applies, its unit, what it means (comments), where its value comes from and what is not verified, ready "
    "to fill in. pay and settle can use it as it stands.\n\n"
    "--weights is a table by grouper weights fit; not needed under the scheme of the source. Scores of DIP "
    "come from the catalogue.\n\n"
    "Example: grouper policy new mycity --from national/drg-rate-3.0 --scheme chs-drg-3.0 -o mycity.toml",
)
@click.argument("area")
@option(
    "--from", "source", required=True, metavar="POLICY", help=both("来源政策", "The policy to start from")
)
@option("--scheme", required=True, metavar="ID|PATH", help=both("分组方案", "Grouping scheme"))
@option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help=both("权重表 CSV", "Table of weights (CSV)"),
)
@option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help=both("写出的政策文件", "The policy file to write"),
)
@option("--force", is_flag=True, help=both("覆盖已有文件", "Replace a file that is there"))
def new_command(area: str, source: str, scheme: str, weights: Path | None, output: Path, force: bool) -> None:
    from grouper.base.whole import refuse_existing, write_text
    from grouper.lake.layout import check_area
    from grouper.payment.check.new_policy import new_policy
    from grouper.payment.check.verify import verify_groups
    from grouper.payment.policy.policy import find_policy, load_policy

    refuse_existing(output, force)
    made = new_policy(check_area(area), find_policy(source), scheme, weights, output)
    write_text(output, made.text)
    say(
        f"{output}：{len(made.unverified)} 个参数，全部未核实；grouper policy verify --all {output} 列出待办",
        f"{output}: {len(made.unverified)} parameters, none verified; grouper policy verify --all {output} "
        "lists what is to do",
    )
    for finding in verify_groups(load_policy(output)):
        say(finding.text("zh"), finding.text("en"))
    if made.left:
        say(
            f"没有带入（属于另一方案）：{'、'.join(made.left)}",
            f"left out (of another scheme): {', '.join(made.left)}",
        )
