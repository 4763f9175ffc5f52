"""From a draft to what was paid: the states of a settlement, and who may take it from one to the next.

    settle --draft → draft → reviewed → approved → ordered → part-paid, paid
                       └──────┴→ rejected
    settle         → settled ─────────→ ordered → part-paid, paid

A draft counts for nothing until it is approved: no later month, clearing or order builds on it. Each step is
an entry of the ledger (``grouper.lake.steps``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grouper.base.errors import UsageError
from grouper.lake import commit, steps
from grouper.lake.layout import Lake
from grouper.lake.steps import (
    APPROVE,
    DECISIONS,
    EXPORT,
    OBJECTIONS,
    OPTIONS,
    ORDER,
    PAID,
    REJECT,
    REVIEW,
    SETTLED,
    STATEMENTS,
    Entry,
)

WORDS: dict[str, tuple[str, str]] = {
    "settled": ("已结算", "settled"),
    "draft": ("草稿，待复核", "draft"),
    "reviewed": ("已复核，待审批", "reviewed"),
    "approved": ("已审批", "approved"),
    "rejected": ("已退回", "rejected"),
    "ordered": ("已开拨付单", "ordered"),
    "part-paid": ("部分拨付", "paid in part"),
    "paid": ("已拨付", "paid"),
    "replaced": ("已被取代", "replaced"),
    "void": ("已失效", "void"),
}
STEPS: dict[str, tuple[str, str]] = {
    REVIEW: ("复核", "review"),
    APPROVE: ("审批", "approval"),
    REJECT: ("退回", "rejection"),
    ORDER: ("拨付单", "payment order"),
    PAID: ("拨付登记", "payment"),
    OPTIONS: ("湖选项", "options"),
    STATEMENTS: ("发对账单", "statements sent"),
    OBJECTIONS: ("收申诉", "objections received"),
    DECISIONS: ("申诉决定", "objections decided"),
    EXPORT: ("导出更正", "corrections exported"),
}
COUNTING = ("settled", "approved", "ordered", "part-paid", "paid")


@dataclass(frozen=True)
class Options:
    """What a lake asks of its settlements; the last word of ``grouper lake set`` counts."""

    two_persons: bool = False
    approval: bool = False


@dataclass(frozen=True)
class State:
    """Where a run stands; ``steps``: what was done about it, in order."""

    entry: Entry
    name: str
    steps: tuple[Entry, ...] = ()

    @property
    def counts(self) -> bool:
        return self.name in COUNTING

    def word(self, lang: str) -> str:
        return WORDS[self.name][lang == "en"]


def options_of(found: Sequence[Entry]) -> Options:
    """The options of a lake with these entries."""
    said: dict[str, bool] = {}
    for entry in found:
        if entry.kind == OPTIONS:
            said.update({k: v is True for k, v in entry.says.items() if k in Options.__dataclass_fields__})
    return Options(**said)


def states(lake: Lake) -> list[State]:
    """Every run that settled something, in order, with its state."""
    return states_of(steps.entries(lake))


def states_of(found: Sequence[Entry]) -> list[State]:
    """The same of entries."""
    valid, waiting = set(steps.current(found).values()), steps.pending(found)
    out = steps.uncounted(found)
    last = {entry.key: entry.run for entry in found if entry.run not in out}
    made = []
    for entry in (entry for entry in found if entry.kind in SETTLED):
        own = tuple(step for step in found if _about(step, entry))
        if entry.run in valid:
            name = _paid_out(entry, own)
        elif any(step.kind == REJECT for step in own):
            name = "rejected"
        elif waiting.get(entry.key) is entry:
            name = "reviewed" if any(step.kind == REVIEW for step in own) else "draft"
        else:
            name = "void" if last.get(entry.key) == entry.run else "replaced"
        made.append(State(entry, name, own))
    return made


def _about(step: Entry, entry: Entry) -> bool:
    """Whether a step is about a run; money is paid for a period, whichever of its runs is valid now."""
    if step.kind == PAID:
        return (step.area, step.period) == (entry.area, entry.period)
    return step.of == entry.run


def _paid_out(entry: Entry, own: Sequence[Entry]) -> str:
    """The state of a valid run: how far its payment is."""
    if payments := [step for step in own if step.kind == PAID]:
        return "paid" if payments[-1].says.get("whole") else "part-paid"
    if any(step.kind == ORDER for step in own):
        return "ordered"
    return "approved" if entry.draft else "settled"


def may_settle(lake: Lake, area: str, kind: str, period: str, draft: bool, who: str) -> None:
    """Raises UsageError where the lake wants a draft or a name, or a draft of another period waits."""
    found = steps.entries(lake)
    asked = options_of(found)
    if asked.approval and not draft:
        raise UsageError(
            zh=f"{lake.root} 要求审批（grouper lake set）；请加 --draft 先做草稿，"
            "再 grouper review、grouper approve",
            en=f"{lake.root} requires approval (grouper lake set); settle with --draft, then grouper review "
            "and grouper approve",
        )
    if asked.two_persons and draft and not who.strip():
        raise UsageError(
            zh=f"{lake.root} 要求结算与审批为两人（grouper lake set）；请用 --who 写明操作人",
            en=f"{lake.root} requires two persons (grouper lake set); say by --who who settles",
        )
    for (own, _, other), entry in steps.pending(found).items():
        if own == area and (other, entry.kind) != (period, kind):
            raise UsageError(
                zh=f"{other} 的草稿（运行 {entry.run}）还没有审批；请先 grouper approve 或 grouper reject，"
                f"再结算 {period}",
                en=f"the draft of {other} (run {entry.run}) is not approved yet: grouper approve or grouper "
                f"reject it, then settle {period}",
            )


def find(lake: Lake, target: str, area: str = "") -> State:
    """The run that a number or a period (YYYY-MM, YYYY) means: of a period the draft that waits, else the
    valid one. Raises UsageError that says what there is."""
    lake.must_exist()
    made = states(lake)
    if target.isascii() and target.isdigit() and len(target) != 4:
        for state in made:
            if state.entry.run == target.zfill(6):
                return state
        raise UsageError(
            zh=f"{lake.root} 没有结算运行 {target.zfill(6)}；grouper status 可查看",
            en=f"{lake.root} has no settlement {target.zfill(6)}; see grouper status",
        )
    of_period = [s for s in made if s.entry.period == target and (not area or s.entry.area == area)]
    areas = sorted({s.entry.area for s in of_period})
    if len(areas) > 1:
        raise UsageError(
            zh=f"{target} 有多个地区：{'、'.join(areas)}；请用 --area 指定",
            en=f"{target} has several areas: {', '.join(areas)}; name one with --area",
        )
    live = [s for s in of_period if s.name in ("draft", "reviewed")] or [s for s in of_period if s.counts]
    if not live:
        raise UsageError(
            zh=f"{lake.root} 没有 {target} 的草稿或有效运行；grouper status 可查看",
            en=f"{lake.root} has neither a draft nor a valid run of {target}; see grouper status",
        )
    return live[-1]


def review(lake: Lake, target: str, *, who: str, note: str = "", when: str = "", area: str = "") -> State:
    """Say that a draft was reviewed. Raises UsageError where it is none, or who settled it reviews it."""
    return _step(lake, target, area, REVIEW, {}, who, when, note)


def approve(lake: Lake, target: str, *, who: str, note: str = "", when: str = "", area: str = "") -> State:
    """Approve a draft: from here on it counts, and what it voids does not.

    Raises UsageError where it is no draft that waits, where the lake requires a second person, and where the
    lake is no longer as it was when the draft was made.
    """
    return _step(lake, target, area, APPROVE, {}, who, when, note)


def reject(
    lake: Lake, target: str, *, who: str, reason: str, note: str = "", when: str = "", area: str = ""
) -> State:  # fmt: skip
    """Reject a draft, for a reason: its period must be settled again. Raises as ``review``."""
    if not reason.strip():
        raise UsageError(zh="请用 --reason 写明退回原因", en="say by --reason why it is rejected")
    return _step(lake, target, area, REJECT, {"reason": reason}, who, when, note)


def _step(
    lake: Lake, target: str, area: str, kind: str, says: Mapping[str, Any], who: str, when: str, note: str
) -> State:  # fmt: skip
    check_who(who)
    lake.must_exist()
    with commit.new_run(lake) as (run, _):
        found = steps.entries(lake)
        state = find(lake, target, area)
        _waits(state, kind)
        if kind in (REVIEW, APPROVE):
            _second(found, state, kind, who)
        if kind == APPROVE:
            _as_it_was(lake, found, state)
        steps.enter(lake, run, kind, state.entry, says, who=who, when=when, note=note)
    return next(s for s in states(lake) if s.entry.run == state.entry.run)


def check_who(who: str) -> None:
    """Raises UsageError for nobody: every step has somebody's name."""
    if not _person(who):
        raise UsageError(zh="请用 --who 写明操作人", en="say by --who who does it")


