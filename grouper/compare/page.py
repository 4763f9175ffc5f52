"""The page of a comparison: what moves, from where to where, and whose money; it can be printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.reasons import STATUS_NAMES, STATUS_ZH
from grouper.base.whole import put_text
from grouper.compare import pictures
from grouper.compare.money import PARTS
from grouper.compare.words import DIMENSION_WORDS, PART_WORDS, WEIGHTS, of_policy
from grouper.payment.policy import words
from grouper.records.gate import REASONS as GATE_REASONS
from grouper.report.draw.html import Html, document, el, section, table
from grouper.report.numbers import NONE, Lang, number, percent, short_digest, yuan
from grouper.report.pages.page import style

if TYPE_CHECKING:
    import duckdb

    from grouper.compare.compared import Compared
    from grouper.compare.sides import Side

_CSS = """
svg path.flow { fill: var(--a); fill-opacity: .28; }
svg path.away { fill: var(--loss); fill-opacity: .45; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 4px 24px; font-size: 13px; }
.pair p { margin: 2px 0; overflow-wrap: anywhere; }
.record { border-top: 1px solid var(--faint); padding: 8px 0; break-inside: avoid; }
@page wide { size: A4 landscape; }
@media print {
  .pair { font-size: 7.5pt; }
  #hospital, #level, #county, #old_group, #new_group { page: wide; }
}
"""
_MOST = {"hospital": 60, "level": 20, "county": 60, "old_group": 25, "new_group": 25}


def write_page(connection: duckdb.DuckDBPyConnection, done: Compared, folder: Path, lang: str) -> Path:
    """Write report.html (or report.en.html) into ``folder``."""
    page = _Page(connection, done, lang).whole()
    return put_text(folder / ("report.html" if lang != "en" else "report.en.html"), page)


class _Page:
    def __init__(self, connection: duckdb.DuckDBPyConnection, done: Compared, lang: str) -> None:
        self.connection, self.done, self.t = connection, done, Lang(lang)
        self.zh = lang != "en"

    def rows(self, sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.connection.sql(sql).to_arrow_table().to_pylist()
        return found

    def status(self, code: str) -> str:
        return dict(zip(STATUS_NAMES, STATUS_ZH, strict=True)).get(code, code) if self.zh else code

    def reason(self, code: str) -> str:
        return words.reason(code, "zh" if self.zh else "en") if code else ""

    def whole(self) -> str:
        t, done = self.t, self.done
        title = t("改革前后对比", "What the reform does")
        names = f"{self.name(done.old)} → {self.name(done.new)}"
        head = el("header", el("h1", title), el("p", names, class_="sub"), self.notes(), class_="top")
        parts = [part for part in self.parts() if part]
        return document(title, t.html, style() + _CSS, el("main", head, self.cards(), *parts))

    def name(self, side: Side) -> str:
        scheme = str(side.grouper.engine.scheme.name) if self.zh else side.scheme
        policy = of_policy(side, self.zh)
        if not policy:
            return scheme
        return f"{scheme}（{policy}）" if self.zh else f"{scheme} ({policy})"

    def notes(self) -> Html:
        t, done = self.t, self.done
        left = sum(done.counts.left.values())
        reasons = [f"{GATE_REASONS.get(k, (k, k))[not self.zh]} {n:,}" for k, n in done.counts.left.items()]
        told = t(
            f"输入 {done.counts.rows:,} 行，其中病例 {done.counts.cases:,}，不作病例 {left:,}",
            f"{done.counts.rows:,} rows: {done.counts.cases:,} cases, {left:,} that are no stays",
        )
        told += (t("（", " (") + t("，", ", ").join(reasons) + t("）", ")")) if reasons else ""
        lines = [
            told,
            t(
                "两个版本的编码各自成义：编码相同不表示是同一病组，下表一律按病例的去向对照。",
                "A code has its meaning in its own edition: equal codes are not taken for the same "
                "group; all "
                "tables follow the cases.",
            ),
        ]
        for side in (done.old, done.new):
            lines += [note[not self.zh] for note in side.notes]
        return el("div", [el("p", line, class_="sub") for line in lines])

    def parts(self) -> Iterator[Html | None]:
        yield self.flow()
        yield self.statuses()
        if self.done.priced:
            yield self.money()
            yield from self.dimensions()
        yield self.weights()
        yield self.splits()
        yield self.migration()
        yield self.moved()
        yield self.sources()

    def cards(self) -> Html:
        t = self.t
        (both,) = self.rows(
            "SELECT sum(cases) FILTER (old_status = 'grouped' AND new_status = 'grouped') AS kept, "
            "sum(cases) FILTER (dominant) AS dominant, "
            "sum(cases) FILTER (old_status = 'grouped' AND new_status <> 'grouped') AS lost, "
            "sum(cases) FILTER (old_status <> 'grouped' AND new_status = 'grouped') AS won "
            "FROM migration WHERE level = 'group'"
        )
        cases = self.done.counts.cases
        told = [
            (
                t("随原病组的主要去向", "go with most of their group"),
                percent(both["dominant"] or 0, both["kept"]),
                t("两侧都入组的病例", "of the cases grouped on both sides"),
            ),
            (
                t("不再入组", "no longer grouped"),
                number(both["lost"] or 0),
                t("占病例", "of cases") + " " + percent(both["lost"] or 0, cases),
            ),
            (
                t("新入组", "newly grouped"),
                number(both["won"] or 0),
                t("占病例", "of cases") + " " + percent(both["won"] or 0, cases),
            ),
        ]
        riv = {row["side"]: row for row in self.rows("SELECT * FROM schemes")}
        values = [number(riv[side]["riv"], 4) if side in riv else NONE for side in ("old", "new")]
        told.append(
            (
                t("组间差异解释度", "RIV"),
                " → ".join(values),
                t("全部有费用的入组病例", "all grouped cases with a cost"),
            )
        )
        if self.done.priced:
            (all_,) = self.rows("SELECT * FROM money WHERE dimension = 'all'")
            told.append(
                (
                    t("支付标准合计（万元）", "amounts, thousand yuan"),
                    f"{self.t.big(all_['before'])} → {self.t.big(all_['after'])}",
                    t("差额", "difference") + f" {yuan(all_['difference'], True)} {t.yuan}",
                )
            )
        for each in self.done.neutral:
            pool = words.pool(each.pool, "zh" if self.zh else "en") if each.pool else t("全部", "all")
            before = NONE if each.before is None else number(each.before, 4)
            name = t("点值", "value of a point") if each.before is not None else t("调整系数", "factor")
            told.append(
                (
                    name + t(f"（{pool}）", f" ({pool})"),
                    f"{before} → {number(each.solved, 4)}",
                    t("总额不变时求得", "solved for the same total"),
                )
            )
        return el(
            "div",
            [el("div", el("span", a), el("b", b), el("i", c), class_="card") for a, b, c in told],
            class_="cards",
        )

    def flow(self) -> Html | None:
        t = self.t
        content: list[Html] = []
        for level, note in (
            (
                "mdc",
                t("带宽为病例数；橙色为不再入组", "bands are as wide as cases; orange: no longer grouped"),
            ),
            (
                "adrg",
                t(
                    "离开主要去向的病例最多的核心组；橙色为离开主要去向或不再入组的病例",
                    "the ADRGs whose cases part most; orange: cases that leave the main way",
                ),
            ),
        ):
            made = pictures.flow(self.connection, level, t, self.status)
            if made is not None:
                title = (
                    t("主要诊断大类", "By MDC")
                    if level == "mdc"
                    else t("拆分最多的核心组", "ADRGs that part most")
                )
                content.append(el("figure", el("figcaption", el("b", title), el("span", note)), made))
        return section("flow", t("病例从哪里到哪里", "From where to where"), *content) if content else None

    def statuses(self) -> Html:
        t = self.t
        header = [
            t("原状态", "Old"),
            t("原因", "Reason"),
            t("新状态", "New"),
            t("原因", "Reason"),
            t("例数", "Cases"),
            t("总费用（元）", "Cost, yuan"),
        ]
        rows = [
            [
                self.status(r["old_status"]),
                self.reason(r["old_reason"]),
                self.status(r["new_status"]),
                self.reason(r["new_reason"]),
                number(r["cases"]),
                yuan(r["total_cost"]),
            ]
            for r in self.rows("SELECT * FROM statuses")
        ]
        lead = t(
            "每例一行内；新的歧义组和未入组写明原因。",
            "Every case is in one row; new ambiguous and ungrouped ones with why.",
        )
        return section(
            "statuses", t("分组状态", "Statuses"), table(header, rows, left=(1, 3), short=(0, 2)), lead=lead
        )

    def money_header(self, first: Sequence[str]) -> list[str]:
        t = self.t
        return [
            *first,
            t("例数", "Cases"),
            t("原（元）", "Before"),
            t("新（元）", "After"),
            t("差额", "Difference"),
            "%",
            t("例均差", "Per case"),
            *(PART_WORDS[p][not self.zh] for p in PARTS),
        ]

    def money_row(self, r: dict[str, Any], first: Sequence[str]) -> list[str]:
        per_case = r["after_per_case"] - r["before_per_case"]
        return [
            *first,
            number(r["cases"]),
            yuan(r["before"]),
            yuan(r["after"]),
            yuan(r["difference"], True),
            number(r["percent"], 2, True),
            yuan(per_case, True),
            *(yuan(r[f"by_{p}"], True) for p in PARTS),
        ]

    def money(self) -> Html:
        t = self.t
        (all_,) = self.rows("SELECT * FROM money WHERE dimension = 'all'")
        picture = pictures.parts(all_, t)
        lead = t(
            "金额为支付标准（含个人负担）。差额分解为点值（费率）、权重、换组、倍率和其他，逐例到分，合计等于差额："
            "权重为原病组的主要去向与原病组之差，换组为该例的新病组与主要去向之差。",
            "Amounts are standards of payment, with what patients pay. The difference of each case is "
            "parted into "
            "value of a point, weight (the main successor against the old group), group change (its own new "
            "group against that), outlier class and other, to the fen.",
        )
        if self.done.unit != 1:
            lead += t(
                f"两侧支付方式不同，新的一侧以 {number(self.done.unit, 4)} 个单位折为原来的一个单位。",
                f" The methods differ: {number(self.done.unit, 4)} units of the new side are taken for one.",
            )
        return section("money", t("金额与分解", "Money"), picture, lead=lead)

    def dimensions(self) -> Iterator[Html | None]:
        for dimension, most in _MOST.items():
            ordered = "code" if dimension in ("level", "county") else "abs(difference) DESC, code"
            rows = self.rows(f"SELECT * FROM money WHERE dimension = '{dimension}' ORDER BY {ordered}")
            if not rows:
                continue
            first, title = (pair[not self.zh] for pair in DIMENSION_WORDS[dimension])
            shown = [self.money_row(r, [" ".join(filter(None, (r["code"], r["name"])))]) for r in rows[:most]]
            total = None
            if dimension in ("hospital", "level", "county"):
                (all_,) = self.rows("SELECT * FROM money WHERE dimension = 'all'")
                if sum(r["cases"] for r in rows) == all_["cases"]:
                    total = self.money_row(all_, [self.t("合计", "Total")])
            lead = ""
            if len(rows) > most:
                lead = self.t(
                    f"差额最大的 {most} 个，共 {len(rows)} 个，其余见金额表。",
                    f"The {most} largest of {len(rows)}; money.parquet has all.",
                )
            yield section(
                dimension,
                title,
                table(self.money_header([first]), shown, total=total, class_="small"),
                lead=lead,
            )

    def weights(self) -> Html:
        t = self.t
        header = [
            t("一侧", "Side"),
            t("方案", "Scheme"),
            t("权重", "Weights"),
            t("病组", "Groups"),
            t("病例", "Cases"),
            t("解释度", "RIV"),
            t("平均变异系数", "Mean CV"),
            t("变异系数大于1", "CV > 1"),
            t("少于30例", "Under 30 cases"),
        ]
        found = {row["side"]: row for row in self.rows("SELECT * FROM schemes")}
        rows = []
        for side in (self.done.old, self.done.new):
            r = found.get(side.name)
            numbers = (
                [NONE] * 6
                if r is None
                else [
                    number(r["groups"]),
                    number(r["cases"]),
                    number(r["riv"], 4),
                    number(r["mean_cv"], 4),
                    number(r["cv_above_1"]),
                    number(r["thin"]),
                ]
            )
            name = t("原", "old") if side.name == "old" else t("新", "new")
            rows.append([name, side.scheme, WEIGHTS[side.weights][not self.zh], *numbers])
        thin = sum(found[side]["thin"] for side in found)
        lead = t(
            f"全部入组病例，未裁剪。少于30例的病组共 {thin:,} 个，其均值和测算的权重取决于个别病例，"
            f"不宜单独解读。",
            f"All grouped cases, nothing trimmed. {thin:,} groups have fewer than 30 cases: their means "
            f"and fitted "
            "weights hang on single cases.",
        )
        return section(
            "weights",
            t("权重与组内差异", "Weights and homogeneity"),
            table(header, rows, short=(0, 1, 2)),
            lead=lead,
        )

    def splits(self) -> Html | None:
        t = self.t
        content: list[Html] = []
        for side, title, way in (
            ("old", t("拆分最多的原病组", "Old groups that split most"), t("主要去向", "Main successor")),
            ("new", t("合并最多的新病组", "New groups that merge most"), t("主要来源", "Main origin")),
        ):
            rows = self.rows(
                f"SELECT * FROM splits WHERE level = 'group' AND side = '{side}' AND others > 1 "
                "ORDER BY split_index * cases DESC, code LIMIT 15"
            )
            if not rows:
                continue
            header = [
                t("病组", "Group"),
                t("例数", "Cases"),
                t("对方病组数", "Others"),
                way,
                t("占比", "Share"),
                t("指数", "Index"),
            ]
            shown = [
                [
                    f"{r['code']} {r['name'] or ''}".strip(),
                    number(r["cases"]),
                    number(r["others"]),
                    r["dominant"],
                    percent(r["dominant_share"], 1),
                    number(r["split_index"], 4),
                ]
                for r in rows
            ]
            content.append(el("div", el("h3", title), table(header, shown, short=(3,))))
        if not content:
            return None
        lead = t(
            "指数为 1 减各占比平方之和：0 表示全部病例同去（同来）一组。",
            "Index: 1 minus the sum of squared shares; 0 where all cases go together.",
        )
        return section("splits", t("拆分与合并", "Splits and merges"), *content, lead=lead)

    def migration(self) -> Html:
        t = self.t
        header = [
            t("原病组", "Old group"),
            t("新病组", "New group"),
            t("例数", "Cases"),
            t("占原病组", "Of old"),
            t("占新病组", "Of new"),
            t("费用（元）", "Cost, yuan"),
            t("占原费用", "Of cost"),
            t("主要去向", "Main"),
        ]
        found = self.rows(
            "SELECT * FROM migration WHERE level = 'group' ORDER BY cases DESC, old, new LIMIT 40"
        )
        rows = [
            [
                self.place(r, "old"),
                self.place(r, "new"),
                number(r["cases"]),
                percent(r["share"], 1),
                percent(r["share_of_new"], 1),
                yuan(r["total_cost"]),
                percent(r["cost_share"] or 0, 1),
                t("是", "yes") if r["dominant"] else "",
            ]
            for r in found
        ]
        ((all_,),) = self.connection.execute(
            "SELECT count(*) FROM migration WHERE level = 'group'"
        ).fetchall()
        lead = t(
            f"病例最多的 {len(rows)} 对，共 {all_:,} 对；三个层次的全部见表“去向”。",
            f"The {len(rows)} pairs with most cases of {all_:,}; migration.parquet has all three levels.",
        )
        return section(
            "migration", t("去向表", "Migration"), table(header, rows, left=(0, 1), class_="small"), lead=lead
        )

    def place(self, row: dict[str, Any], side: str) -> str:
        if row[side] is None:
            return self.status(row[f"{side}_status"])
        return " ".join(filter(None, (row[side], row[f"{side}_name"])))

    def moved(self) -> Html | None:
        t, done = self.t, self.done
        if not done.moved:
            return None
        items = []
        for each in done.moved:
            head = t(
                f"第 {each.row:,} 行，{each.record}，{each.hospital}",
                f"row {each.row:,}, {each.record}, {each.hospital}",
            )
            if each.before is not None and each.after is not None:
                head += t("：", ": ") + f"{yuan(each.before)} → {yuan(each.after)} {t.yuan}"
                head += t("，差额 ", ", difference ") + yuan(each.after - each.before, True)
            sides = [el("div", [el("p", line) for line in lines]) for lines in (each.old, each.new)]
            items.append(el("div", el("b", head), el("div", sides, class_="pair"), class_="record"))
        lead = t(
            "左为原方案，右为新方案的说明。", "Left: why under the old scheme; right: under the new one."
        )
        return section("moved", t("变化最大的记录", "Records that moved most"), *items, lead=lead)

    def sources(self) -> Html:
        t, done = self.t, self.done
        items: list[tuple[str, str]] = []
        for name, side in ((t("原", "old"), done.old), (t("新", "new"), done.new)):
            digest = short_digest(side.grouper.engine.scheme.digest)
            items.append((t(f"{name}方案", f"{name} scheme"), f"{side.scheme} {digest}"))
            if side.policy is not None:
                items.append(
                    (
                        t(f"{name}政策", f"{name} policy"),
                        f"{side.policy.id} {short_digest(side.policy.digest)}",
                    )
                )
            items.append((t(f"{name}权重", f"{name} weights"), WEIGHTS[side.weights][not self.zh]))
        about = done.given.about
        for each in about.get("inputs", ()):
            items.append((t("输入", "input"), f"{each['name']} {short_digest(each.get('sha256', ''))}"))
        if lake := about.get("lake"):
            periods = lake["periods"]
            items.append((t("结算湖", "lake"), f"{periods[0]} – {periods[-1]} {short_digest(lake['head'])}"))
        listed = el("dl", [(el("dt", a), el("dd", b)) for a, b in items])
        return section(
            "sources",
            t("来源", "Sources"),
            listed,
            lead=t("各摘要为其内容的校验值。", "Digests are of contents (SHA-256)."),
        )
