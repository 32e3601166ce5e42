"""One exchange: what happened step by step, who asked and why, what was given, and what proves it.

Values of persons, the messages themselves and evidence are opened apart, by POST and for a purpose.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from audit import evidence, receipts, search, standing, witnessed
from audit.search import Filters, Found
from audit.standing import Standing
from endpoints.console import telling
from endpoints.console.roles import SEES_PERSONS, Role
from endpoints.console.visit import Page, Shown, Visit, moment
from errors import InvalidRequest, NotFound
from exchange import Json, Lineage, utc_now
from mappings import regulation
from questions import words
from questions.acting import about
from questions.handing_out import evidence_of
from questions.purposes import SUPERVISION, purpose_told
from questions.searching import by_exchange
from questions.words import Language
from routing import outbox
from security.keys import Identity
from storage import reading

# More records than that one exchange has only if it was tried for weeks.
_MOST_RECORDS = 500
# A message is shown as text up to here; a download has all of it.
_MOST_SHOWN = 200_000

_STATES = {
    standing.State.WAITING: ("idle", "waits for its place"),
    standing.State.SIGNED: ("warn", "signed by the log, not yet by a witness"),
    standing.State.WITNESSED: ("good", "signed by the log and by the witness"),
    standing.State.BROKEN: ("bad", "contradicts the checkpoints of the log"),
}
_STANDINGS = {
    receipts.Standing.HELD: ("good", "the log holds what the receipt was given for"),
    receipts.Standing.PENDING: ("idle", "committed; it gets its place within a minute"),
    receipts.Standing.LATE: ("bad", "committed, and without a place for too long"),
    receipts.Standing.LOST: ("bad", "the log does not hold what the receipt was given for"),
}
_ROWS = {
    outbox.State.WAITING: ("idle", "waits to be delivered"),
    outbox.State.LEASED: ("idle", "is being delivered"),
    outbox.State.DELIVERED: ("good", "delivered"),
    outbox.State.DEAD: ("bad", "given up"),
    outbox.State.UNKNOWN: ("bad", "may have taken effect"),
    outbox.State.PARKED: ("warn", "set aside"),
}
_MARKS = {
    "ok": "good",
    "queued": "idle",
    "denied": "warn",
    "invalid": "warn",
    "failed": "bad",
    "unknown": "bad",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One record in the timeline; `after` is how long it came after the one before, "" for the first."""

    record: str
    time: str
    after: str
    text: str
    mark: str
    outcome: str
    code: str
    detail: str
    attempt: str
    index: int | None
    leaf_hash: str
    checkpoint: int | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as text: its name in the archive, how many bytes it has, and whether `text` is all of it."""

    name: str
    bytes: int
    text: str
    whole: bool


@dataclass(frozen=True, slots=True)
class FieldTold:
    """One field by its name in the log; `sources` are the lines of the mapping tables that it can come from."""

    name: str
    given: bool
    sources: tuple[SourceOfField, ...]


@dataclass(frozen=True, slots=True)
class SourceOfField:
    """Where a field comes from: rule with its text, element in the source's message, register column."""

    rule: str
    text: str
    field: str
    element: str
    column: str


def show(visit: Visit, exchange: uuid.UUID) -> Shown:
    """What is public of an exchange; looking at it is a search of the log, and on record as one."""
    records = _records(visit, exchange)
    filters = Filters(exchange=exchange)
    facts: dict[str, Json] = {"filters": filters.json(), "by_person": False, "found": len(records)}
    visit.on_record("audit search", SUPERVISION, facts)
    return _shown(visit, exchange, records)


def _for_a_purpose(
    opening: Callable[[Visit, uuid.UUID, list[Found], str], Shown | Response],
) -> Callable[[Visit, uuid.UUID], Shown | Response]:
    """What is opened by POST alone, by who may see persons, for a purpose; without one the page says so."""

    def opened(visit: Visit, exchange: uuid.UUID) -> Shown | Response:
        visit.may_see_persons()
        if visit.method != "POST":
            return _back(exchange)
        records = _records(visit, exchange)
        try:
            purpose = visit.purpose()
        except InvalidRequest as error:
            return _shown(visit, exchange, records, wrong=telling.reason(visit, error))
        return opening(visit, exchange, records, purpose)

    return opened


