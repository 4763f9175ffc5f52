"""``grouper statements`` and ``grouper objections``: statements and publications out, objections in."""

from __future__ import annotations

from pathlib import Path

import click

from grouper.commands.options.settling import area_option, one_period, step_options
from grouper.commands.options.shared import (
    BilingualGroup,
    both,
    emit,
    emit_json,
    json_option,
    lang_option,
    language,
    option,
    subcommands,
)

LAKE = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False)
_key = option(
    "--key",
    default="",
    metavar="KEYFILE",
    help=both(
        "校验码的密钥文件（至少 16 字节）；收回时须用同一个",
        "Key of the tokens (16 bytes at least); the same to import",
    ),
)


@click.group(
    cls=BilingualGroup,
    help=both(
        "向医院发对账单；写公示表。\n\n"
        "示例：grouper statements send 结算湖 --month 2025-06 --who 李明 -o 对账",
        "Send statements to hospitals; write what is published.\n\n"
        'Example: grouper statements send LAKE --month 2025-06 --who "Li" -o out',
    ),
)
@lang_option
def statements() -> None:
    pass


@click.group(
    cls=BilingualGroup,
    help=both(
        "医院的申诉：收回、列出、决定、导出为更正。\n\n示例：grouper objections list 结算湖 --open",
        "Objections of hospitals: taken in, listed, decided, and exported as corrections.\n\n"
        "Example: grouper objections list LAKE --open",
    ),
)
@lang_option
def objections() -> None:
    pass


_statements, _objections = subcommands(statements), subcommands(objections)


@_statements(
    "send",
    "为每家医院写一个目录：对账单（Excel、网页、CSV）和申诉表。申诉表带校验码，绑定运行、医院和链头。\n\n"
    "示例：grouper statements send 结算湖 --month 2025-06 --until 2025-07-20 --who 李明 -o 对账",
    "Write a folder for each hospital: the statement (workbook, page, CSV) and a form to object by, whose "
    "token binds it to the run, the hospital and the head of the chain.\n\n"
    'Example: grouper statements send LAKE --month 2025-06 --until 2025-07-20 --who "Li" -o out',
)
@click.argument("lake", type=LAKE)
@option("--month", default="", metavar="YYYY-MM", help=both("月份", "Month"))
@option("--year", default="", metavar="YYYY", help=both("年度（清算）", "Year, as cleared"))
@area_option
@option("--until", default="", metavar="YYYY-MM-DD", help=both("申诉截止日", "Last day of objections"))
@_key
@option(
    "-o", "--output", "folder", required=True, type=LAKE, metavar="FOLDER", help=both("输出目录", "Folder")
)
@step_options
def send(
    lake: Path, month: str, year: str, area: str, until: str, key: str, folder: Path, who: str, when: str,
    note: str,
) -> None:  # fmt: skip
    from grouper.commands.text.objections import sent_lines
    from grouper.lake import Lake
    from grouper.settlement.sending import send_statements

    emit(sent_lines(send_statements(
        Lake(lake), one_period(month, year), folder, who=who, when=when, note=note, area=area, deadline=until,
        key=key, lang=language(),
    ), language()))  # fmt: skip


@_statements(
    "publish",
    "写公示表（Excel 和可打印网页）：点值（费率调整系数）、机构系数、病组权重（病种分值），清算另有考核得分。"
    "\n\n"
    "示例：grouper statements publish 结算湖 --month 2025-06 -o 公示",
    "Write what is published, as a workbook and a page that prints: point values (factors), coefficients of "
    "hospitals, weights (scores) of groups, of a clearing the assessment scores.\n\n"
    "Example: grouper statements publish LAKE --month 2025-06 -o out",
)
@click.argument("lake", type=LAKE)
@option("--month", default="", metavar="YYYY-MM", help=both("月份", "Month"))
@option("--year", default="", metavar="YYYY", help=both("年度（清算）", "Year, as cleared"))
@area_option
@option(
    "-o", "--output", "folder", required=True, type=LAKE, metavar="FOLDER", help=both("输出目录", "Folder")
)
def publish(lake: Path, month: str, year: str, area: str, folder: Path) -> None:
    from grouper.lake import Lake
    from grouper.settlement import states
    from grouper.settlement.show import write_published

    place = Lake(lake).must_exist()
    run = states.find(place, one_period(month, year), area).entry.run
    emit(str(path) for path in write_published(place, run, folder, language()))


@_objections(
    "import",
    "收回医院填写的申诉表：核对校验码和每一行，编号登记。一个文件中有一行不对，整个文件不登记。\n\n"
    "示例：grouper objections import 结算湖 甲医院.xlsx 乙医院.xlsx --who 张丽",
    "Take back the forms that hospitals filled in: token and rows are checked, each objection gets a number. "
    "With one wrong row nothing of its file is taken.\n\n"
    'Example: grouper objections import LAKE a.xlsx b.xlsx --who "Zhang"',
)
@click.argument("lake", type=LAKE)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@_key
@step_options
def import_(lake: Path, files: tuple[str, ...], key: str, who: str, when: str, note: str) -> None:
    from grouper.commands.text.objections import objection_lines
    from grouper.lake import Lake
    from grouper.settlement.objections import import_objections

    taken = import_objections(Lake(lake), files, who=who, key=key, when=when, note=note)
    emit(objection_lines(taken, language()))


