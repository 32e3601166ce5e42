"""Both engines are of one mind: on every attack, on what hypothesis makes up, and on what it damages."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from lxml import etree

import config
from errors import MalformedMessage, SignatureInvalid
from security import wsse
from security.engines import ENGINES
from security.keys import Identity
from security.xml import canonical, parse
from tests.security import attacks, attacks_content, attacks_references, attacks_structure, attacks_trust
from tests.security.conftest import World
from tests.security.generated import HANDS, damaged, recipes
from tests.security.messages import (
    ADDRESSING,
    EXC,
    MORE,
    NAMES,
    NOW,
    SOAP11,
    SOAP12,
    Recipe,
    certificate,
    complete,
    envelope,
    make,
    skeleton,
    transform,
)
from tests.security.verdicts import Recorded, Verdict, agreed, signed_by_xmlsec, verdict, xmlsec_believes

# Importing them enters their attacks.
ENTERED = (attacks_content, attacks_references, attacks_structure, attacks_trust)

CURVES: tuple[ec.EllipticCurve, ...] = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
# The same messages each time where a change is judged; chance is for whoever looks for more.
many = settings(
    derandomize=os.environ.get("CI") == "true",
    max_examples=150,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


def _identity(world: World, kind: str) -> Identity:
    return world.rsa if kind == "rsa" else world.p256


def _recipe(world: World, kind: str) -> Recipe:
    return Recipe(_identity(world, kind), signature_method=kind)


@pytest.fixture(scope="module")
def curves(world: World) -> dict[str, Identity]:
    keys = {curve.name: ec.generate_private_key(curve) for curve in CURVES}
    return {name: Identity(certificate(key, world.authority), key) for name, key in keys.items()}


def test_the_settings_name_the_engines() -> None:
    assert tuple(ENGINES) == config.SIGNATURE_ENGINES
    assert config.load({}).signature.engine == "narrow"
    assert wsse.Policy(()).engine is ENGINES["narrow"]


@pytest.mark.parametrize("name", attacks.TABLE)
def test_engines_agree_on_an_attack(world: World, name: str) -> None:
    attack = attacks.TABLE[name]
    attempt = attack.attempt(world)
    refused = agreed(attempt.data, attempt.policy or world.policy, attempt.now).refused
    assert refused is not None
    assert issubclass(refused, attack.errors)


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
@pytest.mark.parametrize("size", ["256", "384", "512"])
def test_engines_agree_on_what_is_right(world: World, soap: str, kind: str, size: str) -> None:
    recipe = _recipe(world, kind).change(soap=soap, signature_method=f"{MORE}{kind}-sha{size}")
    verdict = agreed(make(recipe), world.policy)
    assert verdict.refused is None
    assert len(verdict.covered) == 2 + len(ADDRESSING)


# Messages made up.


def _written(hand: Callable[[str], str], text: str) -> str:
    """The message in that hand, if what was made up allows it."""
    written = hand(text)
    try:
        parse(written.encode())
    except MalformedMessage:
        assume(False)
    return written


@many
@given(data=st.data(), kind=st.sampled_from(("rsa", "ecdsa")), signer=st.sampled_from(("hand", "xmlsec")))
def test_engines_agree_on_what_is_made_up(world: World, data: st.DataObject, kind: str, signer: str) -> None:
    """Right messages are believed by both, on the same bytes, and by xmlsec; and nothing of them is lost."""
    recipe = data.draw(recipes(_recipe(world, kind)))
    text = _written(data.draw(st.sampled_from(HANDS)), skeleton(recipe))
    signed = complete(text, recipe) if signer == "hand" else signed_by_xmlsec(text, recipe.identity)
    verdict = agreed(signed, world.policy)
    assert verdict.refused is None, signed
    assert xmlsec_believes(signed, recipe.identity.certificate)
    body = parse(signed).find(f"{{{recipe.soap}}}Body")
    assert canonical(etree.fromstring(verdict.covered[1])) == canonical(body)


@settings(many, max_examples=400)
@given(data=st.data(), kind=st.sampled_from(("rsa", "ecdsa")), twice=st.booleans())
def test_engines_agree_on_what_is_damaged(world: World, data: st.DataObject, kind: str, twice: bool) -> None:
    """Whatever was done to a signed message: refused by both for one cause, or believed by all on the same bytes."""
    recipe = data.draw(recipes(_recipe(world, kind)))
    signed = make(recipe)
    good = agreed(signed, world.policy)
    mutated = data.draw(damaged(signed))
    if twice:
        with suppress(etree.XMLSyntaxError):  # it may be no XML any more
            mutated = data.draw(damaged(mutated))
    verdict = agreed(mutated, world.policy)
    if verdict.refused is None:
        assert not _canonical_throughout(mutated) or xmlsec_believes(mutated, recipe.identity.certificate)
        assert verdict.believed == good.believed


def _canonical_throughout(data: bytes) -> bool:
    """Whether every namespace name is absolute: xmlsec walks the whole document and stops at others, signed or not."""
    try:
        canonical(parse(data))
    except MalformedMessage:
        return False
    return True


# Signing.


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
def test_engines_sign_the_same(world: World, soap: str) -> None:
    narrow, library = (
        canonical(parse(wsse.sign(envelope(soap), world.rsa, now=NOW, engine=ENGINES[name])))
        for name in ENGINES
    )
    assert narrow == library


@pytest.mark.parametrize("signer", ENGINES)
@pytest.mark.parametrize("curve", [curve.name for curve in CURVES])
def test_what_one_engine_signs_all_verify(
    world: World, curves: dict[str, Identity], signer: str, curve: str
) -> None:
    identity = curves[curve]
    signed = wsse.sign(envelope(), identity, now=NOW, engine=ENGINES[signer])
    assert agreed(signed, world.policy).refused is None
    assert xmlsec_believes(signed, identity.certificate)
    damaged_one = signed.replace(b">A1<", b">A2<")
    assert agreed(damaged_one, world.policy).refused is SignatureInvalid
    assert not xmlsec_believes(damaged_one, identity.certificate)


@many
@given(data=st.data(), signer=st.sampled_from(tuple(ENGINES)))
def test_anything_that_is_signed_is_verified(world: World, data: st.DataObject, signer: str) -> None:
    recipe = data.draw(recipes(_recipe(world, "ecdsa")))
    text = _written(data.draw(st.sampled_from(HANDS)), envelope_text(recipe))
    signed = wsse.sign(etree.fromstring(text.encode()), world.p256, now=NOW, engine=ENGINES[signer])
    assert agreed(signed, world.policy).refused is None
    assert xmlsec_believes(signed, world.p256.certificate)


def envelope_text(recipe: Recipe) -> str:
    """The recipe's message before it is signed."""
    addressing = "".join(f"<wsa:{name}>{text}</wsa:{name}>" for name, text in recipe.addressing.items())
    return (
        f'<s:Envelope xmlns:s="{recipe.soap}" xmlns:wsa="{NAMES["wsa"]}"><s:Header>{addressing}{recipe.header}'
        f"</s:Header><s:Body >{recipe.body}</s:Body></s:Envelope>"
    )


