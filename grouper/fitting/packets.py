"""Which packet or mixed group each discharge belongs to, by counts alone (docs/statistics.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from grouper.codes import icd
from grouper.fitting.discharges import CLASSES, KEY, Codes
from grouper.fitting.sums import CASES

if TYPE_CHECKING:
    import duckdb

SUFFIX = {"conservative": "BSZL", "diagnostic": "ZDXCZ", "therapeutic": "ZLXCZ", "surgical": "SS"}
CLASS_ZH = ("保守治疗", "诊断性操作", "治疗性操作", "手术")


@dataclass(frozen=True)
class Packet:
    """A row of a catalogue. Core: key of the diagnosis and operations; mixed: 1 to 3 characters, class."""

    dx: str
    main: str = ""
    related: tuple[str, ...] = ()
    treatment: str = ""

    @property
    def kind(self) -> str:
        return "mixed" if self.treatment else "core"

    @property
    def label(self) -> str:
        """The canonical name: ``K35.8``, ``K35.8:47.0100``, ``C34.1:32.4100_33.3903+40.5914``, ``K35:SS``."""
        if self.treatment:
            return f"{self.dx}:{SUFFIX[self.treatment]}"
        operations = "_".join(filter(None, [self.main, "+".join(self.related)]))
        return f"{self.dx}:{operations}" if operations else self.dx

    @property
    def code(self) -> str:
        return self.label.upper()

    @property
    def name(self) -> str:
        """Composed of the names of codes, since keys have no names of their own."""
        if self.treatment:
            return f"{self.dx}：{CLASS_ZH[CLASSES.index(self.treatment)]}"
        names = icd.procedures()
        operations = "＋".join(names[code] for code in (self.main, *self.related) if code)
        return f"{_key_names()[self.dx]}：{operations or CLASS_ZH[0]}".replace(",", "，")


def _key_names() -> dict[str, str]:
    """For each key the name of its first diagnosis."""
    if not _NAMES:
        for code, name in sorted(icd.diagnoses().items(), key=lambda item: item[0].upper()):
            _NAMES.setdefault(code[:KEY].upper(), name)
    return _NAMES


_NAMES: dict[str, str] = {}


def scaled(weights: Mapping[int, Decimal]) -> dict[int, int]:
    """Year weights as whole numbers of the same proportions."""
    places = max(0, *(-int(weight.as_tuple().exponent) for weight in weights.values()))
    return {year: int(weight.scaleb(places)) for year, weight in weights.items()}


def assign(
    connection: duckdb.DuckDBPyConnection,
    codes: Codes,
    weights: Mapping[int, Decimal],
    core: int,
    mixed_min: int,
) -> dict[str, Packet]:
    """Fill ``cases`` from ``records``, a packet for each; give the packets by their codes.

    A packet reaches a threshold when its yearly counts, averaged by the year weights, do.
    """
    years = scaled(weights)
    whole = sum(years.values())
    connection.execute("CREATE TABLE years (y INTEGER, w HUGEINT)")
    connection.executemany("INSERT INTO years VALUES (?, ?)", list(years.items()))
    connection.execute("CREATE TABLE keys (k INTEGER, dx VARCHAR)")
    connection.executemany("INSERT INTO keys VALUES (?, ?)", _used_keys(connection, codes))
    connection.execute(_ASSIGN.format(core=core * whole))
    for width, least in ((3, mixed_min * whole), (2, mixed_min * whole), (1, 0)):
        connection.execute(_MIXED.format(width=width, least=least))
    found = connection.execute(
        "SELECT DISTINCT p, k, main, related, prefix, class FROM assigned ORDER BY p"
    ).fetchall()
    packets = {p: _packet(codes, *parts) for p, *parts in found}
    connection.execute("CREATE TABLE packets (p VARCHAR, g VARCHAR)")
    connection.executemany("INSERT INTO packets VALUES (?, ?)", [(p, x.code) for p, x in packets.items()])
    connection.execute(CASES)
    connection.execute(_CASES)
    return {packet.code: packet for packet in packets.values()}


def _used_keys(connection: duckdb.DuckDBPyConnection, codes: Codes) -> list[tuple[int, str]]:
    return [(k, codes.keys[k]) for (k,) in connection.execute("SELECT DISTINCT k FROM records").fetchall()]


def _packet(
    codes: Codes, k: int | None, main: int | None, related: list[int] | None, prefix: str | None, class_: int
) -> Packet:
    if prefix is not None:
        return Packet(prefix, treatment=CLASSES[class_])
    assert k is not None
    operations = tuple(codes.operation(number) for number in related or ())
    return Packet(codes.keys[k], "" if main is None else codes.operation(main), operations)


# 1. A set (key, main operation, related ones) that is frequent enough is a packet. A set that is not
#    goes to the packet of its key and main operation that asks for most of its operations; of several,
#    to one that leaves no surgery over; then to the first in code order.
# 2. What is left, by key and main operation.
# 3. What is left and conservative, by key.
# 4. What is left, by class and the first 3, then 2, characters of the key; the rest by 1.
_ASSIGN = """
CREATE TABLE sets AS
    SELECT row_number() OVER () AS id, k, main, related, class, sum(w) AS weight
    FROM records JOIN years USING (y) GROUP BY k, main, related, class;
CREATE TABLE cores AS
    SELECT k, main, related FROM sets WHERE main >= 0 AND len(related) > 0
    GROUP BY k, main, related HAVING sum(weight) >= {core};
CREATE TABLE assigned AS
    WITH fitting AS (
        SELECT id, sets.k, sets.main, cores.related, row_number() OVER (
            PARTITION BY id ORDER BY len(cores.related) DESC, len(list_filter(sets.related,
                lambda x: x % 4 = 3 AND NOT list_contains(cores.related, x))) > 0, cores.related) AS place
        FROM sets JOIN cores ON sets.k = cores.k AND sets.main = cores.main
            AND list_has_all(sets.related, cores.related)
    )
    SELECT id, concat_ws('|', 'R', k, main, array_to_string(related, '+')) AS p, k, main, related,
        NULL::VARCHAR AS prefix, NULL::INTEGER AS class
    FROM fitting WHERE place = 1;
CREATE TABLE left1 AS SELECT * FROM sets ANTI JOIN assigned USING (id);
INSERT INTO assigned SELECT id, concat_ws('|', 'M', k, main), k, main, NULL, NULL, NULL
    FROM left1 WHERE main >= 0 QUALIFY sum(weight) OVER (PARTITION BY k, main) >= {core};
CREATE TABLE left2 AS SELECT * FROM left1 ANTI JOIN assigned USING (id);
INSERT INTO assigned SELECT id, concat_ws('|', 'K', k), k, NULL, NULL, NULL, NULL
    FROM left2 WHERE class = 0 QUALIFY sum(weight) OVER (PARTITION BY k) >= {core};
"""
_MIXED = """
INSERT INTO assigned SELECT id, concat_ws('|', 'X', prefix, class), NULL, NULL, NULL, prefix, class
    FROM (SELECT id, class, weight, left(dx, {width}) AS prefix FROM left2 JOIN keys USING (k)
        ANTI JOIN assigned USING (id))
    QUALIFY sum(weight) OVER (PARTITION BY prefix, class) >= {least}
"""
_CASES = """
INSERT INTO cases SELECT g, y, fen, drug, consumable
FROM records JOIN sets USING (k, main, related, class) JOIN assigned USING (id) JOIN packets USING (p)
"""
