"""No module outside grouping asks which family a scheme is of, in whatever form it may be asked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import grouper
from grouper.grouping.dip import family as dip
from grouper.grouping.drg import family as drg
from grouper.grouping.family import FAMILIES

ROOT = Path(grouper.__file__).parent
COLUMNS = {name for each in (drg, dip) for name in (each.GROUP, each.GROUP_NAME)}
NAMED = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(COLUMNS))})(?![\w-])")
SQL = re.compile(r"\b(?:SELECT|FROM|WHERE|JOIN|GROUP BY|ORDER BY|PARTITION BY)\b")

# Where the words of a family stand for something else, or where a room deals in one family by its purpose.
WORDS = {
    "base/tables_in.py": "columns of codes in whatever table, where a number is refused",
    "commands/demo.py": "the method of payment that the demo settles by",
    "payment/check/new_policy.py": "the method of points by packets",
    "coefficients": "auxiliary coefficients are of packets: their tables and results name them",
    "fitting": "weights are fitted for DRGs, catalogues for packets",
    "indices/parameters.py": "the folder of the shipped parameters",
    "payment/policy/policy.py": "the method of points by packets",
    "payment/policy/words.py": "the method of points by packets",
    "payment/price/adjustments.py": "the method of points by packets",
    "payment/price/standards.py": "the method of points by packets",
    "payment/price/lookups.py": "the column of groups in tables of weights",
    "checks/weights.py": "the column of groups in tables of weights",
    "compare/rows.py": "the column of groups that fitting asks for",
    "web/browse_page.py": "the parts of a scheme, as `tables show` names them",
    "commands/sql.py": "the functions in SQL, in the command's help",
    "report/numbers.py": "the method of points by packets",
    "report/scheme_changes.py": "a page of what two DRG schemes have changed; a family says whether it fits",
}
IMPORTS = {
    "coefficients": "auxiliary coefficients read the facts of packets",
    "fitting": "weights are fitted for DRGs, catalogues for packets",
    "report/scheme_changes.py": "a page of what two DRG schemes have changed; a family says whether it fits",
    "synth/city/costs.py": "the city's costs follow the weights of CHS-DRG",
}


def outside() -> Iterator[tuple[str, str]]:
    """The modules outside grouping: place below the package, and text."""
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith("grouping/"):
            yield place, path.read_text(encoding="utf-8")


def words(text: str) -> list[str]:
    """The kinds and the columns of groups of the two families that a module names: as whole strings, as the
    beginning of a kind, and as columns in f-strings and in texts of SQL."""
    tree = ast.parse(text)
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))
    documented = {id(text) for text in texts if isinstance(text, ast.Constant)}
    pieces = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = []
    for node in ast.walk(tree):
        if id(node) in documented:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value in {*FAMILIES, *COLUMNS}:
                found.append(node.value)
            elif id(node) in pieces or SQL.search(node.value):
                found += NAMED.findall(node.value)
        elif asks_beginning(node):
            found.append(ast.unparse(node))
    return found


def asks_beginning(node: ast.AST) -> bool:
    """Whether a node asks if a kind begins as one of the families does."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr != "startswith" or not ast.unparse(node.func.value).endswith("kind"):
        return False
    beginnings = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return any(kind.startswith(str(beginning)) for beginning in beginnings for kind in FAMILIES)


def imports(text: str) -> list[str]:
    """What a module imports of one family, also within functions and for types."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    own = tuple(f"grouper.grouping.{kind}." for kind in FAMILIES)
    return [name for name in found if f"{name}.".startswith(own)]


def allowed(place: str, reasons: dict[str, str]) -> bool:
    return any(place == known or place.startswith(f"{known}/") for known in reasons)


def test_no_module_names_a_family_or_its_columns() -> None:
    told = [
        f"{place}: {word}" for place, text in outside() if not allowed(place, WORDS) for word in words(text)
    ]
    assert told == []


def test_no_module_imports_one_family() -> None:
    told = [
        f"{place}: {name}"
        for place, text in outside()
        if not allowed(place, IMPORTS)
        for name in imports(text)
    ]
    assert told == []


@pytest.mark.parametrize(("reasons", "asks"), [(WORDS, words), (IMPORTS, imports)])
def test_every_exception_is_still_needed(reasons: dict[str, str], asks: object) -> None:
    assert callable(asks)
    met = {place for place, text in outside() if asks(text)}
    assert [known for known in reasons if not any(allowed(place, {known: ""}) for place in met)] == []


@pytest.mark.parametrize(
    "question",
    [
        'located.kind == "dip"',
        'FAMILY = {"drg_rate": "drg"}',
        'result.get("drg") or result.get("dip_code")',
        'name = row["drg_name"]',
        'match kind:\n    case "dip":\n        pass',
        'scheme.kind.startswith("di")',
        'sql = f"SELECT {key}, drg FROM {source}"',
        'sql = "SELECT record_id, coalesce(dip_code, 0) FROM cases"',
    ],
)
def test_a_question_is_found(question: str) -> None:
    assert words(question)


@pytest.mark.parametrize("text", ['f"grouper pay --scheme chs-drg-2.0 {x}"', 'kind.startswith("words")'])
def test_what_is_no_question_is_none(text: str) -> None:
    assert not words(text)


@pytest.mark.parametrize(
    "question",
    [
        "from grouper.grouping.dip.tables.catalogue import Catalogue\nisinstance(scheme, Catalogue)",
        "from grouper.grouping import dip",
        "def load():\n    import grouper.grouping.drg.tables.store",
    ],
)
def test_an_import_of_one_family_is_found(question: str) -> None:
    assert imports(question)


def test_payment_asks_a_policy_for_its_method_and_no_scheme_for_its_kind() -> None:
    """In the two modules of pricing that compare with "dip", it is the method that is compared."""
    for place, text in outside():
        if place.startswith("payment/price/"):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Compare) and '"dip"' in (line := ast.unparse(node).replace("'", '"')):
                    assert line == 'context.policy.method == "dip"', place
