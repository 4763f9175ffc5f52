"""What a run is going to do: everything that it reads, found, opened and checked before any work."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from grouper.base.certified import Certified
from grouper.base.errors import UsageError
from grouper.base.money import yuan_of
from grouper.base.toml_in import read_toml
from grouper.base.version import VERSION
from grouper.lake import steps
from grouper.lake.formats import FORMAT
from grouper.lake.layout import Lake, check_area
from grouper.lake.ledger import check_files, opened
from grouper.payment.policy import words
from grouper.payment.policy.assumed import in_words
from grouper.payment.policy.legacy_digest import digest_in
from grouper.payment.policy.policy import Policy, find_policy
from grouper.payment.policy.registry import label
from grouper.payment.pool.budget import Budget, Entry
from grouper.payment.pool.revision import Revised, read_revised
from grouper.payment.price.scheme_check import check_scheme
from grouper.records.schema import GROUPING_FIELDS
from grouper.settlement.corrections import Corrections, Item, check_decided, read_corrections, read_decisions
from grouper.settlement.intake import InputFile, Reading
from grouper.settlement.plan import skipped
from grouper.settlement.plan.asked import Asked, same
from grouper.settlement.plan.inputs import ROLES, Given, given_files, input_files
from grouper.settlement.plan.key import key_mark, read_key, refuse_weak
from grouper.settlement.states import may_settle
from grouper.settlement.validate import Month

if TYPE_CHECKING:
    from grouper.grouping.api import Grouper

MAX_REJECTED = "0.1"  # share of rows, where --max-rejected does not say otherwise
MAX_HELD = "0.05"  # share of cost, where --max-held does not say otherwise
MAX_UNKNOWN_CODES = "0.05"  # share of codes, where --max-unknown-codes does not say otherwise
_LOADED: dict[tuple[Any, ...], Grouper] = {}  # the scheme last used
_IN_LEDGER_1 = same(
    "month", "inputs", "budget", "hospitals", "area", "policy", "scheme", "corrections", "decisions",
    "max_rejected", "pseudonymise", "value", "reopen", "columns", "layout", "input_format", "encoding",
    "sheet", "codes", "repair_codes", "stay", "allow_missing",
)  # fmt: skip
_IN_LEDGER_3 = _IN_LEDGER_1 | same(
    "interim", "max_held", "max_unknown_codes", "scheme_differs", "inputs_file", "draft"
)  # fmt: skip
_BEFORE_3 = {"interim": "apart", "max_held": "1", "max_unknown_codes": "1", "scheme_differs": True}
_BEFORE_4 = {"skip_months": True}


@dataclass(frozen=True)
class Job(Asked):
    """A month to settle, as the user asked for it. Paths are texts as given. What is not in NAMES changes
    no result."""

    NAMES: ClassVar = {
        **dict.fromkeys((1, 2), _IN_LEDGER_1),
        3: _IN_LEDGER_3,
        4: _IN_LEDGER_3 | same("skip_months", "revision"),
    }
    DEFAULTS: ClassVar = {
        1: {**_BEFORE_3, **_BEFORE_4},
        2: {**_BEFORE_3, **_BEFORE_4},
        3: _BEFORE_4,
    }

    month: str
    inputs: tuple[str, ...]
    budget: str
    hospitals: str
    inputs_file: str = ""
    area: str = ""
    policy: str = ""
    scheme: str = ""
    corrections: tuple[str, ...] = ()
    decisions: str = ""
    max_rejected: str = MAX_REJECTED
    max_held: str = MAX_HELD
    max_unknown_codes: str = MAX_UNKNOWN_CODES
    interim: str = "hold"
    scheme_differs: bool = False
    draft: bool = False
    skip_months: bool = False
    revision: tuple[str, ...] = ()
    pseudonymise: str = ""
    value: str = "budget"
    reopen: bool = False
    columns: str = ""
    layout: str = ""
    input_format: str = ""
    encoding: str = ""
    sheet: str = ""
    codes: str = "insurance"
    repair_codes: bool = False
    stay: str = "given"
    allow_missing: tuple[str, ...] = ()
    who: str = ""
    when: str = ""
    note: str = ""
    threads: int | None = None
    memory: str = ""
    shared: bool = False


@dataclass(frozen=True)
class Plan:
    """A job with what it names loaded. ``closed``: period to current run of all months before that the lake
    has, also of earlier years. ``format``: of the run, an older one when that is computed again."""

    job: Job
    month: Month
    policy: Policy
    grouper: Grouper
    budget: Budget
    reading: Reading
    files: tuple[InputFile, ...]  # all that have settlement lists
    corrections: Corrections
    decisions: tuple[Item, ...]
    inputs: list[dict[str, Any]]
    closed: Mapping[str, str]
    voids: tuple[str, ...]
    replaces: str
    format: int = FORMAT
    certified: Certified = field(default_factory=Certified)
    revised: Mapping[str, str] = field(default_factory=dict)  # what revisions of the budget changed by now

    @property
    def policy_digest(self) -> str:
        """The policy's, as the ledger has it in the format of this run."""
        return digest_in(self.policy, self.format)

    @property
    def assumed(self) -> dict[str, str]:
        """What the month goes by and the user should know."""
        if self.format < 4:
            return {}
        return {**skipped.told(self.closed, self.month.period), **self.revised}

    def about(self, table: str) -> dict[str, Any]:
        """The provenance of a data file; nothing in it depends on the clock."""
        return {
            "table": table, "kind": "settle", "area": self.month.area, "period": self.month.period,
            "policy": {"id": self.policy.id, "sha256": self.policy_digest},
            "scheme": {"id": self.grouper.id, "sha256": self.grouper.engine.scheme.digest},
            "inputs": [{"role": i["role"], "sha256": i["sha256"]} for i in self.inputs],
        }  # fmt: skip


