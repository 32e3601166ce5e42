"""Spyne's SOAP protocols with bodies as elements: the tree that arrives is verified, the one that leaves is signed.

Spyne dispatches and carries envelope and faults; what a body holds is for the contract and the mapping tables. It
never parses: `create_in_document` finds a tree that was hardened, verified and rebuilt from the signed bytes alone.
Source: SOAP 1.1, SOAP 1.2 part 1, WS-Addressing 1.0 (SOAP binding); docs/adr (Spyne with element bodies).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from lxml import etree

from errors import SchemaViolation, UnknownOperation
from exchange import new_id
from security.envelope import ANONYMOUS, Draft
from security.profile import WSA
from security.xml import Element, canonical
from wsdl import Contract
from wsdl.spyne_compat import (
    AnyXml,
    Application,
    Fault,
    MethodContext,
    ServerBase,
    ServiceBase,
    Soap11,
    Soap12,
    rpc,
)

FAULT = "urn:spolis:gateway:fault:v1-0"
SOAP = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
FAULT_ACTION = f"{WSA}/soap/fault"
ONLY_ANONYMOUS = "OnlyAnonymousAddressSupported"

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# What SOAP 1.2 calls the fault codes of SOAP 1.1, which are the ones that the gateway's errors have.
_CODES_1_2 = {"Client": "Sender", "Server": "Receiver"}

Sign = Callable[[Draft], bytes]


@dataclass(frozen=True, slots=True)
class Letter:
    """What goes along with one answer: its action, and the MessageID of the request where that had one.

    `payload` is the answer's element in exclusive canonical XML. `subcode` is the error's own code, for faults;
    `addressing_fault` is the name of the fault that WS-Addressing itself has for it, if any.
    """

    action: str
    relates_to: str | None
    payload: bytes = b""
    subcode: str = ""
    addressing_fault: str = ""


class ElementBodies:
    """Over Soap11 and Soap12: one qualified body element in, one out. `ctx.udc` is the Letter of the answer."""

    version: str

    def __init__(self, contract: Contract, sign: Sign) -> None:
        super().__init__()
        self._contract = contract
        self._sign = sign

    def create_in_document(self, ctx: MethodContext, charset: str | None = None) -> None:
        """The verified tree stands in the context already."""

    def decompose_incoming_envelope(self, ctx: MethodContext, message: object = None) -> None:
        """Find the one element of the Body, by whose name Spyne dispatches.

        Raises: SchemaViolation, UnknownOperation.
        """
        header, body = ctx.in_document
        # Bodies are literal; one that says it is encoded means something else by the same elements.
        if body.get(f"{{{SOAP[self.version]}}}encodingStyle") is not None:
            raise SchemaViolation("/Body: encodingStyle")
        children = list(body)
        if len(children) != 1 or (body.text or "").strip() or (children[0].tail or "").strip():
            raise SchemaViolation("/Body: not exactly one element")
        if etree.QName(children[0]).namespace is None:
            raise UnknownOperation("/Body: an element without a namespace")
        ctx.in_header_doc = list(header)
        ctx.in_body_doc = children[0]
        ctx.method_request_string = children[0].tag

    def deserialize(self, ctx: MethodContext, message: object) -> None:
        """Check the body element by the contract.

        Raises: SchemaViolation with the element's path.
        """
        self._contract.validate(ctx.in_body_doc)
        ctx.in_object = ctx.in_body_doc

    def serialize(self, ctx: MethodContext, message: object) -> None:
        """Put the answer's element, or the fault, and the addressing headers together."""
        letter: Letter = ctx.udc
        headers = {"Action": letter.action, "MessageID": f"urn:uuid:{new_id()}", "To": ANONYMOUS}
        if letter.relates_to is not None:
            headers["RelatesTo"] = letter.relates_to
        if ctx.out_error is None:
            ctx.out_document = Draft(SOAP[self.version], headers, ctx.out_object[0])
        else:
            fault = canonical(_FAULTS[self.version](ctx.out_error, letter))
            ctx.out_document = Draft(SOAP[self.version], headers, fault, _FAULT_PREFIXES[self.version])

    def create_out_string(self, ctx: MethodContext, charset: str | None = None) -> None:
        """Write and sign; faults pass here too."""
        ctx.out_string = [self._sign(ctx.out_document)]

    def fault_to_http_response_code(self, fault: Fault) -> str:
        """SOAP 1.1: always 500. SOAP 1.2: 400 where the sender must change something."""
        sender = self.version == "1.2" and fault.faultcode == "Client"
        return "400 Bad Request" if sender else "500 Internal Server Error"


if TYPE_CHECKING:

    class _Soap11(ElementBodies): ...

    class _Soap12(ElementBodies): ...

else:

    class _Soap11(ElementBodies, Soap11): ...

    class _Soap12(ElementBodies, Soap12): ...


class ElementSoap11(_Soap11):
    """SOAP 1.1."""

    version = "1.1"


class ElementSoap12(_Soap12):
    """SOAP 1.2."""

    version = "1.2"


