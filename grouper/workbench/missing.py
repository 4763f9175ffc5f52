"""What a record lacks: the field, for whom, why it matters, and the value that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from grouper.base.reasons import REASONS
from grouper.payment.policy import words
from grouper.payment.price.inputs import INPUTS
from grouper.records.words import WordReader, word_fields
from grouper.workbench.grouped import Grouping
from grouper.workbench.plain import label_of

_FIELDS = {  # of reasons of grouping
    "missing-sex": "sex", "missing-age": "age_years", "missing-age-days": "age_days",
    "missing-birth-weight": "birth_weight_g", "missing-admission-weight": "admission_weight_g",
    "missing-stay": "los_days", "missing-icu-hours": "icu_hours", "missing-discharge-way": "discharge_way",
    "missing-department": "department", "missing-total-cost": "total_cost",
    "no-principal-diagnosis": "diagnoses", "main-procedure-unknown": "procedures",
}  # fmt: skip
_EXAMPLES = {
    "diagnoses": '["K35.300"]', "procedures": '["47.0100"]', "age_years": "60", "age_days": "10",
    "birth_weight_g": "2500", "admission_weight_g": "2500", "los_days": "7", "icu_hours": "24",
    "discharge_date": "2025-06-10", "department": "普通外科", "hospital_code": "H1",
    "hospital_coefficient": "1.02",
}  # fmt: skip


@dataclass(frozen=True)
class Missing:
    """``wanted_by``: schemes and policies. ``zh``, ``en``: why it matters. ``values``: those by which the
    payment of a policy would be another, with its ``method`` and ``amount`` then."""

    field: str
    wanted_by: tuple[str, ...]
    zh: str
    en: str
    values: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def joined(cls, lacks: Iterable[Missing]) -> list[Missing]:
        """The same lack for the same reason once, with all who want it."""
        found: dict[tuple[str, str], Missing] = {}
        for lack in lacks:
            key = (lack.field, lack.zh)
            before = found.get(key)
            wanted = dict.fromkeys((*(before.wanted_by if before else ()), *lack.wanted_by))
            values = (*before.values, *lack.values) if before else lack.values
            found[key] = replace(lack, wanted_by=tuple(wanted), values=values)
        return list(found.values())

    def as_dict(self, lang: str) -> dict[str, Any]:
        return {
            "field": self.field,
            "label": label_of(self.field, lang),
            "wanted_by": list(self.wanted_by),
            "why": self.en if lang == "en" else self.zh,
            "mend": mend(self.field, lang),
            "values": [
                {**value, "method_text": words.pick(words.METHODS.get(value["method"], ("", "")), lang)}
                for value in self.values
            ],
        }


def mend(field: str, lang: str) -> str:
    """What to write for a field."""
    if field in word_fields():
        known = WordReader(field).known()
        return f"{field}，可用：{known}" if lang == "zh" else f"{field}, one of: {known}"
    kind = INPUTS[field].kind if field in INPUTS else ""
    example = _EXAMPLES.get(
        field, "15000.00" if kind == "money" else "1" if kind in ("int", "decimal") else ""
    )
    if not example:
        return field
    return f"{field}，例如 {example}" if lang == "zh" else f"{field}, such as {example}"


def of_grouping(groupings: Iterable[Grouping]) -> Iterator[Missing]:
    """The field that decides the group and is missing, by scheme."""
    for grouping in groupings:
        reason = grouping.result.get("reason")
        field = _FIELDS.get(str(reason))
        if field is None:
            continue
        said = next(item for item in REASONS if item.code == reason)
        yield Missing(field, (f"scheme:{grouping.grouper.id}",), said.zh, said.en)
