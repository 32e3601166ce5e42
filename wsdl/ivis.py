"""Names of the state integrator (VISS) that both sides of an exchange by way of it go by.

Source: wsdl/viss/v1-0; the public guidelines of VISS.
"""

from __future__ import annotations

import re

from errors import ConfigurationError
from wsdl import Contract

# The whole message; the error of the integrator for a longer one is 19, BodyToBig.
MAX_BYTES = 4 * 1024 * 1024

_URN = re.compile(r"URN:IVIS:[0-9]{6}:[A-Z]{3}-[A-Za-z0-9._-]+")
_NAMESPACE = re.compile(
    r"http://ivis\.eps\.gov\.lv/XMLSchemas/(?P<agency>[0-9]{6})/(?P<name>\w+)/(?P<version>v[0-9]+-[0-9]+)",
    re.ASCII,
)


def is_urn(text: str) -> bool:
    """Whether a text has the form of a name that the integrator gives: `URN:IVIS:100001:ISS-…`."""
    return len(text) <= 200 and _URN.fullmatch(text) is not None


def message_type(contract: Contract, element: str) -> str:
    """The MessageType that selects the schema of a Body: `URN:IVIS:100010:XSD-Pmlp-GetPerson-v1-0`.

    It follows from the namespace, so that a new version of a contract has types of its own.
    Raises: ConfigurationError for a contract outside the namespaces of the integrator.
    """
    match = _NAMESPACE.fullmatch(contract.namespace)
    if match is None:
        raise ConfigurationError(
            f"{contract.system} has no namespace of VISS, so it has no MessageType there"
        )
    return f"URN:IVIS:{match['agency']}:XSD-{match['name']}-{element}-{match['version']}"
