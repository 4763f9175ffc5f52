"""No module outside grouping asks which family a scheme is of, in whatever form it may be asked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import grouper
from grouper.grouping.dip import family as dip
from grouper.grouping.drg import family as drg
from grouper.grouping.family import FAMILIES

ROOT = Path(grouper.__file__).parent
COLUMNS = {name for each in (drg, dip) for name in (each.GROUP, each.GROUP_NAME)}

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
    """The kinds and the columns of groups of the two families that a module has as whole strings."""
    constants = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
    return [str(value) for value in constants if value in {*FAMILIES, *COLUMNS}]


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
    ],
)
def test_a_question_is_found(question: str) -> None:
    assert words(question)


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
