"""What is odd but legal in a DIP catalogue: findings of ``grouper tables verify``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from grouper.base.findings import Finding, Severity
from grouper.grouping.dip import facts, normalise
from grouper.grouping.dip.tables.catalogue import Catalogue
from grouper.grouping.dip.tables.packets import Packet, Row

PLACE = "catalogue.csv"


def anomalies(catalogue: Catalogue) -> list[Finding]:
    """Warnings and infos on a catalogue that can be read; an error only for sizes other than ``[counts]``."""
    return [
        *_counts(catalogue),
        *_keys(catalogue),
        *_codes(catalogue),
        *_scores(catalogue),
        *_packets(catalogue),
    ]


def _finding(
    catalogue: Catalogue, severity: Severity, kind: str, zh: str, en: str, details: Iterable[str]
) -> Iterator[Finding]:
    """One finding that counts its details; none without details."""
    items = tuple(details)
    if items:
        number = len(items)
        zh, en = zh.format(number), en.format(number)
        yield Finding(severity, kind, catalogue.id, PLACE, zh, en, items)


def _counts(catalogue: Catalogue) -> Iterator[Finding]:
    """``[counts]`` of scheme.toml against the rows; overlays count with their base."""
    stated = catalogue.meta.get("counts", {})
    if catalogue.meta.get("base"):
        stated = {}
    kinds = Counter(row.kind for row in catalogue.rows)
    chain = catalogue.chain
    out = chain.exclusions
    keyed = {
        (r.kind == "primary_care", r.packet.upper()) for r in catalogue.entries if r.treatment < 0 and r.dx
    }
    sizes = {**kinds, "rows": len(catalogue.rows), "packets": len(keyed)}
    sizes["primary_care"] = kinds["primary_care"] + len(chain.overlay)
    sizes["excluded_diagnoses"] = len(out.diagnoses)
    sizes["excluded_operations"] = len(out.procedures) + len(out.not_main) + len(out.in_scope)
    sizes["variant_rows"] = sum(row.aux is not None for row in catalogue.entries)
    for name, number in stated.items():
        if name in sizes and sizes[name] != number:
            zh = f"{name} 应为 {number}，实为 {sizes[name]}"
            en = f"{name} should be {number} and is {sizes[name]}"
            yield Finding("error", "counts", catalogue.id, "scheme.toml", zh, en)


def _keys(catalogue: Catalogue) -> Iterator[Finding]:
    """Diagnosis keys that no diagnosis of the code edition has: such a row needs an unknown code."""
    known = {code[:width] for code in facts.diagnoses() for width in (1, 2, 3, 5)}
    strange = [
        row.code for row in catalogue.entries if "-" not in row.dx and row.dx and row.dx.upper() not in known
    ]
    yield from _finding(
        catalogue, "warning", "key", "{} 个条目的诊断键不在编码版本中",
        "the diagnosis of {} entries is not in the code edition", strange,
    )  # fmt: skip


def _codes(catalogue: Catalogue) -> Iterator[Finding]:
    """Codes that say something else than the columns; grey and repeated operations."""
    other = [row.code for row in catalogue.entries if row.dx and not _agrees(row)]
    yield from _finding(
        catalogue, "warning", "code", "{} 个条目的编码与其诊断或手术列不一致（以列为准）",
        "the codes of {} entries do not say what their columns say (the columns count)", other,
    )  # fmt: skip
    grey = facts.grey_procedures()
    named = [row.code for row in catalogue.entries if grey.intersection(_operations(row))]
    yield from _finding(
        catalogue,
        "info",
        "grey",
        "{} 个条目含医保灰码手术操作",
        "{} entries name operations flagged grey",
        named,
    )
    twice = [row.code for row in catalogue.entries if len(set(ops := _operations(row))) < len(ops)]
    yield from _finding(
        catalogue, "info", "repeated", "{} 个条目要求同一手术操作两次以上",
        "{} entries ask for an operation more than once", twice,
    )  # fmt: skip


def _agrees(row: Row) -> bool:
    """Whether a code that begins like a diagnosis begins with that of the row and names its operations."""
    head, _, rest = normalise.fold(row.code).partition(":")
    if not normalise.PRINCIPAL.match(head):
        return True  # a number of the catalogue's own
    if not head.startswith(row.dx.upper()):
        return False
    return row.treatment >= 0 or all(code in f"{head}:{rest}" for code in _operations(row))


def _operations(row: Row) -> list[str]:
    """Every operation that a row names, in capitals."""
    text = f"{row.procedures}+{row.related}".replace("/", "+").upper()
    return [code for code in text.split("+") if code]


def _scores(catalogue: Catalogue) -> Iterator[Finding]:
    zero = [row.code for row in catalogue.entries if row.score == 0]
    yield from _finding(
        catalogue, "warning", "score", "{} 个条目分值为 0", "the score of {} entries is 0", zero
    )
    variants = [row.code for row in catalogue.entries if row.aux]
    if catalogue.options.auxiliary == "off":
        yield from _finding(
            catalogue, "warning", "auxiliary",
            "{} 行是辅助分型，但选项 auxiliary = off：每个病种只用普通行（没有则用分值最低的一行）",
            "{} rows are auxiliary classes, but auxiliary = off: each packet uses its plain row, or without "
            "one the row of the lowest score", variants,
        )  # fmt: skip


def _packets(catalogue: Catalogue) -> Iterator[Finding]:
    """Packets of one key that ask for the same operations."""
    same: dict[tuple[str, ...], list[Packet]] = defaultdict(list)
    for packets in catalogue.operative.values():
        for packet in packets:
            terms = sorted("/".join(sorted(map(str.upper, term))) for term in (*packet.main, *packet.related))
            same[packet.key, str(packet.primary_care), *terms].append(packet)
    groups = [packets for packets in same.values() if len(packets) > 1]
    apart = [p for p in groups if len({_main(packet) for packet in p}) == len(p)]
    alike = [p for p in groups if p not in apart]
    yield from _finding(
        catalogue, "info", "same-operations", "{} 组病种的手术操作相同，只有主次不同",
        "{} sets of packets have the same operations and differ only in which is the main one",
        (" = ".join(packet.label for packet in packets) for packets in apart),
    )  # fmt: skip
    yield from _finding(
        catalogue, "warning", "same-packet", "{} 组病种的要求完全相同，只按编码顺序取舍",
        "{} sets of packets ask for exactly the same: only the order of codes decides",
        (" = ".join(packet.label for packet in packets) for packets in alike),
    )  # fmt: skip


def _main(packet: Packet) -> tuple[str, ...]:
    return tuple(sorted("/".join(sorted(map(str.upper, term))) for term in packet.main))