# The signature's value.


def _with_value(signed: bytes, change: Callable[[bytes], bytes]) -> bytes:
    root = etree.fromstring(signed)
    value = root.find(".//ds:SignatureValue", NAMES)
    value.text = base64.b64encode(change(base64.b64decode(value.text))).decode()
    return bytes(etree.tostring(root, encoding="UTF-8"))


def _both(change: Callable[[int, int, int], tuple[int, int]], order: int) -> Callable[[bytes], bytes]:
    def changed(value: bytes) -> bytes:
        width = len(value) // 2
        r, s = change(int.from_bytes(value[:width], "big"), int.from_bytes(value[width:], "big"), order)
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")

    return changed


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_values_of_another_length_or_range_are_refused(
    world: World, curves: dict[str, Identity], curve: ec.EllipticCurve
) -> None:
    signed = wsse.sign(envelope(), curves[curve.name], now=NOW)
    order = curve.group_order
    most = 256 ** ((curve.key_size + 7) // 8) - 1
    changes: dict[str, Callable[[bytes], bytes]] = {
        "DER": lambda value: utils.encode_dss_signature(
            int.from_bytes(value[: len(value) // 2], "big"), int.from_bytes(value[len(value) // 2 :], "big")
        ),
        "a byte less": lambda value: value[1:],
        "a byte more": lambda value: b"\0" + value,
        "a zero before each": lambda value: (
            b"\0" + value[: len(value) // 2] + b"\0" + value[len(value) // 2 :]
        ),
        "a byte behind": lambda value: value + b"\0",
        "r is zero": _both(lambda _r, s, _n: (0, s), order),
        "s is zero": _both(lambda r, _s, _n: (r, 0), order),
        "both are zero": _both(lambda _r, _s, _n: (0, 0), order),
        "r is the order": _both(lambda _r, s, n: (n, s), order),
        "s is the order": _both(lambda r, _s, n: (r, n), order),
        "r is the most": _both(lambda _r, s, _n: (most, s), order),
        "r and s change places": _both(lambda r, s, _n: (s, r), order),
        "r and the order": _both(lambda r, s, n: (min(r + n, most), s), order),
        "s and the order": _both(lambda r, s, n: (r, min(s + n, most)), order),
    }
    for name, change in changes.items():
        assert agreed(_with_value(signed, change), world.policy).refused is SignatureInvalid, name


def test_leading_zeros_of_r_and_s_are_kept(world: World) -> None:
    """One signature of 256 has one: each side is tried until it happens."""
    for engine in ENGINES.values():
        for start in (0, 32):
            for _ in range(20_000):
                signed = wsse.sign(envelope(), world.p256, now=NOW, engine=engine)
                value = base64.b64decode(
                    etree.fromstring(signed).findtext(".//ds:SignatureValue", None, NAMES)
                )
                if value[start] == 0:
                    break
            assert value[start] == 0
            assert len(value) == 64
            assert agreed(signed, world.policy).refused is None
            assert xmlsec_believes(signed, world.p256.certificate)


def test_rsa_values_have_the_length_of_the_key(world: World) -> None:
    signed = wsse.sign(envelope(), world.rsa, now=NOW)
    public = world.rsa.key.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    modulus = public.public_numbers().n
    changes: dict[str, Callable[[bytes], bytes]] = {
        "a zero before": lambda value: b"\0" + value,
        "a byte behind": lambda value: value + b"\0",
        "a byte less": lambda value: value[:-1],
        "one": lambda value: (1).to_bytes(len(value), "big"),
        "the modulus added": lambda value: (int.from_bytes(value, "big") + modulus).to_bytes(
            len(value) + 1, "big"
        ),
        "its negative": lambda value: (modulus - int.from_bytes(value, "big")).to_bytes(len(value), "big"),
    }
    for name, change in changes.items():
        assert agreed(_with_value(signed, change), world.policy).refused is SignatureInvalid, name


# Where the engines differed once, and what was decided.


def test_names_outside_ascii_are_signed_and_verified(world: World) -> None:
    """signxml writes such names as character references; both engines believe what xmlsec believes."""
    body = '<q:Vārds xmlns:q="urn:example:ask" ē="ā">Jānis</q:Vārds>'
    signed = signed_by_xmlsec(skeleton(world.recipe.change(body=body)), world.rsa)
    assert agreed(signed, world.policy).refused is None
    for engine in ENGINES.values():
        ours = wsse.sign(envelope(body=body), world.p256, now=NOW, engine=engine)
        assert agreed(ours, world.policy).refused is None


def test_text_between_the_parts_is_refused(world: World) -> None:
    """It is covered by nothing, and one engine would read it behind the element that it follows."""
    signed = make(world.recipe)
    for mark in (
        b"<wsa:To",
        b"<wsu:Timestamp",
        b"<s:Body",
        b"<ds:Signature",
        b"<ds:KeyInfo",
        b"</ds:SignedInfo",
    ):
        assert agreed(signed.replace(mark, b"x" + mark, 1), world.policy).refused is SignatureInvalid, mark
        assert agreed(signed.replace(mark, b" \r\n\t" + mark, 1), world.policy).refused in (
            # White space within SignedInfo is signed.
            SignatureInvalid if mark == b"</ds:SignedInfo" else None,
        )


@pytest.mark.parametrize("spelling", ["Id", "ID", "id", "wsu:id"])
def test_a_reference_names_an_id_that_everybody_reads(world: World, spelling: str) -> None:
    """`iD` is none: the token is not signed, so that the message is right but for this."""
    text = skeleton(world.recipe).replace('wsu:Id="Body"', f'{spelling}="Body"')
    assert agreed(complete(text, world.recipe), world.policy).refused is None
    for other, refused in ((spelling, None), ("iD", SignatureInvalid), ("wsu:iD", SignatureInvalid)):
        signed = make(world.recipe).replace(b'wsu:Id="Token"', f'{other}="Token"'.encode())
        assert agreed(signed, world.policy).refused is refused


@pytest.mark.parametrize("space", ["\u00a0", "\u2028", "\u3000", "-"])
@pytest.mark.parametrize("value", ["DigestValue", "SignatureValue"])
def test_base64_has_no_white_space_but_that_of_xml(world: World, space: str, value: str) -> None:
    signed = make(world.recipe).replace(f"</ds:{value}>".encode(), f"{space}</ds:{value}>".encode(), 1)
    assert agreed(signed, world.policy).refused is SignatureInvalid


@pytest.mark.parametrize("prefixes", ["", "p", "p q"])
def test_a_prefix_list_is_read_as_xmlsec_reads_it(world: World, prefixes: str) -> None:
    """Also an empty one, as WSS4J writes it: in signxml it names the default namespace."""
    inside = f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="{prefixes}"/>'
    text = skeleton(world.recipe.change(transforms=transform(inside=inside), c14n_inside=inside))
    for spaces in ("", 'xmlns="urn:default"', 'xmlns:p="urn:one"', 'xmlns="urn:default" xmlns:p="urn:one"'):
        signed = signed_by_xmlsec(text.replace("<s:Envelope ", f"<s:Envelope {spaces} "), world.rsa)
        assert agreed(signed, world.policy).refused is None
        changed = signed.replace(b"urn:default", b"urn:evil").replace(b"urn:one", b"urn:evil")
        refused = agreed(changed, world.policy).refused
        assert (refused is None) == xmlsec_believes(changed, world.rsa.certificate)


def test_the_default_namespace_in_a_prefix_list_is_refused(world: World) -> None:
    """lxml passes over it unless chance has it otherwise: nobody's canonical form may depend on that."""
    inside = f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="p #default"/>'
    for recipe in (
        world.recipe.change(transforms=transform(inside=inside)),
        world.recipe.change(c14n_inside=inside),
    ):
        assert agreed(signed_by_xmlsec(skeleton(recipe), world.rsa), world.policy).refused is SignatureInvalid


def test_each_engine_must_be_asked(world: World) -> None:
    """The comparison sees a difference: an engine that believes everything is found out."""

    class Credulous(Recorded):
        def verify(self, root, parts, certificate, now):  # type: ignore[no-untyped-def] # the signature of Recorded
            return tuple(canonical(r.element, r.prefixes) for r in parts.references)

    forged = make(world.recipe).replace(b">A1<", b">A2<")
    believed = verdict(forged, world.policy, NOW, Credulous(ENGINES["narrow"]))
    assert believed.refused is None
    assert believed != agreed(forged, world.policy) == Verdict(SignatureInvalid)