def make_plan(lake: Lake, job: Job, *, before: str | None = None, format_: int = FORMAT) -> Plan:
    """Load what a job names; ``before``: as the lake was before this run, which is of ``format_``.

    Raises UsageError, DataError or TableError; nothing is written.
    """
    first, last = month_days(job.month)
    policy = find_policy(_policy_name(job), last)
    policy.on(first)
    area = check_area(job.area or policy.area)
    month = Month(area, first, last)
    if before is None:
        may_settle(lake, area, "settle", job.month, job.draft, job.who)
    certified = Certified()
    given = given_files(job.inputs, job.corrections, job.inputs_file)
    inputs = digests(job, given, certified)
    revised = read_revised(job.budget, job.revision)
    budget = month_budget(revised, job.budget, month)
    closed, voids, replaces = _past(lake, job, month, before)
    check_files(lake, list(closed.values()))
    skipped.check_skipped(closed, month.period, job.skip_months)
    key = read_key(job.pseudonymise)
    _same_key(lake, area, key, before, job.pseudonymise)
    grouper = load_grouper(job, policy, last)
    own = ("--scheme", grouper.id, grouper.engine.scheme.digest)
    check_scheme(policy, [own] if job.scheme else [], job.scheme_differs)
    decided = [each.path for each in given if each.role == "correction" and not each.told]
    corrections = read_corrections(decided, tuple(budget.pools), numbered=format_ > 2)
    lists = [each for each in given if each.role == "input" or each.told or each.path in corrections.lists]
    decisions = tuple(read_decisions(job.decisions)) if job.decisions else ()
    if format_ > 2:
        check_decided(policy, [*decisions, *corrections.of("special_review", "decision")])
    reading = _reading(job, key, policy, last)
    return Plan(
        job, month, policy, grouper, budget, reading, input_files(lists, reading), corrections, decisions,
        inputs, closed, voids, replaces, format_, certified, revised.told(first.month),
    )  # fmt: skip


def _policy_name(job: Job) -> str:
    if not (job.area or job.policy):
        raise UsageError(zh="请用 --area 或 --policy 指定政策", en="name the policy with --area or --policy")
    return job.policy or job.area


