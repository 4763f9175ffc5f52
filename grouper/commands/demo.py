"""``grouper demo``: a small realistic month, generated, grouped and summed up."""

from __future__ import annotations

from pathlib import Path

import click

from grouper.commands.shared import BilingualCommand, both, lang_option, language, option, say


@click.command(
    cls=BilingualCommand,
    help=both(
        "生成一个月的模拟出院记录（非真实病人），分组并给出汇总。\n\n示例：grouper demo --rows 50000 -o demo",
        "Generate a month of invented discharges (no patients), group them and sum up.\n\n"
        "Example: grouper demo --rows 50000 -o demo",
    ),
)
@option(
    "--rows",
    type=click.IntRange(1, 100_000_000),
    default=20_000,
    show_default=True,
    help=both("记录数", "Number of records"),
)
@option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help=both("随机种子，同一种子结果相同", "Seed; the same seed gives the same data"),
)
@option("--month", default="2025-06", show_default=True, help=both("月份", "Month"))
@option("--scheme", default="chs-drg-2.0", show_default=True, help=both("分组方案", "Scheme"))
@option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("grouper-demo"),
    show_default=True,
    help=both("输出目录", "Folder for the files"),
)
@lang_option
def demo(rows: int, seed: int, month: str, scheme: str, folder: Path) -> None:
    from grouper.api import load_scheme
    from grouper.commands.summary import summary_lines
    from grouper.run import group_files
    from grouper.synth import write_parquet

    lang = language()
    grouper = load_scheme(scheme, lang=lang)
    folder.mkdir(parents=True, exist_ok=True)
    source, target = folder / f"discharges-{month}.parquet", folder / f"grouped-{month}.parquet"
    write_parquet(source, rows, seed=seed, month=month, dirty=0.01)
    summary = group_files(grouper, [source], target)
    for line in summary_lines(summary, lang):
        click.echo(line)
    say(
        f"用时 {summary.seconds:.2f} 秒；前十位病组：",
        f"{summary.seconds:.2f} s; the ten largest groups:",
        err=False,
    )
    for drg, name, cases, cost in _largest(target):
        click.echo(f"  {drg}  {cases:>6,}  {cost:>12,.2f}  {name}")
    say(f"模拟数据：{source}\n分组结果：{target}", f"Generated data: {source}\nGrouped: {target}", err=False)
    example = f"grouper explain {source} --record-id {_first_id(source)} --scheme {scheme}"
    say(f"逐步解释一条记录：{example}", f"Explain a record step by step: {example}", err=False)


def _largest(path: Path) -> list[tuple[str, str, int, float]]:
    """The ten largest groups: code, name, cases, mean cost in yuan."""
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute(
            "SELECT drg, any_value(drg_name), count(*) AS cases, avg(total_cost) FROM read_parquet(?) "
            "WHERE status = 'grouped' GROUP BY drg ORDER BY cases DESC, drg LIMIT 10",
            [str(path)],
        ).fetchall()


def _first_id(path: Path) -> str:
    import pyarrow.parquet as pq

    return next(pq.ParquetFile(path).iter_batches(1, columns=["record_id"]))["record_id"][0].as_py()
