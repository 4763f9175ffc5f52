"""The relations of a run are made where they say, read where they say, and nothing else is.

What a function reads is taken from the SQL in its source: what follows FROM or JOIN, and what it hands to
the two functions that take the name of a relation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import grouper.settlement
from grouper.settlement import intake, relations
from grouper.settlement.relations import (
    FILES,
    OF_THE_LAKE,
    RELATIONS,
    Relation,
    RelationError,
    check,
    make,
)
from grouper.settlement.relations_page import fill

ROOT = Path(grouper.settlement.__file__).parent
_BY_NAME = ("columns_of", "cases_sql")


def functions() -> Iterator[tuple[str, ast.FunctionDef, dict[str, ast.expr]]]:
    """Every function and method of settlement by its dotted name, with the constants of its module."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        constants = {
            target.id: node.value
            for node in tree.body if isinstance(node, ast.Assign)
            for target in node.targets if isinstance(target, ast.Name)
        }  # fmt: skip
        for node in tree.body:
            inner = node.body if isinstance(node, ast.ClassDef) else [node]
            for each in inner:
                if isinstance(each, ast.FunctionDef):
                    name = f"{node.name}.{each.name}" if isinstance(node, ast.ClassDef) else each.name
                    yield f"{module}.{name}", each, constants


FUNCTIONS = list(functions())


