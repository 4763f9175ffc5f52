"""Objections of hospitals (申诉): taken in, decided, and turned into corrections that the next month reads.

Each is an entry of the ledger: what came with its file, what was decided by whom, and which file of
corrections has it. Whether a correction was settled is read from the runs: their inputs name that file by its
SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from grouper.base.digests import sha256, sha256_of
from grouper.base.errors import DataError, UsageError
from grouper.base.scratch import spill_folder
from grouper.base.sql import scan
from grouper.base.tables_in import Row, near, read_table
from grouper.base.tables_out import write_rows
from grouper.base.whole import refuse_existing, write_text
from grouper.lake import commit, ledger, steps
from grouper.lake.layout import Lake
from grouper.lake.steps import DECISIONS, EXPORT, OBJECTIONS, STATEMENTS, Entry
from grouper.payment.price.decided import read_money, read_number
from grouper.report.cells import cell
from grouper.report.objection_form import REASONS, WISHES, Form, read_form
from grouper.settlement import states
from grouper.settlement.plan.key import key_mark, read_key
from grouper.settlement.tokens import token

# What may be decided: words, and the columns of the correction that it makes (none: nothing is corrected).
DECISIONS_KNOWN: dict[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    "keep": (("维持", "keep"), ()),
    "by_item": (("按项目支付", "by item"), ("special_review",)),
    "adjust": (("调整", "adjust"), ("special_review", "special_review_amount", "special_review_points")),
    "justified": (("再入院合理", "readmission justified"), ("readmission_justified",)),
    "withdraw": (("撤销结算", "withdraw"), ()),
    "resubmit": (("更正清单后重报", "send again corrected"), ()),
}
STATES: dict[str, tuple[str, str]] = {
    "open": ("待处理", "open"),
    "kept": ("已决定，不更正", "decided, nothing to correct"),
    "decided": ("已决定，待导出", "decided, to be exported"),
    "exported": ("已导出，待入账", "exported, to be settled"),
    "settled": ("已入账", "settled"),
}
_CORRECTS = ("by_item", "adjust", "justified", "withdraw")
HEADER = ("kind", "record_id", "special_review", "special_review_amount", "special_review_points",
          "readmission_justified", "reason", "clause", "document")  # fmt: skip
_TABLE = ("id", "decision", "amount", "points", "reason", "clause")


@dataclass(frozen=True)
class Objection:
    """One objection. ``state``: of STATES; ``decision`` and what belongs to it are "" while it is open;
    ``settled_in``: the period whose run has the correction."""

    id: str
    period: str
    run: str
    hospital: str
    record_id: str
    reason: str
    text: str
    evidence: str
    wish: str
    amount: str
    deadline: str
    state: str = "open"
    decision: str = ""
    decided_amount: str = ""
    decided_points: str = ""
    decided_reason: str = ""
    clause: str = ""
    decided_by: str = ""
    settled_in: str = ""


def import_objections(
    lake: Lake, files: Sequence[str], *, who: str, key: str = "", when: str = "", note: str = ""
) -> list[Objection]:
    """Take forms back: all of a file, or nothing of it.

    Raises DataError for a token that is not of this lake and hospital, a record that its statement does not
    have, words that are not known, and an objection that is there already.
    """
    states.check_who(who)
    secret = read_key(key, "--key")
    lake.must_exist()
    taken: list[Objection] = []
    for path in files:
        form = read_form(path)
        with commit.new_run(lake) as (run, _):
            found = steps.entries(lake)
            sent = _sent(found, form, secret)
            entry = next(one for one in found if one.run == sent.of)
            rows = _rows(lake, form, entry, run, listed(lake))
            if not rows:
                raise DataError(zh=f"{path} 没有填写申诉", en=f"{path} has no objection filled in")
            inputs = [{"role": "objections", "path": str(path), "bytes": Path(path).stat().st_size,
                       "sha256": sha256(path)}]  # fmt: skip
            says = {"rows": rows, "sent": sent.run}
            steps.enter(lake, run, OBJECTIONS, entry, says, who=who, when=when, note=note,
                        rows={"inputs": inputs})  # fmt: skip
        taken += [one for one in listed(lake) if one.id.startswith(f"{entry.period}-{run}-")]
    return taken


def _sent(found: Sequence[Entry], form: Form, key: bytes | None) -> Entry:
    """The step that sent a form. Raises DataError where none did."""
    hospital, given = form.facts.get("hospital", ""), form.facts.get("token", "")
    for step in reversed(found):
        if step.kind == STATEMENTS and token(step.of, hospital, str(step.says["head"]), key) == given:
            return step
    keyed = any(step.kind == STATEMENTS and step.says.get("key") != key_mark(key) for step in found)
    raise DataError(
        zh=f"{form.path}：校验码不是本湖发给 {hospital or '-'} 的；表头可能被改动"
        + ("，或 --key 不是发出时的密钥" if keyed else ""),
        en=f"{form.path}: the token is not one that this lake sent to {hospital or '-'}; its head may have "
        "been changed" + (", or --key is another than it was sent with" if keyed else ""),
    )


def _rows(
    lake: Lake, form: Form, entry: Entry, run: str, before: Sequence[Objection]
) -> list[dict[str, str]]:  # fmt: skip
    hospital = form.facts["hospital"]
    records = _records(lake, entry.run, hospital)
    seen = {(one.run, one.hospital, one.record_id, one.reason): one.id for one in before}
    made = []
    for number, row in enumerate(form.rows, 1):
        reason = _word(row, "reason", REASONS)
        wish = _word(row, "wish", WISHES)
        record = row.text("record_id")
        if record not in records and not (record == "" and reason in ("deduction", "amount", "other")):
            zh, en = near(record, records)
            raise row.error("record_id", f"{record or '（空）'} 不在 {hospital} 该期的对账单中{zh}",
                            f"{record or '(blank)'} is not in the statement of {hospital}{en}")  # fmt: skip
        if not row.text("text"):
            raise row.error("text", "请写明理由", "why is not said")
        amount = _amount(row)
        place = entry.run, hospital, records.get(record, ""), reason
        if place in seen and place[2]:
            raise row.error("record_id", f"{record} 的同一申诉已登记（{seen[place]}）",
                            f"the same objection of {record} is there already ({seen[place]})")  # fmt: skip
        own = f"{entry.period}-{run}-{number:03d}"
        seen[place] = own
        made.append({
            "id": own, "hospital": hospital, "record_id": place[2], "reason": reason, "wish": wish,
            "text": row.text("text"), "evidence": row.text("evidence"), "amount": amount,
        })  # fmt: skip
    return made


def _amount(row: Row) -> str:
    """The amount of a row, "" for none."""
    text = row.text("amount")
    amount = read_money(row, "amount") if text else ""
    if amount.startswith("-"):
        raise row.error("amount", f"{text!r} 应为不小于 0 的数", f"{text!r} should be a number of at least 0")
    return amount


def _points(row: Row) -> str:
    """The points of a row, "" for none."""
    text = row.text("points")
    number = read_number(text, 4) if text else ""
    if number is None or number.startswith("-"):
        raise row.error("points", f"{text!r} 应为不小于 0 的数", f"{text!r} should be a number of at least 0")
    return number


def _records(lake: Lake, run: str, hospital: str) -> dict[str, str]:
    """Record and settlement ids of a hospital's statement, to the record id."""
    import duckdb

    with ledger.opened(lake) as connection:
        paths = connection.execute(
            "SELECT path FROM outputs WHERE run = ? AND table_name IN ('cases', 'rejected', 'adjustments')",
            [run],
        ).fetchall()
    parts = [
        f"SELECT record_id, settlement_id, hospital_code FROM {scan(lake.root / path)}" for (path,) in paths
    ]
    with duckdb.connect(config={"temp_directory": spill_folder()}) as reader:
        rows = reader.execute(
            f"SELECT record_id, settlement_id FROM ({' UNION ALL BY NAME '.join(parts)}) "
            "WHERE hospital_code = ? AND record_id IS NOT NULL",
            [hospital],
        ).fetchall()
    return {name: row[0] for row in rows for name in row if name}


