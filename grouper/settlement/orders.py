"""Payment orders (拨付单): what a settled period pays to whom, from which fund; and what was paid in the end.

Nothing is computed here: amounts are those of the run, each proven against the ledger before a paper is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grouper.base.digests import sha256
from grouper.base.errors import ReconciliationError, UsageError
from grouper.base.money import Fen, fen_of
from grouper.base.whole import refuse_existing, whole_folder
from grouper.lake import commit, steps, views
from grouper.lake.layout import Lake
from grouper.lake.steps import ORDER
from grouper.payment.policy.areas import area_name
from grouper.report.order import Order, OrderLine
from grouper.report.order_book import write_orders
from grouper.settlement import funds, states
from grouper.settlement.accounts import Account, read_accounts
from grouper.settlement.funds import FUNDS, POOL, Key, name_of
from grouper.settlement.show import read_run

if TYPE_CHECKING:
    import duckdb

    from grouper.lake.ledger import Record

OTHERS_SINCE = 3  # the first format whose ledger has the other funds
MONTH = ("due_total", "deposit", "prepaid", "deferred", "earlier_years", "advance", "audit", "carried_in",
         "payable", "carried")  # fmt: skip
YEAR = ("fund_due", "prepaid", "deposit", "balance", "returned", "advance", "audit", "final")
Amounts = dict[str, Fen]


@dataclass(frozen=True)
class Ordered:
    """What was written. ``said``: of accounts that are missing, in Chinese and English."""

    run: str
    state: states.State
    files: list[Path]
    orders: list[Order]
    said: tuple[str, str] = ("", "")


def pay_order(
    lake: Lake, period: str, folder: Path, *, who: str, when: str = "", note: str = "", area: str = "",
    hospitals: str = "", lang: str = "zh",
) -> Ordered:  # fmt: skip
    """Write the orders of a settled period into ``folder``, a workbook and a page for each fund, and enter
    that in the chain.

    ``hospitals``: the table with the accounts; without it the one that the run read, if it is still the same.
    Raises UsageError where the period is no settlement that counts or has been paid, ReconciliationError
    where the amounts are not those of the ledger.
    """
    states.check_who(who)
    refuse_existing(folder, force=False)  # before the chain says that it was written
    state = payable(lake, period, area)
    if state.name in ("paid", "part-paid"):
        raise UsageError(
            zh=f"{state.entry.period} 已登记拨付，不能再开拨付单",
            en=f"payments of {state.entry.period} are recorded: no further order of it",
        )
    record = read_run(lake, state.entry.run)
    accounts, said = _accounts(record, hospitals)
    rows = due_rows(lake, record)
    earlier = [step.run for step in state.steps if step.kind == ORDER]
    with commit.new_run(lake) as (run, _):
        orders = [
            _order(record, run, fund, own, accounts, earlier[-1] if earlier else "")
            for fund, own in rows.items() if any(pays(parts) for _, _, parts in own)
        ]  # fmt: skip
        if not orders:
            raise UsageError(
                zh=f"{state.entry.period} 没有要拨付的金额", en=f"{state.entry.period} has nothing to pay"
            )
        with whole_folder(folder) as place:
            place.chmod(0o700)
            files = write_orders(orders, place, lang)
            says = {
                "files": {path.name: sha256(path) for path in files},
                "total_fen": {order.fund: order.total for order in orders},
            }
            steps.enter(lake, run, ORDER, state.entry, says, who=who, when=when, note=note)
    after = states.find(lake, state.entry.run)
    return Ordered(run, after, [folder / path.name for path in files], orders, said)


def payable(lake: Lake, period: str, area: str) -> states.State:
    """The settlement of a period that may be paid. Raises UsageError for a draft."""
    state = states.find(lake, period, area)
    if not state.counts:
        raise UsageError(
            zh=f"{state.entry.period}（运行 {state.entry.run}）{state.word('zh')}；审批后才能拨付",
            en=f"{state.entry.period} (run {state.entry.run}) is {state.word('en')}; it is paid after its "
            "approval",
        )
    return state


def _accounts(record: Record, hospitals: str) -> tuple[dict[str, Account], tuple[str, str]]:
    if hospitals:
        return read_accounts(hospitals), ("", "")
    for row in record.rows["inputs"]:
        if row["role"] == "hospitals":
            path = Path(row["path"])
            if path.is_file() and sha256(path) == row["sha256"]:
                return read_accounts(path), ("", "")
            return {}, (
                f"{path} 已不在原处或已改动，账户留空；可用 --hospitals 给出",
                f"{path} is no longer what the run read: accounts are left blank; give them by --hospitals",
            )
    return {}, (
        "清算没有医院表，账户留空；可用 --hospitals 给出",
        "accounts are left blank; --hospitals gives them",
    )


Row = tuple[Key, str, Amounts]  # hospital and pool, name, amounts


def due_rows(lake: Lake, record: Record) -> dict[str, list[Row]]:
    """Fund to its rows, with the amounts of the ledger, which are proven by the tables of the run.

    Raises ReconciliationError where they differ.
    """
    run = record.run["run"]
    paths = {row["table_name"]: str(lake.root / row["path"]) for row in record.rows["outputs"]}
    told: dict[str, dict[Key, Fen]] = {}
    for row in record.rows["amounts"]:
        told.setdefault(row["name"], {})[row["hospital_code"], row["pool"]] = row["fen"]
    entries = steps.entries(lake, before=run)
    key = record.run["area"], record.run["kind"], record.run["period"]
    gone = [steps.current(entries).get(key, ""), *(record.run["voids"] or "").split(",")]
    with views.connect(
        lake, before=run, without=[one for one in gone if one], kinds=("current",)
    ) as connection:
        names, own = _pool_rows(connection, paths["hospitals"], told, record)
        found = {POOL: own}
        if record.run["kind"] == "settle" and record.format >= OTHERS_SINCE:
            _prove_others(connection, paths, record, told)
    for fund in funds.OTHERS:
        found[fund] = _other_rows(fund, told, names)
    return found


def _pool_rows(
    connection: duckdb.DuckDBPyConnection, path: str, told: Mapping[str, Mapping[Key, Fen]], record: Record
) -> tuple[dict[str, str], list[Row]]:
    wanted = MONTH if record.run["kind"] == "settle" else YEAR
    table = views.scan_parts([path])
    columns = connection.sql(f"SELECT * FROM {table} LIMIT 0").columns
    own = [name for name in wanted if name in columns]
    done = connection.execute(
        f"SELECT hospital_code, pool, hospital_name, {', '.join(own)} FROM {table} ORDER BY 1, 2"
    ).fetchall()
    names, rows = {}, []
    for hospital, pool, name, *values in done:
        key = hospital, pool
        amounts = {n: fen_of(v) for n, v in zip(own, values, strict=True) if v is not None}
        for part, fen in amounts.items():
            if told.get(part, {}).get(key) != fen:
                raise _off(record, f"{hospital} {pool} {part}")
        names[hospital] = name or hospital
        if wanted[-1] not in amounts and not any(amounts.values()):
            continue  # all its cases are held, or beside the pools: nothing is ordered
        amounts[funds.DIFFERENCE] = told.get(funds.DIFFERENCE, {}).get(key, 0)
        _identity(record, key, amounts)
        rows.append((key, name or hospital, amounts))
    for part in own:  # no hospital of the ledger is left out
        if sum(told.get(part, {}).values()) != sum(amounts.get(part, 0) for _, _, amounts in rows):
            raise _off(record, part)
    return names, rows


def _identity(record: Record, key: Key, a: Amounts) -> None:
    """What is paid follows from what the paper shows."""
    if record.run["kind"] == "settle":
        paid = a.get("prepaid", 0) + a.get("earlier_years", 0) - a.get("advance", 0) - a.get("audit", 0)
        holds = paid == a.get("payable", 0) + a.get("carried", 0)
    else:
        final = a.get("balance", 0) + a.get("returned", 0) - a.get("advance", 0) - a.get("audit", 0)
        holds = final == a.get("final", 0)
    if not holds:
        raise _off(record, f"{key[0]} {key[1]}")


def _prove_others(
    connection: duckdb.DuckDBPyConnection, paths: Mapping[str, str], record: Record,
    told: Mapping[str, Mapping[Key, Fen]],
) -> None:  # fmt: skip
    """The other funds once more from cases and records, as the lake was before the run."""
    members = connection.execute(f"SELECT pool, members FROM {views.scan_parts([paths['pools']])}").fetchall()
    pool_of = {one: pool for pool, named in members for one in (named or pool).split(",")}
    three = {name: paths[name] for name in ("cases", "records", "adjustments")}
    again = funds.read_others(connection, funds.lake_sql(connection, three), pool_of)
    for fund, found in again.items():
        own = {key: fen for key, fen in told.get(name_of(fund, "due"), {}).items() if fen}
        if own != {key: fen for key, fen in found.items() if fen}:
            raise _off(record, FUNDS[fund][0])


def _other_rows(fund: str, told: Mapping[str, Mapping[Key, Fen]], names: Mapping[str, str]) -> list[Row]:
    parts = ("due", "carried_in", funds.DIFFERENCE, "payable", "carried")
    found = {part: told.get(name_of(fund, part), {}) for part in parts}
    keys = sorted(set().union(*found.values()))
    return [
        (key, names.get(key[0], key[0]), {part: found[part].get(key, 0) for part in parts}) for key in keys
    ]


def _off(record: Record, what: str) -> ReconciliationError:
    run = record.run["run"]
    return ReconciliationError(
        zh=f"拨付单与账本不符：运行 {run}，{what}；没有写出。请先 grouper audit",
        en=f"the orders are not what the ledger says: run {run}, {what}; nothing was written. See grouper "
        "audit",
    )


def pays(amounts: Amounts) -> Fen:
    """What a row pays; a clearing that is to be recovered pays nothing."""
    return max(amounts["final"], 0) if "final" in amounts else amounts.get("payable", 0)


def _order(
    record: Record, step: str, fund: str, rows: Sequence[Row], accounts: Mapping[str, Account], instead: str
) -> Order:  # fmt: skip
    run, lines, number = record.run, [], 0
    for (hospital, pool), name, amounts in sorted(rows, key=lambda row: (row[0][1], row[0][0])):
        paid = pays(amounts)
        number += bool(paid)
        account = accounts.get(hospital, Account())
        serial = f"{run['period'].replace('-', '')}-{step}-{list(FUNDS).index(fund) + 1}-{number:03d}"
        lines.append(
            OrderLine(
                serial if paid else "",
                hospital,
                name,
                pool,
                paid,
                (account.name, account.bank, account.number),
                _shown(record, fund, amounts),
            )
        )
    return Order(
        fund, FUNDS[fund], run["kind"] == "clear", run["period"], area_name(run["area"]), run["run"], step,
        instead, run["started_by"] or "", tuple(lines), record.sealed(run["previous_hash"] or ""),
    )  # fmt: skip


def _shown(record: Record, fund: str, a: Amounts) -> dict[str, Fen]:
    """The amounts of a row as the paper shows them: they lead from what is due to what is paid."""
    if record.run["kind"] == "clear":
        return {
            "due": a.get("fund_due", 0), "paid_before": a.get("prepaid", 0), "deposit": a.get("deposit", 0),
            "balance": a.get("balance", 0), "returned": a.get("returned", 0), "advance": a.get("advance", 0),
            "audit": a.get("audit", 0), "recover": max(-a.get("final", 0), 0),
        }  # fmt: skip
    over = a.get(funds.DIFFERENCE, 0)
    left = a.get("carried_in", 0) - over
    parts = {"carried_in": left, "paid_difference": over, "carried": -a.get("carried", 0)}
    if fund != POOL:
        return {"due": a.get("due", 0), **parts}
    return {  # what is due: of all months that are paid now
        "due": sum(a.get(name, 0) for name in ("deposit", "prepaid", "deferred")),
        "deposit": a.get("deposit", 0), "deferred": a.get("deferred", 0), "prepaid": a.get("prepaid", 0),
        "earlier_years": a.get("earlier_years", 0),
        "advance": a.get("advance", 0), "audit": a.get("audit", 0) - a.get("carried_in", 0), **parts,
    }  # fmt: skip
