"""``grouper policy``: what it lists and shows, and what its verification finds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from grouper.base.errors import TableError, UsageError
from grouper.base.findings import Finding
from grouper.payment.check.verify import sharing_faults, verify, verify_policy
from grouper.payment.policy import words
from grouper.payment.policy.describe import as_dict, listing, registry_rows, show
from grouper.payment.policy.diff import diff
from grouper.payment.policy.parameters import Segment
from grouper.payment.policy.policy import ROUTE_METHODS, find_policy, load_policy, policy_files
from grouper.payment.policy.registry import DENOMINATORS, HIGH, LOW, LOW_EXEMPT, PARAMETERS
from grouper.payment.price import formulas
from grouper.payment.price.inputs import INPUTS
from grouper.payment.price.outliers import EXEMPT

from .pay_support import DIP, POLICY, WEIGHTS, grouper, write_policy


def kinds(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.kind: finding for finding in findings}


def changed(tmp_path: Path, *pairs: tuple[str, str], text: str = POLICY) -> list[Finding]:
    """The findings on a policy with some of its text replaced."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return verify([str(write_policy(tmp_path, text))])


def test_list_counts_every_value(tmp_path: Path) -> None:
    code, out, _ = grouper("policy", "list", "--json")
    rows = {row["id"]: row for row in json.loads(out)}
    assert code == 0 and len(rows) == len(policy_files())
    row = rows["national/drg-rate"]
    assert row["method"] == "drg_rate" and row["scheme"] == "chs-drg-2.0" and row["unverified"] > 10
    code, out, _ = grouper("policy", "list", lang="en")
    assert code == 0 and len(out.splitlines()) == len(rows) + 1 and "unverified" in out.splitlines()[0]
    assert {row["id"] for row in listing()} == set(rows)


@pytest.mark.parametrize(("day", "edition"), [("2023-12-31", "2022"), ("2024-01-01", "2024")])
def test_an_area_and_a_day_choose_the_edition(day: str, edition: str) -> None:
    code, out, _ = grouper("policy", "show", "yulin", "--as-of", day, "--json")
    shown = json.loads(out)
    assert code == 0 and shown["id"] == f"yulin/{edition}" and shown["scheme"] == f"guangxi-{edition}"
    code, out, _ = grouper("policy", "list", "yulin", "--as-of", day, "--json")
    assert code == 0 and [row["id"] for row in json.loads(out)] == [f"yulin/{edition}"]


@pytest.mark.parametrize("day", [(), ("--as-of", "2021-12-31")])
def test_an_area_with_several_editions_is_refused_with_their_days(day: tuple[str, ...]) -> None:
    code, out, err = grouper("policy", "show", "yulin", *day, lang="en")
    assert (code, out) == (1, "") and "--as-of" in err
    assert "yulin/2022 (2022-01-01 – 2023-12-31), yulin/2024 (2024-01-01 – " in err


def test_notes_in_both_languages_are_shown_in_that_of_the_call() -> None:
    policy = find_policy("baise/2024")
    chinese, english = policy.notes[-2:]
    for lang, own, other in (("zh", chinese, english), ("en", english, chinese)):
        text = "\n".join(show(policy, lang))
        assert own in text and other not in text
    odd = replace(policy, notes=("只有中文。", *policy.notes))
    assert all(note in "\n".join(show(odd, "en")) for note in odd.notes)  # not in pairs: none is left out


def test_list_of_an_area() -> None:
    assert [row["id"] for row in listing("yulin")] == ["yulin/2022", "yulin/2024"]
    assert listing("yulin", date(2021, 12, 31)) == []
    everywhere = {row["id"] for row in listing(None, date(2024, 6, 1))}
    assert "yulin/2024" in everywhere and "yulin/2022" not in everywhere
    with pytest.raises(UsageError, match="atlantis"):
        listing("atlantis")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_show_has_every_parameter_with_its_clause(tmp_path: Path, lang: str) -> None:
    policy = load_policy(write_policy(tmp_path))
    text = "\n".join(show(policy, lang))
    for name in policy.parameters:
        assert f"  {name}  " in text
    assert ("费率通知, 第二条  (未核实)" if lang == "zh" else "费率通知, 第二条  (not verified)") in text
    assert ("条件  住院天数 > 60" if lang == "zh" else "when  days of stay > 60") in text
    assert "2025-01-01 – 2025-06-30  10000" in text and "2025-07-01 – 2025-12-31  11000" in text
    assert ("职工 [employee]  310" if lang == "zh" else "employees [employee]  310") in text