def _word(row: Row, column: str, known: Mapping[str, tuple[str, str]]) -> str:
    text = row.text(column)
    for code, words in known.items():
        if text in (code, *words):
            return code
    zh, en = ([words[n] for words in known.values()] for n in (0, 1))
    raise row.error(column, f"{text or '（空）'} 应为 {'、'.join(zh)} 之一",
                    f"{text or '(blank)'} is none of {', '.join(en)}")  # fmt: skip


def listed(lake: Lake) -> list[Objection]:
    """Every objection, in order, with where it stands."""
    found = steps.entries(lake)
    deadlines = {step.run: str(step.says.get("deadline", "")) for step in found if step.kind == STATEMENTS}
    made: dict[str, Objection] = {}
    for step in found:
        if step.kind == OBJECTIONS:
            for row in step.says.get("rows", []):
                deadline = deadlines.get(str(step.says.get("sent")), "")
                made[row["id"]] = Objection(period=step.period, run=step.of, deadline=deadline, **row)
        if step.kind == DECISIONS:
            for row in step.says.get("rows", []):
                made[row["id"]] = _decided(made[row["id"]], row, step.who)
    settled = _settled(lake, found)
    for step in found:
        period = settled.get(str(step.says.get("sha256")), "")
        for name in step.says.get("ids", []) if step.kind == EXPORT else []:
            if made[name].state != "settled":
                made[name] = replace(made[name], state="settled" if period else "exported", settled_in=period)
    return list(made.values())


def _decided(one: Objection, row: Mapping[str, str], who: str) -> Objection:
    return replace(
        one, state="decided" if row["decision"] in _CORRECTS else "kept", decision=row["decision"],
        decided_amount=row["amount"], decided_points=row["points"], decided_reason=row["reason"],
        clause=row["clause"], decided_by=who,
    )  # fmt: skip


