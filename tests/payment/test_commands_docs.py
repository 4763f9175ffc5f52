"""docs/payment.md says what the registry says, and what it shows works."""

from __future__ import annotations

import re
from pathlib import Path

from grouper.payment.docs.parameter_tables import fill, section_of, sections_of
from grouper.payment.policy.policy import load_policy
from grouper.payment.policy.registry import PARAMETERS

from .pay_support import grouper, write_cases

PAGE = Path(__file__).parent.parent.parent / "docs" / "payment.md"


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_registry() -> None:
    assert fill(page()) == page(), "run: python -m grouper.payment.docs.parameter_tables docs/payment.md"


def test_every_parameter_has_its_section() -> None:
    assert {section_of(name) for name in PARAMETERS} <= sections_of(page())
    for name in PARAMETERS:
        assert page().count(f"| `{name}` |") == 1, name


def test_the_policy_on_the_page_loads(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", page(), re.DOTALL)
    path = tmp_path / "my-city.toml"
    path.write_text(text, encoding="utf-8")
    policy = load_policy(path)
    assert policy.parameters["base_rate"].on(policy.valid_to).value["resident"] == 9900
    code, out, err = grouper("policy", "verify", path, lang="en")
    assert code == 0, out + err


def test_the_program_on_the_page_runs(tmp_path: Path, monkeypatch, capsys) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", page(), re.DOTALL)
    (tmp_path / "policy.toml").write_text("", encoding="utf-8")
    write_cases(tmp_path)
    (tmp_path / "grouped.parquet").rename(tmp_path / "june-grouped.parquet")
    monkeypatch.chdir(tmp_path)
    from .pay_support import write_policy

    exec(program.replace("national/drg-rate", str(write_policy(tmp_path))), {})  # the page's own text
    assert "'paid': 5" in capsys.readouterr().out
