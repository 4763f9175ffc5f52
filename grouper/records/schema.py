"""The canonical discharge record: one row per settlement, or per discharge where there is none.

Money is in yuan, weights in grams, durations in hours, times without zone. The
meaning of each column stands in ``docs/records.md``.
"""

from __future__ import annotations

import pyarrow as pa

_TEXT = pa.string()
_INT = pa.int32()
_TIME = pa.timestamp("s")
_DATE = pa.date32()
_HOURS = pa.float64()
_YUAN = pa.decimal128(18, 2)
_FLAG = pa.bool_()

CANONICAL: dict[str, pa.DataType] = {
    "record_id": _TEXT,
    "settlement_id": _TEXT,
    "visit_id": _TEXT,
    "person_id": _TEXT,
    "record_no": _TEXT,
    "hospital_code": _TEXT,
    "hospital_level": _TEXT,
    "insurance_type": _TEXT,
    "region_code": _TEXT,
    "sex": _INT,
    "birth_date": _DATE,
    "age_years": _INT,
    "age_days": _INT,
    "birth_weight_g": _INT,
    "admission_weight_g": _INT,
    "admission_date": _TIME,
    "discharge_date": _TIME,
    "settlement_date": _DATE,
    "los_days": _INT,
    "discharge_way": _INT,
    "department": _TEXT,
    "doctor": _TEXT,
    "admission_department": _TEXT,
    "admission_type": _TEXT,
    "newborn_admission_type": _TEXT,
    "payment_method": _TEXT,
    "diagnoses": pa.list_(_TEXT),
    "diagnosis_names": pa.list_(_TEXT),
    "present_on_admission": pa.list_(_TEXT),
    "procedures": pa.list_(_TEXT),
    "procedure_dates": pa.list_(_DATE),
    "external_cause": _TEXT,
    "pathology": _TEXT,
    "icu_hours": _HOURS,
    "ventilator_hours": _HOURS,
    "coma_before_hours": _HOURS,
    "coma_after_hours": _HOURS,
    "total_cost": _YUAN,
    "drug_cost": _YUAN,
    "consumable_cost": _YUAN,
    "service_cost": _YUAN,
    "operation_cost": _YUAN,
    "own_expense": _YUAN,
    "self_pay_first": _YUAN,
    "deductible": _YUAN,
    "in_scope_amount": _YUAN,
    "pool_paid": _YUAN,
    "pool_paid_before": _YUAN,
    "fund_paid": _YUAN,
    "serious_illness_paid": _YUAN,
    "medical_aid_paid": _YUAN,
    "civil_servant_paid": _YUAN,
    "large_amount_paid": _YUAN,
    "account_paid": _YUAN,
    "cash_paid": _YUAN,
    "refund_of": _TEXT,
    "refund_flag": _FLAG,
    "valid_flag": _FLAG,
    "interim_flag": _FLAG,
    "region_of_treatment": _TEXT,
    "code_edition": _TEXT,
}

# Columns that hold one value per diagnosis or operation of a row.
LIST_FIELDS = frozenset(
    {"diagnoses", "diagnosis_names", "present_on_admission", "procedures", "procedure_dates"}
)
# Columns whose text is a code: a number in their place has lost its zeros.
CODE_FIELDS = ("diagnoses", "procedures")
DATE_FIELDS = ("birth_date", "admission_date", "discharge_date", "settlement_date")
HOUR_FIELDS = frozenset({"icu_hours", "ventilator_hours", "coma_before_hours", "coma_after_hours"})

GROUPING_FIELDS = (
    "diagnoses",
    "procedures",
    "sex",
    "age_years",
    "age_days",
    "birth_weight_g",
    "admission_weight_g",
    "los_days",
    "discharge_way",
    "department",
    "icu_hours",
    "total_cost",
)

# What Normaliser.prepare() gives. The two lists keep the kind of list and of text that the
# input had (large or not, views, dictionaries); a field that is absent or was not asked for
# is not in the batch.
PREPARED_SCHEMA = pa.schema([(field, CANONICAL[field]) for field in GROUPING_FIELDS])
