"""Source of a new simulator: Spyne models of what the contract says, and operations that refuse until written."""

from __future__ import annotations

from collections.abc import Iterator

from commands.scaffold.outline import CONTEXT, TODO, is_coded, snake
from wsdl.description import Description, Exchange, Node

_SPYNE = {"date": "Date", "boolean": "Boolean", "decimal": "Decimal", "integer": "Integer", "int": "Integer"}


def models(described: Description) -> str:
    """A class for every complex type, those that others hold first."""
    return "".join(
        f"class {name}(ComplexModel):\n    __namespace__ = NAMESPACE\n"
        + "".join(f"    {part.name} = {_kind(part)}\n" for part in node.parts)
        + "\n\n"
        for name, node in _complex(described).items()
    )


def services(described: Description) -> str:
    """The operations."""
    return "\n".join(_service(name, exchange) for name, exchange in described.operations.items())


def names(described: Description) -> str:
    """What is imported from wsdl.spyne_compat."""
    held = _complex(described)
    own = [part for exchange in described.operations.values() for part in _own(exchange)]
    parts = [*own, *(part for node in held.values() for part in node.parts)]
    kinds = {_simple(part) for part in parts if part.simple is not None}
    return ", ".join([*sorted(kinds | ({"ComplexModel"} if held else set()) | {"ServiceBase"}), "rpc"])


def shared(described: Description) -> str:
    """What is imported from simulators.service."""
    many = ["many"] if "many(" in models(described) + services(described) else []
    used = ["INTERNAL", "Call", "Model", "application", *many, "refusal", "shared_types"]
    return "".join(f"    {name},\n" for name in used)


def _own(exchange: Exchange) -> tuple[Node, ...]:
    asked = tuple(part for part in exchange.request.parts if part.name != CONTEXT)
    return (*asked, *exchange.answer.parts)


def _complex(described: Description) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for exchange in described.operations.values():
        for part in _own(exchange):
            found |= dict(_below(part))
    return found


def _below(node: Node) -> Iterator[tuple[str, Node]]:
    if node.parts and not is_coded(node):
        for part in node.parts:
            yield from _below(part)
        yield _class(node), node


def _class(node: Node) -> str:
    return node.type or f"{node.name}Structure"


def _simple(node: Node) -> str:
    return _SPYNE.get(node.simple.base, "Unicode") if node.simple is not None else ""


def _kind(node: Node) -> str:
    one = "_TYPES.code" if is_coded(node) else _class(node) if node.parts else _simple(node)
    return f"many({one})" if node.most != 1 else one


def _service(name: str, exchange: Exchange) -> str:
    taken = {
        f"_{snake(part.name)}" if part.name != CONTEXT else "_context": part
        for part in exchange.request.parts
    }
    kinds = ["_TYPES.context" if part.name == CONTEXT else _kind(part) for part in exchange.request.parts]
    returned = [_kind(part) for part in exchange.answer.parts]
    out = [f'"{part.name}"' for part in exchange.answer.parts]
    several = "s" if len(out) > 1 else ""
    names = "".join(f'                "{key}": "{part.name}",\n' for key, part in taken.items())
    arguments = [
        *kinds,
        f"_in_arg_names={{\n{names}            }}",
        f"_returns={_tuple(returned)}",
        f"_out_variable_name{several}={_tuple(out)}",
    ]
    inner = "".join(f"            {argument},\n" for argument in arguments)
    parameters = "".join(f"            {key}: Model,\n" for key in taken)
    return (
        f"        @rpc(\n{inner}        )\n"
        f"        def {name}(\n            _call: Call,\n{parameters}        ) -> Model:\n"
        f'            raise refusal(NAMESPACE, INTERNAL, "{TODO}: {name} is not simulated yet")\n'
    )


def _tuple(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"
