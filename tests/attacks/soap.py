"""Attacks by what is said: SOAP structures and contents, most of them signed rightly by a partner."""

from __future__ import annotations

import re

from tests.attacks.live import Sent
from tests.attacks.table import case, in_version, signed
from tests.endpoints.soap.messages import ACTION, NAMESPACE, SOAP
from tests.security.conftest import World
from tests.security.messages import make

XSI = "http://www.w3.org/2001/XMLSchema-instance"
ENCODING = {"1.1": "http://schemas.xmlsoap.org/soap/encoding/", "1.2": f"{SOAP['1.2']}/encoding"}
INCLUDE = '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:code"/>'

# The Body.


def _in_both(version: str) -> None:
    space, encoding = SOAP[version], ENCODING[version]
    signed(f"SOAP {version}: an empty Body", "schema_violation", body=lambda _: "", version=version)
    signed(
        f"SOAP {version}: two elements in the Body",
        "schema_violation",
        body=lambda text: text * 2,
        version=version,
    )
    signed(
        f"SOAP {version}: a Fault as request",
        "unknown_operation",
        body=lambda _: f'<f:Fault xmlns:f="{space}"/>',
        version=version,
    )
    signed(
        f"SOAP {version}: an encodingStyle at the operation",
        "schema_violation",
        body=lambda text: text.replace(
            "<GetPerson", f'<GetPerson xmlns:e="{space}" e:encodingStyle="{encoding}"'
        ),
        version=version,
    )
    signed(
        f"SOAP {version}: an encodingStyle at the Body",
        "schema_violation",
        message=lambda text: text.replace("<s:Body", f'<s:Body s:encodingStyle="{encoding}"'),
        version=version,
    )
    signed(
        f"SOAP {version}: a header that must be understood",
        "invalid_request",
        header='<t:Transaction xmlns:t="urn:t" s:mustUnderstand="1">1</t:Transaction>',
        version=version,
    )


for _version in ("1.1", "1.2"):
    _in_both(_version)

signed(
    "SOAP: a request and another element", "schema_violation", body=lambda text: f"{text}<x xmlns='urn:x'/>"
)
signed("SOAP: text before the request", "schema_violation", body=lambda text: f"text{text}")
signed("SOAP: text instead of a request", "schema_violation", body=lambda _: "GetPerson")
signed(
    "SOAP: an answer as request",
    "unknown_operation",
    body=lambda text: text.replace("GetPerson", "GetPersonResponse"),
)
signed(
    "SOAP: an operation that is not ours",
    "unknown_operation",
    body=lambda text: text.replace("GetPerson", "ErasePerson"),
)
signed(
    "SOAP: an operation in other letters",
    "unknown_operation",
    body=lambda text: text.replace("GetPerson", "getPerson"),
)
signed("SOAP: another namespace", "unknown_operation", body=lambda text: text.replace("v1-0", "v2-0"))
signed("SOAP: no namespace", "unknown_operation", body=lambda text: text.replace(f' xmlns="{NAMESPACE}"', ""))
signed(
    "SOAP: rpc style, parts without namespace",
    "schema_violation",
    body=lambda text: re.sub("<(Konteksts|PersonasKods)>", r'<\1 xmlns="">', text),
)
signed(
    "SOAP: rpc style, a wrapper named by the operation",
    "unknown_operation",
    body=lambda text: f'<r:GetPerson xmlns:r="urn:rpc"><parameters>{text}</parameters></r:GetPerson>',
)
signed(
    "SOAP: parts elsewhere, named by href",
    "schema_violation",
    body=lambda text: re.sub(
        "<Konteksts>.*</Konteksts>", '<Konteksts href="#part"/><multiRef id="part"/>', text
    ),
)
signed(
    "SOAP: parts named by href in a circle",
    "schema_violation",
    body=lambda text: text.replace("<Konteksts>", '<Konteksts id="a" href="#a">'),
)
signed(
    "SOAP: an array of SOAP encoding",
    "schema_violation",
    body=lambda text: text.replace(
        "<Konteksts>", f'<Konteksts xmlns:e="{ENCODING["1.1"]}" e:arrayType="x[99999999]">'
    ),
)
signed(
    "SOAP: an attachment in place of the code",
    "schema_violation",
    "invalid_person_code",
    body=lambda text: re.sub("(<PersonasKods>).*(</PersonasKods>)", rf"\1{INCLUDE}\2", text),
)
signed(
    "SOAP: XInclude of a file",
    "schema_violation",
    "invalid_person_code",
    body=lambda text: text.replace(
        "<PersonasKods>",
        '<PersonasKods><i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" '
        'parse="text"/>',
    ),
)
signed(
    "SOAP: a header for the next node that must be understood",
    "invalid_request",
    header='<t:T xmlns:t="urn:t" s:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"/>',
)
signed(
    "SOAP: a header for the last receiver that must be understood",
    "invalid_request",
    header=f'<t:T xmlns:t="urn:t" s:mustUnderstand="true" s:role="{SOAP["1.2"]}/role/ultimateReceiver"/>',
    version="1.2",
)
signed(
    "SOAP: an element behind the Body",
    "signature_invalid",
    message=lambda text: text.replace("</s:Body>", "</s:Body><x/>"),
)
signed(
    "SOAP: an envelope of the future",
    "malformed_message",
    message=lambda text: text.replace(SOAP["1.1"], "urn:soap-of-the-future"),
)
signed(
    "SOAP: an envelope without namespace",
    "malformed_message",
    message=lambda text: text.replace(SOAP["1.1"], "urn:x"),
)


