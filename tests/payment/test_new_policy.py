"""``grouper policy new``: a policy file of an area's own, which says of every line where it comes from."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from grouper.base.errors import UsageError
from grouper.base.paths import tables_dir
from grouper.payment.check.new_policy import new_policy
from grouper.payment.check.verify import verify
from grouper.payment.policy.policy import SCORED, find_policy, load_policy, policy_files
from grouper.payment.policy.registry import PARAMETERS

from .pay_support import WEIGHTS, grouper, write_cases, write_policy

RATE = "national/drg-rate-3.0"


WITH_SCHEME = sorted(name for name, path in policy_files().items() if load_policy(path).scheme)


@pytest.mark.parametrize("name", WITH_SCHEME)
def test_a_file_made_from_a_policy_says_the_same_and_nothing_of_it_is_verified(
    name: str, tmp_path: Path
) -> None:
    """Pools, routes and the values of its first day; comments do not disturb the reading."""
    source = load_policy(policy_files()[name])
    output = tmp_path / "own.toml"
    made = new_policy("own", source, source.scheme, None, output)
    output.write_text(made.text, encoding="utf-8")
    own = load_policy(output)
    assert (own.pools, own.method, own.scheme, own.area) == (
        source.pools,
        source.method,
        source.scheme,
        "own",
    )
    assert [(r.name, r.method, r.when, r.reference_group) for r in own.routes] == [
        (r.name, r.method, r.when, r.reference_group) for r in source.routes
    ]
    assert (own.weights and own.weights.path) == (source.weights and source.weights.path)
    day = own.valid_from
    there = {key: p.on(day) for key, p in source.parameters.items() if p.on(day)}
    assert {key: p.on(day).value for key, p in own.parameters.items()} == {
        k: d.value for k, d in there.items()
    }
    assert {key: p.by for key, p in own.parameters.items()} == {k: source.parameters[k].by for k in there}
    assert {key: p.on(day).clauses for key, p in own.parameters.items()} == {
        k: d.clauses for k, d in there.items()
    }
    assert not any(d.verified for p in own.parameters.values() for d in p.values)
    assert not any(route.verified for route in own.routes) and not own.validity_verified


def test_every_parameter_of_the_method_is_in_the_file_with_its_unit_and_meaning(tmp_path: Path) -> None:
    text = new_policy("own", find_policy(RATE), "chs-drg-3.0", None, tmp_path / "p.toml").text
    assert (
        "# base_rate：基础费率，单位：" in text
        and "# p26 《按病种付费医疗保障经办管理规程（2025版）》" in text
    )
    for name, spec in PARAMETERS.items():
        other = name in (
            "points_scale",
            "point_value",
            "blank_packet_factor",
            "points_digits",
            "primary_care_by",
        )  # of points, DIP
        assert (
            (f"# {name}：{spec.zh}" in text)
            or other
            or name.startswith(("point_value", "auxiliary", "per_diem_in"))
        )
    given = set(tomllib.loads(text)["parameters"])
    unset = {name for name in PARAMETERS if f"#[parameters.{name}]" in text}
    assert not given & unset and {"readmission_days", "tcm_coefficient"} <= unset and "base_rate" in given


def test_an_old_policy_is_taken_to_the_new_edition_with_weights_of_ones_own(tmp_path: Path) -> None:
    """Lishui's rules of 2022 under chs-drg-3.0: valid where the scheme begins, last values, own weights."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "w.csv").write_text(WEIGHTS, encoding="utf-8")
    code, _, err = grouper(
        "policy", "new", "lishui", "--from", "lishui/2022", "--scheme", "chs-drg-3.0",
        "--weights", "tables/w.csv", "-o", "own.toml", cwd=tmp_path,
    )  # fmt: skip
    assert code == 0 and "未核实" in err, err
    own = load_policy(tmp_path / "own.toml")
    assert own.id == "lishui/2027" and str(own.valid_from) == "2027-01-01"
    assert own.weights is not None and own.weights.path.resolve() == (tmp_path / "tables" / "w.csv").resolve()
    last = find_policy("lishui/2022").parameters["mean_cost"].values[-1]
    assert own.parameters["mean_cost"].values[0].value == last.value
    code, out, err = grouper("policy", "verify", "--all", "own.toml", cwd=tmp_path)
    assert code == 0 and "个参数未核实" in out and "错误 0" in err
    code, _, err = grouper(
        "policy", "new", "lishui", "--from", "lishui/2022", "--scheme", "chs-drg-3.0",
        "--weights", "tables/w.csv", "-o", "own.toml", cwd=tmp_path,
    )  # fmt: skip
    assert code == 1 and "--force" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "scheme", "weights", "told"),
    [
        ("national/dip-3.0", "dip-3.0", None, ["5,125 of 5,125 packets of dip-3.0 have no score"]),
        ("national/drg-rate-3.0", "chs-drg-3.0", "chs-drg-2.0", [
            "rows of the table chs-drg-2.0 are no groups of chs-drg-3.0",
            "groups of chs-drg-3.0 have no weight",
        ]),
        ("taian/2025", "dip-taian-2025", None, []),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_scheme_is_said_at_once_and_by_verify(
    source: str, scheme: str, weights: str | None, told: list[str], tmp_path: Path
) -> None:
    table = ["--weights", str(tables_dir() / "weights" / f"{weights}.csv")] if weights else []
    code, _, err = grouper(
        "policy", "new", "own", "--from", source, "--scheme", scheme, *table, "-o", "own.toml",
        "--lang", "en", cwd=tmp_path,
    )  # fmt: skip
    assert code == 0 and ("warning" in err) == bool(told), err
    code, out, _ = grouper("policy", "verify", "own.toml", "--lang", "en", cwd=tmp_path)
    assert code == 0
    for words in told:
        assert words in err and words in out


def test_pay_takes_the_file_as_it_stands(tmp_path: Path) -> None:
    source = load_policy(write_policy(tmp_path))
    output = tmp_path / "own.toml"
    output.write_text(new_policy("own", source, source.scheme, None, output).text, encoding="utf-8")
    write_cases(tmp_path)
    paid = {}
    for name in ("policy.toml", "own.toml"):
        call = ["pay", "grouped.parquet", "--policy", name, "--as-of", "2025-03-01", "-o", "o.parquet"]
        code, _, err = grouper(*call, cwd=tmp_path)
        assert code == 0, err
        paid[name] = pq.read_table(tmp_path / "o.parquet", columns=["amount"])["amount"].to_pylist()
    assert paid["own.toml"] == paid["policy.toml"] and Decimal("12600.00") in paid["own.toml"]


@pytest.mark.parametrize(
    ("source", "scheme", "weights", "told"),
    [
        ("lishui/2022", "chs-drg-3.0", False, "--weights"),
        ("national/dip-3.0", "dip-3.0-example", True, "catalogue build"),
        ("lishui/2022", "dip-3.0", False, "the method is not"),
        ("lishui/2022", "no-such", False, "no-such"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, source: str, scheme: str, weights: bool, told: str
) -> None:
    table = tmp_path / "w.csv"
    table.write_text(WEIGHTS, encoding="utf-8")
    with pytest.raises(UsageError, match=told):
        new_policy("own", find_policy(source), scheme, table if weights else None, tmp_path / "own.toml")


@pytest.mark.slow
def test_a_file_made_from_a_dip_policy_is_accepted(tmp_path: Path) -> None:
    output = tmp_path / "own.toml"
    made = new_policy("own", find_policy("national/dip-3.0"), "dip-3.0-example", None, output)
    output.write_text(made.text, encoding="utf-8")
    assert load_policy(output).method in SCORED
    found = verify([str(output)])
    assert [f.place for f in found if f.severity != "info"] == ["scheme"], (
        "packets that the city did not have"
    )
