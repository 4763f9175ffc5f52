"""``grouper demo``: an invented city, its months settled, its year cleared, with reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grouper.base.errors import UsageError
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option, say

if TYPE_CHECKING:
    from grouper.lake import Lake
    from grouper.settlement.month import Done
    from grouper.synth.city import City

_MARK = ".grouper-demo"  # in a folder that demo made: every file in it with its SHA-256


@click.command(
    cls=BilingualCommand,
    help=both(
        "生成一个模拟城市一年的出院结算（非真实病人），逐月分组、计价、结算，清算全年，写出报告并告知位置。\n\n"
        "示例：grouper demo --rows 50000 --area yulin -o demo",
        "Generate a year of discharges of an invented city (no patients), group, price and settle its "
        "months, clear the year, write the reports and say where they are.\n\n"
        "Example: grouper demo --rows 50000 --area yulin -o demo",
    ),
)
@option(
    "--rows",
    type=click.IntRange(240, 100_000_000),
    default=24_000,
    show_default=True,
    help=both("全年行数", "Rows of the year"),
)
@option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help=both("随机种子，同一种子结果相同", "Seed; the same seed gives the same data"),
)
@option(
    "--hospitals",
    type=click.IntRange(30, 999),
    default=30,
    show_default=True,
    help=both("医院数", "Number of hospitals"),
)
@option(
    "--month",
    type=click.IntRange(1, 12),
    default=6,
    show_default=True,
    help=both("写出月报的月份", "Month whose reports are written"),
)
@option("--area", default="lishui", show_default=True, help=both("地区政策", "Area whose policy is used"))
@option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("grouper-demo"),
    show_default=True,
    help=both(
        "输出目录；只重建演示自己生成且未改动的内容",
        "Folder; only what a demo made and nobody changed is made anew",
    ),
)
@lang_option
def demo(rows: int, seed: int, hospitals: int, month: int, area: str, folder: Path) -> None:
    from grouper.lake import Lake
    from grouper.synth.city import City, write_city

    city = City(rows=rows, seed=seed, hospitals=hospitals)
    source, lake = folder / "city", Lake(folder / "lake")
    _clear(source, lake.root)
    say(
        f"模拟城市：{rows:,} 行，{hospitals} 家医院", f"City: {rows:,} rows, {hospitals} hospitals", err=False
    )
    write_city(source, city)
    shown = None
    for number in range(1, 13):
        done = _settle(lake, source, city, number, area, reports=number == month)
        _line(done)
        shown = done if number == month else shown
    year = _clear_year(lake, source, city, area)
    _mark(source, lake.root)
    _line(year)
    _where(source, lake, shown, year, f"{city.year}-{month:02}")


def _clear(*folders: Path) -> None:
    """Remove what an earlier demo made, when all of it is still as the demo left it.

    Raises UsageError for anything else, before anything is removed: a lake of somebody's own, a demo that
    got more files or runs, one that was broken off.
    """
    there = [folder for folder in folders if folder.is_symlink() or folder.exists()]
    for folder in there:
        if not _untouched(folder):
            raise UsageError(
                zh=f"{folder} 不是演示生成的，或之后有改动，演示不会删除它；请用 -o 换一个目录，或自行移走它",
                en=f"{folder} was not made by the demo, or has changed since; the demo does not remove it: "
                "choose another folder with -o, or move it away yourself",
            )
    for folder in there:
        shutil.rmtree(folder)


def _untouched(folder: Path) -> bool:
    """Whether every file of a folder is one that the demo made, with the content it gave it."""
    mark = folder / _MARK
    if folder.is_symlink() or not mark.is_file():
        return not folder.is_symlink() and folder.is_dir() and not any(folder.iterdir())
    try:
        made = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return bool(made == _files(folder))


def _files(folder: Path) -> dict[str, str]:
    """The files of a folder but its mark, by their SHA-256; "link" for what is no plain file."""
    from grouper.lake.commit import sha256

    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            found[path.relative_to(folder).as_posix()] = "link"
        elif path.is_file() and path != folder / _MARK:
            found[path.relative_to(folder).as_posix()] = sha256(path)
    return found


def _mark(*folders: Path) -> None:
    for folder in folders:
        (folder / _MARK).write_text(json.dumps(_files(folder), indent=1), encoding="utf-8", newline="\n")


def _settle(lake: Lake, source: Path, city: City, month: int, area: str, *, reports: bool) -> Done:
    from grouper.settlement.month import settle_month
    from grouper.settlement.plan.job import Job

    period = f"{city.year}-{month:02}"
    job = Job(
        period,
        (str(source / f"{period}.parquet"),),
        str(source / "budget.toml"),
        str(source / "hospitals.csv"),
        area=area,
        who="demo",
    )
    return settle_month(lake, job, reports=reports)


def _clear_year(lake: Lake, source: Path, city: City, area: str) -> Done:
    from grouper.settlement.year import YearJob, clear_year

    scores = (str(source / "assessment.csv"),)
    job = YearJob(
        str(city.year), str(source / "budget.toml"), area, corrections=scores, who="demo", held_remain=True
    )
    return clear_year(lake, job)


def _line(done: Done) -> None:
    """One line for a run: period, rows, fund due."""
    from grouper.commands.text.ledger import yuan

    run = done.record.run
    rejected, adjusted = sum(done.rejected.values()), sum(done.adjustments.values())
    say(
        f"{run['period']:>7}  病例 {run['cases']:>7,}  退回 {rejected:>5,}  调整 {adjusted:>5,}  "
        f"应付基金 {yuan(run['fund_due_fen']):>18} 元",
        f"{run['period']:>7}  cases {run['cases']:>7,}  rejected {rejected:>5,}  adjusted {adjusted:>5,}  "
        f"fund due {yuan(run['fund_due_fen']):>18} yuan",
        err=False,
    )


def _where(source: Path, lake: Lake, month: Done | None, year: Done, period: str) -> None:
    area = year.record.run["area"]
    root = lake.root
    name = "report.html" if language() == "zh" else "report.en.html"
    say(f"模拟数据：{source}", f"Generated data: {source}", err=False)
    say(f"结算湖：{root}", f"Lake: {root}", err=False)
    for done, label in ((month, period), (year, year.record.run["period"])):
        if done is not None and done.report is not None:
            say(f"报告 {label}：{done.report / name}", f"Report of {label}: {done.report / name}", err=False)
    say(
        f"继续：grouper status {root}；grouper audit {root}；grouper watch {root} --area {area}",
        f"Go on: grouper status {root}; grouper audit {root}; grouper watch {root} --area {area}",
        err=False,
    )
