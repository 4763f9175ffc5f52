"""The condition language of grouping schemes: syntax tree, parser and printer.

One parser reads both notations (docs/tables.md has the grammar):

* the plain notation of ``tables/``: ``principal_dx in AA1.dx and (mcc or age < 17)``;
* the notation of the official CHS-DRG 3.0 workbook: ``ZYZD in DI_1 and {ZYSS, QTSS} in OP_1``,
  ``length(OP_1 ∩ {ZYSS, QTSS}) >= 2``, ``QTZD in {MCC, CC}``, ``NL < 17``.

Both give the same tree, which the compiler and the explanation read, and which
:func:`to_text` and :func:`to_workbook` print again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from grouper.errors import TableError

SUBJECTS = ("principal_dx", "other_dx", "any_dx", "principal_proc", "other_proc", "any_proc")
NUMBERS = ("sex", "age", "age_days", "weight", "los", "icu_hours", "injured_sites")
OPERATORS = ("<", "<=", ">", ">=", "=")


class ConditionError(TableError):
    """A condition cannot be read; the message shows where."""


@dataclass(frozen=True, slots=True)
class Const:
    """Holds always, or never."""

    value: bool


@dataclass(frozen=True, slots=True)
class In:
    """Some code at the positions of ``subject`` is in the list."""

    subject: str
    list: str


@dataclass(frozen=True, slots=True)
class Count:
    """The number of different codes at the positions of ``subject`` in the list."""

    subject: str
    list: str
    op: str
    value: int


@dataclass(frozen=True, slots=True)
class NoProcedure:
    """The record has no procedure."""


@dataclass(frozen=True, slots=True)
class Severity:
    """Some other diagnosis is an MCC (a CC) that the principal diagnosis does not exclude."""

    level: str  # "mcc" or "cc"


@dataclass(frozen=True, slots=True)
class Compare:
    """A number of the record against a whole number; a missing number fails every comparison."""

    field: str
    op: str
    value: int


@dataclass(frozen=True, slots=True)
class Department:
    """The department code equals the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Discharge:
    """The way of discharge is one of the numbers."""

    ways: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Not:
    item: Condition


@dataclass(frozen=True, slots=True)
class And:
    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple[Condition, ...]


Atom = Const | In | Count | NoProcedure | Severity | Compare | Department | Discharge
Condition = Atom | Not | And | Or

TRUE = Const(True)
FALSE = Const(False)


def conjunction(*items: Condition) -> Condition:
    """All of ``items``; nested conjunctions are flattened and constants folded."""
    flat: list[Condition] = []
    for item in items:
        parts = item.items if isinstance(item, And) else (item,)
        for part in parts:
            if part == FALSE:
                return FALSE
            if part != TRUE and part not in flat:
                flat.append(part)
    return And(tuple(flat)) if len(flat) > 1 else flat[0] if flat else TRUE


def disjunction(*items: Condition) -> Condition:
    """Some of ``items``; nested disjunctions are flattened and constants folded."""
    flat: list[Condition] = []
    for item in items:
        parts = item.items if isinstance(item, Or) else (item,)
        for part in parts:
            if part == TRUE:
                return TRUE
            if part != FALSE and part not in flat:
                flat.append(part)
    return Or(tuple(flat)) if len(flat) > 1 else flat[0] if flat else FALSE


def negation(item: Condition) -> Condition:
    """The opposite of ``item``."""
    if isinstance(item, Const):
        return Const(not item.value)
    return item.item if isinstance(item, Not) else Not(item)


def atoms(condition: Condition) -> Iterator[Atom]:
    """Every atom of the tree, from left to right."""
    if isinstance(condition, And | Or):
        for item in condition.items:
            yield from atoms(item)
    elif isinstance(condition, Not):
        yield from atoms(condition.item)
    else:
        yield condition


def lists_of(condition: Condition) -> set[str]:
    """Names of the code lists that the condition uses."""
    return {atom.list for atom in atoms(condition) if isinstance(atom, In | Count)}


# --- parser ---------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_\u4e00-\u9fff][\w.\-]*)|(?P<number>\d+)|(?P<text>'[^']*')"
    r"|(?P<op><=|>=|==|!=|[<>=])|(?P<mark>[(){},∩]))"
)
_SPELLING = {
    "≤": "<=",
    "≥": ">=",
    "（": "(",
    "）": ")",
    "，": ",",
    "｛": "{",
    "｝": "}",
    "＜": "<",
    "＞": ">",
    "＝": "=",
    "∧": " and ",
    "∨": " or ",
    "_x000D_": " ",
    "‘": "'",
    "’": "'",
}
_WORKBOOK_SUBJECTS = {
    "zyzd": "principal_dx",
    "qtzd": "other_dx",
    "zyss": "principal_proc",
    "qtss": "other_proc",
}
_WORKBOOK_NUMBERS = {"nl": "age", "xsrtl": "age_days", "xsrtz": "weight", "xb": "sex"}
_UNION = {
    frozenset({"principal_dx", "other_dx"}): "any_dx",
    frozenset({"principal_proc", "other_proc"}): "any_proc",
}
_FLIP = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


