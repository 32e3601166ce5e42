"""Attacks on the references of the signature: what they name, and what is done to it before the digest."""

from __future__ import annotations

from errors import GatewayError, SignatureInvalid, Unsigned
from tests.security.attacks import Tree, attack, on_tree
from tests.security.conftest import World
from tests.security.messages import (
    DS,
    complete,
    make,
    skeleton,
    transform,
)

# What the references name.


def _reference(name: str, *errors: type[GatewayError], uri: str) -> None:
    @attack(f"reference: {name}", *errors)
    def _(world: World) -> bytes:
        return make(world.recipe.change(extra_references=(uri,)))


_reference("the whole document", SignatureInvalid, uri="")
_reference("an address on the network", SignatureInvalid, uri="http://localhost:1/x")
_reference("a file", SignatureInvalid, uri="file:///etc/hostname")
_reference("an Id that is not there", SignatureInvalid, uri="#Nothing")
_reference("an XPointer", SignatureInvalid, uri="#xpointer(/)")
_reference("two number signs", SignatureInvalid, uri="##Body")
_reference("only a number sign", SignatureInvalid, uri="#")
_reference("an XPointer to an Id", SignatureInvalid, uri="#xpointer(id('Body'))")
_reference("an element() pointer", SignatureInvalid, uri="#element(/1/2)")
_reference("an attachment", SignatureInvalid, uri="cid:attachment")
_reference("a relative address", SignatureInvalid, uri="message.xml#Body")
_reference("an Id escaped", SignatureInvalid, uri="#%42ody")
_reference("the Body a second time", SignatureInvalid, uri="#Body")


@attack("reference: an element that is not signed here", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(header='<x wsu:Id="X"/>', extra_references=("#X",)))


@attack("reference: a part within the Body instead of the Body", SignatureInvalid)
def _(world: World) -> bytes:
    body = world.evil.replace(" ", ' wsu:Id="Part" ', 1)
    return make(world.recipe.change(body=body, unsigned=("Body",), extra_references=("#Part",)))


@attack("reference: the Body is left out", Unsigned)
def _(world: World) -> bytes:
    return make(world.recipe.change(unsigned=("Body",)))


@attack("reference: no URI", SignatureInvalid)
def _(world: World) -> bytes:
    text = skeleton(world.recipe).replace('<ds:Reference URI="#Body">', "<ds:Reference>")
    return complete(text, world.recipe)


@attack("reference: none at all", SignatureInvalid, Unsigned)
def _(world: World) -> bytes:
    return make(world.recipe.change(unsigned=("Stamp", "Body", "MessageID", "To", "Action")))


@attack("reference: a Type", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(reference_attributes=f' Type="{DS}Manifest"'))


@attack("reference: too many", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(extra_references=("#Token",) * 40))


@attack("reference: too many, to as many addressing headers", SignatureInvalid)
def _(world: World) -> bytes:
    return make(world.recipe.change(addressing={f"Header{number}": "x" for number in range(30)}))


@attack("reference: an Id that is no plain name", SignatureInvalid)
def _(world: World) -> bytes:
    text = skeleton(world.recipe).replace('"Body"', '"id(Body)"').replace('"#Body"', '"#id(Body)"')
    return complete(text, world.recipe)


def _transforms(name: str, transforms: str) -> None:
    @attack(f"transform: {name}", SignatureInvalid)
    def _(world: World) -> bytes:
        return make(world.recipe.change(transforms=transforms))


XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
STR = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
_transforms("inclusive canonicalisation", transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315"))
_transforms("canonicalisation 1.1", transform("http://www.w3.org/2006/12/xml-c14n11"))
_transforms("with comments", transform("http://www.w3.org/2001/10/xml-exc-c14n#WithComments"))
_transforms("XPath before canonicalisation", transform(XPATH, "<ds:XPath>true()</ds:XPath>") + transform())
_transforms("XPath filter 2", transform("http://www.w3.org/2002/06/xmldsig-filter2") + transform())
_transforms("XSLT before canonicalisation", transform(XSLT) + transform())
_transforms("STR-Transform", transform(STR))
_transforms("enveloped signature", transform(f"{DS}enveloped-signature") + transform())
_transforms("base64", transform(f"{DS}base64"))
_transforms("exclusive canonicalisation twice", transform() + transform())
_transforms("none", "")
_transforms(
    "inclusive canonicalisation with comments",
    transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"),
)
_transforms("decryption", transform("http://www.w3.org/2002/07/decrypt#XML") + transform())
_transforms(
    "an XPath that leaves the Body out", transform() + transform(XPATH, "<ds:XPath>false()</ds:XPath>")
)
_transforms("canonicalisation 2.0", transform("http://www.w3.org/2010/xml-c14n2"))
_transforms("a name that does not exist", transform("urn:example:nothing"))
_transforms(
    "an XPath expression within exclusive canonicalisation", transform(inside="<ds:XPath>/</ds:XPath>")
)
_transforms("an unknown element inside", transform(inside="<x/>"))


@attack("transform: no Transforms at all", SignatureInvalid)
def _(world: World) -> bytes:
    text = skeleton(world.recipe).replace(f"<ds:Transforms>{transform()}</ds:Transforms>", "")
    return complete(text, world.recipe)


@on_tree("transform: no Algorithm", SignatureInvalid)
def _(tree: Tree) -> None:
    del tree.at(".//ds:Transform").attrib["Algorithm"]
