"""The cover page of evidence: one exchange and what proves it, in Latvian and English, for somebody who must judge.

It says nothing that the files beside it do not show, and names the file for each statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audit.evidence import Collected
from exchange import RIGA, Json
from questions import words
from questions.words import Language, Words

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_KINDS = {
    "opened": Words("saņemts pieprasījums", "a request arrived"),
    "attempt": Words("jautāts avotam", "the source was asked"),
    "outcome": Words("iznākums", "outcome"),
    "admin": Words("pārvaldības darbība", "an act of administration"),
}
_NOTHING = Words("nav norādīts", "not stated")


@dataclass(frozen=True, slots=True)
class Line:
    """One statement of the page: what it is about, what is stated, and the file that shows it."""

    about: Words
    text: Words
    file: str


def cover(found: Collected, made_at: datetime, purpose: str) -> bytes:
    """The page as HTML that needs nothing else. `purpose` is why the evidence was made."""
    page = _PAGES.get_template("cover.html.jinja")
    return page.render(
        languages=list(Language),
        exchange=str(found.exchange_id),
        made_at=_moment(made_at.isoformat()),
        purpose=purpose,
        lines=_lines(found),
        records=[
            {
                "index": one.index,
                "kind": _KINDS.get(
                    str(one.leaf["kind"]), Words(str(one.leaf["kind"]), str(one.leaf["kind"]))
                ),
                "instant": _moment(str(one.leaf["instant"])),
            }
            for one in found.records
        ],
        size=found.checkpoint.size,
        root=found.checkpoint.root.hex(),
        origin=found.checkpoint.origin,
        witnessed=found.witnessed,
        names=[signature.name for signature in found.checkpoint.signatures[1:]],
        files=[(name, hashlib.sha256(content).hexdigest()) for name, content in found.files.items()],
    ).encode()


def _lines(found: Collected) -> list[Line]:
    facts: dict[str, Json] = {}
    values: dict[str, Json] = {}
    for one in found.records:
        facts |= one.leaf
        values |= one.values
    system, operation = str(facts.get("system", "")), str(facts.get("operation", ""))
    leaves, told = "log/records.jsonl", "log/values.jsonl"
    lines = [
        Line(Words("Kas jautāja (iestāde)", "Who asked (institution)"), _institution(facts), leaves),
        Line(Words("Darbinieks", "Official"), _same(values.get("official")), told),
        Line(Words("Loma", "Role"), words.named("roles", str(facts.get("role", ""))), leaves),
        Line(Words("Sistēma, kas vērsās", "Calling system"), _same(facts.get("caller")), leaves),
        Line(Words("Par ko (personas)", "About whom"), _same(values.get("subject")), told),
        Line(Words("Mērķis", "Purpose"), words.named("purposes", str(facts.get("purpose", ""))), leaves),
        Line(Words("Tiesību norma", "Rule of law"), _rule(facts.get("rule")), leaves),
        Line(Words("Lieta", "Case"), _same(values.get("case")), told),
        Line(Words("Ko jautāja", "What was asked"), words.operation(system, operation), leaves),
        Line(Words("Iznākums", "Outcome"), words.named("outcomes", str(facts.get("outcome", ""))), leaves),
        Line(Words("Kļūdas kods", "Code of the error"), _same(facts.get("code")), leaves),
        Line(Words("Izsniegtie lauki", "Fields given"), _same(facts.get("given")), leaves),
        Line(Words("Neizsniegtie lauki", "Fields withheld"), _same(facts.get("withheld")), leaves),
        Line(Words("Parakstīja ar sertifikātu", "Signed with the certificate"), _certificate(facts), leaves),
    ]
    return [line for line in lines if line.text.lv]


def _institution(facts: Mapping[str, Json]) -> Words:
    return words.institution(str(facts.get("institution", "")), str(facts.get("recipient", "")))


def _rule(rule: Json) -> Words:
    return words.rule(rule) if isinstance(rule, str) else _NOTHING


def _certificate(facts: Mapping[str, Json]) -> Words:
    return _same(facts.get("certificate"))


def _same(value: Json) -> Words:
    if value is None or value == [] or value == "":
        return Words("", "")
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Words(text, text)


def _moment(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(RIGA).strftime("%d.%m.%Y %H:%M:%S %Z")
