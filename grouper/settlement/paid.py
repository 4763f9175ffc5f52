"""What was really paid for a period: entered with date and voucher, and held against what was ordered."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grouper.base.digests import sha256
from grouper.base.errors import UsageError
from grouper.base.money import Fen
from grouper.base.tables_in import near
from grouper.lake import commit, steps
from grouper.lake.layout import Lake
from grouper.lake.steps import ORDER, PAID, Entry
from grouper.settlement import states
from grouper.settlement.accounts import Payment, read_payments
from grouper.settlement.funds import FUNDS, name_of
from grouper.settlement.orders import due_rows, payable, pays
from grouper.settlement.show import read_run

Place = tuple[str, str, str]  # fund, hospital, pool


@dataclass(frozen=True)
class Compared:
    """A hospital in a fund and pool: what was ordered, and what is known to be paid, in fen. ``vouchers``:
    date and number of each payment."""

    fund: str
    hospital: str
    name: str
    pool: str
    ordered: Fen
    paid: Fen
    vouchers: tuple[tuple[str, str], ...]

    @property
    def difference(self) -> Fen:
        """Over-paid, or less than ordered; 0 while nothing is known."""
        return self.paid - self.ordered if self.vouchers else 0


@dataclass(frozen=True)
class Paid:
    """What is known after a file was entered; differences go to the next month that is settled."""

    run: str
    state: states.State
    rows: list[Compared]


def record_paid(
    lake: Lake, period: str, path: str | Path, *, who: str, when: str = "", note: str = "", area: str = ""
) -> Paid:  # fmt: skip
    """Enter a file of payments of a period.

    Raises UsageError where nothing was ordered, DataError for a row that is no payment of it: a hospital,
    pool or fund without an order, or a voucher that is there already.
    """
    states.check_who(who)
    with commit.new_run(lake) as (run, _):
        state = payable(lake, period, area)
        entry = state.entry
        if not any(step.kind == ORDER for step in state.steps):
            raise UsageError(
                zh=f"{entry.period} 还没有开拨付单；请先 grouper pay-order",
                en=f"no payment of {entry.period} was ordered; grouper pay-order first",
            )
        before = known(state.steps)
        ordered, names = _ordered(lake, entry.run)
        found = read_payments(path, sorted({place[2] for place in ordered}))
        _check(found, ordered, before)
        said = [_row(one) for one in found]
        rows = _compare(ordered, names, [*before, *said])
        says = {
            "rows": said, "whole": all(row.vouchers for row in rows if row.ordered),
            "ordered_fen": sum(row.ordered for row in rows), "paid_fen": sum(row.paid for row in rows),
            "difference_fen": sum(row.difference for row in rows),
        }  # fmt: skip
        inputs = [
            {"role": "paid", "path": str(path), "bytes": Path(path).stat().st_size, "sha256": sha256(path)}
        ]
        steps.enter(lake, run, PAID, entry, says, who=who, when=when, note=note,
                    rows={"inputs": inputs, "amounts": _amounts(found)})  # fmt: skip
    return Paid(run, states.find(lake, entry.run), rows)


def known(found: Sequence[Entry]) -> list[Mapping[str, Any]]:
    """The payments that the steps of a period have, whichever of its runs they are about."""
    return [row for step in found if step.kind == PAID for row in step.says.get("rows", [])]


def _ordered(lake: Lake, run: str) -> tuple[dict[Place, Fen], dict[str, str]]:
    """What the run pays by fund, hospital and pool; and names of hospitals."""
    ordered, names = {}, {}
    for fund, rows in due_rows(lake, read_run(lake, run)).items():
        for (hospital, pool), name, amounts in rows:
            ordered[fund, hospital, pool] = pays(amounts)
            names[hospital] = name
    return ordered, names


def _same(voucher: str) -> str:
    """The number of a voucher as it is compared: V1, v1 and Ｖ１ are one."""
    return "".join(unicodedata.normalize("NFKC", voucher).casefold().split())


def _check(
    found: Sequence[Payment], ordered: Mapping[Place, Fen], before: Sequence[Mapping[str, Any]]
) -> None:  # fmt: skip
    """Raises DataError for a payment that nothing ordered, and for a voucher that is there twice."""
    seen = {(row["fund"], row["hospital"], row["pool"], _same(row["voucher"])): row["date"] for row in before}
    hospitals = sorted({hospital for _, hospital, _ in ordered})
    for one in found:
        if one.hospital not in hospitals:
            zh, en = near(one.hospital, hospitals)
            raise one.place.error(
                "hospital_code", f"{one.hospital} 不在该期结算的医院中{zh}",
                f"{one.hospital} is no hospital of the settlement{en}",
            )  # fmt: skip
        if (one.fund, one.hospital, one.pool) not in ordered:
            zh, en = FUNDS[one.fund]
            raise one.place.error(
                "fund", f"{one.hospital}（{one.pool}）没有{zh}的应付",
                f"nothing of {en} is due to {one.hospital} ({one.pool})",
            )  # fmt: skip
        key = one.fund, one.hospital, one.pool, _same(one.voucher)
        if key in seen:
            raise one.place.error(
                "voucher", f"{one.hospital} 的凭证 {one.voucher} 已登记（{seen[key]}）",
                f"voucher {one.voucher} of {one.hospital} is entered already ({seen[key]})",
            )  # fmt: skip
        seen[key] = one.date


def _row(one: Payment) -> dict[str, Any]:
    return {"fund": one.fund, "hospital": one.hospital, "pool": one.pool, "date": one.date,
            "voucher": one.voucher, "fen": one.fen}  # fmt: skip


def _amounts(found: Sequence[Payment]) -> list[dict[str, Any]]:
    sums: dict[Place, Fen] = {}
    for one in found:
        place = one.fund, one.hospital, one.pool
        sums[place] = sums.get(place, 0) + one.fen
    return [
        {"hospital_code": hospital, "pool": pool, "name": name_of(fund, "paid"), "fen": fen}
        for (fund, hospital, pool), fen in sorted(sums.items())
    ]


def _compare(
    ordered: Mapping[Place, Fen], names: Mapping[str, str], rows: Sequence[Mapping[str, Any]]
) -> list[Compared]:  # fmt: skip
    made = []
    for (fund, hospital, pool), fen in ordered.items():
        own = [row for row in rows if (row["fund"], row["hospital"], row["pool"]) == (fund, hospital, pool)]
        if fen or own:
            vouchers = tuple((row["date"], row["voucher"]) for row in own)
            paid = sum(row["fen"] for row in own)
            made.append(Compared(fund, hospital, names[hospital], pool, fen, paid, vouchers))
    return made
