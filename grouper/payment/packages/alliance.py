"""County alliances (医共体): a total for the insured, settled on top of DRG or DIP.

total = insured × per head × (1 - reserve), rounded to the fen, - carve-outs; balance = total - inside -
outside - outpatient, where inside is the fund due to the alliance's hospitals for its insured, and outside
what the fund pays for its insured anywhere else: the alliance is charged for it. A surplus is kept ×
score; an overspend is shared up to a limit. Amounts of hospitals do not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from grouper.base.errors import DataError, ReconciliationError, UsageError
from grouper.base.scratch import spill_folder
from grouper.base.sql import parquet_schema, scan
from grouper.payment.packages.sheets import read_lines
from grouper.payment.policy.sharing import fen
from grouper.payment.policy.terms import Terms
from grouper.payment.price.texts import TEXTS, load_texts

if TYPE_CHECKING:
    import duckdb

ALLIANCE_TERMS = (
    "alliance_per_head", "alliance_reserve", "alliance_keep", "alliance_share", "alliance_share_limit",
)  # fmt: skip
_OPTIONAL = ("outpatient", "outside", "carve_outs", "score")


@dataclass(frozen=True)
class Sums:
    """An alliance's year. ``counties``: region codes of its insured; ``score`` of 100; amounts in fen."""

    alliance: str
    counties: tuple[str, ...]
    insured: int
    inside: int = 0
    outside: int = 0
    outpatient: int = 0
    carve_outs: int = 0
    score: Fraction | None = None


@dataclass(frozen=True)
class Allied:
    """An alliance settled, in fen.

    balance = total - inside - outside - outpatient. A surplus is kept or returned to the fund, an
    overspend shared by the fund or borne by the alliance.
    """

    of: Sums
    total: int
    balance: int
    kept: int
    returned: int
    shared: int
    borne: int
    clauses: str = ""

    def check(self) -> None:
        """spent + kept - borne = total - returned + shared. Raises ReconciliationError."""
        spent = self.of.inside + self.of.outside + self.of.outpatient
        if spent + self.kept - self.borne != self.total - self.returned + self.shared:
            raise ReconciliationError(
                zh=f"医共体 {self.of.alliance} 对不上", en=f"alliance {self.of.alliance} does not add up"
            )


def settle_alliance(
    of: Sums,
    per_head: Fraction,
    reserve: Fraction = Fraction(0),
    *,
    keep: Fraction = Fraction(0),
    share: Fraction = Fraction(0),
    limit: Fraction | None = None,
    clauses: str = "",
) -> Allied:
    """Settle an alliance: ``per_head`` in yuan; ``limit`` is a share of the total, None: no limit.

    Raises DataError for a surplus without a score.
    """
    total = fen(of.insured * per_head * (1 - reserve) * 100) - of.carve_outs
    balance = total - of.inside - of.outside - of.outpatient
    kept = shared = 0
    if balance > 0:
        if of.score is None:
            raise DataError(
                zh=f"医共体 {of.alliance} 有结余，需要考核得分 score（100 分制）",
                en=f"alliance {of.alliance} has a surplus: its assessment score (of 100) is needed",
            )
        kept = fen(balance * keep * of.score / 100)
    else:
        over = Fraction(-balance) if limit is None else min(Fraction(-balance), limit * max(total, 0))
        shared = fen(over * share)
    found = Allied(
        of, total, balance, kept, max(balance, 0) - kept, shared, max(-balance, 0) - shared, clauses
    )
    found.check()
    return found


def settle_alliances(terms: Terms, alliances: Iterable[Sums]) -> list[Allied]:
    """Settle alliances by the policy's parameters, in the order of their names.

    A parameter by county takes the first county of the alliance.
    """
    rows = []
    for of in sorted(alliances, key=lambda s: s.alliance):
        own, keys = Terms(terms.values), {"county": of.counties[0] if of.counties else ""}
        per_head = own.need("alliance_per_head", **keys)
        reserve = own.otherwise("alliance_reserve", "0", **keys)
        keep = own.need("alliance_keep", **keys)
        share = own.otherwise("alliance_share", "0", **keys)
        limit = own.need("alliance_share_limit", **keys) if share else None
        told = own.clauses(*ALLIANCE_TERMS)
        rows.append(settle_alliance(of, per_head, reserve, keep=keep, share=share, limit=limit, clauses=told))
        terms.absorb(own)
    return rows


def read_alliances(path: str) -> list[Sums]:
    """Alliances from a CSV, one row per county: alliance, county, insured; outpatient, outside (care that
    is not among the cases), carve_outs, score. Amounts in yuan.

    Raises UsageError that names file, row and column.
    """
    found: dict[str, Sums] = {}
    for line in read_lines(path, ("alliance", "county", "insured"), _OPTIONAL):
        county = line.text("county")
        if any(c.startswith(county) or county.startswith(c) for s in found.values() for c in s.counties):
            raise line.error("county", f"{county} 与另一行重叠", f"{county} overlaps with another row")
        score = line.number("score") if line.text("score") else None
        old = found.get(line.text("alliance"), Sums(line.text("alliance"), (), 0))
        if score is not None and old.score not in (None, score):
            raise line.error("score", "同一医共体得分不同", "differs within the alliance")
        found[old.alliance] = Sums(
            old.alliance,
            (*old.counties, county),
            old.insured + line.count("insured"),
            0,
            old.outside + line.fen("outside"),
            old.outpatient + line.fen("outpatient"),
            old.carve_outs + line.fen("carve_outs"),
            score if score is not None else old.score,
        )
    return list(found.values())


