"""The explanation of a DIP record: its steps as data, and in words, Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grouper.base.reasons import REASONS
from grouper.base.shown import Shown
from grouper.grouping import explaining, words
from grouper.grouping.dip.explain_chain import ChainStepView, NearMiss
from grouper.grouping.dip.options import CLASSES, CLASSES_ZH
from grouper.grouping.dip.steps import AuxiliaryStep, CodeStep, ListStep, MixedStep, PacketStep, Tools
from grouper.grouping.dip.trace import RuleStep

_SPECIFIC = 12  # so many specific codes are named in the place of a grey one


@dataclass(frozen=True)
class DipExplanation(Shown):
    """The steps of one record. ``result`` holds the result columns of the batch for it.

    ``mixed`` is None, and ``lists`` empty, where the chain had the last word.
    """

    scheme: str
    codes: list[CodeStep]
    numbers: dict[str, float]
    key: str
    cls: str
    chain: list[ChainStepView]
    lists: list[ListStep]
    family_pass: bool
    mixed: MixedStep | None
    order: tuple[str, ...]
    won_by: str
    surgery_unmatched: bool
    near: list[NearMiss]
    auxiliary: AuxiliaryStep | None
    tools: Tools | None
    missing: str
    result: dict[str, Any]

    def line(self) -> str:
        """What it is, in one line."""
        return f"{self.scheme}: {self.result['status']}, {self.result['dip_code']}"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; scores as texts."""
        data: dict[str, Any] = explaining.plain(self)
        return data

    def summary(self, lang: str = "zh") -> str:
        """Five lines: the group, because of which codes, the complications, what is one step away, and what
        is wrong."""
        return "\n".join(_Summary(self, lang).five())

    def text(self, lang: str = "zh") -> str:
        """The summary, and every step below it; "zh" or "en"."""
        return f"{self.summary(lang)}\n\n{render(self, lang)}"


# --- words ----------------------------------------------------------------------------------

CLASS_ZH = dict(zip(CLASSES, CLASSES_ZH, strict=True))
KIND_ZH = {
    "core": "核心病种",
    "local_core": "本地核心病种",
    "primary_care": "基层病种",
    "mixed": "综合病种",
    "blank": "空白病种",
    "exclusion": "不纳入分组",
    "pre_group": "先期分组",
    "merge": "并项规则",
    "diagnosis_split": "诊断辅助细分",
    "basic": "基本规则",
}
KIND_EN = {
    "primary_care": "primary care",
    "exclusion": "exclusions",
    "pre_group": "pre-groups",
    "merge": "merge rules",
    "diagnosis_split": "diagnosis splits",
    "basic": "basic rules",
}
VERDICTS = {
    "excluded-diagnosis": ("主要诊断不纳入分组", "the principal diagnosis is not grouped"),
    "excluded-procedure": (
        "主要手术操作不纳入分组，病例按保守治疗处理",
        "the main procedure is kept out: the case counts as conservative",
    ),
    "none-main": (
        "没有可作为主要手术操作的手术操作，病例按保守治疗处理",
        "no procedure may be the main one: the case counts as conservative",
    ),
    "not-excluded": (
        "主要诊断、主要手术操作都不在清单中",
        "neither main diagnosis nor main procedure is listed",
    ),
    "no-rules": ("没有适用于该主要诊断的规则", "no rule for this principal diagnosis"),
}
LACKS = {
    "procedure": ("缺手术操作 {}", "lacks the procedure {}"),
    "repeats": ("同一操作记录次数不足：{}", "not recorded often enough: {}"),
    "position": ("{} 须为主要手术操作", "{} must be the main procedure"),
    "other_dx": ("缺次要诊断 {}", "lacks the secondary diagnosis {}"),
    "any_dx": ("缺诊断 {}", "lacks the diagnosis {}"),
    "listed": ("须属于诊断名单 {}", "must be in the list {}"),
    "not_listed": ("不得属于诊断名单 {}", "must not be in the list {}"),
    "treatment": ("病例类别须为{}", "the class of the case must be {}"),
    "age_days": ("天龄须为 {} 天", "age in days must be {}"),
    "weight": ("出生体重须为 {} 克", "birth weight must be {} g"),
    "conservative": ("病例有手术操作，不是{}", "the procedures of the case bar it ({})"),
}
AUX_ZH = {
    "severity": "疾病严重程度",
    "tumour": "肿瘤严重程度",
    "cci": "CCI 指数",
    "age": "年龄特征",
    "icu": "重症监护时长",
}
RULES = {
    "exact_code": ("编码完全一致优先", "equal codes before prefixes and families"),
    "first_procedure_is_main": (
        "主要手术操作是病种的主要操作",
        "the main procedure is the packet's main one",
    ),
    "first_procedure_in_packet": ("主要手术操作在病种内", "the main procedure is in the packet"),
    "most_matched": ("符合的操作最多", "most terms met"),
    "no_unmatched_surgery": ("没有病种外的手术", "no surgery outside the packet"),
    "exact": ("没有病种外的操作", "no procedure outside the packet"),
    "higher_class": ("操作类别最高", "highest class"),
    "higher_score": ("分值最高", "highest score"),
    "closest_cost": ("平均费用与总费用最接近", "average cost nearest to the total cost"),
    "code_order": ("编码顺序在前", "first in code order"),
    "row_order": ("规则表顺序在前", "first in the order of the rules"),
}
_ZH_NUMBERS = "一二三四五六七八"
_SHOWN = 12  # packets without any operation of the record that are listed by name