def month_days(month: str) -> tuple[date, date]:
    """First and last day of YYYY-MM. Raises UsageError."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise UsageError(
            zh=f"--month {month!r} 应为 YYYY-MM", en=f"--month {month!r} should be YYYY-MM"
        ) from error
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def digests(job: Job, given: Sequence[Given], certified: Certified) -> list[dict[str, Any]]:
    """Every file that the run reads: role, path as given, size and SHA-256. Raises UsageError."""
    named = [(role, each.path) for role in ROLES for each in given if each.role == role]
    named += [("budget", job.budget), *(("revision", path) for path in job.revision)]
    named += [("hospitals", job.hospitals), ("decisions", job.decisions)]
    named += [("columns", job.columns), ("inputs", job.inputs_file)]
    named += [("columns", each.columns) for each in given if each.where]
    return digests_of(list(dict.fromkeys(named)), certified)


def digests_of(named: Sequence[tuple[str, str]], certified: Certified) -> list[dict[str, Any]]:
    """The files behind roles and paths; a budget brings the table that it names. ``certified`` gets them."""
    found = []
    for role, path in named:
        if path:
            files = certified.files(path)
            found += [{"role": role, "path": str(p), **certified.digest(p)} for p in files]
    for entry in [e for e in found if e["role"] == "budget"]:
        found += [{"role": "budget", "path": p, **certified.digest(Path(p))} for p in _beside(entry["path"])]
    return found


def _beside(budget: str) -> list[str]:
    """The table of hospitals that a budget file names."""
    try:
        raw = read_toml(budget)
    except UsageError:
        return []  # read_budget says what is wrong
    named = raw.get("hospitals")
    return [str(Path(budget).parent / named)] if isinstance(named, str) else []


def month_budget(revised: Revised, path: str, month: Month) -> Budget:
    """The budget of the month: of a file for it, or its part of a file for the year.

    Raises UsageError when the file is for another time or another area.
    """
    budget = revised.original
    _same_area(budget, month.area)
    if budget.yearly and budget.period == str(month.first.year):
        return _part(revised, month)
    if budget.period != month.period:
        raise UsageError(
            zh=f"{path}：period 是 {budget.period}，而要结算 {month.period}；请用该月或该年的预算文件",
            en=f"{path}: period is {budget.period}, but {month.period} is to be settled; "
            "name the budget of the month or of its year",
        )
    return budget


def _same_area(budget: Budget, area: str) -> None:
    if budget.area and budget.area != area:
        raise UsageError(
            zh=f"{budget.where}：area 是 {budget.area}，不是 {area}",
            en=f"{budget.where}: area is {budget.area}, not {area}",
        )


def _part(revised: Revised, month: Month) -> Budget:
    """A month of a yearly budget: by month_weights, else equal parts, to the fen. January has the advances of
    its year; what else a yearly file says of hospitals is the clearing's."""
    budget = revised.original
    pools = revised.of_month(month.first.month).pools
    if month.first.month > 1:
        return Budget(budget.area, month.period, pools, {}, budget.where, regions=budget.regions)
    advances = {
        key: Entry(advance_base=entry.advance_base)
        for key, entry in budget.hospitals.items()
        if entry.advance_base is not None
    }
    return replace(budget, period=month.period, pools=pools, hospitals=advances)


def _reading(job: Job, key: bytes | None, policy: Policy, when: date) -> Reading:
    from grouper.payment.price.accepted import policy_words, required_columns
    from grouper.payment.price.inputs import INPUTS
    from grouper.records import load_map
    from grouper.records.schema import CANONICAL
    from grouper.settlement.hospitals import hospital_columns

    if unknown := [n for n in job.allow_missing if n not in CANONICAL and n not in INPUTS]:
        raise UsageError(
            zh=f"--allow-missing {unknown[0]}：没有这一列；一列写一个 --allow-missing",
            en=f"there is no column {unknown[0]} to go without; each has an --allow-missing of its own",
        )
    words = policy_words(policy)
    given = {*hospital_columns(job.hospitals, words["hospital_level"]), *job.allow_missing}
    needed = tuple(name for name in required_columns(policy, when) if name not in given)
    return Reading(
        load_map(job.columns) if job.columns else None, job.layout or None, job.input_format or None,
        job.encoding or None, job.sheet or None, key, words, needed,
    )  # fmt: skip


