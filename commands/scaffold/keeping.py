"""Source of a new register: the table that keeps the first operation's answers, how it is fed, and its migration."""

from __future__ import annotations

from commands.scaffold.outline import TODO, Line, Outline, constant
from commands.scaffold.source import call, imported, wrapped

_MIGRATED = {"Exact()": "_EXACT", "Month()": "sa.Date()"}
_SEARCHED = ("Text()", "Date()", "Boolean()")


class Keeping:
    """The table `<system>_<thing>` of the first answer, or with thing "" no table at all."""

    def __init__(self, system: str, thing: str, outlined: Outline) -> None:
        self.system = system
        self.thing = thing
        self.answers = [answer.name for _, _, answer in outlined.operations]
        lines = outlined.operations[0][2].lines
        held = [line for line in lines if line.column not in ("", "person")]
        person = next((line for line in lines if line.column == "person" and not line.optional), None)
        self._lines = held if thing else []
        self._person = person if thing else None

    @property
    def table(self) -> str:
        """The table's name, "" without one."""
        return f"{self.system}_{self.thing}" if self.thing else ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that hold what an answer says."""
        return tuple(line.name for line in self._lines)

    @property
    def key(self) -> str:
        """The column under which one row is current: a guess."""
        return next((line.name for line in self._lines if not line.optional), self._lines[0].name)

    def imports(self) -> str:
        """The imports of the register's module."""
        kinds = {line.column.removesuffix("()") for line in self._lines}
        own = sorted(kinds & {"Exact", "Month"})
        library = sorted({"Connection", *(kinds - {"Exact", "Month"})})
        codes = sorted({line.codes for line in self._lines if line.codes})
        lock = [] if self._person else ["lock"]
        history = [*own, "Fed", "Values", "field", *lock, "replace", "versioned"] if self.thing else ["Fed"]
        parts = [
            f"from sqlalchemy import {', '.join(library)}\n",
            "from exchange import Provenance",
            imported(f"mappings.{self.system}", [*codes, *sorted(self.answers)]),
            f"from registers.history import {', '.join(history)}",
            *(["from registers.persons import person_of"] if self._person else []),
            *(["from registers.reading import Register"] if self.thing else []),
        ]
        return "\n".join(parts)

    def declared(self) -> str:
        """The table and the register."""
        if not self.thing:
            return ""
        constant_name = constant(self.thing)
        fields = "".join(f"{self._field(line)}\n" for line in self._lines)
        searched = [f'"{line.name}"' for line in self._lines if line.column in _SEARCHED]
        criteria = f"({', '.join(searched)}{',' if len(searched) == 1 else ''})"
        owned = (
            ""
            if self._person
            else f'    person=False,\n    one_per=("{self.key}",),  # {TODO}: what makes it one\n'
        )
        return (
            f'{constant_name} = versioned(\n    "{self.system}",\n    "{self.thing}",\n{fields}{owned})\n\n'
            f'REGISTERS = (\n    Register(\n        name="{self.system}-{self.thing.replace("_", "-")}",\n'
            f'        table={constant_name},\n        source="{self.system}",\n'
            f"        criteria={{name: {constant_name}.c[name] for name in {criteria}}},\n"
            f'        order=("{self.key}",),\n    ),\n)\n\n\n'
        )

    def feeds(self) -> str:
        """The functions that keep answers, and which keeps what."""
        kept = [self.answers[0]] if self.thing else []
        left = [name for name in self.answers if name not in kept]
        text = self._feed() if kept else ""
        text += self._nothing() if left else ""
        pairs = [
            *(f"{name}: feed_{self.thing}" for name in kept),
            *(f"{name}: feed_nothing" for name in left),
        ]
        return text + wrapped("FEEDS = {", pairs, "}") + "\n"

    def migration(self) -> str:
        """The columns of the table, in a migration."""
        own = [*(["person_id"] if self._person else []), *(line.name for line in self._lines)]
        kinds = {"person_id": "sa.Uuid()"} | {
            line.name: _MIGRATED.get(line.column, f"sa.{line.column}") for line in self._lines
        }
        optional = {line.name for line in self._lines if line.optional}
        return "".join(
            f'        sa.Column("{name}", {kinds[name]}, nullable={name in optional}),\n' for name in own
        )

    @property
    def exact(self) -> bool:
        """Whether a column holds exact decimals."""
        return any(line.column == "Exact()" for line in self._lines)

    @property
    def of_persons(self) -> bool:
        """Whether a row is about a person."""
        return self._person is not None

    def _field(self, line: Line) -> str:
        arguments = [f'"{line.name}"', line.column, f'rule="{TODO}"']
        arguments += [f"codes={line.codes}"] if line.codes else []
        arguments += ["optional=True"] if line.optional else []
        return call("field", arguments, 4)

    def _feed(self) -> str:
        table, record = constant(self.thing), self.answers[0]
        rows = "".join(f'        "{line.name}": {_value(line)},\n' for line in self._lines)
        if self._person:
            owner = f'{{"person_id": person_of(connection, record.{self._person.name}, provenance)}}'
            before, key = "", f'("{self.key}",)'
        else:
            owner = f'{{"{self.key}": row["{self.key}"]}}'
            before, key = (
                f"    lock(connection, [f\"{self.table} {{row['{self.key}']}}\"])\n",
                f'("{self.key}",)',
            )
        return (
            f"def feed_{self.thing}(connection: Connection, record: {record}, provenance: Provenance) -> Fed:\n"
            f'    """{TODO}: what is kept of an answer, and what it supersedes."""\n'
            f"    row: Values = {{\n{rows}    }}\n{before}"
            f"    owner = {owner}\n"
            f"    return replace(connection, {table}, owner, [row], provenance, key={key})\n\n\n"
        )

    def _nothing(self) -> str:
        return (
            "def feed_nothing(_connection: Connection, _record: object, _provenance: Provenance) -> Fed:\n"
            f'    """{TODO}: say why nothing of the answer is kept, or keep it in a table."""\n'
            "    return Fed()\n\n\n"
        )


def _value(line: Line) -> str:
    value = f"record.{line.name}"
    if line.maker in ("code", "choice"):
        inner = f"{value}.{'code' if line.maker == 'code' else 'value'}"
        return f"{inner} if {value} else None" if line.optional else inner
    return value
