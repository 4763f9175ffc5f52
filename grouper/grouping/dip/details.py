"""A DIP explanation as data in one language; the keys are those of every family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grouper.grouping.dip.explain_chain import NearMiss
from grouper.grouping.dip.explanation import KIND_EN, KIND_ZH, Writer
from grouper.grouping.dip.steps import CodeStep


class Details(Writer):
    """The details of one explanation, "zh" or "en"."""

    def as_dict(self) -> dict[str, Any]:
        e = self.e
        return {
            "summary": e.summary(self.lang).splitlines(),
            "codes": [self.code(step) for step in e.codes],
            "because": list(self.met()),
            "complications": [],
            "path": list(self.path()),
            "near": [self.miss(miss) for miss in self.close()],
            "retried": [],
            "warnings": [],
        }

    def code(self, step: CodeStep) -> dict[str, Any]:
        return {
            **self.code_data(step),
            "mark": "grey" if step.grey else "",
            "mark_text": self.grey(step) if step.grey else "",
            "class": self.cls(step.cls) if step.cls else "",
            "instead": [
                {"code": code, "name": None, "group": None, "group_name": None} for code in step.instead
            ],
        }

    def met(self) -> Iterator[dict[str, Any]]:
        """The principal diagnosis with its key, and the operations that the packet of the record asks for."""
        principal = next((step for step in self.e.codes if step.kind == "diagnosis"), None)
        if self.e.key and principal is not None:
            yield {
                "place": self.place(principal),
                "code": principal.code,
                "name": principal.name,
                "list": {"name": self.e.key, "title": self.say("诊断亚目", "diagnosis key")},
            }
        won, steps = self.e.result["dip_code"], {step.code: step for step in self.e.codes}
        for packet in (p for step in self.e.lists for p in step.packets if p.code == won):
            for code in packet.matched:
                if code in steps:
                    place = self.place(steps[code])
                    yield {"place": place, "code": code, "name": steps[code].name, "list": None}

    def path(self) -> Iterator[dict[str, Any]]:
        """The steps of the chain, and the packets that were looked at."""
        won = self.e.result["dip_code"]
        for step in self.e.chain:
            holds = bool(step.winner) and step.winner == won
            text = f"{self.kind(step.step)}{self.say('：', ': ')}{self.verdict(step)}"
            yield _step("chain", step.winner, step.name, holds, text)
        for listed in self.e.lists:
            for packet in listed.packets:
                if packet.verdict == "candidate" or packet.matched:
                    held = packet.verdict == "candidate"
                    yield _step("packet", packet.code, packet.name, held, self.packet(packet))
            if listed.conservative == "won":
                name = self.say(KIND_ZH[listed.list], KIND_EN.get(listed.list, listed.list))
                yield _step("packet", listed.winner, "", True, name)
        if self.e.mixed is not None and self.e.mixed.code:
            tried = self.say("、", ", ").join(self.tried(key) for key in self.e.mixed.tried)
            yield _step("mixed", self.e.mixed.code, self.e.mixed.name, self.e.mixed.code == won, tried)

    def miss(self, miss: NearMiss) -> dict[str, Any]:
        return {
            "kind": miss.lack.what,
            "group": miss.code,
            "name": miss.name,
            "code": None,
            "of": None,
            "samples": [],
            "text": self.near(miss),
        }


def _step(level: str, code: str, name: str, holds: bool, text: str) -> dict[str, Any]:
    return {"level": level, "code": code, "name": name, "holds": holds, "text": text, "lists": []}
