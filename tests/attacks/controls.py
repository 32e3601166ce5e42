"""Right messages of every kind that partners' stacks write: each must be answered."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from xmlsec import constants
from zeep.wsse.signature import BinarySignature
from zeep.wsse.utils import get_security_header

from tests.attacks.live import Sent
from tests.attacks.soap import XSI
from tests.attacks.table import in_version
from tests.endpoints.soap.messages import ACTION, WSA, Message
from tests.security.conftest import World
from tests.security.messages import (
    EXC,
    MORE,
    SHA256,
    WSU,
    Recipe,
    complete,
    envelope,
    make,
    skeleton,
    transform,
)

CONTROLS: dict[str, Callable[[World], Sent]] = {}

SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"


def control(name: str) -> Callable[[Callable[[World], Sent]], None]:
    """Enter a right message into the table."""

    def enter(maker: Callable[[World], Sent]) -> None:
        assert name not in CONTROLS, name
        CONTROLS[name] = maker

    return enter


def recipe(name: str, change: Callable[[Recipe], Recipe]) -> None:
    """Enter a message made otherwise."""

    @control(name)
    def _(world: World) -> Sent:
        return Sent(make(change(world.recipe)))


def text(name: str, change: Callable[[str], str]) -> None:
    """Enter a message whose text is written otherwise before it is signed."""

    @control(name)
    def _(world: World) -> Sent:
        return Sent(complete(change(skeleton(world.recipe)), world.recipe))


def after(name: str, change: Callable[[bytes], bytes], **headers: str) -> None:
    """Enter a message whose bytes change after it is signed, and what they say does not."""

    @control(name)
    def _(world: World) -> Sent:
        return Sent(
            change(make(world.recipe)), {key.replace("_", "-"): value for key, value in headers.items()}
        )


@control("a lifetime of ten minutes")
def _(world: World) -> Sent:
    return Sent(make(world.recipe.change(expires=world.now + timedelta(minutes=10))))


for kind in ("rsa", "p256"):
    for version in ("1.1", "1.2"):
        for addressed in (True, False):

            @control(f"{kind}, SOAP {version}, {'with' if addressed else 'without'} addressing")
            def _(
                world: World, kind: str = kind, version: str = version, addressed: bool = addressed
            ) -> Sent:
                made = in_version(world.by(getattr(world, kind)), version)
                return Sent(make(made if addressed else made.change(addressing={})))


recipe(
    "the MessageID alone", lambda made: made.change(addressing={"MessageID": made.addressing["MessageID"]})
)
recipe("the token signed too", lambda made: made.change(extra_references=("#Token",)))
recipe("digests of SHA-512", lambda made: made.change(digest=SHA512))
recipe("RSA with SHA-512", lambda made: made.change(signature_method=f"{MORE}rsa-sha512"))
recipe("no Expires", lambda made: made.change(expires=None))
recipe(
    "Created with fractions and a zone",
    lambda made: made.change(
        timestamp=f"<wsu:Created>{made.created:%Y-%m-%dT%H:%M:%S}.123+00:00</wsu:Created>"
    ),
)
recipe(
    "a list of inclusive prefixes",
    lambda made: made.change(
        c14n_inside=f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="s wsse"/>',
        transforms=transform(
            inside=f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="wsa wsse wsu s"/>'
        ),
    ),
)
recipe("a header that need not be understood", lambda made: made.change(header='<t:T xmlns:t="urn:t"/>'))
recipe(
    "a header for another node",
    lambda made: made.change(header='<t:T xmlns:t="urn:t" s:mustUnderstand="1" s:actor="urn:another"/>'),
)
recipe("a rule above those granted", lambda made: made.change(body=made.body.replace(">p8.1<", ">p8<")))
recipe(
    "addressing with a ReplyTo",
    lambda made: made.change(
        addressing={**made.addressing, "ReplyTo": f"<wsa:Address>{WSA}/anonymous</wsa:Address>"}
    ),
)

text(
    "references in another order",
    lambda made: re.sub("(<ds:Reference .*?</ds:Reference>)(<ds:Reference.*</ds:Reference>)", r"\2\1", made),
)
text("pretty-printed", lambda made: made.replace("><", ">\n  <"))
text("line breaks of Windows", lambda made: made.replace("<s:Header>", "<s:Header>\r\n"))
recipe(
    "a prefix of its own",
    lambda made: made.change(body=re.sub("<(/?)", r"<\1p:", made.body).replace("xmlns=", "xmlns:p=")),
)
text(
    "Security that must be understood",
    lambda made: made.replace("<wsse:Security ", '<wsse:Security s:mustUnderstand="1" '),
)
text(
    "Security for the next node",
    lambda made: made.replace(
        "<wsse:Security ", '<wsse:Security s:actor="http://schemas.xmlsoap.org/soap/actor/next" '
    ),
)
text("CDATA in a value", lambda made: made.replace(">social worker<", "><![CDATA[social worker]]><"))
text(
    "a value by its characters' numbers",
    lambda made: made.replace(">social worker<", ">s&#111;cial &#x77;orker<"),
)
text("a comment within a value", lambda made: made.replace(">social worker<", ">social<!-- x --> worker<"))

after(
    "UTF-16, little end",
    lambda data: ("\ufeff" + data.decode()).encode("utf-16-le"),
    Content_Type="text/xml; charset=utf-16",
)
after(
    "UTF-16, big end",
    lambda data: ("\ufeff" + data.decode()).encode("utf-16-be"),
    Content_Type="text/xml; charset=utf-16",
)
after("a byte order mark of UTF-8", lambda data: b"\xef\xbb\xbf" + data)
after("an XML declaration", lambda data: b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + data)
after(
    "comments everywhere", lambda data: b"<!-- a -->" + data.replace(b"><", b"><!-- b --><") + b"<!-- c -->"
)
after(
    "CDATA put in afterwards", lambda data: data.replace(b">social worker<", b"><![CDATA[social worker]]><")
)
after(
    "white space between the parts",
    lambda data: data.replace(b"<s:Body", b"\n\t<s:Body").replace(b"<s:Header>", b"<s:Header>\n"),
)
after("quotation marks of the other kind", lambda data: data.replace(b'"', b"'"))
after("the SOAPAction", lambda data: data, SOAPAction=f'"{ACTION}"')
after("an empty SOAPAction", lambda data: data, SOAPAction='""')
after("a charset of capitals", lambda data: data, Content_Type='TEXT/XML; charset="UTF-8"')
after(
    "headers that claim another client",
    lambda data: data,
    X_Client_Certificate="CN=other",
    X_Forwarded_For="127.0.0.2",
)


@control("the action in the content type")
def _(world: World) -> Sent:
    kind = f'application/soap+xml; charset=utf-8; action="{ACTION}"'
    return Sent(make(in_version(world.recipe, "1.2")), {"Content-Type": kind})


for version in ("1.1", "1.2"):

    @control(f"signed by xmlsec, SOAP {version}")
    def _(world: World, version: str = version) -> Sent:
        addressing = {**world.addressing, "MessageID": f"{world.addressing['MessageID']}-x"}
        return Sent(Message(world.rsa, version, world.body, addressing).signed())


@control("signed as zeep does")
def _(world: World) -> Sent:
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        key.write_bytes(world.rsa.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        certificate.write_bytes(world.rsa.certificate.public_bytes(Encoding.PEM))
        signer: Any = BinarySignature
        root = envelope(addressing={}, body=world.body)
        security: Any = get_security_header
        stamp = etree.SubElement(security(root), f"{{{WSU}}}Timestamp", nsmap={"wsu": WSU})
        etree.SubElement(stamp, f"{{{WSU}}}Created").text = f"{world.now:%Y-%m-%dT%H:%M:%SZ}"
        made, _ = signer(
            str(key),
            str(certificate),
            signature_method=constants.TransformRsaSha256,
            digest_method=constants.TransformSha256,
        ).apply(root, {})
    return Sent(bytes(etree.tostring(made)))


@control("signed as node soap does")
def _(world: World) -> Sent:
    """Token first, lifetime of ten minutes, prefix lists, Ids with underscores, the token's reference last."""
    made = replace(
        world.recipe,
        expires=world.now + timedelta(minutes=10),
        addressing={"MessageID": world.addressing["MessageID"]},
    )
    inside = f'<InclusiveNamespaces PrefixList="wsse s" xmlns="{EXC}"/>'
    written = skeleton(made.change(transforms=transform(inside=inside), digest=SHA256))
    stamp = re.search("<wsu:Timestamp.*?</wsu:Timestamp>", written)
    token = re.search("<wsse:BinarySecurityToken.*?</wsse:BinarySecurityToken>", written)
    assert stamp
    assert token
    written = (
        written.replace(stamp[0] + token[0], token[0] + stamp[0])
        .replace('"Body"', '"_0"')
        .replace('"#Body"', '"#_0"')
    )
    written = written.replace("<wsse:Security ", '<wsse:Security s:mustUnderstand="1" ')
    declared = f'<s:Envelope xmlns:tns="urn:example" xmlns:xsi="{XSI}"'
    return Sent(complete(written.replace("<s:Envelope", declared, 1), made))