def _waits(state: State, kind: str) -> None:
    if state.name not in ("draft", "reviewed"):
        entry = state.entry
        zh, en = STEPS[kind]
        raise UsageError(
            zh=f"{entry.period} 运行 {entry.run} {state.word('zh')}，不是待办的草稿，不能{zh}",
            en=f"run {entry.run} of {entry.period} is {state.word('en')}, no draft that waits: no {en} of it",
        )


# Cyrillic and Greek letters, in lower case, with the Latin ones that they or their capitals look like.
_LOOKS = dict(zip("авеѕіјкмнорстухԁԛԝһӏαβεζικμορτχωϳ", "abesijkmhopctyxdqwhlabezikmoptxwj", strict=True))
_LOOKS |= {"ν": "nv", "υ": "yu", "η": "hn", "γ": "y", "ς": "c"}


def _second(found: Sequence[Entry], state: State, kind: str, who: str) -> None:
    """Raises UsageError where the lake requires two persons and there is one."""
    if same_person(found, state.entry, Entry("", kind, who=who)):
        zh, en = STEPS[kind]
        raise UsageError(
            zh=f"本湖要求两人：{who} 做了结算，{zh}须由另一人",
            en=f"this lake requires two persons: {who} settled it, the {en} is another's",
        )


def same_person(found: Sequence[Entry], settled: Entry, step: Entry) -> bool:
    """Whether one person settled and did the step, though the options before it require two."""
    return options_of(found).two_persons and _same_name(_person(settled.who), _person(step.who))


