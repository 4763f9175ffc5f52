"""docs/payment.md and its Chinese page say what the registry says, and what they show works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grouper.payment.docs.parameter_tables import fill, section_of, sections_of
from grouper.payment.policy.policy import load_policy
from grouper.payment.policy.registry import PARAMETERS

from .pay_support import grouper, write_cases

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = ("payment.md", "zh/payment.md")


def page(name: str = "payment.md") -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_are_those_of_the_registry(name: str) -> None:
    made = fill(page(name))
    assert made == page(name), f"run: python -m grouper.payment.docs.parameter_tables docs/{name}"


@pytest.mark.parametrize("name", PAGES)
def test_every_parameter_has_its_section(name: str) -> None:
    assert {section_of(each) for each in PARAMETERS} <= sections_of(page(name))
    for each in PARAMETERS:
        assert page(name).count(f"| `{each}` |") == 1, each


def test_the_chinese_page_has_no_english_table() -> None:
    assert "<!-- table:" not in page("zh/payment.md")
    assert "<!-- table zh:" not in page("payment.md")
    rows = [line for line in page("zh/payment.md").splitlines() if line.startswith("| `")]
    told = re.sub(r"`[^`]*`|DRG|DIP|QY|CMI|F[123]|min|\b[SBkCDMd]\b", "", "\n".join(rows))
    words = {"pool", "hospital", "tcm", "points", "day", "surgery", "death", "transfer"}
    words |= {"kind", "mark", "primary", "care"}  # of a policy file
    assert set(re.findall(r"[A-Za-z]+", told)) <= words


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_on_the_page_loads(tmp_path: Path, name: str) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", page(name), re.DOTALL)
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
