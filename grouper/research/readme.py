"""README.md of a snapshot and of a lake: what is there, and how every tool reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grouper.research.columns import ABOUT, TABLES
from grouper.research.measures import MACROS, VIEWS

_HOW = """```sh
duckdb -init views.sql                                       # DuckDB, in this folder
```
```sql
SELECT hospital_code, sum(settled_fund) FROM cases GROUP BY 1;
SELECT * FROM measures(hospital_code);
```
```python
import polars as pl; pl.scan_parquet("cases/*.parquet")      # polars
import pandas as pd; pd.read_parquet("cases")                # pandas
import pyarrow.dataset as ds; ds.dataset("cases")            # pyarrow
spark.read.parquet("cases")                                  # Spark
```"""
_SNAPSHOT = """# 结算湖快照 / Snapshot of a lake

只含今天有效的数据：每期一次有效运行，被更正替换的行已去掉。每张表只有一种结构；年份、月份、运行号是文本列。
金额以元计，是精确小数。列的含义见 grouper 文档 docs/zh/dictionary.md。

Only what counts today: one valid run a period, rows that were replaced are gone. One schema a table; year,
month and run are columns of text. Amounts are exact decimals in yuan. What the columns
mean: docs/dictionary.md of grouper.

`cases` 与 `cases_cleared` 是同一批住院的月结算与年清算，不可相加。

`cases` and `cases_cleared` are the same stays, settled by month and cleared by year: never add them up.

{how}

{totals}

{tables}

{views}

链头 / head of the chain: `{head}`
"""


def snapshot(head: str, rows: Mapping[str, int], totals: Mapping[str, tuple[Any, ...]]) -> str:
    """README.md of a snapshot; ``totals``: table to cases, cost and fund."""
    told = ["| 表 / table | 病例 / cases | total_cost | settled_fund |", "|---|---|---|---|"]
    told += [
        f"| {table} | {number:,} | {_yuan(cost)} | {_yuan(fund)} |"
        for table, (number, cost, fund) in totals.items()
    ]
    tables = ["| 表 / table | 行 / rows | | |", "|---|---|---|---|"]
    tables += [
        f"| `{name}` | {rows.get(name, 0):,} | {ABOUT[name][0]} | {ABOUT[name][1]} |" for name in TABLES
    ]
    return _SNAPSHOT.format(
        how=_HOW, totals="\n".join(told), tables="\n".join(tables), views=views_table(), head=head
    )


def _yuan(amount: Any) -> str:
    return "" if amount is None else f"{amount:,}"


def views_table() -> str:
    """The views and macros of ``views.sql``."""
    lines = ["| views.sql | | |", "|---|---|---|"]
    lines += [f"| `{name}` | {zh} | {en} |" for name, (_, zh, en) in VIEWS.items()]
    lines += [f"| `{name}({given})` | {zh} | {en} |" for name, (given, _, zh, en) in MACROS.items()]
    return "\n".join(lines)
