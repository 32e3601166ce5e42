"""Attacks on the structure: a signature that holds, over parts that are not the ones in use."""

from __future__ import annotations

import copy

from lxml import etree

from errors import MalformedMessage, SignatureInvalid, Unsigned
from tests.security.attacks import Tree, attack, on_recipe, on_tree
from tests.security.conftest import World
from tests.security.messages import (
    DS,
    NAMES,
    SOAP12,
    WSA,
    WSSE,
    WSU,
    make,
)

WSU_ID = f"{{{WSU}}}Id"


# The Body moved, and another in its place.


@on_tree("Body moved into an unknown header, new Body without Id", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = tree.evil_body()
    tree.root.replace(tree.body, evil)
    tree.header.append(tree.wrapper(tree.body))


@on_tree("Body moved into an unknown header, new Body with the same Id", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = tree.evil_body(same_id=True)
    tree.root.replace(tree.body, evil)
    tree.header.append(tree.wrapper(tree.body))


@on_tree("Body moved into a header that need not be understood", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.replace(tree.body, tree.evil_body())
    tree.header.append(tree.wrapper(tree.body))
    tree.header[-1].set(f"{{{NAMES['s']}}}mustUnderstand", "0")


@on_tree("Body moved into a header for another node", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.replace(tree.body, tree.evil_body())
    tree.header.append(tree.wrapper(tree.body))
    tree.header[-1].set(f"{{{NAMES['s']}}}actor", "urn:example:another")


@on_tree("Body moved straight into the Header", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = tree.evil_body()
    tree.root.replace(tree.body, evil)
    tree.header.append(tree.body)


@on_tree("Body moved into ds:Object of the signature", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = tree.evil_body()
    tree.root.replace(tree.body, evil)
    etree.SubElement(tree.signature, f"{{{DS}}}Object").append(tree.body)


@on_tree("Body moved into the Security header", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = tree.evil_body()
    tree.root.replace(tree.body, evil)
    tree.security.append(tree.body)


@on_tree("Body moved into the Timestamp", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.replace(tree.body, tree.evil_body())
    tree.timestamp.append(tree.body)


@on_tree("Body moved into KeyInfo", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.replace(tree.body, tree.evil_body())
    tree.at(".//ds:KeyInfo").append(tree.body)


@on_tree("Body moved into the MessageID", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.replace(tree.body, tree.evil_body())
    tree.message_id.append(tree.body)


@on_tree("Body moved into a sibling Security", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.replace(tree.body, tree.evil_body())
    etree.SubElement(tree.header, f"{{{WSSE}}}Security").append(tree.body)


@on_tree("Body moved out of the Envelope's namespace, in its place", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.body.tag = "Body"
    tree.root.append(tree.evil_body())


@on_tree("Body moved into the new Body", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = tree.evil_body()
    tree.root.replace(tree.body, evil)
    evil[0].append(tree.body)


@on_tree("Body moved behind the new Body, in a wrapper", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = tree.evil_body()
    tree.root.replace(tree.body, evil)
    tree.root.append(tree.wrapper(tree.body))


@on_tree("signed Body renamed and kept, new Body", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = tree.evil_body()
    tree.root.replace(tree.body, evil)
    tree.header.append(tree.body)
    tree.body.tag = "{urn:example:wrap}Body"


@on_tree("two Bodies, the other one first", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.insert(1, tree.evil_body())


@on_tree("two Bodies, the other one last", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.append(tree.evil_body())


@on_tree("a second Body of the other SOAP version", SignatureInvalid)
def _(tree: Tree) -> None:
    evil = etree.SubElement(tree.root, f"{{{SOAP12}}}Body")
    evil.append(etree.fromstring(tree.world.evil))


@on_tree("the Body before the Header", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.insert(0, tree.body)


@on_tree("two Headers", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.root.insert(0, etree.Element(tree.header.tag))


@attack("signed envelope within the Body of another", SignatureInvalid)
def _(world: World) -> bytes:
    inner = make(world.recipe).decode()
    return (
        f'<s:Envelope xmlns:s="{NAMES["s"]}"><s:Header/><s:Body>{world.evil}{inner}</s:Body></s:Envelope>'
    ).encode()


@attack("signed envelope within the Header of another", SignatureInvalid)
def _(world: World) -> bytes:
    inner = make(world.recipe).decode()
    return (
        f'<s:Envelope xmlns:s="{NAMES["s"]}"><s:Header>{inner}</s:Header><s:Body>{world.evil}</s:Body></s:Envelope>'
    ).encode()


INNER = f'<x:Body xmlns:x="{SOAP12}"/>'
on_recipe("a second Body within the Body, all signed rightly", SignatureInvalid, body=INNER)
on_recipe("a second Body within a header, all signed rightly", SignatureInvalid, header=f"<x>{INNER}</x>")


@on_tree("root that is no Envelope", MalformedMessage)
def _(tree: Tree) -> None:
    tree.root.tag = "{urn:example:wrap}Envelope"


# Ids.


def _same_id(attribute: str) -> None:
    @on_tree(f"the Body's Id once more as {attribute}", SignatureInvalid)
    def _(tree: Tree) -> None:
        tree.header.append(tree.wrapper())
        tree.header[-1].set(attribute, "Body")


for _attribute in ("Id", "ID", "id", WSU_ID, "{http://www.w3.org/XML/1998/namespace}id", "{urn:example:x}Id"):
    _same_id(_attribute)


@on_tree("an Id twice among elements that are not signed", SignatureInvalid)
def _(tree: Tree) -> None:
    for _ in range(2):
        tree.header.append(tree.wrapper())
        tree.header[-1].set("Id", "other")


@on_tree("the Body's Id moved to a copy in the Header", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.header.append(tree.wrapper(copy.copy(tree.body)))
    tree.body.attrib.clear()
    tree.leaf.text = "EVIL"


@on_tree("the Body without its Id", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.body.attrib.clear()


# The Timestamp.


@on_tree("Timestamp moved, a new one without Id", SignatureInvalid)
def _(tree: Tree) -> None:
    new = copy.copy(tree.timestamp)
    new.attrib.clear()
    tree.security.replace(tree.timestamp, new)
    tree.header.append(tree.wrapper(tree.timestamp))


@on_tree("Timestamp moved, a new one with the same Id", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.security.replace(tree.timestamp, copy.copy(tree.timestamp))
    tree.header.append(tree.wrapper(tree.timestamp))


@on_tree("Timestamp moved into the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.body.append(tree.timestamp)


@on_tree("Timestamp moved straight into the Header", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.header.append(tree.timestamp)


@on_tree("two Timestamps", SignatureInvalid)
def _(tree: Tree) -> None:
    new = copy.copy(tree.timestamp)
    new.attrib.clear()
    tree.security.insert(0, new)


@on_tree("two Timestamps, the other one last and with an Id of its own", SignatureInvalid)
def _(tree: Tree) -> None:
    new = copy.deepcopy(tree.timestamp)
    new.set(WSU_ID, "Another")
    tree.security.append(new)


@on_tree("Timestamp moved into ds:Object, a fresh one in its place", SignatureInvalid)
def _(tree: Tree) -> None:
    new = copy.deepcopy(tree.timestamp)
    new.attrib.clear()
    tree.security.replace(tree.timestamp, new)
    etree.SubElement(tree.signature, f"{{{DS}}}Object").append(tree.timestamp)


@on_tree("no Timestamp", Unsigned)
def _(tree: Tree) -> None:
    tree.security.remove(tree.timestamp)


@attack("Timestamp not signed", Unsigned)
def _(world: World) -> bytes:
    return make(world.recipe.change(unsigned=("Stamp",)))


# Addressing.


@on_tree("a second MessageID, not signed", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.header, f"{{{WSA}}}MessageID").text = "urn:uuid:2"


@on_tree("a RelatesTo added, not signed", Unsigned)
def _(tree: Tree) -> None:
    etree.SubElement(tree.header, f"{{{WSA}}}RelatesTo").text = "urn:uuid:2"


@on_tree("MessageID moved, another in its place", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.header, f"{{{WSA}}}MessageID").text = "urn:uuid:2"
    tree.header.append(tree.wrapper(tree.message_id))


@on_tree("MessageID moved into another addressing header, another in its place", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.header, f"{{{WSA}}}MessageID").text = "urn:uuid:2"
    etree.SubElement(tree.header, f"{{{WSA}}}ReferenceParameters").append(tree.message_id)


@on_tree("Action moved into the Body, another in its place", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.header, f"{{{WSA}}}Action").text = "urn:example:ask/Erase"
    tree.body.append(tree.at(".//wsa:Action"))


@on_tree("MessageID moved away", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.header.append(tree.wrapper(tree.message_id))


@on_tree("MessageID taken out", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.header.remove(tree.message_id)


@on_tree("a header of an older addressing edition, not signed", Unsigned)
def _(tree: Tree) -> None:
    etree.SubElement(tree.header, "{http://schemas.xmlsoap.org/ws/2004/08/addressing}ReplyTo").text = "urn:x"


@on_tree("MessageID of an older addressing edition besides", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(
        tree.header, "{http://schemas.xmlsoap.org/ws/2004/08/addressing}MessageID"
    ).text = "urn:x"


@attack("MessageID not signed", Unsigned)
def _(world: World) -> bytes:
    return make(world.recipe.change(unsigned=("MessageID",)))


@attack("two MessageIDs, both signed", SignatureInvalid)
def _(world: World) -> bytes:
    second = '<wsa:MessageID wsu:Id="Second">urn:uuid:2</wsa:MessageID>'
    return make(world.recipe.change(header=second, extra_references=("#Second",)))


@attack("MessageID that holds elements", MalformedMessage)
def _(world: World) -> bytes:
    return make(world.recipe.change(addressing={"MessageID": "urn:uuid:1<x/>2"}))


# Security and Signature.


@on_tree("signature moved into the Header", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.header.append(tree.signature)


@on_tree("signature moved into the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.body.append(tree.signature)


@on_tree("two signatures", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.security.append(copy.copy(tree.signature))


@on_tree("a second signature in the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.body.append(copy.copy(tree.signature))


@on_tree("no signature", Unsigned)
def _(tree: Tree) -> None:
    tree.security.remove(tree.signature)


@on_tree("two Security headers", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.header.insert(0, etree.Element(f"{{{WSSE}}}Security"))


@on_tree("a sibling Security for another node, the other one first", SignatureInvalid)
def _(tree: Tree) -> None:
    other = etree.Element(f"{{{WSSE}}}Security", {f"{{{NAMES['s']}}}actor": "urn:example:another"})
    tree.header.insert(0, other)


@on_tree("Security for another node", Unsigned)
def _(tree: Tree) -> None:
    tree.security.set(f"{{{NAMES['s']}}}actor", "urn:example:another")


@attack("Security for another node, by its role", Unsigned)
def _(world: World) -> bytes:
    tree = Tree(etree.fromstring(make(world.recipe)), world)
    tree.security.set(f"{{{SOAP12}}}role", f"{SOAP12}/role/none")
    return bytes(etree.tostring(tree.root)).replace(NAMES["s"].encode(), SOAP12.encode())


@on_tree("the signature in a Security of its own", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.header, f"{{{WSSE}}}Security").append(tree.signature)


@on_tree("the Timestamp in a Security of its own", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.header, f"{{{WSSE}}}Security").append(tree.timestamp)


@on_tree("Security moved into another header", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.header.append(tree.wrapper(tree.security))


@on_tree("Security moved into the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.body.append(tree.security)


@on_tree("no Security header", Unsigned)
def _(tree: Tree) -> None:
    tree.header.remove(tree.security)


@on_tree("no Header", Unsigned)
def _(tree: Tree) -> None:
    tree.root.remove(tree.header)


@on_tree("a UsernameToken besides", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.security, f"{{{WSSE}}}UsernameToken")


@on_tree("an encrypted key besides", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.security, "{http://www.w3.org/2001/04/xmlenc#}EncryptedKey")


@on_tree("an empty ds:Object", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.signature, f"{{{DS}}}Object")


@on_tree("two SignedInfo", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.signature.insert(0, copy.deepcopy(tree.signature[0]))


@on_tree("two SignatureValues", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.signature.insert(1, copy.copy(tree.signature[1]))


@on_tree("two KeyInfo", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.signature.append(copy.deepcopy(tree.signature[2]))


@on_tree("a SignedInfo of another namespace besides", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.signature, "SignedInfo")


@on_tree("changed: the references in another order", SignatureInvalid)
def _(tree: Tree) -> None:
    info = tree.signature[0]
    info.append(info[2])


@on_tree("changed: the URIs of two references exchanged", SignatureInvalid)
def _(tree: Tree) -> None:
    first, second = tree.signature[0][2:4]
    uris = first.get("URI"), second.get("URI")
    second.set("URI", uris[0])
    first.set("URI", uris[1])


@on_tree("a reference taken out", Unsigned)
def _(tree: Tree) -> None:
    info = tree.signature[0]
    info.remove(info[-1])


@on_tree("a signature within the signature", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.signature, f"{{{DS}}}Object").append(copy.deepcopy(tree.signature))


@on_tree("a Manifest that names the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    manifest = etree.SubElement(etree.SubElement(tree.signature, f"{{{DS}}}Object"), f"{{{DS}}}Manifest")
    manifest.append(copy.deepcopy(tree.signature[0][2]))


@on_tree("SignatureProperties besides", SignatureInvalid)
def _(tree: Tree) -> None:
    holder = etree.SubElement(tree.signature, f"{{{DS}}}Object")
    etree.SubElement(holder, f"{{{DS}}}SignatureProperties")


@on_tree("a SAML assertion besides", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.security, "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion")


@on_tree("a SignatureConfirmation besides", SignatureInvalid)
def _(tree: Tree) -> None:
    wsse11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
    etree.SubElement(tree.security, f"{{{wsse11}}}SignatureConfirmation")


@on_tree("changed: the Body encrypted afterwards", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.body.clear(keep_tail=False)
    tree.body.set(WSU_ID, "Body")
    etree.SubElement(tree.body, "{http://www.w3.org/2001/04/xmlenc#}EncryptedData")


@on_tree("no token", Unsigned)
def _(tree: Tree) -> None:
    tree.security.remove(tree.at(".//wsse:BinarySecurityToken"))


@on_tree("two tokens", SignatureInvalid)
def _(tree: Tree) -> None:
    token = copy.copy(tree.at(".//wsse:BinarySecurityToken"))
    token.set(WSU_ID, "Second")
    tree.security.append(token)
