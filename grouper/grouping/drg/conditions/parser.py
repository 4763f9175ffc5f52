"""One parser for both notations of conditions; its errors say where."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from grouper.base.errors import TableError
from grouper.grouping.drg.conditions.tree import (
    NUMBERS,
    SUBJECTS,
    TRUE,
    Compare,
    Condition,
    Const,
    Count,
    Department,
    Discharge,
    In,
    NoProcedure,
    Severity,
    conjunction,
    disjunction,
    negation,
)


class ConditionError(TableError):
    """A condition cannot be read; the message shows where."""


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
_DEEPEST = 64  # conditions in one another
_DIGITS = 9  # of a number
_FLIP = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


@lru_cache(maxsize=8192)  # loading and compiling a scheme both ask, and schemes share most of theirs
def parse(text: str) -> Condition:
    """The syntax tree of a condition in either notation; an empty text, and ``1``, holds always.

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
        self.depth = 0
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
        if not self.tokens or self.text.strip() == "1":  # the official ZZ1 says 1
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
        if token not in ("not", "("):
            return self.atom()
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail(f"嵌套超过 {_DEEPEST} 层", f"more than {_DEEPEST} deep in one another")
        if token == "not":
            self.at += 1
            result = negation(self.factor())
        else:
            self.at += 1
            result = self.any_of()
            self.expect(")")
        self.depth -= 1
        return result

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
        if len(self.tokens[self.at][1]) > _DIGITS:
            self.fail("数太大", "too large a number")
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
            if self.peek() == "{":
                self.fail("应为变量", "expected a variable")
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