@_for_a_purpose
def show_opened(visit: Visit, exchange: uuid.UUID, records: list[Found], purpose: str) -> Shown | Response:
    """The personal values of all records, and which messages are kept."""
    values = search.with_values(visit.gateway.engine, records)
    persons = search.codes_in(one.get("subject") for one in values)
    indexes: list[Json] = [one.index for one in records if one.index is not None]
    visit.on_record("audit show", purpose, {"of": str(exchange), "indexes": indexes}, about(persons))
    return _shown(
        visit, exchange, records, purpose=purpose, values=values, kept=_kept(visit, exchange, purpose)
    )


@_for_a_purpose
def show_payload(visit: Visit, exchange: uuid.UUID, records: list[Found], purpose: str) -> Shown | Response:
    """One message as it was, as a file or as text; never as what it says it is."""
    name = visit.form.get("payload", "")
    engine, archive = visit.gateway.engine, visit.gateway.archive
    with reading(engine).begin() as connection:
        names = archive.names(connection, exchange)
    if name not in names:
        raise NotFound("payload")
    persons = search.persons_of(engine, exchange)
    visit.on_record("audit payload", purpose, {"of": str(exchange), "payload": name}, about(persons))
    with reading(engine).begin() as connection:
        content = archive.get(connection, exchange, name)
    if visit.form.get("as") == "file":
        return telling.attachment(content, f"{exchange}-{name}.bin")
    text = content.decode("utf-8", "replace").replace("\0", "\ufffd")
    message = Message(name, len(content), text[:_MOST_SHOWN], len(text) <= _MOST_SHOWN)
    return _shown(visit, exchange, records, purpose=purpose, kept=names, message=message)


@_for_a_purpose
def download_evidence(visit: Visit, exchange: uuid.UUID, _: list[Found], purpose: str) -> Response:
    """The container that `gateway audit evidence` makes."""
    gateway, now = visit.gateway, utc_now()
    persons = search.persons_of(gateway.engine, exchange)
    visit.on_record("audit evidence", purpose, {"of": str(exchange)}, about(persons))
    made = evidence_of(gateway.settings, gateway.engine, gateway.archive, exchange, purpose, now)
    keys = gateway.settings.keys
    signer = Identity.load(keys / "gateway.pem", keys / "gateway.key")
    content = evidence.packed(made.files, signer, now)
    return telling.attachment(content, f"{exchange}.asice", evidence.MEDIA_TYPE)


def check_receipt(visit: Visit, exchange: uuid.UUID) -> Shown | Response:
    """Whether the log holds what it gave a receipt for; nothing of a person is in one."""
    if visit.method != "POST":
        return _back(exchange)
    records = _records(visit, exchange)
    key = visit.gateway.log_key.public_key()
    try:
        given = receipts.read(visit.form.get("receipt", ""))
        if not given.signed_by(key):
            raise InvalidRequest(visit.say("The receipt is not signed by this log."))
        if given.exchange != str(exchange):
            raise InvalidRequest(visit.say("The receipt is of another exchange."))
    except InvalidRequest as error:
        return _shown(visit, exchange, records, wrong=telling.reason(visit, error))
    with reading(visit.gateway.engine).begin() as connection:
        found, index = receipts.standing(connection, given, utc_now())
    return _shown(visit, exchange, records, receipt=(*_STANDINGS[found], index))


def _back(exchange: uuid.UUID) -> Response:
    """To the page of the exchange: what was asked by POST is asked anew there, such as in another language."""
    return redirect(f"/console/exchanges/{exchange}", 303)


def _records(visit: Visit, exchange: uuid.UUID) -> list[Found]:
    """Its records, oldest first. Raises: NotFound."""
    found = search.page(visit.gateway.engine, Filters(exchange=exchange), limit=_MOST_RECORDS)
    if not found:
        raise NotFound("records of that exchange")
    return found[::-1]


def _kept(visit: Visit, exchange: uuid.UUID, purpose: str) -> list[str]:
    """What the archive keeps; that somebody asked is on record, as the command does it."""
    persons = search.persons_of(visit.gateway.engine, exchange)
    visit.on_record("audit payload", purpose, {"of": str(exchange), "payload": ""}, about(persons))
    try:
        with reading(visit.gateway.engine).begin() as connection:
            return visit.gateway.archive.names(connection, exchange)
    except NotFound:  # erased by law, or none ever came
        return []


