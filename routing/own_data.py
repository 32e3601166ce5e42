"""What the registers hold of a person, told to himself or to whoever represents him on this day.

Whom somebody represents may change from one day to the next, and the registers learn of it later: so the Register of
Natural Persons is asked anew each time, and what it says is not kept. Source: p8.9, p18.1, docs/adr/0027.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine

import errors
import registers
from exchange import RIGA, Disclosed, Grant, Json, Lease, Provenance, Request
from mappings.person_code import canonical, normalise
from mappings.pmlp import Person
from mappings.regulation import rules
from mappings.services import OwnReading
from registers import Fed, Register, Row
from routing.delivery import Exchanged
from routing.person_services import all_rows
from routing.routes import HERE, OWN_SOURCE, BeforeSend, Manner, SystemAnswer, SystemPlan, SystemRoute
from storage import reading

_VERSION = "v1-0"

# A column that holds a personal code names somebody besides the person whose row it is.
_OTHER_PERSON = "person_code"


def told_of(register: Register) -> Iterator[tuple[str, Register]]:
    """A register, or the tables that make it up, each with the name by which a person is told of its entries."""
    if register.parts:
        yield from ((f"{register.name}.{name}", part.register) for name, part in register.parts.items())
    else:
        yield register.name, register


@dataclass(frozen=True, slots=True)
class OwnDataRoute:
    """To what the registers hold of the one who asks, or by way of a system to that of whom he represents."""

    engine: Engine
    reading: OwnReading
    via: SystemRoute

    def plan(self, request: Request, grant: Grant) -> OwnDataPlan:
        """Raises: InvalidRequest, InvalidPersonCode; AccessDenied when it may not be asked who represents whom."""
        if request.sealed is None:
            raise errors.InvalidRequest("own data are told to signed messages")
        official = request.context.official
        if official.role != self.reading.role:
            raise errors.InvalidRequest(f"who asks for his own data has the role {self.reading.role}")
        asker = normalise(official.id)
        given = request.arguments.get("person_code")
        subject = asker if given is None else normalise(str(given))
        with reading(self.engine).begin() as connection:
            himself = _same(connection, asker, subject)
        return OwnDataPlan(
            self, grant, asker, subject, None if himself else self._ask(request, subject, grant)
        )

    def _ask(self, request: Request, subject: str, grant: Grant) -> SystemPlan:
        own = self.reading
        arguments = {**own.arguments, "person_code": subject}
        asked = replace(request, system=own.system, operation=own.operation, arguments=arguments)
        return self.via.plan(asked, grant)


@dataclass(frozen=True, slots=True)
class OwnDataPlan:
    """Read of a person; `question` asks who represents him, where he is not the one who asks."""

    route: OwnDataRoute
    grant: Grant
    asker: str
    subject: str
    question: SystemPlan | None
    manner: Manner = HERE

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> OwnDataAnswer:
        """Ask who represents him, then read; each is on record before it takes place."""
        asked: SystemAnswer | None = None
        if self.question is not None:
            asked = self.question.deliver(exchange_id, deadline, before_send, lease)
            with reading(self.route.engine).begin() as connection:
                refusal = refused(connection, asked, self.route.reading.kinds, self.asker, self.subject)
            if refusal is not None:
                return OwnDataAnswer(self.asker, self.subject, (), (), asked, refusal)
        before_send(1 + (len(asked.attempts) if asked is not None else 0), b"")
        with reading(self.route.engine).begin() as connection:
            wanted = [one for one in registers.REGISTERS.values() if _granted(one, self.grant)]
            rows = tuple(row for one in wanted for row in all_rows(connection, one.name, self.subject))
            person_id = registers.person_by_code(connection, self.subject)
            codes = () if person_id is None else registers.codes_of(connection, person_id)
        return OwnDataAnswer(self.asker, codes[0] if codes else self.subject, rows, tuple(wanted), asked)


@dataclass(frozen=True, slots=True)
class OwnDataAnswer:
    """Rows of the registers about one person; each value is judged by the source of its own row."""

    asker: str
    subject: str
    rows: tuple[Row, ...]
    read: tuple[Register, ...]
    asked: SystemAnswer | None
    error: errors.GatewayError | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """The person under the code in force."""
        return (self.subject,)

    @property
    def attempts(self) -> tuple[Exchanged, ...]:
        """Those at the system that says who represents whom."""
        return () if self.asked is None else self.asked.attempts

    @property
    def request_signed(self) -> bool:
        """As to every system."""
        return self.asked is not None and self.asked.request_signed

    @property
    def answer_signed(self) -> bool:
        """Whether the system's signature held."""
        return self.asked is not None and self.asked.answer_signed

    @property
    def origin(self) -> tuple[str, str, str]:
        """The registers' own: what the system said decided, and is not given."""
        return OWN_SOURCE, _VERSION, _VERSION

    def disclose(self, grant: Grant) -> Disclosed:
        """The entries without what is withheld; one of which nothing may be given is left out.

        What names another person is withheld, unless that is the one who asks. Of registers without entries the same
        fields are named as withheld as of those with one, so that their number tells nothing.
        """
        entries: list[Json] = []
        given: dict[str, None] = {}
        withheld: dict[str, None] = {}
        for name, table, rows in self._told():
            if not rows:
                withheld.update({f"{name}[].{field}": None for field in _withheld(table, grant)})
            for row in rows:
                record, kept_back = self._judged(row, grant)
                withheld.update({f"{name}[].{field}": None for field in kept_back})
                if record:
                    given.update({f"{name}[].{field}": None for field in table.fields if field in record})
                    entries.append(_entry(name, row, record))
        return Disclosed({"person_code": self.subject, "entries": entries}, tuple(given), tuple(withheld))

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Reading changes nothing, and what was asked for it is not kept."""
        return Fed()

    def _told(self) -> Iterator[tuple[str, Register, tuple[Row, ...]]]:
        """The name of each register or part of one that was read, with its rows."""
        for one in self.read:
            rows = [row for row in self.rows if row.register is one]
            for name, table in told_of(one):
                part = name.removeprefix(f"{one.name}.")
                yield name, table, tuple(each for row in rows for each in _rows(row, part))

    def _judged(self, row: Row, grant: Grant) -> tuple[dict[str, Json], tuple[str, ...]]:
        """What of a row may be given, and what not. Of a row of which nothing may be given nothing is said."""
        other = row.values.get(_OTHER_PERSON)
        if isinstance(other, str) and canonical(other) != self.asker:
            return {}, _withheld(row.register, grant)
        record, kept_back = registers.disclose(row, grant.permits)
        return record, kept_back if record else ()


def _rows(row: Row, part: str) -> tuple[Row, ...]:
    """The rows of a part, or the row itself where its register has none."""
    held = row.parts[part] if row.register.parts else row
    return held if isinstance(held, tuple) else (held,) if held is not None else ()


def _withheld(table: Register, grant: Grant) -> tuple[str, ...]:
    """The fields that are withheld of a register from which something may be given, whether it has a row or not."""
    refused = tuple(field for field, rule in table.fields.items() if not grant.permits(rule, table.source))
    if len(refused) == len(table.fields):
        return ()
    return tuple(table.fields) if _OTHER_PERSON in table.fields else refused


def _entry(name: str, row: Row, record: dict[str, Json]) -> Json:
    fields: list[Json] = [
        {
            "name": field,
            "rule": rule,
            "rule_text": rules()[rule].text.rstrip(":"),
            "values": list[Json](_values(record[field])),
        }
        for field, rule in row.register.fields.items()
        if field in record
    ]
    return {
        "register": name,
        "source": row.provenance.source,
        "recorded_on": row.recorded_at.astimezone(RIGA).date().isoformat(),
        "fields": fields,
    }


def refused(
    connection: Connection, asked: SystemAnswer, kinds: frozenset[str], asker: str, subject: str
) -> errors.GatewayError | None:
    """Why nothing is told: the system failed, spoke of another person, or does not name the one who asks.

    A code that nobody has is answered like a stranger's: which codes there are is told to nobody.
    """
    if isinstance(asked.error, errors.NotFound):
        return errors.NotOwnData()
    if asked.error is not None:
        return asked.error
    person = asked.record
    if not isinstance(person, Person) or not _same(connection, person.person_code, subject):
        return errors.AnswerMismatch("person_code")
    by = [one.person_code for one in person.representatives if one.kind.code in kinds]
    return None if any(_same(connection, code, asker) for code in by) else errors.NotOwnData()


def _same(connection: Connection, one: str, other: str) -> bool:
    """Whether two codes are one person's, as far as the registers know."""
    if canonical(one) == canonical(other):
        return True
    found = registers.person_by_code(connection, one)
    return found is not None and found == registers.person_by_code(connection, other)


def _granted(register: Register, grant: Grant) -> bool:
    """Whether anything of a register of persons may be given, of whatever source its rows are."""
    if not register.of_persons:
        return False
    sources = {source for _, source in grant.rules}
    named = {rule for _, table in told_of(register) for rule in table.fields.values()}
    return any(grant.permits(rule, source) for rule in named for source in sources)


def _values(value: Json) -> Iterator[dict[str, Json]]:
    """The values of a field as texts: a code with its text, each of several, the leaves of what is nested."""
    if isinstance(value, dict) and "text_lv" in value:
        yield {"code": value["code"], "text": value["text_lv"]}
    elif isinstance(value, dict):
        for one in value.values():
            yield from _values(one)
    elif isinstance(value, list):
        for one in value:
            yield from _values(one)
    elif isinstance(value, bool):
        yield {"text": "true" if value else "false"}
    elif value not in (None, ""):
        yield {"text": str(value)}
