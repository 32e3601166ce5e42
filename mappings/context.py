"""The context of a request (Konteksts): one declaration, used in the namespace of every contract.

Source: `KontekstsStructure` in every contract of wsdl/, rules p19.2, p20, p22.
"""

from __future__ import annotations

from functools import cache

from exchange import Context, Environment, Official
from mappings.fields import Field, choice, identifier, nested, text
from mappings.mapping import Mapping

_LONGEST = 100


@cache
def context_table(namespace: str) -> Mapping[Context]:
    """The table of Konteksts in a namespace."""
    official = Mapping(
        Official,
        namespace,
        "Darbinieks",
        (
            text("id", "Identifikators", rule="p19.2", longest=_LONGEST),
            text("institution", "Iestade", rule="p19.2", longest=_LONGEST),
            text("role", "Loma", rule="p20", longest=_LONGEST),
        ),
    )
    return Mapping(
        Context,
        namespace,
        "Konteksts",
        (
            text("purpose", "Merkis", rule="p22", longest=_LONGEST),
            text("rule", "Tiesibas", rule="p20", pattern=r"p\d+(\^\d+)?(\.\d+(\^\d+)?)*", longest=_LONGEST),
            nested("official", "Darbinieks", official),
            text("case", "Lieta", rule="p19.2", optional=True, absent="", longest=_LONGEST),
            identifier("request_id", "PieprasijumaId", rule="p19.2"),
            choice("environment", "Vide", Environment, rule="p19.5.6"),
        ),
    )


def context(namespace: str) -> Field:
    """The first field of every request's table."""
    return nested("context", "Konteksts", context_table(namespace))