def _shown(
    visit: Visit,
    exchange: uuid.UUID,
    records: Sequence[Found],
    *,
    wrong: str = "",
    purpose: str = "",
    values: Sequence[Mapping[str, Json]] = (),
    kept: Sequence[str] | None = None,
    message: Message | None = None,
    receipt: tuple[str, str, int | None] | None = None,
) -> Shown:
    gateway, language = visit.gateway, visit.language
    witness = witnessed.chosen(gateway.settings)
    key = gateway.log_key.public_key()
    stands = standing.of_exchange(gateway.engine, exchange, key, None if witness is None else witness.key)
    (whole,) = by_exchange(records[::-1])
    facts: dict[str, Json] = {name: value for one in records for name, value in one.leaf.items()}
    content = {
        "exchange": str(exchange),
        "wrong": wrong,
        "purpose": purpose,
        "may_open": visit.user.role in SEES_PERSONS,
        "what": telling.what(whole.telling, language),
        "facts": facts,
        "steps": list(_steps(records, stands, language)),
        "who": _who(facts, language, opened=bool(values)),
        "rules": [(one.id.removeprefix("p"), one.text) for one in regulation.chain(_text(facts, "rule"))],
        "fields": list(_fields(facts)),
        "delivered": _delivered(facts, language),
        "state": _STATES[stands.state],
        "stands": stands,
        "cosigned_by": [one.name for one in stands.proven_to.signatures[1:]] if stands.proven_to else [],
        "notices": _notices(visit, exchange, facts),
        "values": _values(records, values),
        "kept": kept,
        "message": message,
        "receipt": receipt,
        "kinds": telling.KINDS,
        "told": telling.told,
    }
    return Shown("exchange.html.jinja", content, 400 if wrong else 200)


def _steps(records: Sequence[Found], stands: Standing, language: Language) -> Iterator[Step]:
    before: datetime | None = None
    for one in records:
        instant = datetime.fromisoformat(str(one.leaf["instant"]))
        place = stands.places.get(str(one.leaf["id"]))
        outcome = _text(one.leaf, "outcome")
        attempt = one.leaf.get("attempt")
        yield Step(
            record=str(one.leaf["id"]),
            time=f"{moment(instant)}.{instant.microsecond // 1000:03}",
            after="" if before is None else _length(instant - before),
            text=telling.KINDS.get(str(one.leaf["kind"]), str(one.leaf["kind"])),
            mark=_MARKS.get(outcome, ""),
            outcome=outcome,
            code=_text(one.leaf, "code"),
            detail=_text(one.leaf, "detail"),
            attempt=_asked(one, language) if attempt is not None else "",
            index=one.index if place is None else place.index,
            leaf_hash="" if place is None else base64.b64encode(place.leaf_hash).decode(),
            checkpoint=None if place is None else place.checkpoint,
        )
        before = instant


def _asked(one: Found, language: Language) -> str:
    system = words.named("sources", _text(one.leaf, "system")).of(language)
    return f"{one.leaf['attempt']}: {system}"


def _length(passed: timedelta) -> str:
    """A time between two records, short."""
    seconds = passed.total_seconds()
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if abs(seconds) < 120 else str(timedelta(seconds=round(seconds)))


def _who(facts: Mapping[str, Json], language: Language, *, opened: bool) -> list[tuple[str, str]]:
    """Pairs of a name to be translated and a text, of what the log says in public."""
    purpose = purpose_told(facts, {} if opened else None)
    institution = words.institution(_text(facts, "institution"), _text(facts, "recipient")).of(language)
    bases = facts.get("bases")
    found = [
        ("Institution", institution),
        ("Role", words.named("roles", _text(facts, "role")).of(language)),
        ("Recipient whose rights were used", _text(facts, "recipient")),
        ("Caller", _text(facts, "caller")),
        ("Way in", words.named("ways", _text(facts, "way")).of(language)),
        ("Purpose", words.named("purposes", purpose).of(language)),
        ("Legal basis of the right", "; ".join(map(str, bases)) if isinstance(bases, list) else ""),
        ("Act", words.named("acts", _text(facts, "act")).of(language)),
        ("Signed with the certificate", _text(facts, "certificate")),
        ("Certificate of the connection", _text(facts, "tls_certificate")),
        ("Number of the request", _text(facts, "request_id")),
        ("Answer repeated from exchange", _text(facts, "repeats")),
        ("Follows from exchange", _text(facts, "cause")),
    ]
    return [(name, text) for name, text in found if text]


