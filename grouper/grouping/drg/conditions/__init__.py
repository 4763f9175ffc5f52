"""The condition language of grouping schemes: syntax tree, parser and printer.

One parser reads both notations (docs/tables.md has the grammar):

* the plain notation of ``tables/``: ``principal_dx in AA1.dx and (mcc or age < 17)``;
* the notation of the official CHS-DRG 3.0 workbook: ``ZYZD in DI_1 and {ZYSS, QTSS} in OP_1``,
  ``length(OP_1 ∩ {ZYSS, QTSS}) >= 2``, ``QTZD in {MCC, CC}``, ``NL < 17``.

Both give the same tree, which the compiler and the explanation read, and which
:func:`to_text` and :func:`to_workbook` print again.
"""

from __future__ import annotations

from grouper.grouping.drg.conditions.parser import ConditionError, parse
from grouper.grouping.drg.conditions.printer import to_text, to_workbook
from grouper.grouping.drg.conditions.tree import (
    FALSE,
    NUMBERS,
    OPERATORS,
    SUBJECTS,
    TRUE,
    And,
    Atom,
    Compare,
    Condition,
    Const,
    Count,
    Department,
    Discharge,
    In,
    NoProcedure,
    Not,
    Or,
    Severity,
    atoms,
    conjunction,
    disjunction,
    lists_of,
    negation,
)

__all__ = [
    "FALSE",
    "NUMBERS",
    "OPERATORS",
    "SUBJECTS",
    "TRUE",
    "And",
    "Atom",
    "Compare",
    "Condition",
    "ConditionError",
    "Const",
    "Count",
    "Department",
    "Discharge",
    "In",
    "NoProcedure",
    "Not",
    "Or",
    "Severity",
    "atoms",
    "conjunction",
    "disjunction",
    "lists_of",
    "negation",
    "parse",
    "to_text",
    "to_workbook",
]