def _settled(lake: Lake, found: Sequence[Entry]) -> dict[str, str]:
    """SHA-256 of correction files to the period of the valid run that read them."""
    valid = {run: key[2] for key, run in steps.current(found).items()}
    if not valid:
        return {}
    with ledger.opened(lake) as connection:
        rows = connection.execute("SELECT run, sha256 FROM inputs WHERE role = 'correction'").fetchall()
    return {digest: valid[run] for run, digest in rows if run in valid}


def decide(
    lake: Lake, rows: Sequence[Mapping[str, str]], *, who: str, when: str = "", note: str = "",
    places: Sequence[Row] = (),
) -> list[Objection]:  # fmt: skip
    """Enter decisions: ``id``, ``decision`` (of DECISIONS_KNOWN), ``amount`` or ``points`` of an adjustment,
    ``reason``, ``clause``. One that was exported stays; before, it may be decided again.

    Raises DataError for an id that is not there and for what cannot be decided.
    """
    states.check_who(who)
    with commit.new_run(lake) as (run, _):
        known = {one.id: one for one in listed(lake)}
        said = []
        for number, row in enumerate(rows):
            place = places[number] if places else Row("--decision", number + 1, row, DataError)
            said.append(_decision(place, known))
        steps.enter(lake, run, DECISIONS, None, {"rows": said}, who=who, when=when, note=note)
    ids = {row["id"] for row in said}
    return [one for one in listed(lake) if one.id in ids]


def read_decisions(path: str | Path) -> list[Row]:
    """The rows of a file of decisions."""
    table = read_table(path, needed=("id", "decision"), known=_TABLE, flag="--from", kind=DataError)
    return list(table)


def _decision(row: Row, known: Mapping[str, Objection]) -> dict[str, str]:
    name = row.text("id")
    one = known.get(name)
    if one is None:
        zh, en = near(name, known)
        raise row.error("id", f"没有申诉 {name}{zh}", f"there is no objection {name}{en}")
    if one.state in ("exported", "settled"):
        raise row.error("id", f"{name} {STATES[one.state][0]}，不能再改", f"{name} is {STATES[one.state][1]}")
    decision = _word(row, "decision", {code: words for code, (words, _) in DECISIONS_KNOWN.items()})
    amount, points = _amount(row), _points(row)
    if (decision == "adjust") != bool(amount or points) or (amount and points):
        raise row.error("amount", "调整须写金额或点数之一，其他决定不写",
                        "an adjustment has an amount or points, and nothing else has")  # fmt: skip
    if decision in _CORRECTS and not one.record_id:
        raise row.error("decision", f"{name} 没有记录号，不能更正病例", f"{name} names no record to correct")
    if not row.text("reason"):
        raise row.error("reason", "请写明决定的理由", "why it is decided so is not said")
    return {"id": name, "decision": decision, "amount": amount, "points": points,
            "reason": row.text("reason"), "clause": row.text("clause")}  # fmt: skip


def export(
    lake: Lake, path: Path, *, who: str, again: bool = False, when: str = "", note: str = ""
) -> list[Objection]:  # fmt: skip
    """Write what was decided and not exported yet as a file for ``settle --corrections``; the number of the
    objection stands in ``document`` and in the reason. ``again``: also what was exported and not settled.
    Raises UsageError where there is nothing."""
    states.check_who(who)
    refuse_existing(path, force=False)
    with commit.new_run(lake) as (run, _):
        ready = [one for one in listed(lake) if one.state == "decided" or (again and one.state == "exported")]
        if not ready:
            raise UsageError(
                zh="没有待导出的决定；grouper objections list 可查看",
                en="there is no decision to export; see grouper objections list",
            )
        text = StringIO()
        write_rows(text, HEADER, [[cell(value) for value in _correction(one)] for one in ready])
        content = text.getvalue()
        says = {"ids": [one.id for one in ready], "sha256": sha256_of(content)}
        write_text(path, content)
        steps.enter(lake, run, EXPORT, None, says, who=who, when=when, note=note)
    return ready


def _correction(one: Objection) -> list[str]:
    kind = {"withdraw": "withdrawal", "justified": "decision"}.get(one.decision, "special_review")
    review = one.decision if kind == "special_review" else ""
    justified = "yes" if one.decision == "justified" else ""
    reason = f"申诉 {one.id}：{one.decided_reason}"
    return [kind, one.record_id, review, one.decided_amount, one.decided_points, justified, reason,
            one.clause, one.id]  # fmt: skip


@dataclass(frozen=True)
class Count:
    """Objections of a period: how many stand where, and the deadline of the statements sent last."""

    period: str
    deadline: str
    by_state: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_state.values())


def counts(lake: Lake) -> list[Count]:
    """By period, every one of which statements were sent."""
    sent: dict[str, str] = {}
    for step in steps.entries(lake):
        if step.kind == STATEMENTS:
            sent[step.period] = str(step.says.get("deadline", ""))
    if not sent:
        return []
    found = listed(lake)
    made = []
    for period in sorted(sent):
        own = [one.state for one in found if one.period == period]
        made.append(Count(period, sent[period], {name: own.count(name) for name in STATES if name in own}))
    return made


def as_json(one: Objection) -> dict[str, Any]:
    """An objection for ``--json``."""
    return {name: getattr(one, name) for name in one.__dataclass_fields__}