def test_show_of_a_day_has_the_values_of_that_day(tmp_path: Path) -> None:
    path = write_policy(tmp_path)
    code, out, _ = grouper("policy", "show", path, "--as-of", "2025-07-01", "--json")
    rate = json.loads(out)["parameters"]["base_rate"]
    assert code == 0 and [v["value"] for v in rate["values"]] == ["11000"]
    code, _, err = grouper("policy", "show", path, "--as-of", "2026-01-01", lang="en")
    assert code == 1 and "--as-of" in err and "policy.toml" in err
    code, _, err = grouper("policy", "show", lang="en")
    assert code == 1 and "--parameters" in err


def test_show_parameters_is_the_registry() -> None:
    code, out, _ = grouper("policy", "show", "--parameters", "--json")
    assert code == 0 and json.loads(out) == registry_rows()
    code, out, _ = grouper("policy", "show", "--parameters", lang="en")
    assert [line.split("  ")[0] for line in out.splitlines()] == list(PARAMETERS)


def test_every_shipped_policy_can_be_shown_as_data() -> None:
    for path in policy_files().values():
        policy = load_policy(path)
        json.dumps(as_dict(policy, policy.valid_from))
        assert list(show(policy, "zh"))


def test_words_are_there_for_every_choice() -> None:
    assert set(formulas.DENOMINATORS) == set(DENOMINATORS)
    assert set(formulas.HIGH) == set(HIGH) and set(formulas.LOW) == set(LOW)
    assert set(EXEMPT) == set(LOW_EXEMPT) == set(PARAMETERS["low_exempt"].choices)
    assert set(INPUTS) <= set(words.COLUMNS) and set(ROUTE_METHODS) <= set(words.METHODS)
    assert {spec.unit for spec in PARAMETERS.values() if spec.unit} <= set(words.UNITS)


def test_an_exemption_that_nobody_knows_is_named(tmp_path: Path) -> None:
    low = 'low_exempt = { value = ["death", "deaths"], source = "s", verified = false }'
    text = POLICY.replace("[parameters]", f"[parameters]\n{low}", 1)
    with pytest.raises(TableError, match=r"low_exempt.*unknown word 'deaths'; there are day_surgery, death"):
        load_policy(write_policy(tmp_path, text))


def test_diff_names_what_changed(tmp_path: Path) -> None:
    old = load_policy(write_policy(tmp_path))
    text = POLICY.replace('"3" = "1.05", "2" = "1"', '"3" = "1.1", "1" = "0.9"').replace(
        "above = 60", "above = 90"
    )
    text = text.replace('resident = ["390"]\n', "").replace("low_threshold = {", "extreme_threshold = {")
    new = load_policy(write_policy(tmp_path, text, "new.toml"))
    found = {(c.part, c.name, c.key): (c.before, c.after) for c in diff(old, new)}
    assert found == {
        ("pool", "resident", ""): ("390", None),
        ("route", "long_stay", ""): ("by_item: 住院天数 > 60", "by_item: 住院天数 > 90"),
        ("parameter", "level_coefficient", "3"): ("1.05", "1.1"),
        ("parameter", "level_coefficient", "2"): ("1", None),
        ("parameter", "level_coefficient", "1"): (None, "0.9"),
        ("parameter", "low_threshold", ""): ("0.3", None),
        ("parameter", "extreme_threshold", ""): (None, "0.3"),
    }
    assert diff(old, old) == []


def test_diff_by_date_compares_a_policy_with_itself(tmp_path: Path) -> None:
    path = write_policy(tmp_path)
    days = ["--as-of", "2025-06-30", "--as-of-b", "2025-07-01"]
    code, out, err = grouper("policy", "diff", path, path, *days, lang="en")
    assert (code, out) == (0, "base rate [base_rate]: 10000 → 11000\n"), err
    policy = load_policy(path)
    assert diff(policy, policy, date(2025, 1, 1), date(2025, 6, 30)) == []
    code, out, _ = grouper("policy", "diff", path, path)
    assert (code, out) == (0, "没有差别\n")