def load_grouper(job: Job, policy: Policy, when: date) -> Grouper:
    """The scheme of the job, else of the policy. Raises UsageError when neither names one."""
    from grouper.grouping.api import load_scheme
    from grouper.grouping.locate import stamp

    name = job.scheme or policy.scheme
    if not name:
        raise UsageError(
            zh=f"政策 {policy.id} 没有写明分组方案；请用 --scheme 指定",
            en=f"policy {policy.id} names no scheme; name one with --scheme",
        )
    day = when if job.scheme else None  # the policy says which edition it goes with
    missing = tuple(n for n in job.allow_missing if n in GROUPING_FIELDS)
    key = (name, day, job.codes, job.repair_codes, job.stay, missing, stamp(name, day))
    if key not in _LOADED:
        _LOADED.clear()  # the months of a year go by the same scheme; one is enough
        _LOADED[key] = load_scheme(
            name, when=day, codes=job.codes, repair_codes=job.repair_codes, stay=job.stay,
            allow_missing=missing,
        )  # fmt: skip
    return _LOADED[key]


def _past(
    lake: Lake, job: Job, month: Month, before: str | None
) -> tuple[dict[str, str], tuple[str, ...], str]:
    """Closed months, the runs that this one makes invalid, and the one that it replaces.

    What came after in the year becomes invalid; in a later year, the months that were settled when those
    runs were there; and the clearings that took what one of them had.

    Raises UsageError when the month is closed and ``reopen`` does not say to open it.
    """
    current = current_runs(lake, month.area, before)
    settled = {period: run for (kind, period), run in current.items() if kind == "settle"}
    year = str(month.first.year)
    closed = {p: r for p, r in settled.items() if p < month.period}
    replaces = settled.get(month.period, "")
    later = [p for p in settled if p[:4] == year and p > month.period]
    changed = [r for r in (replaces, *(settled[p] for p in later)) if r]
    later += [p for p, r in settled.items() if p[:4] > year and changed and r > min(changed)]
    gone = {replaces, *(settled[p] for p in later)}
    taken = _taken(lake, [r for (kind, _), r in current.items() if kind == "clear"])
    cleared = [
        p for (kind, p), r in current.items() if kind == "clear" and (p == year or gone & taken.get(r, set()))
    ]
    if (later or cleared) and not job.reopen:
        names = "、".join(sorted(later + cleared))
        raise UsageError(
            zh=f"{month.period} 已关账（其后已有 {names}）；更正请在开放月份用 --corrections 给出。"
            "确需重做请用 --reopen：其后各月和年度清算将失效，须重新运行",
            en=f"{month.period} is closed ({', '.join(sorted(later + cleared))} came after it); "
            "corrections go into the open month by --corrections. To do it again use --reopen: what came "
            "after becomes invalid and must be run again",
        )
    voids = [settled[p] for p in later] + [current["clear", p] for p in cleared]
    return closed, tuple(sorted(voids)), replaces


def _taken(lake: Lake, clearings: Sequence[str]) -> dict[str, set[str]]:
    """The runs of months whose cases or payments each clearing took."""
    found: dict[str, set[str]] = {run: set() for run in clearings}
    if clearings:
        with opened(lake) as connection:
            rows = connection.execute(
                "SELECT run, path FROM inputs WHERE role = 'run' AND list_contains(?, run)", [list(clearings)]
            ).fetchall()
        for run, path in rows:
            found[run].add(path.split()[-1])
    return found


def still_holds(lake: Lake, plan: Plan) -> bool:
    """No other run has come in between since the plan was made. Raises as ``make_plan`` where a draft did."""
    may_settle(lake, plan.month.area, "settle", plan.month.period, plan.job.draft, plan.job.who)
    return (plan.closed, plan.voids, plan.replaces) == _past(lake, plan.job, plan.month, None)