def render(explanation: DipExplanation, lang: str) -> str:
    """The whole explanation, one step under the other."""
    return "\n".join(Writer(explanation, lang).lines())


class Writer(words.Writer):
    def __init__(self, explanation: DipExplanation, lang: str) -> None:
        super().__init__(lang)
        self.e = explanation
        self._section = 0

    def section(self, zh: str, en: str) -> str:
        """The title of the next part."""
        self._section += 1
        return self.say(f"{_ZH_NUMBERS[self._section - 1]}、{zh}", f"{self._section}. {en}")

    def kind(self, name: str) -> str:
        return self.say(KIND_ZH[name], KIND_EN.get(name, name))

    def score(self, text: str) -> str:
        if not text:
            return self.say("没有分值", "no score")
        return self.say(f"分值 {text}", f"score {text}")

    def cls(self, name: str) -> str:
        return self.say(CLASS_ZH.get(name, ""), name)

    def lines(self) -> Iterator[str]:
        yield self.say(f"方案：{self.e.scheme}", f"Scheme: {self.e.scheme}")
        yield from self.code_lines()
        if self.e.chain:
            yield from self.chain_lines()
        if self.e.mixed is not None:
            yield from self.list_lines()
            yield from self.mixed_lines()
        if self.e.tools is not None:
            yield from self.choice_lines()
            yield from self.near_lines()
            yield from self.auxiliary_lines()
        yield from self.result_lines()

    # --- codes ------------------------------------------------------------------------------

    def code_lines(self) -> Iterator[str]:
        yield self.section("编码与操作类别", "Codes and classes of procedures")
        for step in self.e.codes:
            text = f"{step.raw}{self.turned(step)} {step.name}{self.classed(step)}"
            yield f"   {self.place(step)} {text}".rstrip()
            if step.grey:
                yield f"      {self.grey(step)}"
        yield from self.data_lines(self.e.numbers)
        if self.e.tools is not None:
            key = self.e.key or self.say("无（编码不完整，不参与核心病种）", "none (the code is incomplete)")
            cls = self.cls(self.e.cls)
            yield self.say(
                f"   诊断亚目：{key}；病例类别：{cls}", f"   diagnosis key: {key}; class of the case: {cls}"
            )

    def grey(self, step: CodeStep) -> str:
        """That a code is grey, and the specific ones of its subcategory."""
        zh, en = "医保灰码", "a grey code"
        if step.kind == "diagnosis" and step.position == 1:
            zh, en = f"{zh}，不宜作主要诊断", f"{en}, not fit for a principal diagnosis"
        if step.instead:
            codes = step.instead[:_SPECIFIC]
            more = len(step.instead) > _SPECIFIC
            zh += f"；同一亚目的具体编码：{'、'.join(codes)}{'等' if more else ''}"
            en += f"; specific codes of its subcategory: {', '.join(codes)}{' and others' if more else ''}"
        return self.say(zh, en)

    def classed(self, step: CodeStep) -> str:
        if step.dropped:
            return self.say("（按方案不计）", " (left out by the scheme)")
        return self.say(f"（{self.cls(step.cls)}）", f" ({step.cls})") if step.cls else ""

    # --- core and primary care --------------------------------------------------------------

    def list_lines(self) -> Iterator[str]:
        yield self.section("核心病种与基层病种", "Core and primary-care packets")
        if self.e.family_pass:
            yield self.say(
                "   没有编码完全一致的候选，按四位亚目再比一次",
                "   no candidate by the whole codes; compared again by the first five characters",
            )
        for step in self.e.lists:
            if step.packets or step.winner or step.conservative:
                yield from self.one_list(step)
        if not any(step.packets or step.winner or step.conservative for step in self.e.lists):
            yield self.say("   该亚目没有核心或基层病种", "   the key has no such packet")

    def one_list(self, step: ListStep) -> Iterator[str]:
        yield f"   {self.say(KIND_ZH[step.list], step.list)}"
        related = [p for p in step.packets if p.verdict == "candidate" or p.matched]
        for packet in related:
            yield "     " + self.packet(packet)
        others = [p for p in step.packets if p not in related]
        if others:
            names = self.say("、", ", ").join(p.code for p in others[:_SHOWN]) + (
                " …" if len(others) > _SHOWN else ""
            )
            yield self.say(
                f"     ✗ 另有 {len(others)} 个病种的操作都没有记录：{names}",
                f"     ✗ {len(others)} more packets, none of whose procedures is recorded: {names}",
            )
        yield from self.rule_lines(step.rules)
        if step.conservative == "barred":
            yield self.say(
                "     ✗ 有保守治疗病种，但病例的操作使其不适用",
                "     ✗ there is a conservative packet, but the procedures of the case bar it",
            )
        elif step.conservative == "won":
            yield self.say(f"     ✓ 保守治疗病种 {step.winner}", f"     ✓ conservative packet {step.winner}")

    def rule_lines(self, rules: Sequence[RuleStep]) -> Iterator[str]:
        for rule in rules:
            gone = [code for code in rule.before if code not in rule.after]
            kept = self.say("、", ", ").join(rule.after)
            effect = (
                self.say(f"留下 {kept}，淘汰 {'、'.join(gone)}", f"keeps {kept}, drops {', '.join(gone)}")
                if gone
                else self.say("不能区分", "does not tell them apart")
            )
            yield f"     · {self.say(*RULES[rule.rule])}{self.say('：', ': ')}{effect}"

    def packet(self, packet: PacketStep) -> str:
        head = f"{packet.code} {packet.name}".strip()
        score = self.score(packet.score)
        comma = self.say("、", ", ")
        if packet.verdict == "candidate":
            outside = comma.join(packet.unmatched)
            rest = self.say(f"；病种外操作 {outside}", f"; outside it {outside}") if outside else ""
            met = comma.join(packet.matched)
            shown = self.say(f"（{score}）", f" ({score})")
            return f"✓ {head}{shown}" + self.say(f"：符合 {met}", f": meets {met}") + rest
        missing = comma.join(packet.missing)
        why = {
            "missing-terms": self.say(f"缺操作 {missing}", f"lacks {missing}"),
            "repeats-short": self.say("同一操作记录次数不足", "a procedure is not recorded often enough"),
            "not-first": self.say("主要手术操作不符", "the main procedure is another"),
        }[packet.verdict]
        return f"✗ {head}{self.say('：', ': ')}{why}"

    # --- the chain, and near misses ----------------------------------------------------------

    def chain_lines(self) -> Iterator[str]:
        yield self.section("规则链", "The chain")
        for step in self.e.chain:
            yield f"   {self.kind(step.step)}{self.say('：', ': ')}{self.verdict(step)}"
            yield from self.rule_lines(step.rules)
            if step.open:
                field = self.say(*words.NUMBERS[step.missing])
                yield self.say(
                    f"     ? 缺{field}，不知 {step.open} 是否成立",
                    f"     ? {field} is missing: {step.open} may or may not hold",
                )

    def verdict(self, step: ChainStepView) -> str:
        if step.verdict in VERDICTS:
            return self.say(*VERDICTS[step.verdict])
        if step.verdict == "passed-over":
            passed = self.say("、", ", ").join(step.passed)
            return self.say(
                f"{passed} 不可作为主要手术操作，以 {step.main} 为主要手术操作",
                f"{passed} may not be the main procedure: {step.main} is",
            )
        number, held = step.considered, self.say("、", ", ").join(step.holding)
        if step.verdict == "none-holds":
            return self.say(f"{number} 条相关规则都不成立", f"none of {number} rules holds")
        return self.say(
            f"{number} 条相关规则中成立 {held}，入 {step.winner} {step.name}",
            f"of {number} rules {held} hold; taken: {step.winner} {step.name}",
        ).rstrip()

    def near_lines(self) -> Iterator[str]:
        near = self.close()
        if not near:
            return
        yield self.section("差一点的病种", "Near misses")
        yield from (f"   {self.near(miss)}" for miss in near[:_SHOWN])
        more = len(near) - _SHOWN
        if more > 0:
            yield self.say(f"   另有 {more} 个", f"   and {more} more")

    def close(self) -> list[NearMiss]:
        """Packets that the record meets in part: one of which no procedure is recorded is not near."""
        return [miss for miss in self.e.near if miss.met or miss.lack.what != "procedure"]

    def near(self, miss: NearMiss) -> str:
        zh, en = LACKS[miss.lack.what]
        wanted = self.cls(miss.lack.wanted) if miss.lack.wanted in CLASS_ZH else miss.lack.wanted
        met = self.say("、", ", ").join(miss.met)
        rest = self.say(f"（已有 {met}）", f" (has {met})") if met else ""
        score = self.say(
            f"（{self.kind(miss.list)}，{self.score(miss.score)}）",
            f" ({miss.list}, {miss.score or '–'})",
        )
        head = f"{miss.code} {miss.name}".strip() + score
        return f"{head}{self.say('：', ': ')}{self.say(zh, en).format(wanted)}{rest}"

    # --- mixed groups and the choice -----------------------------------------------------------

    def mixed_lines(self) -> Iterator[str]:
        assert self.e.mixed is not None
        mixed = self.e.mixed
        yield self.section("综合病种", "Mixed groups")
        tried = self.say("、", ", ").join(self.tried(key) for key in mixed.tried)
        found = f"✓ {mixed.code} {mixed.name}".rstrip() if mixed.code else self.say("✗ 没有", "✗ none")
        yield self.say(f"   依次查找：{tried}", f"   tried: {tried}")
        yield f"   {found}"

    def tried(self, key: str) -> str:
        code, _, cls = key.partition(":")
        return f"{code}:{self.cls(cls)}"

    def choice_lines(self) -> Iterator[str]:
        if not self.e.order and not self.e.won_by:
            return
        yield self.section("选择", "Choice")
        if self.e.order:
            yield self.say("   优先顺序：", "   order of preference: ") + " > ".join(self.e.order)
        if self.e.surgery_unmatched:
            yield self.say(
                "   所有候选病种都有病种外的手术，改入综合病种",
                "   every candidate leaves a surgery outside: the mixed group wins",
            )
        decided = [(step.list, step.decided_by) for step in self.e.lists]
        decided += [(step.step, step.decided_by) for step in self.e.chain]
        for name, by in decided:
            if name == self.e.won_by and by:
                rule = self.say(*RULES[by])
                yield self.say(f"   多候选由“{rule}”裁决", f"   decided among the candidates by: {rule}")
        yield self.say(
            f"   入{KIND_ZH[self.e.won_by]}" if self.e.won_by else "   未入组",
            f"   goes to: {KIND_EN.get(self.e.won_by, self.e.won_by) or 'no packet'}",
        )

    # --- auxiliary catalogue and result ---------------------------------------------------------

    def auxiliary_lines(self) -> Iterator[str]:
        yield self.section("辅助目录", "Auxiliary catalogue")
        yield from self.tool_lines()
        step = self.e.auxiliary
        if step is None:
            return
        for type_, levels in step.levels.items():
            name = self.say(AUX_ZH[type_], type_)
            own = "/".join(map(str, levels)) or self.say("无", "none")
            rows = "/".join(map(str, step.rows[type_]))
            yield self.say(
                f"   {name}：病例分型 {own}，病种有分型 {rows}",
                f"   {name}: the case has {own}, the packet {rows}",
            )
        if step.hit:
            type_, _, level = step.hit.partition(":")
            yield self.say(f"   命中 {AUX_ZH[type_]} {level}", f"   hit: {type_} {level}")
        else:
            yield self.say("   没有命中，用不分型的分值", "   no hit: the row without a class")

    def tool_lines(self) -> Iterator[str]:
        """The classes of the case, tool by tool."""
        tools = self.e.tools
        assert tools is not None
        shown = [
            f"{self.say(AUX_ZH[name], name)} {'/'.join(map(str, levels))}"
            for name, levels in tools.levels.items()
            if levels
        ]
        yield self.say("   病例分型：", "   classes of the case: ") + self.say("；", "; ").join(shown)
        counts = tools.complication or self.say("无", "none")
        yield self.say(
            f"   CCI 指数 {tools.charlson}；计入的并发症合并症：{counts}",
            f"   Charlson index {tools.charlson}; complication that counts: {counts}",
        )
        if not tools.used:
            yield self.say(
                "   本方案的目录不按分型设行，分型不改变分组",
                "   the scheme has no rows by class: they change no group",
            )

    def result_lines(self) -> Iterator[str]:
        r = self.e.result
        yield self.say("结果", "Result")
        yield f"   {r['dip_code']} {r['dip_name']}".rstrip() if r["dip_code"] else "   -"
        if r["score"] is not None:
            yield self.say(f"   分值：{r['score'].normalize():f}", f"   score: {r['score'].normalize():f}")
        elif r["dip_code"]:
            yield self.say("   目录没有该病种的分值", "   the catalogue has no score for it")
        if r.get("primary_care"):
            yield self.say("   在基层病种清单中", "   on the list of primary care")
        yield from self.verdict_lines(r)