@dataclass(frozen=True)
class Charged:
    """Alliances with the care of their insured, and what belongs to none (fen): Σ = fund of all cases."""

    alliances: list[Sums]
    others: int
    cases: int


def charge_cases(
    cases: Sequence[str], alliances: Sequence[Sums], hospitals: str, persons: str | None = None
) -> Charged:
    """Charge priced or settled cases to the alliances of the insured persons.

    ``hospitals``: CSV with hospital_code and alliance; ``persons``: CSV or Parquet with record_id and
    region_code, where the cases lack region_code. Raises UsageError for missing columns, DataError for
    cases without region_code, ReconciliationError when the sums differ from the cases.
    """
    import duckdb

    with duckdb.connect(config={"temp_directory": spill_folder()}) as connection:
        names = _views(connection, cases, hospitals, persons)
        fund = "settled_fund" if "settled_fund" in names else "fund_due"
        connection.execute("CREATE TEMP TABLE areas (alliance VARCHAR, county VARCHAR)")
        for of in alliances:
            for county in of.counties:
                connection.execute("INSERT INTO areas VALUES (?, ?)", [of.alliance, county])
        rows = connection.execute(
            f"SELECT a.alliance, h.alliance IS NOT DISTINCT FROM a.alliance, "
            f"(sum({fund}) * 100)::HUGEINT, count(*) FROM cases AS c "
            "LEFT JOIN areas AS a ON starts_with(c.region_code, a.county) "
            "LEFT JOIN hospitals AS h ON h.hospital_code = c.hospital_code "
            "WHERE c.pay_status NOT IN ('held', 'left') GROUP BY ALL"
        ).fetchall()
        total = connection.execute(
            f"SELECT coalesce((sum({fund}) * 100)::HUGEINT, 0), count(*) FROM cases "
            "WHERE pay_status NOT IN ('held', 'left')"
        ).fetchone()
    assert total is not None
    care = {(alliance, inside): int(amount or 0) for alliance, inside, amount, _ in rows}
    others = sum(amount for (alliance, _), amount in care.items() if alliance is None)
    charged = [
        Sums(
            of.alliance, of.counties, of.insured, of.inside + care.get((of.alliance, True), 0),
            of.outside + care.get((of.alliance, False), 0), of.outpatient, of.carve_outs, of.score,
        )
        for of in alliances
    ]  # fmt: skip
    if sum(care.values()) != int(total[0]) or sum(row[3] for row in rows) != total[1]:
        raise ReconciliationError(zh="医共体与病例之和对不上", en="the alliances do not add up to the cases")
    return Charged(charged, others, total[1])


def _views(
    connection: duckdb.DuckDBPyConnection, cases: Sequence[str], hospitals: str, persons: str | None
) -> list[str]:
    """Views ``cases`` (with region_code) and ``hospitals``; returns the columns of the cases."""
    for path in [*cases, hospitals, *([persons] if persons else [])]:
        if not Path(path).is_file():
            raise UsageError(zh=f"没有文件 {path}", en=f"there is no file {path}")
    for path in cases:
        parquet_schema(path)
    source = scan(*cases)
    names = connection.sql(f"SELECT * FROM {source} LIMIT 0").columns
    if persons is not None:
        side = _side(connection, persons, "persons")
        _columns(connection, side, persons, ("record_id", "region_code"))
        own = "EXCLUDE (region_code)" if "region_code" in names else ""
        join = f"{source} AS c LEFT JOIN {side} AS p ON p.record_id = c.record_id"
        source = f"(SELECT c.* {own}, p.region_code FROM {join})"
    elif "region_code" not in names:
        raise UsageError(
            zh=f"{cases[0]} 没有 region_code（参保地）；请用 --persons 给出 record_id 与 region_code 的表",
            en=f"{cases[0]} has no region_code (of the insured); give a table of record_id and region_code "
            "with --persons",
        )
    connection.execute(f"CREATE TEMP VIEW cases AS SELECT * FROM {source}")
    side = _side(connection, hospitals, "hospital_texts")
    _columns(connection, side, hospitals, ("hospital_code", "alliance"))
    connection.execute(f"CREATE TEMP TABLE hospitals AS SELECT hospital_code, alliance FROM {side}")
    row = connection.execute(
        "SELECT record_id FROM cases WHERE region_code IS NULL AND pay_status NOT IN ('held', 'left') "
        "ORDER BY 1 LIMIT 1"
    ).fetchone()
    if row:
        raise DataError(
            zh=f"病例 {row[0]} 缺 region_code（参保地），无法归属医共体；请在 --persons 中补充",
            en=f"case {row[0]} has no region_code and cannot be charged to an alliance; add it to --persons",
        )
    return list(names)


def _side(connection: duckdb.DuckDBPyConnection, path: str, table: str) -> str:
    """SQL of a table that comes as CSV or Parquet, its columns as texts."""
    if Path(path).suffix.lower() in TEXTS:
        return load_texts(connection, path, table)
    parquet_schema(path, hint_zh="，也不是 CSV（.csv）", hint_en=", nor a CSV (.csv)")
    return scan(path)


def _columns(connection: duckdb.DuckDBPyConnection, side: str, path: str, needed: Sequence[str]) -> None:
    """Needed columns, and a key that is there once."""
    names = connection.sql(f"SELECT * FROM {side} LIMIT 0").columns
    for name in needed:
        if name not in names:
            raise UsageError(zh=f"{path} 缺少列 {name}", en=f"{path} lacks the column {name}")
    twice = connection.execute(
        f"SELECT {needed[0]} FROM {side} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    ).fetchone()
    if twice:
        raise DataError(
            zh=f"{path}：{needed[0]} {twice[0]} 重复", en=f"{path}: {needed[0]} {twice[0]} is there twice"
        )