def _delivered(facts: Mapping[str, Json], language: Language) -> list[tuple[str, str]]:
    """Pairs of a name to be translated and a text, of what was delivered and what the registers took."""
    found = [
        ("Source", words.named("sources", _text(facts, "source")).of(language)),
        ("Contract version", _text(facts, "contract")),
        ("Mapping version", _text(facts, "mapping")),
        ("Register rows written", _number(facts, "written")),
        ("Register rows confirmed", _number(facts, "confirmed")),
        ("Attempts", _number(facts, "attempts")),
        ("Milliseconds in all", _number(facts, "ms")),
    ]
    return [(name, text) for name, text in found if text]


def _fields(facts: Mapping[str, Json]) -> Iterator[FieldTold]:
    lines = words.lines_of_fields(_text(facts, "system"), _text(facts, "operation"))
    for member, given in (("given", True), ("withheld", False)):
        names = facts.get(member)
        for name in names if isinstance(names, list) else []:
            sources: dict[tuple[str, str], SourceOfField] = {}
            for line in lines.get(str(name), ()):
                # An answer repeats what was asked with: it is told as the answer has it.
                sources.setdefault((line.rule, line.field), _source(line))
            yield FieldTold(str(name), given, tuple(sources.values()))


def _source(line: Lineage) -> SourceOfField:
    known = regulation.rules().get(line.rule)
    text = "" if known is None else known.text
    return SourceOfField(line.rule.removeprefix("p"), text, line.field, line.element, line.column)


def _notices(visit: Visit, exchange: uuid.UUID, facts: Mapping[str, Json]) -> list[dict[str, object]]:
    """What goes on later because of it: its own row of the outbox and those that it queued."""
    named = facts.get("notices")
    numbers = [exchange, *(uuid.UUID(str(one)) for one in (named if isinstance(named, list) else []))]
    found: list[dict[str, object]] = []
    with reading(visit.gateway.engine).begin() as connection:
        for number in numbers:
            try:
                row = outbox.find(connection, number)
            except NotFound:
                if number != exchange:  # delivered, and forgotten since
                    found.append({"id": str(number), "row": None})
                continue
            text = words.operation(row.system, row.operation).of(visit.language)
            found.append({"id": str(number), "row": row, "what": text, "state": _ROWS[row.state]})
    return found


def _values(
    records: Sequence[Found], values: Sequence[Mapping[str, Json]]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """By kind of record, the personal values by their names in the log."""
    if not values:
        return []
    return [
        (
            telling.KINDS.get(str(one.leaf["kind"]), ""),
            [(name, telling.told(value)) for name, value in sorted(own.items())],
        )
        for one, own in zip(records, values, strict=True)
    ]


def _text(facts: Mapping[str, Json], name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def _number(facts: Mapping[str, Json], name: str) -> str:
    value = facts.get(name)
    return str(value) if isinstance(value, int) else ""


_AT = "exchanges/<uuid:exchange>"
PAGES = (
    Page(path=_AT, roles=frozenset({Role.AUDITOR, Role.DPO, Role.OPERATOR}), show=show),
    Page(
        path=f"{_AT}/receipt",
        roles=frozenset({Role.AUDITOR, Role.DPO, Role.OPERATOR}),
        show=check_receipt,
        methods=("GET", "POST"),
    ),
    Page(path=f"{_AT}/opened", roles=SEES_PERSONS, show=show_opened, methods=("GET", "POST")),
    Page(path=f"{_AT}/payload", roles=SEES_PERSONS, show=show_payload, methods=("GET", "POST")),
    Page(path=f"{_AT}/evidence", roles=SEES_PERSONS, show=download_evidence, methods=("GET", "POST")),
)