def texts(node: ast.AST) -> Iterator[str]:
    """The texts of an expression or a function, f-strings whole with {} for what is put in."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from texts(child)


def sql_of(function: ast.FunctionDef, constants: dict[str, ast.expr]) -> str:
    """All texts of a function but its docstring, with those of the constants that it names."""
    doc = ast.get_docstring(function, clean=False)
    own = [text for text in texts(function) if text != doc]
    named = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} & constants.keys()
    return "\n;\n".join([*own, *(text for name in sorted(named) for text in texts(constants[name]))])


def by_name(function: ast.FunctionDef) -> set[str]:
    """What a function hands on, or takes where nobody says otherwise, by the name of a relation."""
    defaults = [*function.args.defaults, *(d for d in function.args.kw_defaults if d)]
    calls = [
        each for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BY_NAME
        for each in node.args
    ]  # fmt: skip
    return {text for node in [*defaults, *calls] if isinstance(node, ast.Constant) for text in texts(node)}


def after(words: str, sql: str) -> set[str]:
    """The names that stand after one of ``words`` in SQL."""
    return set(re.findall(rf"\b(?:{words})\s+([a-z_]+)\b(?!\()", sql))


def made_in() -> dict[str, set[str]]:
    """Constant of ``relations`` to the functions that make it."""
    found: dict[str, set[str]] = {}
    for name, function, _ in FUNCTIONS:
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in ("make", "numbered"):
                for each in node.args:
                    if isinstance(each, ast.Attribute):
                        found.setdefault(each.attr, set()).add(name)
    return found


def reads() -> dict[str, set[str]]:
    """Name in SQL to the functions that read it."""
    found: dict[str, set[str]] = {}
    for name, function, constants in FUNCTIONS:
        for each in after("FROM|JOIN", sql_of(function, constants)) | by_name(function):
            found.setdefault(each, set()).add(name)
    return found


READS, MADE = reads(), made_in()
CONSTANTS = {each: name for name, each in vars(relations).items() if isinstance(each, Relation)}


def test_every_table_and_view_of_settlement_is_made_by_the_one_function() -> None:
    made = [
        name for name, function, constants in FUNCTIONS
        if re.search(r"\bCREATE\b", sql_of(function, constants)) or "register" in calls(function)
    ]  # fmt: skip
    assert made == ["relations.make"]


def calls(function: ast.FunctionDef) -> set[str]:
    nodes = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_every_relation_stands_in_the_list_once() -> None:
    assert sorted(each.name for each in RELATIONS) == sorted(each.name for each in CONSTANTS)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda each: each.name)
def test_a_relation_is_made_by_the_functions_that_it_names_and_no_others(relation: Relation) -> None:
    assert MADE[CONSTANTS[relation]] == {*relation.makers}


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda each: each.name)
def test_a_relation_is_read_by_the_functions_that_it_names_and_no_others(relation: Relation) -> None:
    if relation is relations.ROWS_AGAIN:  # its name has a number; what reads rows is told to read it
        assert {*relation.readers} <= {*relations.ROWS.readers}
        return
    assert READS[relation.name] == {*relation.readers}


@pytest.mark.parametrize(("name", "readers"), [(name, readers) for name, _, readers in OF_THE_LAKE])
def test_what_a_month_reads_of_the_lake_is_read_where_it_says(name: str, readers: tuple[str, ...]) -> None:
    assert READS[name] == {*readers}


@pytest.mark.parametrize(("name", "makers", "readers"), [(file[0], file[2], file[3]) for file in FILES])
def test_a_file_between_rooms_is_named_where_it_says(
    name: str, makers: tuple[str, ...], readers: tuple[str, ...]
) -> None:
    naming = {function for function, node, _ in FUNCTIONS if name in texts(node)}
    assert naming == {*makers, *readers}


def test_rows_are_put_into_a_relation_only_in_the_module_that_makes_it() -> None:
    makers = {each.name: {maker.rpartition(".")[0] for maker in each.makers} for each in RELATIONS}
    elsewhere = [
        (name, each) for name, function, constants in FUNCTIONS
        for each in after("INSERT INTO|UPDATE", sql_of(function, constants))
        if name.rpartition(".")[0] not in makers[each]
    ]  # fmt: skip
    assert not elsewhere


def queries(name: str, constant: str) -> Iterator[str]:
    """The SQL that stands where a relation is made, or that puts rows into it."""
    for _, function, _ in FUNCTIONS:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and any(
                isinstance(each, ast.Attribute) and each.attr == constant for each in node.args
            ):
                yield from texts(node)
        yield from (text for text in texts(function) if text.startswith(f"INSERT INTO {name} "))


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda each: each.name)
def test_a_relation_is_made_from_what_it_names(relation: Relation) -> None:
    known = {each.name for each in RELATIONS} | {name for name, _, _ in OF_THE_LAKE}
    sql = "\n;\n".join(queries(relation.name, CONSTANTS[relation]))
    assert (after("FROM|JOIN", sql) & known) - {relation.name} <= {*relation.sources} <= known


def test_the_page_says_what_is_declared() -> None:
    page = Path(__file__).parents[2].joinpath("docs/settlement.md").read_text(encoding="utf-8")
    assert fill(page) == page, "run: python -m grouper.settlement.relations_page docs/settlement.md"
    assert all(f"| `{each.name}` |" in page for each in RELATIONS)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


PAIR = "1::BIGINT AS refund, 2::BIGINT AS original, 'a' AS partner"


def test_a_relation_is_made_as_declared_with_and_without_rows(connection: duckdb.DuckDBPyConnection) -> None:
    make(connection, relations.PAIRS)
    assert connection.sql("SELECT * FROM pairs").fetchall() == []
    make(connection, relations.PAIRS, f"SELECT {PAIR}")
    assert connection.sql("SELECT * FROM pairs").fetchall() == [(1, 2, "a")]


@pytest.mark.parametrize(
    ("query", "zh", "en"),
    [
        (f"SELECT {PAIR}, 1 AS other", "多出 other", "other is not declared"),
        ("SELECT 1::BIGINT AS refund, 'a' AS partner", "缺少 original", "original is missing"),
        (
            "SELECT 1::BIGINT AS refund, 2::DOUBLE AS original, 'a' AS partner",
            "original 的类型是 DOUBLE，应为 BIGINT",
            "original is DOUBLE, declared as BIGINT",
        ),
    ],
)
def test_a_query_of_other_columns_is_an_error_that_names_them(
    connection: duckdb.DuckDBPyConnection, query: str, zh: str, en: str
) -> None:
    with pytest.raises(RelationError) as raised:
        make(connection, relations.PAIRS, query)
    assert zh in raised.value.zh and en in raised.value.en and "pairs" in raised.value.en


def test_columns_that_not_every_month_has_may_be_missing_but_not_be_of_another_type() -> None:
    columns = {column.name: column.kind.sql for column in relations.RECORDS_NEW.columns if column.needed}
    check(relations.RECORDS_NEW, columns)
    check(relations.RECORDS_NEW, columns | {"total_cost": "DECIMAL(18,2)"})
    with pytest.raises(RelationError, match=r"total_cost is BIGINT, declared as DECIMAL\(18,2\)"):
        check(relations.RECORDS_NEW, columns | {"total_cost": "BIGINT"})


def test_every_amount_of_a_relation_is_in_yuan_to_the_fen() -> None:
    amounts = {*intake.AMOUNTS, "amount_before", "amount_after", "difference", "special_review_amount"}
    kinds = {column.kind for each in RELATIONS for column in each.columns if column.name in amounts}
    assert kinds == {relations.YUAN}