_NEAR = 3  # near misses of the summary


class _Summary(Writer):
    """The five lines."""

    def five(self) -> Iterator[str]:
        return self.five_lines(
            self.group(), self.because(), self.complications(), self.one_step(), self.wrong()
        )

    def group(self) -> str:
        r = self.e.result
        if not r["dip_code"]:
            return self.say("没有（", "none (") + self.reason() + self.say("）", ")")
        score = "" if r["score"] is None else f"{r['score'].normalize():f}"
        told = f"{r['dip_code']} {r['dip_name'] or ''}".rstrip()
        list_ = f"{self.kind(self.e.won_by)}{self.say('，', ', ')}" if self.e.won_by else ""
        told += self.say("（", " (") + list_ + self.score(score) + self.say("）", ")")
        return told + self.say("", "; the tables name packets and codes in Chinese only")

    def reason(self) -> str:
        reason = next(item for item in REASONS if item.code == self.e.result["reason"])
        return self.say(reason.zh, reason.en)

    def because(self) -> str:
        principal = next((step for step in self.e.codes if step.kind == "diagnosis"), None)
        if principal is None:
            return self.reason()
        told = [f"{self.place(principal)} {principal.code or principal.raw} {principal.name}".strip()]
        if self.e.key:
            told[0] += self.say(f"（亚目 {self.e.key}）", f" (key {self.e.key})")
        won = self.e.result["dip_code"]
        met = [m for step in self.e.lists for p in step.packets if p.code == won for m in p.matched]
        names = {step.code: step.name for step in self.e.codes}
        told += [
            self.say("手术操作 ", "procedure ") + f"{code} {names.get(code, '')}".rstrip()
            for code in dict.fromkeys(met)
        ]
        if won and not met and self.e.cls:
            told.append(self.say(f"病例类别{self.cls(self.e.cls)}", f"class of the case {self.e.cls}"))
        return self.say("；", "; ").join(told)

    def complications(self) -> str:
        tools = self.e.tools
        if tools is None:
            return self.say("不用于此病例", "of no account here")
        counts = tools.complication or self.say("无", "none")
        told = self.say(
            f"计入 {counts}，CCI 指数 {tools.charlson}", f"counted {counts}, Charlson index {tools.charlson}"
        )
        if not tools.used:
            return told + self.say("；本方案的病种不按分型设行", "; the scheme has no rows by class")
        hit = self.e.auxiliary.hit if self.e.auxiliary else ""
        if not hit:
            return told + self.say("；没有命中辅助分型", "; no auxiliary class")
        type_, _, level = hit.partition(":")
        return told + self.say(f"；命中{AUX_ZH[type_]} {level}", f"; class {type_} {level}")

    def one_step(self) -> str:
        near = self.close()
        told = [self.near(miss) for miss in near[:_NEAR]]
        if (more := len(near) - _NEAR) > 0:
            told.append(self.say(f"另有 {more} 个（--full）", f"{more} more (--full)"))
        return self.say("；", "; ").join(told) or self.say("没有发现", "nothing found")

    def wrong(self) -> str:
        found = [f"{self.place(step)} {step.raw}{self.turned(step)}" for step in self.e.codes if step.issue]
        found += [
            f"{self.place(step)} {step.code} {self.say('是', 'is ')}{self.grey(step)}"
            for step in self.e.codes
            if step.grey
        ]
        if self.e.result["status"] != "grouped":
            found.append(self.reason())
        return self.say("；", "; ").join(found) or self.say("没有发现", "nothing found")
