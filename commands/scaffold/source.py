"""Python source of a new mapping module, from its outline: in the form that `make fix` leaves alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from commands.scaffold.outline import TODO, Line, Outline, Record, constant

_WIDTH = 110
_PERSON_COLUMN = "spolis_person_code.code"


def call(maker: str, arguments: Sequence[str], indent: int) -> str:
    """A call in one line where it fits, with its comma."""
    whole = f"{' ' * indent}{maker}({', '.join(arguments)}),"
    if len(whole) <= _WIDTH:
        return whole
    inner = "".join(f"{' ' * (indent + 4)}{one},\n" for one in arguments)
    return f"{' ' * indent}{maker}(\n{inner}{' ' * indent}),"


def wrapped(before: str, items: Sequence[str], after: str) -> str:
    """Items in brackets behind `before`, in one line where they fit, else each in a line of its own."""
    whole = f"{before}{', '.join(items)}{after}"
    if len(whole) <= _WIDTH:
        return whole
    return before + "\n" + "".join(f"    {one},\n" for one in items) + after


def imported(module: str, names: Sequence[str]) -> str:
    """An import of names, in brackets where it would be too long."""
    whole = f"from {module} import {', '.join(names)}"
    return whole if len(whole) <= _WIDTH else wrapped(f"from {module} import (", names, ")")


def records(outlined: Outline) -> str:
    """The words, then the dataclass of every record, nested ones first."""
    parts = [
        f"class {name}(StrEnum):\n"
        f'    """{TODO}: what these words of the contract say."""\n\n'
        + "".join(f'    {constant(word)} = "{word}"\n' for word in words)
        for name, words in outlined.words
    ]
    parts += [_record(one) for one in _every(outlined)]
    return "\n\n".join(parts)


def tables(outlined: Outline, table: str) -> str:
    """The mapping table of every record; `table` names the register table that keeps the first answer, or ""."""
    kept = outlined.operations[0][2].name if table else ""
    return "\n".join(_table(one, table if one.name == kept else "") for one in _every(outlined))


def imports(outlined: Outline) -> str:
    """The imports that records and tables need, in their order."""
    every = [line for one in _every(outlined) for line in one.lines]
    annotations = {line.annotation for line in every}
    makers = sorted(
        {line.maker for line in every if line.maker != "day"} | {"many" for line in every if line.many}
    )
    contexts = any(one.context for one in _every(outlined))
    standard = ["import uuid"] if "uuid.UUID" in annotations else []
    standard.append("from dataclasses import dataclass")
    standard += ["from datetime import date"] if "date" in annotations else []
    standard += ["from decimal import Decimal"] if "Decimal" in annotations else []
    standard += ["from enum import StrEnum"] if outlined.words else []
    coded = "Code" in annotations
    own = ["from exchange import Context"] if contexts else []
    own += ["from mappings.codes import Code, code_list"] if coded else []
    own += ["from mappings.context import context"] if contexts else []
    own += [f"from mappings.fields import {', '.join(makers)}"] if makers else []
    own += ["from mappings.fields import date as day"] if any(line.maker == "day" for line in every) else []
    own += ["from mappings.mapping import Mapping", "from wsdl import contract"]
    return "\n".join(standard) + "\n\n" + "\n".join(own)


def lists(system: str, outlined: Outline) -> str:
    """The constants of the code lists."""
    named = (name.removeprefix(f"{system}_") for name in outlined.lists)
    return "".join(f'{name.upper()} = code_list("{system}_{name}")\n' for name in named)


def _every(outlined: Outline) -> Iterator[Record]:
    yield from outlined.nested
    for _, asked, answer in outlined.operations:
        yield from (asked, answer)


def _record(one: Record) -> str:
    said = f"{one.element} of the contract" if not one.request else f"What is asked ({one.element})"
    lines = [f"    {line.name}: {_annotation(line)}\n" for line in one.lines]
    context = ["    context: Context\n"] if one.context else []
    return (
        "@dataclass(frozen=True, slots=True, kw_only=True)\n"
        f"class {one.name}:\n"
        f'    """{TODO}: {said}, in a sentence with the Latvian term. Source: {TODO}."""\n\n'
        + "".join([*context, *lines])
    )


def _annotation(line: Line) -> str:
    if line.many:
        return f"tuple[{line.annotation}, ...]"
    return f"{line.annotation} | None" if line.optional else line.annotation


def _table(one: Record, table: str) -> str:
    fields = "".join(f"{_field(line, table)}\n" for line in one.lines)
    context = "        context(NAMESPACE),\n" if one.context else ""
    request = "    request=True,\n" if one.request else ""
    return (
        f'{constant(one.name)} = Mapping(\n    {one.name},\n    NAMESPACE,\n    "{one.element}",\n'
        f"    (\n{context}{fields}    ),\n{request})\n"
    )


def _field(line: Line, table: str) -> str:
    comment = f"        # {line.said[:100].strip()}\n" if line.said else ""
    arguments = [f'"{line.name}"', f'"{line.element}"', *line.arguments]
    if line.maker != "nested":
        arguments.append(f'rule="{TODO}"')
        if table and line.column:
            column = _PERSON_COLUMN if line.column == "person" else f"{table}.{line.name}"
            arguments.append(f'column="{column}"')
    if not line.many:
        return comment + call(line.maker, [*arguments, *(["optional=True"] if line.optional else [])], 8)
    more = [f"minimum={line.minimum}"] if line.minimum else []
    more += ["optional=True"] if line.optional else []
    inner = call(line.maker, arguments, 0).rstrip(",")
    return comment + call("many", [inner, *more], 8)
