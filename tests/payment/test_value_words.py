"""What a policy chooses is said in words wherever officers read it: no programmer's word in Chinese."""

from __future__ import annotations

import re

import pytest

from grouper.payment.policy.describe import value_text
from grouper.payment.policy.policy import load_policy, policy_files
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.policy.value_words import CHOICES, choice, clauses_told, value_told
from grouper.payment.policy.words import RECORD_WORDS, in_words

_ENGLISH = re.compile(r"[a-z]{3,}")


@pytest.mark.parametrize("name", sorted(name for name, spec in PARAMETERS.items() if spec.choices))
def test_every_choice_of_a_parameter_has_its_words(name: str) -> None:
    for word in PARAMETERS[name].choices:
        assert word in CHOICES
        assert not _ENGLISH.search(choice(word, "zh")) and choice(word, "zh") != word


@pytest.mark.parametrize(
    ("name", "stored", "said"),
    [
        ("prepay_base", "due", "本期应付"),
        ("coefficient_rule", "group_hospital", "按病组和医院"),
        ("low_exempt", "day_surgery, death", "日间手术，死亡"),
        ("high_inclusive", "yes", "是"),
        ("high_inclusive", "false", "否"),
        ("assessment_rule", "of_full", "得分除以满额返还分"),
        ("outside_points", "inside", "从同一池预算支出"),
        ("high_threshold", "≤ 1: 3, above: 1.5", "≤ 1：3，其余：1.5"),
        ("point_value", "resident: 58.3, employee: 60.7", "居民：58.3，职工：60.7"),
        ("base_rate", "7990.2388", "7990.2388"),
        ("readmission_exempt", "C, Z51", "C，Z51"),
    ],
)
def test_a_value_as_a_ledger_keeps_it_is_told_in_words(name: str, stored: str, said: str) -> None:
    assert value_told(name, stored, "zh") == said
    assert value_told(name, stored, "en") == stored


def test_the_clauses_of_a_statement_are_told_in_words() -> None:
    stored = "guarantee_rate = 0.05 (公开办法 第九条，未核实); prepay_base = due (默认值)"
    assert clauses_told(stored, "zh") == (
        "质量保证金比例：0.05 (公开办法 第九条，未核实)；预拨依据：本期应付 (默认值)"
    )
    assert clauses_told("an unknown thing = 1 (x)", "zh") == "an unknown thing = 1 (x)"


@pytest.mark.parametrize("id_", sorted(policy_files()))
def test_conditions_and_values_of_shipped_policies_are_chinese(id_: str) -> None:
    policy = load_policy(policy_files()[id_])
    routes = {route.name: (route.zh, route.en) for route in policy.routes}
    for route in policy.routes:
        assert not _ENGLISH.search(in_words(route.test, "zh"))
    for name, parameter in policy.parameters.items():
        for dated in parameter.values:
            told = value_told(name, value_text(dated.value, "en"), "zh", routes)
            assert not _ENGLISH.search(told), (name, told)


def test_a_kind_of_hospital_is_named() -> None:
    assert RECORD_WORDS["psychiatric"][0] == "精神专科"
