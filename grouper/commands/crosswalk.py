"""``grouper crosswalk``: what became of the groups of one scheme under another, by the cases of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from grouper.base.output import output_format
from grouper.commands.options.reading import column_map, load_named, record_options
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option
from grouper.payment.policy import words

if TYPE_CHECKING:
    import pyarrow as pa

    from grouper.grouping.crosswalk import Crosswalk


_FOR_PEOPLE = ("csv", "xlsx")  # in Chinese their headings and words are Chinese; programs read the others
HEADINGS = {
    "old_status": "原状态", "old_group": "原病组", "old_name": "原病组名称", "old_reason": "原方案未入组原因",
    "new_status": "新状态", "new_group": "新病组", "new_name": "新病组名称", "new_reason": "新方案未入组原因",
    "cases": "例数", "old_cases": "原病组例数", "share": "占原病组例数", "dominant": "主要去向",
    "total_cost": "总费用（元）", "cost_share": "占原病组费用",
}  # fmt: skip


@click.command(
    cls=BilingualCommand,
    help=both(
        "把同一批记录按两个方案各分组一次，列出旧方案每个病组的病例到了新方案的哪些病组："
        "病例数、占旧病组的比例、费用（有则列），以及主要去向。未入组等状态同样计入，行数不增不减。\n\n"
        "两个方案可以是不同版本，也可以一个是 DRG 一个是 DIP；编码相同不表示是同一病组。\n\n"
        "示例：grouper crosswalk 出院.parquet --from chs-drg-2.0 --to chs-drg-3.0 -o 对照.csv",
        "Group the same records under two schemes, and list which groups of the new scheme the cases of each "
        "old group go to: cases, share of the old group, cost where there is one, and the main successor. "
        "Statuses such as ungrouped count too; every row is in the table once.\n\n"
        "The schemes may be two editions, or a DRG and a DIP scheme; equal codes mean nothing.\n\n"
        "Example: grouper crosswalk discharges.parquet --from chs-drg-2.0 --to chs-drg-3.0 -o crosswalk.csv",
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@option("--from", "old", required=True, metavar="ID|PATH", help=both("旧方案", "The old scheme"))
@option("--to", "new", required=True, metavar="ID|PATH", help=both("新方案", "The new scheme"))
@option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    help=both(
        "输出 CSV、JSONL、Parquet 或 XLSX，由扩展名决定", "CSV, JSONL, Parquet or XLSX, by its extension"
    ),
)
@record_options
@lang_option
def crosswalk(inputs: tuple[str, ...], old: str, new: str, output: str, **options: Any) -> None:
    from grouper.commands.text.progress import progress_line
    from grouper.grouping.crosswalk import crosswalk as make

    lang = language()
    with progress_line() as progress:
        done = make(
            load_named(old, options, lang),
            load_named(new, options, lang),
            inputs,
            output,
            layout=options["layout"],
            columns=column_map(options["column_map"]),
            input_format=options["input_format"],
            encoding=options["encoding"],
            sheet=options["sheet"],
            progress=progress,
            told=in_chinese if lang != "en" and output_format(output, None) in _FOR_PEOPLE else None,
        )
    for line in _summary(done, lang != "en"):
        click.echo(line, err=True)


def in_chinese(table: pa.Table) -> pa.Table:
    """The table of a crosswalk with headings, statuses and reasons in Chinese."""
    import pyarrow as pa

    from grouper.base.reasons import STATUS_NAMES, STATUS_ZH

    statuses = dict(zip(STATUS_NAMES, STATUS_ZH, strict=True))
    said: dict[str, Callable[[str], str]] = {
        "status": lambda word: statuses[word],
        "reason": lambda word: words.reason(word, "zh"),
    }

    def told(name: str) -> pa.Array | pa.ChunkedArray:
        say = said.get(name.partition("_")[2])
        if say is None:
            return table[name]
        return pa.array([None if w is None else say(w) for w in table[name].to_pylist()], pa.string())

    columns = [told(name) for name in table.column_names]
    return pa.table(columns, [HEADINGS[name] for name in table.column_names])


def _summary(done: Crosswalk, zh: bool) -> Iterator[str]:
    """Rows, statuses under both schemes, and how the old groups fare."""
    from grouper.base.reasons import STATUS_NAMES, STATUS_ZH

    yield (
        f"{done.old} → {done.new}：{done.rows:,} 条记录"
        if zh
        else f"{done.old} → {done.new}: {done.rows:,} records"
    )
    for which, scheme in enumerate((done.old, done.new)):
        names = dict(zip(STATUS_NAMES, STATUS_ZH if zh else STATUS_NAMES, strict=True))
        told = [f"{names[key]} {number:,}" for key, number in done.statuses(which).items() if number]
        yield f"  {scheme}  {'，'.join(told) if zh else ', '.join(told)}"
        for reason, number in done.reasons(which).items():
            yield f"    {number:,}  {words.reason(reason, 'zh' if zh else 'en')} [{reason}]"
    grouped = [line for line in done.lines() if line["old_status"] == "grouped"]
    main = [line for line in grouped if line["dominant"]]
    whole = sum(line["cases"] == line["old_cases"] for line in main)
    cases, stay = sum(line["cases"] for line in grouped), sum(line["cases"] for line in main)
    share = f"{100 * stay / cases:.2f}" if cases else "0.00"
    yield (
        f"  旧病组 {len(main):,} 个，其中 {whole:,} 个的病例全部去同一处；{share}% 的病例在各组的主要去向"
        if zh
        else f"  {len(main):,} old groups, {whole:,} of them go to one place as a whole; {share} % of the "
        "cases are in the main successor of their group"
    )
    if done.costed and done.without_cost:
        yield (
            f"  {done.without_cost:,} 条没有可用的费用，不计入费用合计"
            if zh
            else f"  {done.without_cost:,} records have no usable cost and are in no sum of costs"
        )
