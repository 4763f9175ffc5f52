"""Explain one record: its codes, the packets considered, why each won or lost, and the auxiliary classes.

The steps are the trace of the reference; the kernel groups the record as well. Should the two
ever differ, that is an error, not an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from grouper._fast.codes import BLANK
from grouper.base.arrow import text_array
from grouper.codes import icd
from grouper.codes.book import Resolved
from grouper.grouping.dip import auxiliary, normalise
from grouper.grouping.dip.auxiliary import AuxCase
from grouper.grouping.dip.engine import DipEngine
from grouper.grouping.dip.explain_chain import chain_views, near_misses, score_of
from grouper.grouping.dip.explanation import DipExplanation
from grouper.grouping.dip.options import CLASSES, DipOptions
from grouper.grouping.dip.reference import NUMBERS, WEIGHT
from grouper.grouping.dip.steps import (
    AuxiliaryStep,
    CodeStep,
    ListStep,
    MixedStep,
    PacketStep,
    Tools,
)
from grouper.grouping.dip.tables.packets import Packet, Term
from grouper.grouping.dip.trace import Candidate, Case, Contest, Met, Trace
from grouper.grouping.explaining import by_kernel, must_agree, number_columns, read_codes


def explain(engine: DipEngine, record: Mapping[str, Any]) -> DipExplanation:
    """Explain a record given as canonical columns (grouper.records.schema).

    ``diagnoses`` and ``procedures`` are lists of codes or texts joined by ``|``. Raises DataError
    when the record has no list of diagnoses, and GrouperError when reference and kernel
    disagree, which would be a defect of this program.
    """
    diagnoses = read_codes(engine.diagnoses.resolve, record, "diagnoses")
    procedures = read_codes(engine.procedures.resolve, record, "procedures")
    result = _by_kernel(engine, record)
    official = {
        **record,
        "diagnoses": [r.code for _, r in diagnoses],
        "procedures": [r.code for _, r in procedures if r.id != BLANK],
    }
    reference = engine.compiled.reference
    trace = reference.group(official) if result["status"] != "invalid" else Trace(None, result["reason"])
    must_agree(trace.row.code if trace.row else None, result["dip_code"])
    case = trace.case
    return DipExplanation(
        scheme=engine.compiled.catalogue.id,
        codes=[*_diagnosis_steps(diagnoses), *_procedure_steps(procedures, case, reference.is_dropped)],
        numbers={n: float(record[n]) for n in (*NUMBERS, WEIGHT, "total_cost") if record.get(n) is not None},
        key=normalise.key(case.principal) if case else "",
        cls=CLASSES[case.cls] if case else "",
        chain=chain_views(trace),
        lists=[_list_step(case, contest) for contest in trace.contests] if case else [],
        family_pass=trace.family_pass,
        mixed=_mixed_step(trace) if trace.contests else None,
        order=trace.order,
        won_by=trace.won_by,
        surgery_unmatched=trace.surgery_unmatched,
        near=near_misses(trace, reference.catalogue, normalise.key(case.principal) if case else ""),
        auxiliary=_auxiliary_step(trace.chosen),
        tools=_tools(case, reference.options) if case else None,
        missing=trace.missing,
        result=result,
    )


def _by_kernel(engine: DipEngine, record: Mapping[str, Any]) -> dict[str, Any]:
    """The result columns that the batch would give this record."""
    columns = number_columns(record, (*NUMBERS, WEIGHT))
    if record.get("total_cost") is not None:
        columns["total_cost"] = text_array([str(record["total_cost"])]).cast(pa.decimal128(30, 6))
    return by_kernel(engine, record, columns)


# --- steps ----------------------------------------------------------------------------------------


def _diagnosis_steps(resolved: Sequence[tuple[str, Resolved]]) -> list[CodeStep]:
    names = icd.diagnoses()
    return [
        CodeStep(
            "diagnosis",
            position,
            raw,
            r.code,
            names.get(r.code, ""),
            r.issue,
            grey=r.code in icd.grey_diagnoses(),
            instead=_specific(r.code, names, icd.grey_diagnoses()),
        )
        for position, (raw, r) in enumerate(resolved, start=1)
        if position == 1 or r.id != BLANK
    ]


def _specific(code: str, names: Mapping[str, str], grey: Collection[str]) -> tuple[str, ...]:
    """The codes of the subcategory of a grey one that are not grey."""
    if code not in grey:
        return ()
    return tuple(sorted(other for other in names if other[:5] == code[:5] and other not in grey))


def _procedure_steps(
    resolved: Sequence[tuple[str, Resolved]], case: Case | None, is_dropped: Any
) -> list[CodeStep]:
    names = icd.procedures()
    classes = {operation.code: CLASSES[operation.cls] for operation in case.operations} if case else {}
    coded = [(raw, r) for raw, r in resolved if r.id != BLANK]
    return [
        CodeStep(
            "procedure",
            position,
            raw,
            r.code,
            names.get(r.code, ""),
            r.issue,
            classes.get(r.code.upper(), ""),
            is_dropped(r.code.upper()),
            grey=r.code in icd.grey_procedures(),
            instead=_specific(r.code, names, icd.grey_procedures()),
        )
        for position, (raw, r) in enumerate(coded, start=1)
    ]


def _list_step(case: Case, contest: Contest) -> ListStep:
    chosen = {candidate.packet.label: candidate for candidate in contest.candidates}
    still = contest.winner is not None and contest.winner.met is None
    return ListStep(
        list="primary_care" if contest.primary_care else "core",
        packets=tuple(
            _packet_step(case, packet, met, chosen.get(packet.label)) for packet, met in contest.tried
        ),
        rules=contest.rules,
        winner=contest.winner.row.code if contest.winner else "",
        conservative="won" if still else "barred" if contest.conservative_barred else "",
    )


def _packet_step(case: Case, packet: Packet, met: Met, candidate: Candidate | None) -> PacketStep:
    row = candidate.row if candidate else packet.default
    verdict = "candidate"
    if candidate is None:
        verdict = "missing-terms" if met.missing else "repeats-short" if met.repeats_short else "not-first"
    unmatched = [i for i in range(len(case.operations)) if i not in met.matched]
    return PacketStep(
        code=row.code,
        name=row.name,
        score=score_of(row),
        verdict=verdict,
        matched=tuple(case.operations[i].code for i in met.matched),
        unmatched=tuple(case.operations[i].code for i in unmatched),
        missing=tuple(_term(term) for term in met.missing),
    )


def _term(term: Term) -> str:
    return "/".join(term)


def _mixed_step(trace: Trace) -> MixedStep:
    row = trace.mixed.row if trace.mixed else None
    return MixedStep(
        cls=CLASSES[trace.mixed_class],
        tried=tuple(_key(text) for text in trace.mixed_tried),
        code=row.code if row else "",
        name=row.name if row else "",
    )


def _key(text: str) -> str:
    key, _, cls = text.partition(":")
    return f"{key}:{CLASSES[int(cls)]}"


def _tools(case: Case, options: DipOptions) -> Tools:
    codes = [operation.code for operation in case.operations]
    aux = AuxCase(case.principal, case.others, codes, case.numbers, options.severity_min_stay)
    return Tools(
        levels=auxiliary.levels(aux),
        charlson=auxiliary.charlson_index(case.others),
        complication=auxiliary.counted_level(aux),
        used=options.auxiliary != "off",
    )


def _auxiliary_step(chosen: Candidate | None) -> AuxiliaryStep | None:
    """The auxiliary classes of the chosen packet; None where it has none or they are off."""
    if chosen is None or not chosen.choice.levels:
        return None
    hit = chosen.choice.hit
    return AuxiliaryStep(
        levels=dict(chosen.choice.levels),
        rows={type_: tuple(sorted(rows)) for type_, rows in chosen.packet.variants.items()},
        hit=f"{hit[0]}:{hit[1]}" if hit else "",
    )