def servers(contract: Contract, sign: Sign) -> Mapping[str, ServerBase]:
    """Spyne's server of a contract for each SOAP version; one service class holds its operations."""
    ns = contract.namespace
    operations = {
        name: rpc(
            AnyXml,
            _returns=AnyXml,
            _body_style="bare",
            _in_message_name=f"{{{ns}}}{name}",
            _out_message_name=f"{{{ns}}}{name}Response",
        )(_operation(name))
        for name in contract.operations
    }
    service = type(contract.service, (ServiceBase,), operations)
    built = {}
    for protocol in (ElementSoap11, ElementSoap12):
        built[protocol.version] = ServerBase(
            Application(
                [service],
                tns=ns,
                name=contract.ports[protocol.version],
                in_protocol=protocol(contract, sign),
                out_protocol=protocol(contract, sign),
            )
        )
    return MappingProxyType(built)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A request that Spyne found an operation for."""

    operation: str
    payload: Element
    server: ServerBase
    context: MethodContext


def dispatch(server: ServerBase, envelope: Element) -> Dispatched:
    """Find the operation of a verified envelope and check its body element by the contract.

    Raises: UnknownOperation, SchemaViolation.
    """
    context = MethodContext(server, MethodContext.SERVER)
    context.in_document = envelope
    (found,) = server.generate_contexts(context)
    if found.in_error is not None:
        raise UnknownOperation("/Body") from found.in_error
    server.get_in_object(found)
    return Dispatched(str(found.descriptor.name), found.in_object, server, found)


def write_answer(dispatched: Dispatched, letter: Letter) -> bytes:
    """The signed envelope around the letter's payload, as the answer to a request."""
    context = dispatched.context.copy()
    context.udc = letter
    dispatched.server.get_out_object(context)
    return _written(dispatched.server, context)


def write_fault(server: ServerBase, fault: Fault, letter: Letter) -> tuple[int, bytes]:
    """HTTP status and signed envelope of a fault."""
    context = MethodContext(server, MethodContext.SERVER)
    context.udc = letter
    context.out_error = fault
    written = _written(server, context)
    return int(server.app.out_protocol.fault_to_http_response_code(fault)[:3]), written


def _written(server: ServerBase, context: MethodContext) -> bytes:
    server.get_out_string(context)
    return b"".join(context.out_string)


def _operation(name: str) -> Callable[[MethodContext, Element], bytes]:
    """What every operation does: hand over what the eight steps made of the request. Spyne knows it by its name."""

    def given(ctx: MethodContext, body: Element) -> bytes:  # noqa: ARG001 — the interface of Spyne
        letter: Letter = ctx.udc
        return letter.payload

    given.__name__ = name
    return given


def _fault_1_1(fault: Fault, letter: Letter) -> Element:
    element = etree.Element(f"{{{SOAP['1.1']}}}Fault", nsmap={"soap": SOAP["1.1"], "wsa": WSA})
    code = f"wsa:{letter.addressing_fault}" if letter.addressing_fault else f"soap:{fault.faultcode}"
    etree.SubElement(element, "faultcode").text = code
    etree.SubElement(element, "faultstring", {_XML_LANG: "en"}).text = fault.faultstring
    etree.SubElement(element, "detail").append(fault.detail)
    return element


def _fault_1_2(fault: Fault, letter: Letter) -> Element:
    soap = f"{{{SOAP['1.2']}}}"
    element = etree.Element(f"{soap}Fault", nsmap={"soap": SOAP["1.2"]})
    code = etree.SubElement(element, f"{soap}Code")
    etree.SubElement(code, f"{soap}Value").text = f"soap:{_CODES_1_2.get(fault.faultcode, fault.faultcode)}"
    inner = etree.SubElement(code, f"{soap}Subcode")
    if letter.addressing_fault:
        names = ("InvalidAddressingHeader", letter.addressing_fault)
        etree.SubElement(inner, f"{soap}Value", nsmap={"wsa": WSA}).text = f"wsa:{names[0]}"
        inner = etree.SubElement(inner, f"{soap}Subcode")
        etree.SubElement(inner, f"{soap}Value", nsmap={"wsa": WSA}).text = f"wsa:{names[1]}"
    else:
        etree.SubElement(inner, f"{soap}Value", nsmap={"fault": FAULT}).text = f"fault:{letter.subcode}"
    reason = etree.SubElement(element, f"{soap}Reason")
    etree.SubElement(reason, f"{soap}Text", {_XML_LANG: "en"}).text = fault.faultstring
    etree.SubElement(element, f"{soap}Detail").append(fault.detail)
    return element


# Those of the codes, which are texts.
_FAULT_PREFIXES = {"1.1": {"wsa": WSA}, "1.2": {"wsa": WSA, "fault": FAULT}}
_FAULTS: Mapping[str, Callable[[Fault, Letter], Element]] = MappingProxyType(
    {"1.1": _fault_1_1, "1.2": _fault_1_2}
)
