"""Case files of payment: TOML read into rows, sums worked out on their own, and the policy run both ways."""

from __future__ import annotations

import ast
import atexit
import operator
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from grouper.base.exact import half_up
from grouper.payment.policy.policy import Policy, find_policy
from grouper.payment.price.build import build
from grouper.payment.price.compile import evaluate, query, word_type
from grouper.payment.price.inputs import INPUTS, needed
from grouper.payment.price.lookups import Lookups, load_lookups
from grouper.payment.price.pricing import connect
from grouper.payment.price.steps import Step

CASES = Path(__file__).parent / "cases"
TEMPLATE: dict[str, Any] = {
    "record_id": "R1",
    "hospital_code": "H1",
    "hospital_level": "3",
    "hospital_cases": 100,
    "area_cases": 100,
    "insurance_type": "310",
    "admission_type": "21",
    "department": "普通外科",
    "status": "grouped",
    "reason": "grouped",
    "discharge_way": 1,
    "los_days": 7,
    "age_years": 50,
    "diagnoses": ["K80.200"],
    "procedures": [],
    "principal": "K80.200",
    "total_cost": "10000",
    "own_expense": "0",
    "self_pay_first": "0",
    "deductible": "0",
    "auxiliary_coefficient": "1",
    "unreasonable_cost": "0",
    "new_technology_cost": "0",
    "hospital_coefficient": "1",
}
_TYPES = {
    "text": pa.string(),
    "int": pa.int32(),
    "flag": pa.bool_(),
    "date": pa.date32(),
    "list": pa.list_(pa.string()),
}
_SIGNS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@dataclass(frozen=True)
class PaymentCase:
    """One case of a file."""

    file: Path
    policy: str
    day: date
    name: str
    clause: str
    row: dict[str, Any]
    beside: list[dict[str, Any]]
    changes: tuple[tuple[str, str], ...]
    expect: dict[str, Any]
    by_hand: dict[str, str] = field(default_factory=dict)

    @property
    def ranked(self) -> bool:
        """The result depends on the other cases of the run."""
        return bool(self.beside) or self.row["special_review"] is not None or "high_rank" in self.row

    def __str__(self) -> str:
        return f"{self.file.parent.name}/{self.file.stem}: {self.name}"


def read_cases() -> Iterator[PaymentCase]:
    """All cases of all files, in the order of their names."""
    for file in sorted(CASES.glob("*/*.toml")):
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        for item in raw.get("case", ()):
            yield PaymentCase(
                file,
                item.get("policy", raw["policy"]),
                item.get("date", raw["date"]),
                item["name"],
                item["clause"],
                row_of(item["case"]),
                [row_of(other, n) for n, other in enumerate(item.get("beside", ()), 2)],
                tuple(sorted((raw.get("change", {}) | item.get("change", {})).items())),
                item["expect"],
                item.get("by_hand", {}),
            )


def row_of(own: Mapping[str, Any], number: int = 1) -> dict[str, Any]:
    """The template with what a case says of itself."""
    row = {**TEMPLATE, "record_id": f"R{number}", **own}
    if "principal" in own:
        row["diagnoses"] = [own["principal"]]
    person = Decimal(row.pop("person_paid", "0"))
    row = {name: None if value == "none" else value for name, value in row.items()}
    row.setdefault("fund_paid", str(Decimal(row["total_cost"]) - person))
    row.setdefault("pool_paid", row["fund_paid"])
    return {name: typed(name, row.get(name)) for name in {*INPUTS, *row}}


def typed(name: str, value: Any) -> Any:
    """Amounts and decimals of a case file as numbers."""
    return (
        Decimal(value)
        if name in INPUTS and INPUTS[name].kind in ("money", "decimal") and value is not None
        else value
    )


@cache
def policy_of(name: str, changes: tuple[tuple[str, str], ...]) -> Policy:
    """A policy by id, or by the path of a file of these tests, with some parameters changed."""
    own = CASES / name
    policy = find_policy(str(own) if own.is_file() else name)
    return policy.changed(dict(changes)) if changes else policy


@cache
def tables_of(files: tuple[Path, ...], weights: Path | None) -> tuple[Lookups, duckdb.DuckDBPyConnection]:
    """The lookup tables of a policy, for one case and in DuckDB."""
    policy = _POLICIES[files]
    lookups = load_lookups(policy)
    connection = connect(threads=1)
    _OPEN.append(connection)
    lookups.create(connection)
    return lookups, connection


@atexit.register
def _close() -> None:
    for connection in _OPEN:
        connection.close()
    tables_of.cache_clear()


_OPEN: list[duckdb.DuckDBPyConnection] = []
_POLICIES: dict[tuple[Path, ...], Policy] = {}


def tables(policy: Policy) -> tuple[Lookups, duckdb.DuckDBPyConnection]:
    """``tables_of`` for a policy; its reforms share them."""
    _POLICIES[policy.files] = policy
    return tables_of(policy.files, policy.weights.path if policy.weights else None)


def by_evaluate(policy: Policy, steps: Sequence[Step], row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a case, in exact numbers."""
    return evaluate(steps, row, tables(policy)[0])


def by_sql(policy: Policy, steps: Sequence[Step], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The columns of all rows by the SQL, numbers as Fractions; in the order of record_id."""
    connection = tables(policy)[1]
    names = needed((step.name, step.expr) for step in steps)
    columns = {name: pa.array([_stored(name, row.get(name)) for row in rows], _type(name)) for name in names}
    connection.execute(word_type([steps]))
    connection.register("case_rows", pa.table(columns))
    chosen = ", ".join(f'"{step.name}"' for step in steps)
    found = connection.execute(
        f"SELECT {chosen} FROM ({query(steps, 'case_rows')}) ORDER BY record_id"
    ).fetchall()
    return [
        {step.name: _number(step, value) for step, value in zip(steps, values, strict=True)}
        for values in found
    ]


def _stored(name: str, value: Any) -> Any:
    digits = 2 if INPUTS[name].kind == "money" else INPUTS[name].digits
    return int(value.scaleb(digits)) if isinstance(value, Decimal) else value


def _type(name: str) -> pa.DataType:
    return _TYPES.get(INPUTS[name].kind, pa.int64())


def _number(step: Step, value: Any) -> Any:
    if value is None or step.digits is None or step.digits < 0:
        return value
    return Fraction(int(value), 10**step.digits)


def sum_of(text: str, known: Mapping[str, Any]) -> Fraction:
    """The value of a sum written with + − × ÷ and brackets; names are expected amounts."""
    plain = text.replace("×", "*").replace("÷", "/").replace("−", "-").replace(",", "")
    return _worked(ast.parse(plain, mode="eval").body, known, plain)


def _worked(node: ast.AST, known: Mapping[str, Any], text: str) -> Fraction:
    if isinstance(node, ast.BinOp):
        sign = _SIGNS[type(node.op)]
        return Fraction(sign(_worked(node.left, known, text), _worked(node.right, known, text)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_worked(node.operand, known, text)
    if isinstance(node, ast.Name):
        return Fraction(known[node.id])
    assert isinstance(node, ast.Constant), f"no sum: {text}"
    return Fraction(ast.get_source_segment(text, node) or "")


def rounded(text: str, value: Fraction) -> Decimal:
    """``value`` with the decimals that the expected text has."""
    return half_up(value, len(text.partition(".")[2]))


def steps_of(policy: Policy, day: date) -> list[Step]:
    """The steps of a policy on a day."""
    return build(policy, policy.on(day))
