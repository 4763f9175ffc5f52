"""What the ``tables`` commands say of DIP catalogues: the list, one catalogue, one code, and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grouper.base.errors import GrouperError, UsageError
from grouper.base.findings import Finding
from grouper.base.tables_in import near
from grouper.codes import icd
from grouper.grouping.dip import facts, normalise
from grouper.grouping.dip.tables.catalogue import Catalogue, load, scheme_folders
from grouper.grouping.dip.tables.packets import Row
from grouper.grouping.tables.folders import listed
from grouper.grouping.tables.heading import heading

HEADING = ("area", "region", "authority", "base", "valid_from", "valid_to")


def schemes() -> list[dict[str, Any]]:
    """The shipped catalogues: id, name, area, region, base, validity and number of entries."""
    return [{**listed(folder), "entries": len(load(folder).rows)} for folder in scheme_folders().values()]


def overview(catalogue: Catalogue, lang: str) -> Iterator[str]:
    """Identity, sizes by kind, options with how each is known, sources and notes."""

    def say(zh: str, en: str) -> str:
        return en if lang == "en" else zh

    meta = catalogue.meta
    yield from heading(catalogue, HEADING, ("基础目录", "base"), say)
    for kind, number in sorted(Counter(row.kind for row in catalogue.rows).items()):
        yield f"  {kind}: {number}"
    yield say("选项", "options")
    status = meta.get("status", {})
    for name, value in catalogue.options.as_dict().items():
        known = f"  [{status[name]}]" if name in status else ""
        yield f"  {name} = {value}{known}"
    for key, zh, en in (("sources", "来源", "sources"), ("notes", "说明", "notes")):
        if meta.get(key):
            yield say(zh, en)
            yield from (f"  {text}" for text in meta[key])


def code_lines(catalogue: Catalogue, code: str, lang: str) -> Iterator[str]:
    """The entries that a diagnosis (by its key) or a procedure can lead to, and whether the code is grey.

    Raises UsageError for a code of no edition that no entry uses.
    """
    found = [row for row in catalogue.rows if _names(row, code)]
    folded = normalise.fold(code)
    known = {one.upper(): (one, name) for one, name in (icd.diagnoses() | icd.procedures()).items()}
    if folded in known:
        one, name = known[folded]
        yield f"{one} {name}"
        if one in icd.grey_diagnoses() or one in icd.grey_procedures():
            yield "  a grey code" if lang == "en" else "  医保灰码"
        if not found:
            zh = f"  目录 {catalogue.id} 中没有条目用到它"
            yield f"  no entry of {catalogue.id} uses it" if lang == "en" else zh
    elif not found:
        raise UsageError(
            zh=f"目录 {catalogue.id} 中没有条目用到 {code}",
            en=f"no entry of {catalogue.id} uses {code}",
        )
    for row in found:
        score = "–" if row.score is None else row.score
        yield f"{row.code}  {score}  {row.kind}  {row.name}"


def packet_lines(catalogue: Catalogue, code: str, lang: str) -> Iterator[str]:
    """The entries of a packet, by its code or that of an entry: score, kind, name, diagnosis, operations.

    Raises UsageError, with those that are near, when there is none.
    """

    def say(zh: str, en: str) -> str:
        return en if lang == "en" else zh

    wanted = code.strip().upper()
    rows = [row for row in catalogue.rows if wanted in (row.code.upper(), row.packet.upper())]
    if not rows:
        zh, en = near(code, (row.code for row in catalogue.rows))
        raise UsageError(
            zh=f"目录 {catalogue.id} 中没有病种 {code}{zh}", en=f"{catalogue.id} has no packet {code}{en}"
        )
    for row in rows:
        score = "–" if row.score is None else row.score
        yield f"{row.code}  {score}  {row.kind}  {row.name}"
        if row.dx:
            yield "  " + say(f"主要诊断：{row.dx}", f"principal diagnosis: {row.dx}")
        for text, zh, en in (
            (row.procedures, "手术操作", "procedures"),
            (row.related, "相关操作", "related procedures"),
        ):
            if text:
                yield "  " + say(f"{zh}：{text}", f"{en}: {text}")
        if row.average_cost is not None:
            yield "  " + say(f"例均费用：{row.average_cost}", f"mean cost: {row.average_cost}")


def _names(row: Row, code: str) -> bool:
    text = normalise.fold(code)
    key = normalise.key(text)
    if key:
        return any(_covers(part, key) for part in row.dx.upper().split("/"))
    return text in f"{row.procedures}+{row.related}".upper().replace("/", "+").split("+")


def _covers(beginning: str, key: str) -> bool:
    """Whether a beginning, or a range of categories, stands for a diagnosis of this key."""
    low, _, high = beginning.partition("-")
    return low <= key[:3] <= high if high else beginning in (key, key[:3])


def verify(folder: Path) -> list[Finding]:
    """Findings on one catalogue: what cannot be read, entries that stand twice, codes no list knows."""
    findings: list[Finding] = []
    try:
        catalogue = load(folder)
    except GrouperError as error:
        return [*findings, Finding("error", "files", folder.name, str(folder), error.zh, error.en)]
    seen = Counter(row.code.upper() for row in catalogue.rows)
    for code, number in sorted(seen.items()):
        if number > 1:
            zh, en = f"条目出现 {number} 次", f"the entry stands {number} times"
            findings.append(Finding("error", "duplicate", catalogue.id, code, zh, en))
    known = {code.upper() for code in facts.procedure_kinds()}
    strange = sorted(
        {code.upper() for row in catalogue.rows for code in _operations(row) if code.upper() not in known}
    )
    if strange:
        number = len(strange)
        zh, en = (
            f"{number} 个手术操作编码不在编码版本中",
            f"{number} procedure codes are not in the code edition",
        )
        findings.append(Finding("warning", "edition", catalogue.id, "catalogue.csv", zh, en, tuple(strange)))
    return [*findings, *_shadowed(catalogue)]


def _shadowed(catalogue: Catalogue) -> Iterator[Finding]:
    """Rules that no record reaches, as one of an earlier step takes all that they ask for."""
    chain = catalogue.chain
    for rule in chain.rules:
        if len(rule.dx) != 1 or len(rule.packet.main) != 1 or rule.needs or rule.treatment >= 0:
            continue
        wanted = {code.upper() for code in rule.packet.main[0]}
        for other in (chain.every[number] for number in chain.under(rule.dx[0])):
            packet = other.packet
            wider = len(packet.main) == 1 and wanted <= {code.upper() for code in packet.main[0]}
            bare = not (other.needs or packet.related or other.age_days or other.weight)
            earlier = other.step in chain.steps and (
                chain.steps.index(other.step) < chain.steps.index(rule.step)
            )
            if wider and bare and earlier and other.treatment < 0 and (rule.main_only or not other.main_only):
                code, before = rule.row.code, other.row.code
                zh, en = (
                    f"不会入此组：{before} 先取走其全部病例",
                    f"out of reach: {before} takes all its cases",
                )
                yield Finding("warning", "reach", catalogue.id, code, zh, en)
                break


def _operations(row: Row) -> Iterator[str]:
    for text in (row.procedures, row.related):
        yield from (code for code in text.replace("/", "+").split("+") if code)