@_objections(
    "list",
    "列出申诉：编号、医院、病例、事由、诉求、状态、决定。\n\n示例：grouper objections list 结算湖 --open",
    "List objections: number, hospital, case, reason, wish, state, decision.\n\n"
    "Example: grouper objections list LAKE --open",
)
@click.argument("lake", type=LAKE)
@option("--month", default="", metavar="YYYY-MM", help=both("只列该期", "Of this period only"))
@option("--open", "waiting", is_flag=True, help=both("只列待处理的", "Open ones only"))
@json_option
def list_(lake: Path, month: str, waiting: bool, as_json: bool) -> None:
    from grouper.commands.text.objections import objection_lines
    from grouper.lake import Lake
    from grouper.settlement import objections as library

    found = [
        one for one in library.listed(Lake(lake).must_exist())
        if one.period.startswith(month) and (one.state == "open" or not waiting)
    ]  # fmt: skip
    if as_json:
        emit_json([library.as_json(one) for one in found])
    else:
        emit(objection_lines(found, language()))


@_objections(
    "decide",
    "记录决定：一件（编号和 --decision），或一个小表（--from：id、decision、amount、points、reason、"
    "clause）。决定：维持、按项目支付、调整（写金额或点数）、再入院合理、撤销结算、更正清单后重报。导出之前可以改。\n\n"
    "示例：grouper objections decide 结算湖 2025-06-000009-001 --decision 按项目支付 --reason 合并症属实 "
    "--who 赵敏",
    "Enter decisions: one (its number and --decision), or a small table (--from: id, decision, amount, "
    "points, reason, clause). Decisions: keep, by_item, adjust (with amount or points), justified, withdraw, "
    "resubmit. Until it is exported it may be decided again.\n\n"
    'Example: grouper objections decide LAKE 2025-06-000009-001 --decision by_item --reason "proven" '
    '--who "Zhao"',
)
@click.argument("lake", type=LAKE)
@click.argument("number", required=False, default="")
@option("--decision", default="", metavar="WORD", help=both("决定", "Decision"))
@option(
    "--amount", default="", metavar="YUAN", help=both("调整后的金额（元）", "Amount that it is adjusted to")
)
@option(
    "--points", default="", metavar="N", help=both("调整后的点数（分值）", "Points that it is adjusted to")
)
@option("--reason", default="", metavar="TEXT", help=both("理由", "Why"))
@option("--clause", default="", metavar="TEXT", help=both("依据条款", "By which clause"))
@option("--from", "path", default="", metavar="FILE", help=both("决定的小表", "Table of decisions"))
@step_options
def decide(
    lake: Path, number: str, decision: str, amount: str, points: str, reason: str, clause: str, path: str,
    who: str, when: str, note: str,
) -> None:  # fmt: skip
    from grouper.base.errors import UsageError
    from grouper.commands.text.objections import objection_lines
    from grouper.lake import Lake
    from grouper.settlement import objections as library

    if bool(number) == bool(path):
        raise UsageError(zh="请给出申诉编号，或 --from 小表", en="name an objection, or a table by --from")
    one = {"id": number, "decision": decision, "amount": amount, "points": points, "reason": reason,
           "clause": clause}  # fmt: skip
    places = library.read_decisions(path) if path else []
    rows = [place.cells for place in places] if path else [one]
    done = library.decide(Lake(lake).must_exist(), rows, who=who, when=when, note=note, places=places)
    emit(objection_lines(done, language()))


@_objections(
    "export",
    "把已决定、尚未导出的申诉写成更正文件，供下一个月 settle --corrections 使用；编号写在文号和原因里。\n\n"
    "示例：grouper objections export 结算湖 --who 张丽 -o 申诉更正.csv",
    "Write what was decided and not exported as a file of corrections for the next month's settle "
    "--corrections; numbers stand in document and reason.\n\n"
    'Example: grouper objections export LAKE --who "Zhang" -o corrections.csv',
)
@click.argument("lake", type=LAKE)
@option("-o", "--output", "path", required=True, type=click.Path(path_type=Path), metavar="CSV",
        help=both("更正文件", "File of corrections"))  # fmt: skip
@option("--again", is_flag=True, help=both("连同已导出而未入账的", "Also what was exported and not settled"))
@step_options
def export(lake: Path, path: Path, again: bool, who: str, when: str, note: str) -> None:
    from grouper.commands.text.objections import objection_lines
    from grouper.lake import Lake
    from grouper.settlement import objections as library

    done = library.export(Lake(lake).must_exist(), path, who=who, again=again, when=when, note=note)
    emit(objection_lines(done, language()))
    click.echo(str(path), err=True)