def test_verify_of_a_sound_policy(tmp_path: Path) -> None:
    found = changed(tmp_path)
    assert [f.severity for f in found if f.severity == "error"] == []
    unweighted = kinds(found)["unweighted"]
    assert "GE19" not in unweighted.details and len(unweighted.details) > 500
    assert "not-monotonic" not in kinds(found)
    code, out, err = grouper("policy", "verify", tmp_path / "policy.toml")
    assert code == 0 and "没有权重" in out and "错误 0" in err


def test_verify_gives_its_exit_code(tmp_path: Path) -> None:
    path = write_policy(tmp_path, POLICY.replace("chs-drg-2.0", "atlantis"))
    code, out, err = grouper("policy", "verify", path, lang="en")
    assert code == 1 and "error: test/rate scheme" in out and "error 1" in err
    code, out, _ = grouper("policy", "verify", path, "--json")
    assert code == 1 and {f["kind"] for f in json.loads(out) if f["severity"] == "error"} == {"scheme"}


QUOTA = '[parameters.quota]\nby = ["route"]\nvalue = { nowhere = "1" }\nsource = "s"\nverified = true\n'
KIND = '[parameters.quota_kind]\nvalue = "cap"\nsource = "s"\nverified = true\n'
RATIO = 'policy_ratio = { value = "0.8", source = "s", verified = true }\n'
HIGH_AT, LOW_AT = "[parameters.high", "low_threshold = {"


@pytest.mark.parametrize(
    ("kind", "severity", "pairs"),
    [
        ("unreadable", "error", [(LOW_AT, "low_treshold = {")]),
        ("unreadable", "error", [("from = 2025-07-01", "from = 2025-06-01")]),
        ("steps", "error", [("fund_floor = {", "reserve_rate = {"), ('value = "zero"', 'value = "0.05"')]),
        ("steps", "error", [("to = 2025-06-30", "to = 2025-06-29")]),
        ("no-value", "error", [("to = 2025-06-30", "to = 2025-06-29")]),
        ("stray-route", "warning", [(HIGH_AT, QUOTA + HIGH_AT)]),
        ("no-standard", "error", [('"by_item"', '"quota"'), (HIGH_AT, QUOTA + KIND + HIGH_AT)]),
        ("unread", "info", [(LOW_AT, RATIO + LOW_AT)]),
        ("no-scheme", "warning", [('scheme = "chs-drg-2.0"\n', "")]),
    ],
)
def test_verify_finds(tmp_path: Path, kind: str, severity: str, pairs: list[tuple[str, str]]) -> None:
    found = kinds(changed(tmp_path, *pairs))
    assert found[kind].severity == severity
    assert found[kind].zh and found[kind].en


@pytest.mark.slow
def test_verify_of_the_benefit_rules(tmp_path: Path) -> None:
    """A ratio is a share, limits are not below 0; without the rule nothing reads them."""
    parameters = 'policy_ratio = { value = "RATIO", source = "s", verified = true }\n' + "".join(
        f'{name} = {{ by = ["pool"], value = {{ employee = "AMOUNT", resident = "0" }}, source = "s", '
        "verified = true }\n"
        for name in ("item_deductible", "item_cap", "item_annual_cap")
    )
    rule = 'item_rule = { value = "benefit", source = "s", verified = true }\n'

    def found(text: str, ratio: str, amount: str) -> list[Finding]:
        text = text.replace("RATIO", ratio).replace("AMOUNT", amount)
        return changed(tmp_path, (LOW_AT, text + LOW_AT))

    def places(findings: list[Finding], kind: str) -> list[str]:
        return [f.place for f in findings if f.kind == kind]

    limits = ["item_deductible", "item_cap", "item_annual_cap"]
    sound = found(rule + parameters, "1", "0.01")
    assert places(sound, "benefit") == places(sound, "unread") == []
    assert places(found(rule + parameters, "1.01", "0"), "benefit") == ["policy_ratio"]
    wrong = [f for f in found(rule + parameters, "-0.1", "-0.01") if f.kind == "benefit"]
    assert [f.place for f in wrong] == ["policy_ratio", *limits] and {f.severity for f in wrong} == {"error"}
    assert "-0.01 is below 0" in wrong[1].en and "-0.01 小于 0" in wrong[1].zh
    for text in (parameters, rule.replace("benefit", "recorded") + parameters):
        assert places(found(text, "0.8", "1"), "unread") == ["policy_ratio", *limits]
    assert "policy_ratio" in "".join(f.en for f in found(rule, "", "") if f.severity == "error")


