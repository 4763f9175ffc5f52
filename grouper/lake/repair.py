"""A lake made whole again: its ledger from the records in the chain, and what no run owns set aside.

Nothing is deleted: what is in the way is moved below ``set-aside/NNNN/`` with a list of it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from grouper.base.digests import sha256
from grouper.base.tables_out import write_rows
from grouper.base.whole import sync
from grouper.lake import chain, intent, ledger, whole
from grouper.lake.commit import recover
from grouper.lake.disk import make, prune
from grouper.lake.formats import CHAINED
from grouper.lake.layout import LEDGER, SET_ASIDE, Lake, is_run
from grouper.lake.ledger import Record
from grouper.lake.lock import writing
from grouper.lake.owned import unowned

LIST = "list.csv"


@dataclass(frozen=True)
class Run:
    """A run that the ledger is going to have. ``source``: "ledger" or "chain", where its rows come from."""

    record: Record
    previous: str
    hash: str
    source: str


@dataclass(frozen=True)
class Plan:
    """What repair is going to do. ``rebuild``: why the ledger is made again, in Chinese and English, or none.

    ``fill``: runs that get their record in the chain; ``interrupted``: runs that died, which are ended as the
    next run would; ``aside``: files that are moved away; ``unproven``: what cannot be proven of what stays.
    """

    runs: Sequence[Run]
    rebuild: tuple[str, str] | None
    fill: Sequence[str]
    interrupted: Sequence[str]
    aside: Sequence[str]
    unproven: Sequence[whole.Finding]
    folder: str = ""

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.rebuild or self.fill or self.interrupted or self.aside)


@dataclass
class _Found:
    """The runs that ledger and chain have, each as one of them proves it; and what none proves."""

    runs: dict[str, Run] = field(default_factory=dict)
    why: tuple[str, str] | None = None
    unproven: list[whole.Finding] = field(default_factory=list)


def repair(lake: Lake, *, do: bool = False) -> Plan:
    """The plan, under the lock; and, with ``do``, what it says.

    Raises UsageError where there is no lake, or another run or program holds it.
    """
    if not (lake.ledger.exists() or lake.traces() or lake.staging.exists()):
        lake.must_exist()
    with writing(lake):
        if lake.ledger.is_file():
            _ask(lake)
        plan = _plan(lake)
        if do and not plan.nothing:
            _do(lake, plan)
    return plan


def _ask(lake: Lake) -> None:
    try:
        ledger.ask(lake)
    except ledger.BrokenLedger:
        return  # it is made again


def _plan(lake: Lake) -> Plan:
    found = _runs(lake)
    runs = [found.runs[run] for run in sorted(found.runs)]
    unfinished = [one for one in intent.unfinished(lake) if not intent.others(lake, one)]
    broken = _broken_links(lake)
    kept = {run for run in chain.runs(lake) if chain.place_of(run) not in broken}
    found.unproven += _continuous(runs)
    for run in runs:
        found.unproven += whole.files(lake, run.record)
    aside = [*unowned(lake, [run.record for run in runs], unfinished), *broken]
    if found.why and lake.ledger.exists():
        aside += [name for name in (LEDGER, f"{LEDGER}.wal") if (lake.root / name).exists()]
    chained = bool(found.why or broken or any(run.record.format >= CHAINED for run in runs))
    fill = [run.record.run["run"] for run in runs if chained and _lacks(run, kept)]
    return Plan(
        runs, found.why, fill, [one.run for one in unfinished], sorted(set(aside)), found.unproven,
        _folder(lake),
    )  # fmt: skip


def _lacks(run: Run, kept: Collection[str]) -> bool:
    """Whether a run has no record, and its rows are such that it may have one."""
    proven = ledger.digest(run.record.body(run.previous)) == run.hash
    return run.record.run["run"] not in kept and proven


def _folder(lake: Lake) -> str:
    """The first ``set-aside/NNNN`` that is free."""
    number = 1
    while (lake.root / SET_ASIDE / f"{number:04d}").exists():
        number += 1
    return f"{SET_ASIDE}/{number:04d}"


def _runs(lake: Lake) -> _Found:
    """Every run that the ledger or the chain proves by its hash; the ledger is made again when it is not
    there, not readable, of another shape, or lacks or contradicts what the chain proves."""
    found = _Found()
    listed = _listed(lake, found)
    linked: dict[str, Run] = {}
    for run in chain.runs(lake):
        try:
            link = chain.read(lake, run)
        except chain.BrokenLink as error:
            found.unproven.append(whole.Finding(run, error.zh, error.en))
            continue
        linked[run] = Run(link.record, link.previous, link.hash, "chain")
    dying = {one.run for one in intent.unfinished(lake)}
    for run in sorted(listed.keys() | linked.keys()):
        own, kept = listed.get(run), linked.get(run)
        proven = own is not None and whole.hash_of(own.record) == own.hash
        if own is None and kept is not None:
            follows = not listed or kept.previous == max(listed.items())[1].hash
            if run in dying and not found.why and follows:
                continue  # recover enters it
            found.why = found.why or (f"账本缺运行 {run}", f"the ledger lacks run {run}")
        elif own is not None and kept is not None and (own.hash != kept.hash or not proven):
            found.why = found.why or (
                f"账本中运行 {run} 与链中的记录不同", f"run {run} in the ledger differs from its record"
            )  # fmt: skip
        if kept is not None and not (proven and own is not None and own.hash == kept.hash):
            found.runs[run] = kept
        elif own is not None:
            found.runs[run] = own
            if not proven:
                found.unproven.append(
                    whole.Finding(run, "账本记录被改动，且链中没有可证明的记录",
                                  "its rows in the ledger were changed, and no record in the chain proves "
                                  "what they were")
                )  # fmt: skip
    return found


def _listed(lake: Lake, found: _Found) -> dict[str, Run]:
    """The runs of the ledger; ``found.why`` where it cannot stay."""
    if not lake.ledger.is_file():
        if chain.runs(lake):
            found.why = ("缺账本", "there is no ledger")
        return {}
    try:
        with ledger.opened(lake) as connection:
            strange = list(whole.shape(connection))
            records = whole.records(connection)
    except ledger.BrokenLedger:
        found.why = ("账本无法读取", "the ledger cannot be read")
        return {}
    except duckdb.Error:
        found.why = ("账本已损坏", "the ledger is damaged")
        return {}
    if strange:
        found.why = (strange[0].zh, strange[0].en)
    runs = {}
    for record in records:
        if not is_run(record.run["run"]):
            name = record.run["run"]
            found.why = found.why or (
                f"账本有运行 {name}，不是运行号",
                f"the ledger has {name}, no id of a run",
            )
            continue
        runs[record.run["run"]] = Run(
            record, record.run["previous_hash"] or "", record.run["hash"] or "", "ledger"
        )
    return runs


def _continuous(runs: Sequence[Run]) -> list[whole.Finding]:
    """Where runs do not follow from each other."""
    found: list[whole.Finding] = []
    previous = ""
    for number, run in enumerate(runs, 1):
        name = run.record.run["run"]
        if name != f"{number:06d}" and not found:
            found.append(whole.Finding(f"{number:06d}", "没有记录证明这次运行", "no record proves this run"))
        if run.previous != previous:
            found.append(
                whole.Finding(
                    name, "与上一运行的哈希不衔接", "does not follow from the hash of the run before"
                )
            )
        previous = run.hash
    return found


def _broken_links(lake: Lake) -> list[str]:
    """Records in the chain that prove nothing, where the ledger proves the run: they are written again."""
    names = []
    for run in chain.runs(lake):
        try:
            chain.read(lake, run)
        except chain.BrokenLink:
            names.append(chain.place_of(run))
    return names


def _do(lake: Lake, plan: Plan) -> None:
    folder = lake.root / plan.folder
    for place in (folder.parent, folder):
        place.mkdir(mode=0o700, exist_ok=True)
    _set_aside(lake, plan.aside, folder)
    if plan.rebuild:
        rows = [(run.record, run.previous, run.hash) for run in plan.runs]
        ledger.create(lake, folder, rows)
        sync(lake.root)
    for run in plan.runs:
        if run.record.run["run"] in plan.fill:
            chain.write(lake, folder, run.record, run.previous)
    if not any(folder.iterdir()):
        prune(folder, lake.root)
    recover(lake)


def _set_aside(lake: Lake, names: Sequence[str], folder: Path) -> None:
    """Move files to the same paths below ``folder``, with a list of what they were."""
    if not names:
        return
    rows = []
    for name in names:
        path = lake.root / name
        plain = path.is_file() and not path.is_symlink()
        rows.append((name, path.stat().st_size if plain else "", sha256(path) if plain else "link"))
    with (folder / LIST).open("w", encoding="utf-8", newline="") as file:
        write_rows(file, ("path", "bytes", "sha256"), rows)
    sync(folder / LIST)
    for name in names:
        target = folder / name
        make(target.parent, lake.root)
        os.rename(lake.root / name, target)
        prune((lake.root / name).parent, lake.root)
    sync(folder)


def lost(plan: Plan) -> Mapping[str, int]:
    """Runs whose data are set aside because nothing proves them, to the number of their files."""
    found: dict[str, int] = {}
    for name in plan.aside:
        for part in name.split("/"):
            run = part.removeprefix("run=")
            if run != part and run.isdigit():
                found[run] = found.get(run, 0) + 1
    return found