@case("SOAP: no Body", "signature_invalid", "unsigned", "malformed_message")
def _(world: World) -> Sent:
    return Sent(re.sub(rb"<s:Body.*</s:Body>", b"", make(world.recipe)))


@case("SOAP: nothing signed at all", "unsigned")
def _(world: World) -> Sent:
    text = f'<s:Envelope xmlns:s="{SOAP["1.1"]}"><s:Header/><s:Body>{world.body}</s:Body></s:Envelope>'
    return Sent(text.encode())


@case("SOAP: the request alone, without an envelope", "malformed_message")
def _(world: World) -> Sent:
    return Sent(world.body.encode())


@case("SOAP: nothing signed, and a client certificate claimed by header", "unsigned")
def _(world: World) -> Sent:
    text = f'<s:Envelope xmlns:s="{SOAP["1.1"]}"><s:Header/><s:Body>{world.body}</s:Body></s:Envelope>'
    claimed = world.rsa.certificate.subject.rfc4514_string()
    names = ("X-Client-Certificate", "X-SSL-Client-Cert", "X-SSL-Client-S-DN", "X-Forwarded-Client-Cert")
    return Sent(text.encode(), dict.fromkeys(names, claimed))


for version, sent_as in (("1.1", "application/soap+xml"), ("1.2", "text/xml")):

    @case(f"SOAP: an envelope of {version} as {sent_as}", "malformed_message")
    def _(world: World, version: str = version, sent_as: str = sent_as) -> Sent:
        return Sent(make(in_version(world.recipe, version)), {"Content-Type": f"{sent_as}; charset=utf-8"})


# What names the operation besides the Body.

signed("action: another SOAPAction", "invalid_request", headers={"SOAPAction": f'"{NAMESPACE}/ErasePerson"'})
signed(
    "action: another one in the content type",
    "invalid_request",
    version="1.2",
    headers={"Content-Type": f'application/soap+xml; charset=utf-8; action="{NAMESPACE}/ErasePerson"'},
)
signed("action: another one signed", "invalid_request", addressing={"Action": f"{NAMESPACE}/ErasePerson"})
signed("action: a prefix of it", "invalid_request", headers={"SOAPAction": f'"{ACTION[:-1]}"'})
signed("addressing: a MessageID too long", "invalid_request", addressing={"MessageID": "x" * 201})
signed("addressing: a header that holds elements", "malformed_message", addressing={"To": "urn:a<b/>c"})

