"""A policy in words and as plain data: pools, routes, and every parameter with its clause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from grouper.base.errors import UsageError
from grouper.payment.formula.expression import plain
from grouper.payment.policy import words
from grouper.payment.policy.parameters import Band, Dated, Parameter, Segment
from grouper.payment.policy.policy import Policy, load_policy, policy_files
from grouper.payment.policy.registry import PARAMETERS
from grouper.payment.policy.value_words import choice


def listing(area: str | None = None, when: date | None = None) -> list[dict[str, Any]]:
    """The shipped policies, one row each: all, or those of an area, or those that apply on a day.

    Raises UsageError for an area of which there is none.
    """
    files = {id_: path for id_, path in policy_files().items() if area in (None, id_.split("/")[0])}
    if not files:
        raise UsageError(
            zh=f"没有地区 {area} 的政策；grouper policy list 列出全部",
            en=f"there is no policy of area {area}; grouper policy list shows all",
        )
    found = [load_policy(path) for path in files.values()]
    return [summary(p) for p in found if when is None or p.valid_from <= when <= p.valid_to]


def applying(policy: Policy, first: date, last: date) -> list[Policy]:
    """The other shipped policies of its area and method that apply on some day from ``first`` to ``last``."""
    found = [load_policy(path) for id_, path in policy_files().items() if id_.split("/")[0] == policy.area]
    return [
        p for p in found
        if p.id != policy.id and p.method == policy.method and p.valid_from <= last and p.valid_to >= first
    ]  # fmt: skip


def summary(policy: Policy) -> dict[str, Any]:
    """What a list says of a policy. ``verified`` and ``unverified`` count values of parameters."""
    marks = [dated.verified for parameter in policy.parameters.values() for dated in parameter.values]
    return {
        "id": policy.id,
        "name": policy.name,
        "name_en": policy.name_en,
        "area": policy.area,
        "method": policy.method,
        "scheme": policy.scheme,
        "weights": policy.weights.path.stem if policy.weights else None,
        "valid_from": str(policy.valid_from),
        "valid_to": str(policy.valid_to),
        "validity_verified": policy.validity_verified,
        "parameters": len(policy.parameters),
        "verified": sum(marks),
        "unverified": len(marks) - sum(marks),
    }


def as_dict(policy: Policy, when: date | None = None) -> dict[str, Any]:
    """A policy as plain data for JSON; with ``when``, only the values of that day."""
    return {
        **summary(policy),
        "files": [path.name for path in policy.files],
        "pools": {pool: list(types) for pool, types in policy.pools.items()},
        "tables": {
            name: {"name": table.path.stem, "source": table.source, "verified": table.verified}
            for name, table in (("weights", policy.weights), ("means", policy.means))
            if table
        },
        "routes": [
            {
                "name": route.name,
                "zh": route.zh,
                "en": route.en,
                "method": route.method,
                "days": {lang: route.days(lang) for lang in ("zh", "en")},
                "when": {lang: words.in_words(route.test, lang) for lang in ("zh", "en")},
                "reference_group": route.reference_group,
                "source": route.source,
                "article": route.article,
                "verified": route.verified,
            }
            for route in policy.routes
        ],
        "parameters": {
            name: {
                "unit": parameter.spec.unit,
                "by": list(parameter.by),
                "values": [_dated(dated) for dated in holding(parameter, when)],
            }
            for name, parameter in _in_order(policy)
        },
        "notes": list(policy.notes),
    }


def holding(parameter: Parameter, when: date | None) -> Sequence[Dated]:
    """All values in the order of time, or the one of a day."""
    found = parameter.on(when) if when else None
    return parameter.values if when is None else () if found is None else (found,)


def _in_order(policy: Policy) -> list[tuple[str, Parameter]]:
    """Parameters in the order of the registry."""
    return [(name, policy.parameters[name]) for name in PARAMETERS if name in policy.parameters]


def _dated(dated: Dated) -> dict[str, Any]:
    return {
        "from": str(dated.start),
        "to": str(dated.end),
        "value": plain_value(dated.value),
        "source": dated.source,
        "article": dated.article,
        "verified": dated.verified,
    }


def plain_value(value: Any) -> Any:
    """A value for JSON; numbers as decimal texts, as in the policy file."""
    if isinstance(value, Mapping):
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, Band):
        end = {} if value.up_to is None else {"up_to": plain(value.up_to)}
        return {**end, "value": plain(value.value)}
    if isinstance(value, Segment):
        return {"start": plain(value.start), "base": plain(value.base), "slope": plain(value.slope)}
    if isinstance(value, tuple):
        return [plain_value(item) for item in value]
    return plain(value) if isinstance(value, Decimal) else value


def value_text(value: Any, lang: str) -> str:
    """A value on one line: ``3: 1.05, 2: 1``; ``≤ 100: 3, 其余: 2``."""
    zh = lang != "en"
    comma = "，" if zh else ", "
    if isinstance(value, Mapping):
        return comma.join(
            f"{choice(key, lang) if zh else key}: {_nested(item, lang)}" for key, item in value.items()
        )
    if isinstance(value, tuple) and value and isinstance(value[0], Band):
        rest = "其余" if zh else "above"
        return comma.join(
            f"{'≤ ' + plain(b.up_to) if b.up_to is not None else rest}: {plain(b.value)}" for b in value
        )
    if isinstance(value, tuple) and value and isinstance(value[0], Segment):
        return comma.join(_segment(segment) for segment in value)
    if isinstance(value, tuple):
        return comma.join(_word(one, lang) for one in value) or ("无" if zh else "none")
    if isinstance(value, bool):
        return ("是" if value else "否") if zh else ("yes" if value else "no")
    return _word(value, lang) if isinstance(value, str) else plain(value)


def _word(value: str, lang: str) -> str:
    """A choice with its word in the policy file behind it in Chinese; in English the word says it."""
    said = choice(value, lang)
    return value if lang == "en" or said == value else f"{said} [{value}]"


def _segment(segment: Segment) -> str:
    slope = f" + {plain(segment.slope)} × (x − {plain(segment.start)})" if segment.slope else ""
    return f"x ≥ {plain(segment.start)}: {plain(segment.base)}{slope}"


def _nested(value: Any, lang: str) -> str:
    text = value_text(value, lang)
    return f"({text})" if isinstance(value, tuple) else text


def show(policy: Policy, lang: str, when: date | None = None) -> Iterator[str]:
    """The policy line by line, "zh" or "en"."""
    zh = lang != "en"
    mark = _mark(policy.validity_verified, lang)
    yield f"{policy.id}  {policy.name if zh else policy.name_en}"
    method = words.pick(words.METHODS[policy.method], lang)
    yield f"  {'方式' if zh else 'method'}  {method} [{policy.method}]"
    yield f"  {'分组方案' if zh else 'scheme'}  {policy.scheme or '—'}"
    yield f"  {'有效期' if zh else 'validity'}  {policy.valid_from} – {policy.valid_to} ({mark})"
    yield f"  {'文件' if zh else 'files'}  {' < '.join(str(path) for path in policy.files)}"
    for label, table in (
        ("权重表" if zh else "weights", policy.weights),
        ("均费表" if zh else "means", policy.means),
    ):
        if table:
            yield f"  {label}  {table.path.stem}  {_source(table.source, '', table.verified, lang)}"
    for note in _notes(policy.notes, zh):
        yield f"  {'说明' if zh else 'note'}  {note}"
    yield "基金池" if zh else "Pools"
    for pool, types in policy.pools.items():
        name = words.pool(pool, lang)
        yield f"  {f'{name} [{pool}]' if name != pool else pool}  {', '.join(types)}"
    if policy.routes:
        yield "支付路径（依次，先合者为准）" if zh else "Routes (the first that fits)"
    for number, route in enumerate(policy.routes, 1):
        method = words.pick(words.METHODS[route.method], lang)
        reference = f" → {route.reference_group}" if route.reference_group else ""
        name = f"{route.zh} [{route.name}]：" if zh else f"{route.en} [{route.name}]: "
        yield f"  {number}. {name}{method}{reference}"
        yield f"     {'条件' if zh else 'when'}  {words.in_words(route.test, lang)}"
        if days := route.days(lang):
            yield f"     {'适用' if zh else 'holds'}  {days}"
        yield f"     {_source(route.source, route.article, route.verified, lang)}"
    yield "参数" if zh else "Parameters"
    for name, parameter in _in_order(policy):
        yield from _parameter_lines(name, parameter, lang, when)


def _notes(notes: Sequence[str], zh: bool) -> Sequence[str]:
    """Those of a language where notes stand in both, as many in each; all of them otherwise."""
    chinese = [note for note in notes if _STOPS & set(note)]
    english = [note for note in notes if not _STOPS & set(note)]
    return notes if len(chinese) != len(english) else chinese if zh else english


_STOPS = set("。，：；、")  # what a Chinese sentence has, and an English one with Chinese names in it has not


def _parameter_lines(name: str, parameter: Parameter, lang: str, when: date | None) -> Iterator[str]:
    spec = parameter.spec
    by = ", ".join(words.column(_KEY_COLUMNS.get(key, key), lang) for key in parameter.by)
    how = f"（按{by}）" if by and lang != "en" else f" (by {by})" if by else ""
    unit = words.unit(spec.unit, lang)
    yield f"  {name}  {spec.zh if lang != 'en' else spec.en}{how}{f' [{unit}]' if unit else ''}"
    values = holding(parameter, when)
    for dated in values:
        days = "" if when or len(values) == 1 else f"{dated.start} – {dated.end}  "
        yield f"      {days}{value_text(dated.value, lang)}"
        yield f"        {_source(dated.source, dated.article, dated.verified, lang)}"
    if not values:
        yield f"      {'当日无取值' if lang != 'en' else 'no value on this day'}"


_KEY_COLUMNS = {"level": "hospital_level", "hospital": "hospital_code", "points": "base"}


def _mark(verified: bool, lang: str) -> str:
    return (
        ("已核实" if verified else "未核实") if lang != "en" else "verified" if verified else "not verified"
    )


def _source(source: str, article: str, verified: bool, lang: str) -> str:
    told = f"{source}, {article}" if article else source
    return f"{'来源' if lang != 'en' else 'source'}  {told}  ({_mark(verified, lang)})"


def registry_rows() -> list[dict[str, Any]]:
    """Every parameter that a policy may set."""
    return [
        {
            "name": name,
            "kind": spec.kind,
            "unit": spec.unit,
            "zh": spec.zh,
            "en": spec.en,
            "choices": list(spec.choices),
        }
        for name, spec in PARAMETERS.items()
    ]


def registry_lines(lang: str) -> Iterator[str]:
    """Every parameter that a policy may set, one line each."""
    for row in registry_rows():
        choices = f"  {' | '.join(row['choices'])}" if row["choices"] else ""
        unit = f" [{words.unit(row['unit'], lang)}]" if words.unit(row["unit"], lang) else ""
        yield f"{row['name']}  {row['kind']}{unit}  {row['en' if lang == 'en' else 'zh']}{choices}"


def registry_markdown(names: Sequence[str] | None = None) -> str:
    """Parameters as a Markdown table, for docs/payment.md."""
    lines = ["| parameter | kind | unit | meaning | 含义 |", "|---|---|---|---|---|"]
    for row in registry_rows():
        if names is None or row["name"] in names:
            kind = ", ".join(f"`{choice}`" for choice in row["choices"]) or row["kind"]
            lines.append(f"| `{row['name']}` | {kind} | {row['unit']} | {row['en']} | {row['zh']} |")
    return "\n".join(lines)