def test_verify_holds_weights_against_the_scheme(tmp_path: Path) -> None:
    path = write_policy(tmp_path)
    (tmp_path / "weights.csv").write_text(WEIGHTS + "GX99,无,1.00,,,\n", encoding="utf-8")
    found = kinds(verify([str(path)]))["stray-weight"]
    assert (found.severity, found.details) == ("warning", ("GX99",))
    (tmp_path / "weights.csv").write_text(WEIGHTS.split("\n")[0] + "\nGX99,无,1.00,,,\n", encoding="utf-8")
    assert kinds(verify([str(path)]))["stray-weight"].severity == "error"  # another scheme's table


def test_verify_misses_no_pool_without_a_rate(tmp_path: Path) -> None:
    text = POLICY.split("[parameters.base_rate]")[0] + (
        '[parameters.base_rate]\nby = ["pool"]\nvalue = { employee = "1" }\nsource = "s"\nverified = true\n'
        "[parameters.level_coefficient]" + POLICY.split("[parameters.level_coefficient]")[1]
    )
    found = [f for f in changed(tmp_path, text=text) if f.kind == "no-value"]
    assert [(f.severity, f.place) for f in found] == [("error", "base_rate")] and "resident" in found[0].en


@pytest.mark.slow
def test_verify_reports_payment_that_falls_as_cost_rises(tmp_path: Path) -> None:
    """Above five times as a normal case: 1,000 points × (3 + 1.08) × 9.5 falls to the standard."""
    policy = load_policy(write_policy(tmp_path, DIP))
    (fall,) = [f for f in verify_policy(policy) if f.kind == "not-monotonic"]
    assert fall.severity == "warning"
    for number in ("51300.00", "38760", "51300.01", "10260"):
        assert number in fall.en and number in fall.zh
    reformed = policy.changed({"extreme_rule": "high"})
    assert [f for f in verify_policy(reformed) if f.kind == "not-monotonic"] == []


def test_verify_tries_every_band(tmp_path: Path) -> None:
    """A limit by weight: a group of each band is tried, and both fall where the excess is not paid."""
    bands = 'by = ["weight"]\nvalue = [{ up_to = "1", value = "3" }, { value = "2" }]'
    text = POLICY.replace('by = ["level"]\nvalue = { "3" = "3", "2" = "2.5" }', bands)
    text = text.replace('"excess_over_standard"', '"share_of_cost"') + (
        '[parameters.high_discount]\nvalue = "0.25"\nsource = "s"\nverified = true\n'
    )
    found = [f for f in changed(tmp_path, text=text) if f.kind == "not-monotonic"]
    assert {f.place.split(", ")[2] for f in found} == {"ES33", "GE19"}
    assert {f.place.split(", ")[1] for f in found} == {"level 2", "level 3"}


def segments(*triples: tuple[str, str, str]) -> list[Segment]:
    return [Segment(*map(Decimal, triple)) for triple in triples]


def test_sharing_segments() -> None:
    sound = segments(("0", "1", "0"), ("1", "1", "0.5"), ("1.1", "1.05", "0"))
    assert list(sharing_faults(sound)) == []
    assert [f[0] for f in sharing_faults(segments(("0.5", "1", "0")))] == ["error"]
    assert [f[0] for f in sharing_faults(segments(("0", "1", "0"), ("0", "1", "0")))] == ["error"]
    ((severity, _, _, _, text),) = sharing_faults(segments(("0", "1", "0"), ("1", "1.2", "0")))
    assert severity == "warning" and "from 1 to 1.2 at 1" in text
    assert [f[0] for f in sharing_faults(segments(("0", "0", "1.5")))] == ["warning"]


def test_names_that_are_not_there() -> None:
    (found,) = verify(["atlantis"])
    assert (found.severity, found.kind) == ("error", "unreadable") and "grouper policy list" in found.en
    assert find_policy("national/drg-rate").id == "national/drg-rate"


@pytest.mark.slow
def test_the_national_policies_are_sound() -> None:
    assert [f.en for f in verify(["national"]) if f.severity == "error"] == []