# The contents.


def _code(name: str, code: str, *codes: str) -> None:
    signed(
        f"content: {name}",
        *(codes or ("invalid_person_code",)),
        body=lambda text: re.sub("(<PersonasKods>).*(</PersonasKods>)", rf"\g<1>{code}\g<2>", text),
    )


_code("no code", "")
_code("a code that is SQL", "x' OR '1'='1")
_code("a code of other digits", "٣٢١٢٣٤-٥٦٧٨٩")
_code("a code of wide digits", "３２１２３４-５６７８９")
_code("a code with a null escaped in words", "321234-5678\\\\u0000")
_code("a code and another behind a line break", "321234-56789&#10;321234-56780")
_code("a code as elements in CDATA", "<![CDATA[<PersonasKods>1</PersonasKods>]]>")
_code("a code of a million digits", "3" * 1_000_000)
_code("a wildcard", "%")
_code("a code within an element", "<x>321234-56789</x>", "schema_violation", "invalid_person_code")


def _body(name: str, *codes: str, old: str, new: str) -> None:
    signed(f"content: {name}", *codes, body=lambda text: re.sub(old, new, text, count=1))


_body("an unknown element", "schema_violation", old="<PersonasKods>", new="<Svess>1</Svess><PersonasKods>")
_body("an unknown element in the context", "schema_violation", old="<Merkis>", new="<Svess/><Merkis>")
_body("an unknown attribute", "schema_violation", old="<Konteksts>", new="<Konteksts lieks='1'>")
_body("no context", "schema_violation", old="<Konteksts>.*</Konteksts>", new="")
_body("two contexts", "schema_violation", old="(<Konteksts>.*</Konteksts>)", new=r"\1\1")
_body("two codes", "schema_violation", old="(<PersonasKods>.*</PersonasKods>)", new=r"\1\1")
_body("the parts in another order", "schema_violation", old="(<K.*</Konteksts>)(<P.*Kods>)", new=r"\2\1")
_body("an element of another namespace", "schema_violation", old="<Merkis>", new="<Merkis xmlns='urn:x'>")
_body(
    "a type of another kind",
    "schema_violation",
    "invalid_person_code",
    old="<PersonasKods>",
    new=f'<PersonasKods xmlns:xsi="{XSI}" xmlns:xs="http://www.w3.org/2001/XMLSchema" xsi:type="xs:string">',
)
_body(
    "a type whose prefix nobody signed",
    "schema_violation",
    "malformed_message",
    "signature_invalid",
    old="<Konteksts>",
    new=f'<Konteksts xmlns:xsi="{XSI}" xsi:type="wsa:KontekstsStructure">',
)
_body(
    "a code that is nil",
    "schema_violation",
    "invalid_person_code",
    old="<PersonasKods>.*</PersonasKods>",
    new=f'<PersonasKods xmlns:xsi="{XSI}" xsi:nil="true"/>',
)
_body(
    "a context that is nil",
    "schema_violation",
    old="<Konteksts>.*</Konteksts>",
    new=f'<Konteksts xmlns:xsi="{XSI}" xsi:nil="true"/>',
)
_body("a request id that is no UUID", "schema_violation", old="(<PieprasijumaId>)[^<]*", new=r"\1x")
_body("an environment that is none", "schema_violation", old="<Vide>test", new="<Vide>pilot")
_body("the other environment", "wrong_environment", old="<Vide>test", new="<Vide>production")
_body("a purpose not granted", "purpose_not_allowed", old="social-service", new="research")
_body("a rule not granted", "purpose_not_allowed", old="<Tiesibas>p8.1", new="<Tiesibas>p8.13")
_body(
    "a rule that is none", "schema_violation", "purpose_not_allowed", old="<Tiesibas>p8.1", new="<Tiesibas>*"
)