def current_runs(lake: Lake, area: str, before: str | None = None) -> dict[tuple[str, str], str]:
    """(kind, period) to the valid run of an area: the last one that counts."""
    found = steps.current(steps.entries(lake, before))
    return {(kind, period): run for (own, kind, period), run in found.items() if own == area}


def _same_key(lake: Lake, area: str, key: bytes | None, before: str | None, path: str) -> None:
    """Months under different keys do not know the same person; a new key is a good one."""
    if not lake.ledger.is_file():
        refuse_weak(path, key)
        return
    current = list(current_runs(lake, area, before).values())
    with opened(lake) as connection:
        rows = connection.execute("SELECT run, value FROM parameters WHERE name = 'person_key'").fetchall()
    if key_mark(key) not in {mark for _, mark in rows}:
        refuse_weak(path, key)
    marks = {mark for run, mark in rows if run in current}
    if marks and marks != {key_mark(key)}:
        raise UsageError(
            zh="本湖已有月份用另一密钥（或没有密钥）处理人员标识；同一湖须始终用同一个 --pseudonymise",
            en="months of this lake were settled with another key for person ids, or with none; "
            "a lake needs the same --pseudonymise always",
        )


def _months(plan: Plan) -> str:
    """The closed months of the year one by one, those of earlier years counted."""
    year = plan.month.period[:4]
    years = Counter(period[:4] for period in plan.closed if period[:4] < year)
    told = [f"{earlier} ({count})" for earlier, count in sorted(years.items())]
    return ", ".join([*told, *sorted(p for p in plan.closed if p[:4] == year)])


def describe(plan: Plan, lang: str) -> list[str]:
    """The plan in words, shown before any work."""
    zh = lang != "en"
    unverified = sorted(
        {n for n, p in plan.policy.parameters.items() if not all(v.verified for v in p.values)}
    )
    lines = [
        f"{'结算' if zh else 'Settle'} {plan.month.area} {plan.month.period}"
        + (("（草稿）" if zh else " (draft)") if plan.job.draft else ""),
        f"  {'政策' if zh else 'policy'} {plan.policy.id}  sha256 {plan.policy.digest[:12]}",
        f"  {'分组方案' if zh else 'scheme'} {plan.grouper.id}  "
        f"sha256 {plan.grouper.engine.scheme.digest[:12]}",
    ]
    for entry in plan.inputs:
        role = words.pick(words.ROLES[entry["role"]], lang)
        lines.append(f"  {role} {entry['path']}  {entry['bytes']:,} B  sha256 {entry['sha256'][:12]}")
    for name, pool in plan.budget.pools.items():
        told = f"{words.pool(name, lang)}: {yuan_of(pool.budget):,.2f}"
        lines.append(f"  基金池 {told} 元" if zh else f"  pool {told} yuan")
    for name, value in plan.assumed.items():
        if pair := in_words(name, value, lang):
            lines.append(f"  {'：'.join(pair) if zh else ': '.join(pair)}")
    lines.append(f"  {'点值' if zh else 'point value'}: {words.pick(words.VALUES[plan.job.value], lang)}")
    if plan.closed:
        lines.append(f"  {'已关账月份' if zh else 'closed months'}: {_months(plan)}")
    if plan.corrections.items:
        lines.append(f"  {'更正' if zh else 'corrections'}: {len(plan.corrections.items)}")
    if plan.replaces:
        lines.append(f"  {'取代运行' if zh else 'replaces run'} {plan.replaces}")
    if plan.voids:
        lines.append(f"  {'将失效的运行' if zh else 'runs that become invalid'}: {', '.join(plan.voids)}")
    if unverified:
        told = ("、" if zh else ", ").join(label(name, lang) for name in unverified)
        lines.append(f"  {'未核实的参数' if zh else 'unverified parameters'}: {told}")
    lines.append(f"  grouper {VERSION}")
    return lines