def parse(text: str) -> Condition:
    """The syntax tree of a condition in either notation; an empty text holds always.

    Raises ConditionError with the place when the text cannot be read.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        for strange, plain in _SPELLING.items():
            text = text.replace(strange, plain)
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        self._tokenise()

    def _tokenise(self) -> None:
        position = 0
        end = len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(self.text, position)
            if not match:
                self.fail("无法识别的字符", "a character that is not understood", position)
            kind = match.lastgroup or ""
            self.tokens.append((kind, match.group(kind), match.start(kind)))
            position = match.end()

    def fail(self, zh: str, en: str, position: int | None = None) -> NoReturn:
        if position is None:
            position = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        near = self.text[position : position + 24] or "…"
        raise ConditionError(
            zh=f"条件第 {position + 1} 个字符处{zh}（“{near}”）：{self.text}",
            en=f"{en} at character {position + 1} ({near!r}) of the condition: {self.text}",
        )

    def peek(self, ahead: int = 0) -> str:
        """The next token in lower case, or an empty string at the end."""
        index = self.at + ahead
        return self.tokens[index][1].lower() if index < len(self.tokens) else ""

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        if self.at >= len(self.tokens):
            self.fail("意外结束", "the condition ends too early")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def expect(self, token: str) -> None:
        if self.peek() != token:
            self.fail(f"应为“{token}”", f"expected {token!r}")
        self.at += 1

    def whole(self) -> Condition:
        if not self.tokens:
            return TRUE
        result = self.any_of()
        if self.at < len(self.tokens):
            self.fail("有多余内容", "something is left over")
        return result

    def any_of(self) -> Condition:
        items = [self.all_of()]
        while self.peek() == "or":
            self.at += 1
            items.append(self.all_of())
        return disjunction(*items)

    def all_of(self) -> Condition:
        items = [self.factor()]
        while self.peek() == "and":
            self.at += 1
            items.append(self.factor())
        return conjunction(*items)

    def factor(self) -> Condition:
        token = self.peek()
        if token == "not":
            self.at += 1
            return negation(self.factor())
        if token == "(":
            self.at += 1
            result = self.any_of()
            self.expect(")")
            return result
        return self.atom()

    def atom(self) -> Condition:
        token = self.peek()
        if token in ("true", "false"):
            self.at += 1
            return Const(token == "true")
        if token in ("mcc", "cc"):
            self.at += 1
            return Severity(token)
        if token == "no_proc":
            self.at += 1
            return self.no_procedure()
        if token in ("length", "count"):
            return self.count()
        if token == "dept":
            return self.department()
        if token == "discharge":
            return self.discharge()
        if self.kind() == "number":
            return self.chain()
        if token in NUMBERS or token in _WORKBOOK_NUMBERS:
            return self.comparison()
        return self.membership()

    def number(self) -> int:
        if self.kind() != "number":
            self.fail("应为整数", "expected a whole number")
        return int(self.take())

    def number_field(self) -> str:
        token = self.peek()
        field = _WORKBOOK_NUMBERS.get(token, token)
        if field not in NUMBERS:
            self.fail("应为数值变量", "expected a number variable")
        self.at += 1
        return field

    def operator(self) -> str:
        if self.kind() != "op":
            self.fail("应为比较符", "expected a comparison")
        return {"==": "="}.get(token := self.take(), token)

    def comparison(self) -> Condition:
        field = self.number_field()
        return _compare(field, self.operator(), self.number())

    def chain(self) -> Condition:
        """``29 <= XSRTL < 366``."""
        low = self.number()
        first = self.operator()
        field = self.number_field()
        left = _compare(field, _FLIP.get(first, first), low)
        if self.kind() != "op":
            return left
        return conjunction(left, _compare(field, self.operator(), self.number()))

    def no_procedure(self) -> Condition:
        if self.peek() != "in":
            return NoProcedure()
        self.at += 1
        return negation(In("any_proc", self.list_name()))

    def subject(self) -> str:
        if self.peek() == "{":
            self.at += 1
            names = {self.subject()}
            while self.peek() == ",":
                self.at += 1
                names.add(self.subject())
            self.expect("}")
            union = names.pop() if len(names) == 1 else _UNION.get(frozenset(names))
            return union or self.fail("诊断与手术不能合并", "diagnoses and procedures cannot be joined")
        token = self.peek()
        subject = _WORKBOOK_SUBJECTS.get(token, token)
        if subject not in SUBJECTS:
            self.fail("应为变量或条件", "expected a variable or a condition")
        self.at += 1
        return subject

    def list_name(self) -> str:
        if self.kind() != "name":
            self.fail("应为编码集合名", "expected the name of a code list")
        return self.take()

    def list_names(self) -> list[str]:
        if self.peek() != "{":
            return [self.list_name()]
        self.at += 1
        names = [self.list_name()]
        while self.peek() == ",":
            self.at += 1
            names.append(self.list_name())
        self.expect("}")
        return names

    def membership(self) -> Condition:
        subject = self.subject()
        negative = self.peek() == "not"
        if negative:
            self.at += 1
        self.expect("in")
        result = disjunction(*(_member(subject, name) for name in self.list_names()))
        return negation(result) if negative else result

    def count(self) -> Condition:
        """``length(SET ∩ {ZYSS, QTSS}) >= n`` and ``count(any_proc in SET) >= n``."""
        word = self.take().lower()
        self.expect("(")
        if word == "count":
            subject = self.subject()
            self.expect("in")
            name = self.list_name()
        elif self.peek() == "{" or self.peek() in _WORKBOOK_SUBJECTS:
            subject = self.subject()
            self.expect("∩")
            name = self.list_name()
        else:
            name = self.list_name()
            self.expect("∩")
            subject = self.subject()
        self.expect(")")
        return Count(subject, name, self.operator(), self.number())

    def department(self) -> Condition:
        self.take()
        if self.operator() != "=":
            self.fail("科室只能用等号", "a department can only be compared with =")
        if self.kind() != "text":
            self.fail("应为带引号的文本", "expected a text in quotes")
        return Department(self.take()[1:-1])

    def discharge(self) -> Condition:
        self.take()
        self.expect("in")
        self.expect("(")
        ways = [self.number()]
        while self.peek() == ",":
            self.at += 1
            ways.append(self.number())
        self.expect(")")
        return Discharge(tuple(ways))


def _compare(field: str, op: str, value: int) -> Condition:
    return negation(Compare(field, "=", value)) if op == "!=" else Compare(field, op, value)


def _member(subject: str, name: str) -> Condition:
    """``QTZD in MCC`` is a severity test, with exclusions; every other name is a list."""
    if subject == "other_dx" and name.lower() in ("mcc", "cc"):
        return Severity(name.lower())
    return In(subject, name)


# --- printers -------------------------------------------------------------------------------


def to_text(condition: Condition) -> str:
    """The condition in the plain notation; ``parse`` gives the same tree back."""
    return _print(condition, _plain_atom, 0)


def to_workbook(condition: Condition) -> str:
    """The condition in the notation of the official 3.0 workbook, as far as that can say it.

    Stay, ICU hours, department, discharge way and injured sites, which the official
    notation lacks, stay in the plain notation; ``parse`` reads the mixture.
    """
    return "" if condition == TRUE else _print(condition, _workbook_atom, 0)


def _print(condition: Condition, atom, level: int) -> str:
    """``level`` 1 inside an "and", 2 inside a "not": where parentheses are needed."""
    if isinstance(condition, Or):
        text = " or ".join(_print(item, atom, 0) for item in condition.items)
        return f"({text})" if level else text
    if isinstance(condition, And):
        text = " and ".join(_print(item, atom, 1) for item in condition.items)
        return f"({text})" if level > 1 else text
    if isinstance(condition, Not):
        return atom(condition.item, True) or f"not {_print(condition.item, atom, 2)}"
    return atom(condition, False)


def _plain_atom(condition: Condition, negative: bool) -> str:
    """The atom as text; an empty text when it has no negative form of its own."""
    if isinstance(condition, In):
        if negative and condition.subject == "any_proc":
            return f"no_proc in {condition.list}"
        return f"{condition.subject} {'not in' if negative else 'in'} {condition.list}"
    if negative:
        return ""
    match condition:
        case Const(value):
            return "true" if value else "false"
        case Count(subject, name, op, value):
            return f"count({subject} in {name}) {op} {value}"
        case NoProcedure():
            return "no_proc"
        case Severity(level):
            return level
        case Compare(field, op, value):
            return f"{field} {op} {value}"
        case Department(text):
            return f"dept = '{text}'"
        case Discharge(ways):
            return f"discharge in ({','.join(map(str, ways))})"
    raise TypeError(condition)


_TO_WORKBOOK = {
    "principal_dx": "ZYZD",
    "other_dx": "QTZD",
    "any_dx": "{ZYZD, QTZD}",
    "principal_proc": "ZYSS",
    "other_proc": "QTSS",
    "any_proc": "{ZYSS, QTSS}",
    "age": "NL",
    "age_days": "XSRTL",
    "weight": "XSRTZ",
    "sex": "XB",
}


def _workbook_atom(condition: Condition, negative: bool) -> str:
    match condition:
        case In(subject, name):
            return f"{_TO_WORKBOOK[subject]} {'not in' if negative else 'in'} {name}"
        case _ if negative:
            return ""
        case Severity(level):
            return f"QTZD in {level.upper()}"
        case Count(subject, name, op, value):
            return f"length({name} ∩ {_TO_WORKBOOK[subject]}) {op} {value}"
        case Compare(field, op, value) if field in _TO_WORKBOOK:
            return f"{_TO_WORKBOOK[field]} {op} {value}"
    return _plain_atom(condition, negative)