def _as_it_was(lake: Lake, found: Sequence[Entry], state: State) -> None:
    """Raises UsageError where other runs are valid now than when the draft was made."""
    own = state.entry
    then = steps.current([entry for entry in found if entry.run < own.run])
    now = steps.current(found)
    differ = sorted(
        key[2] for key in then.keys() | now.keys() if key[0] == own.area and then.get(key) != now.get(key)
    )
    if differ:
        raise UsageError(
            zh=f"草稿（运行 {own.run}）之后，{'、'.join(differ)} 的有效运行已变；"
            f"请重新做 {own.period} 的草稿",
            en=f"since the draft (run {own.run}) other runs of {', '.join(differ)} are valid; make the draft "
            f"of {own.period} again",
        )


def _person(name: str) -> str:
    """A name to compare: without blanks and marks that nobody sees, letters of one form."""
    plain = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    return "".join(one for one in plain if unicodedata.category(one) != "Cf")


def _same_name(one: str, other: str) -> bool:
    """Names that nobody can tell apart where they are read: letter by letter the same, or a look-alike."""
    pairs = [(_LOOKS.get(a, a), _LOOKS.get(b, b)) for a, b in zip(one, other, strict=False)]
    return len(one) == len(other) and all(set(a) & set(b) for a, b in pairs)


def set_options(lake: Lake, *, who: str, when: str = "", note: str = "", **asked: bool | None) -> Options:
    """Set options of a lake, which is made where there is none; those that are None stay. They are an entry
    of its chain. Raises UsageError where nothing is set."""
    check_who(who)
    said = {name: value for name, value in asked.items() if value is not None}
    if not said:
        raise UsageError(
            zh="请给出要设的选项：--two-persons、--approval（或其 --no- 形式）",
            en="name what to set: --two-persons, --approval (or their --no- forms)",
        )
    with commit.new_run(lake) as (run, _):
        steps.enter(lake, run, OPTIONS, None, said, who=who, when=when, note=note)
    return options_of(steps.entries(lake))
