"""``grouper demo``: an invented city, its months settled, its year cleared, with reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grouper.base.digests import sha256
from grouper.base.errors import UsageError
from grouper.base.whole import begin, begun, foreign, put_mark, remove_own, unwritten
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option, say
from grouper.lake.layout import DEMO, LEDGER, LOCK, STAGING

if TYPE_CHECKING:
    from grouper.lake import Lake
    from grouper.lake.ledger import Record
    from grouper.settlement.month import Done
    from grouper.synth.city import City

_EDITION_3 = 2027  # the first year under the editions 3.0
# (from that year on, method) -> area and policy that are settled where no area is named
_SETTLED = {
    (False, "drg"): ("lishui", ""),
    (False, "dip"): ("tianmen", ""),
    (True, "drg"): ("", "national/drg-points-3.0"),
    (True, "dip"): ("", "national/dip-3.0"),
}
_MARK = DEMO  # in a folder that demo made: every file in it with its SHA-256
_ASIDE = (LOCK, f"{STAGING}/")  # who writes the lake, and where: nothing of what is in it
_ALONE = f"{DEMO}.lock"  # held while a demo runs


@click.command(
    cls=BilingualCommand,
    help=both(
        "生成一个模拟城市一年的出院结算（非真实病人），逐月分组、计价、结算，清算全年，写出报告并告知位置。\n\n"
        "2027 年起按3.0版示例政策（national/drg-points-3.0 或 national/dip-3.0）。\n\n"
        "示例：grouper demo --year 2027 --rows 50000 -o demo",
        "Generate a year of discharges of an invented city (no patients), group, price and settle its "
        "months, clear the year, write the reports and say where they are. From 2027 on by the example "
        "policies of edition 3.0 (national/drg-points-3.0 or national/dip-3.0).\n\n"
        "Example: grouper demo --year 2027 --rows 50000 -o demo",
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
@option(
    "--year",
    type=click.IntRange(2000, 2099),
    default=2025,
    show_default=True,
    help=both("年份；2027 年起用3.0版", "Year; from 2027 on under edition 3.0"),
)
@option(
    "--method",
    type=click.Choice(["drg", "dip"]),
    help=both(
        "未给 --area 时：DRG（默认）或 DIP；给了 --area 的，须与该地区政策相符",
        "Without --area: DRG (the default) or DIP; with it, what the policy of the area must be",
    ),
)
@option(
    "--area",
    help=both(
        "地区政策（默认丽水，DIP 为天门；2027 年起为国家示例政策）",
        "Area whose policy is used (default: lishui, DIP tianmen; from 2027 on the national examples)",
    ),
)
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
def demo(
    rows: int,
    seed: int,
    hospitals: int,
    month: int,
    year: int,
    method: str | None,
    area: str | None,
    folder: Path,
) -> None:
    from grouper.lake import Lake
    from grouper.synth.city import City

    city = City(rows=rows, year=year, seed=seed, hospitals=hospitals)
    rules = _rules(year, method, area)
    source, lake = folder / "city", Lake(folder / "lake")
    with _alone(folder):
        _clear(source, lake)
        for part in (source, lake.root):
            begin(part, _MARK)
        say(
            f"模拟城市：{rows:,} 行，{hospitals} 家医院",
            f"City: {rows:,} rows, {hospitals} hospitals",
            err=False,
        )
        _make_city(source, city)
        runs = []
        for number in range(1, 13):
            runs.append(_settle(lake, source, city, number, rules, reports=number == month))
            _line(runs[-1])
        runs.append(_clear_year(lake, source, city, rules))
        put_mark(lake.root, _MARK, _made(lake, [done.record for done in runs]))
    _year_line(runs[-1])
    _where(source, lake, runs[month - 1], runs[-1], f"{city.year}-{month:02}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One demo at a time in a folder. Raises UsageError for a second one, before it looks at anything."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _ALONE, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            zh=f"另一个演示正在 {folder} 中运行；请等它结束，或用 -o 换一个目录",
            en=f"another demo is running in {folder}: wait for its end, or choose another folder with -o",
        ) from error
    except OSError as error:
        raise unwritten(folder, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no file that is open
            (folder / _ALONE).unlink()
        lock.release()


def _make_city(source: Path, city: City) -> None:
    """The city with its mark, which names the files that were written and no other."""
    from grouper.synth.city import write_city

    written = write_city(source, city)
    put_mark(source, _MARK, {path.relative_to(source).as_posix(): sha256(path) for path in written.files})


def _made(lake: Lake, records: Sequence[Record]) -> dict[str, str]:
    """What the runs of the demo left in the lake, by its SHA-256; not the files of anybody else."""
    from grouper.lake import guide
    from grouper.lake.chain import place_of

    made = {row["path"]: row["sha256"] for record in records for row in record.rows["outputs"]}
    own = [LEDGER, *(place_of(record.run["run"]) for record in records), *guide.own(lake)]
    return made | {name: sha256(lake.root / name) for name in own}


def _rules(year: int, method: str | None, area: str | None) -> tuple[str, str]:
    """Area and policy of the demo, one of them empty.

    Raises UsageError before anything is made, where no policy applies in the year, or that of the area is
    not of the method.
    """
    from grouper.payment.policy.policy import SCORED, find_policy

    rules = (area, "") if area else _SETTLED[year >= _EDITION_3, method or "drg"]
    name = rules[1] or rules[0]
    try:
        for day in (date(year, 1, 1), date(year, 12, 31)):
            policy = find_policy(name, day)
            policy.on(day)
    except UsageError as error:
        zh, en = "请换 --year 或指定 --area", "choose another --year or name an --area"
        if area:
            zh = "请换 --year 或 --area（2027 年起不给 --area 即用3.0版示例）"
            en = "choose another --year or --area (from 2027 on leave --area out for edition 3.0)"
        raise UsageError(
            zh=f"{name} 没有适用于 {year} 全年的政策；{zh}",
            en=f"{name} has no policy for the whole of {year}: {en}",
        ) from error
    if method and method != (own := "dip" if policy.method in SCORED else "drg"):
        raise UsageError(
            zh=f"{name} 的政策是 {own.upper()}，与 --method {method} 不符；请去掉 --method，或换 --area",
            en=f"the policy of {name} is {own.upper()}, not --method {method}: leave --method out, or name "
            "another --area",
        )
    return rules


def _clear(source: Path, lake: Lake) -> None:
    """Remove what an earlier demo made, when all of it is still as the demo left it.

    Raises UsageError for anything else, before anything is removed: a lake of somebody's own, a demo that
    got more files or runs, one that was broken off. The lake's lock is held meanwhile, so that no run comes
    between the look and the removal; a file that comes to the other folder then is never removed.
    """
    from grouper.lake.lock import writing

    locked = not lake.root.is_symlink() and (lake.root / _MARK).is_file()
    with writing(lake) if locked else nullcontext():
        for folder in (source, lake.root):
            _refuse(folder)
        for folder in (source, lake.root):
            remove_own(folder, _MARK, _ASIDE)


def _refuse(folder: Path) -> None:
    names = foreign(folder, _MARK, _ASIDE)
    if not names:
        return
    if begun(folder, _MARK):
        raise UsageError(
            zh=f"{folder} 是一次尚未完成的演示（已中断，或仍在运行），其中的文件无法确认，演示不会删除它；"
            "请用 -o 换一个目录，或自行移走它",
            en=f"{folder} is of a demo that has not finished (broken off, or still running); what is "
            "in it cannot be told apart and is not removed: choose another folder with -o, or move it away",
        )
    told = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    raise UsageError(
        zh=f"{folder} 不是演示生成的，或之后有改动（{told}），演示不会删除它；"
        "请用 -o 换一个目录，或自行移走它",
        en=f"{folder} was not made by the demo, or has changed since ({told}); the demo does not remove it: "
        "choose another folder with -o, or move it away yourself",
    )


def _settle(
    lake: Lake, source: Path, city: City, month: int, rules: tuple[str, str], *, reports: bool
) -> Done:
    from grouper.settlement.month import settle_month
    from grouper.settlement.plan.job import Job

    period = f"{city.year}-{month:02}"
    job = Job(
        period,
        (str(source / f"{period}.parquet"),),
        str(source / "budget.toml"),
        str(source / "hospitals.csv"),
        area=rules[0],
        policy=rules[1],
        who="demo",
    )
    return settle_month(lake, job, reports=reports)


def _clear_year(lake: Lake, source: Path, city: City, rules: tuple[str, str]) -> Done:
    from grouper.settlement.plan.year_job import YearJob
    from grouper.settlement.year import clear_year

    scores = (str(source / "assessment.csv"),)
    job = YearJob(
        str(city.year), str(source / "budget.toml"), *rules,
        corrections=scores, who="demo", held_remain=True,
    )  # fmt: skip
    return clear_year(lake, job)


def _line(done: Done) -> None:
    """One line for a month: period, rows that became cases, went back or became adjustments; fund due."""
    from grouper.commands.text.ledger import yuan

    run = done.record.run
    rejected, adjusted = run["rejected"], run["adjusted"]
    say(
        f"{run['period']:>7}  病例 {run['cases']:>7,}  退回 {rejected:>5,}  转调整行 {adjusted:>5,}  "
        f"应付基金 {yuan(run['fund_due_fen']):>18} 元",
        f"{run['period']:>7}  cases {run['cases']:>7,}  rejected {rejected:>5,}  adjusted rows {adjusted:>5,}"
        f"  fund due {yuan(run['fund_due_fen']):>18} yuan",
        err=False,
    )


def _year_line(done: Done) -> None:
    """The year, which reads cases and no rows, and why it is not the sum of its months."""
    from grouper.commands.text.ledger import yuan

    run = done.record.run
    say(
        f"{run['period']:>7}  病例 {run['cases']:>7,}  应付基金 {yuan(run['fund_due_fen']):>18} 元",
        f"{run['period']:>7}  cases {run['cases']:>7,}  fund due {yuan(run['fund_due_fen']):>18} yuan",
        err=False,
    )
    say(
        "         全年不等于各月之和：已冲正的病例退出，补报的计入，基金按全年结算值重新分配",
        "         not the sum of the months: refunded cases leave, late ones enter, and the fund is settled "
        "at the value of the year",
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
