"""Signing and verifying: what holds is believed whole, and only what was signed comes out."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from errors import (
    GatewayError,
    GatewayFailure,
    SignatureInvalid,
    Stale,
    TooLarge,
    Unsigned,
    UntrustedCertificate,
)
from security import wsse
from security.engines import ENGINES
from security.keys import Identity
from security.wsse import Policy, Verified
from security.xml import canonical, parse, serialise
from tests.security.conftest import World
from tests.security.messages import (
    ADDRESSING,
    DS,
    EXC,
    MORE,
    NAMES,
    NOW,
    SHA256,
    SOAP11,
    SOAP12,
    WSA,
    Recipe,
    certificate,
    envelope,
    make,
    revocation_list,
    transform,
)

SOAPS = {"1.1": SOAP11, "1.2": SOAP12}


def _same(first: Verified, second: Verified) -> bool:
    return _facts(first) == _facts(second)


def _facts(verified: Verified) -> tuple[object, ...]:
    return (
        canonical(verified.envelope),
        canonical(verified.body),
        verified.certificate,
        verified.created,
        verified.message_id,
        verified.relates_to,
        verified.action,
        verified.to,
        verified.soap_version,
        verified.body_digest,
    )


@pytest.mark.parametrize("version", SOAPS)
@pytest.mark.parametrize("kind", ["rsa", "p256"])
def test_what_is_signed_is_verified(world: World, version: str, kind: str) -> None:
    identity: Identity = getattr(world, kind)
    unsigned = envelope(SOAPS[version], addressing=ADDRESSING | {"RelatesTo": "urn:uuid:0"})
    before = serialise(unsigned)
    signed = wsse.sign(unsigned, identity, now=NOW)
    verified = wsse.verify(signed, world.policy, now=NOW)
    assert serialise(unsigned) == before
    assert verified.certificate == identity.certificate
    assert verified.created == NOW
    assert (verified.message_id, verified.relates_to) == (ADDRESSING["MessageID"], "urn:uuid:0")
    assert (verified.action, verified.to) == (ADDRESSING["Action"], ADDRESSING["To"])
    assert verified.soap_version == version
    assert verified.body is verified.envelope[1]
    assert verified.body.findtext(".//{urn:example:ask}Code") == "A1"


def test_addressing_is_optional(world: World) -> None:
    signed = wsse.sign(envelope(addressing={}), world.rsa, now=NOW)
    verified = wsse.verify(signed, world.policy, now=NOW)
    assert verified.message_id is None
    assert verified.action is None
    assert len(verified.envelope[0]) == 0


def test_a_tree_is_verified_like_its_bytes(world: World) -> None:
    signed = wsse.sign(envelope(), world.p256, now=NOW)
    tree = wsse.verify(etree.fromstring(signed), world.policy, now=NOW)
    assert _same(tree, wsse.verify(signed, world.policy, now=NOW))


def test_a_tree_from_a_careless_parser_is_judged_by_ours(world: World) -> None:
    signed = wsse.sign(envelope(), world.p256, now=NOW).partition(b"\n")[2]
    tree = etree.fromstring(b'<!DOCTYPE s [<!ENTITY x "y">]>' + signed)
    with pytest.raises(GatewayError, match="doctype_refused"):
        wsse.verify(tree, world.policy, now=NOW)


@pytest.mark.parametrize("prefix", ["ds", "x"])
def test_prefixes_of_the_envelope_do_not_matter(world: World, prefix: str) -> None:
    text = serialise(envelope()).replace(b"<s:Envelope", f'<s:Envelope xmlns:{prefix}="{DS}"'.encode())
    signed = wsse.sign(parse(text), world.p256, now=NOW)
    assert wsse.verify(signed, world.policy, now=NOW).message_id == ADDRESSING["MessageID"]


def test_ids_do_not_clash_with_those_of_the_content(world: World) -> None:
    body = '<a Id="Body-1"><b ID="Timestamp-1"/><c id="MessageID-1"/><d Id="BinarySecurityToken-1"/></a>'
    signed = wsse.sign(envelope(body=body), world.p256, now=NOW)
    assert wsse.verify(signed, world.policy, now=NOW).body[0].get("Id") == "Body-1"


def test_only_an_envelope_without_security_is_signed(world: World) -> None:
    signed = parse(wsse.sign(envelope(), world.p256, now=NOW))
    twice = envelope(body='<a Id="x"/><b ID="x"/>')
    for wrong in (signed, etree.fromstring("<a/>"), twice):
        with pytest.raises(GatewayFailure):
            wsse.sign(wrong, world.p256, now=NOW)


def test_what_is_not_signed_does_not_come_out(world: World) -> None:
    text = make(world.recipe.change(header='<x:Role xmlns:x="urn:example:x">administrator</x:Role>'))
    verified = wsse.verify(text, world.policy, now=NOW)
    assert b"administrator" not in serialise(verified.envelope)
    assert b"Security" not in serialise(verified.envelope)


def test_a_comment_does_not_cut_a_text(world: World) -> None:
    text = (
        make(world.recipe).replace(b">A1<", b">A<!-- x -->1<").replace(b"urn:uuid:1", b"urn:<!-- x -->uuid:1")
    )
    verified = wsse.verify(text, world.policy, now=NOW)
    assert verified.body.findtext(".//{urn:example:ask}Code") == "A1"
    assert verified.message_id == "urn:uuid:1"


def test_a_prefix_that_was_not_signed_is_not_known(world: World) -> None:
    """A prefix used only within a value is outside of exclusive canonical XML: what it means is nobody's word."""
    text = make(world.recipe.change(body='<a kind="p:T" xmlns=""/>'))
    text = text.replace(b"<s:Envelope ", b'<s:Envelope xmlns:p="urn:example:evil" ', 1)
    assert "p" not in wsse.verify(text, world.policy, now=NOW).body[0].nsmap


def test_a_prefix_that_was_signed_is_known(world: World) -> None:
    """InclusiveNamespaces, as several stacks write it."""
    inside = f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="s wsa"/>'
    recipe = world.recipe.change(transforms=transform(inside=inside), c14n_inside=inside)
    verified = wsse.verify(make(recipe), world.policy, now=NOW)
    assert verified.body.nsmap["wsa"] == WSA
    assert verified.body_digest == wsse.verify(make(world.recipe), world.policy, now=NOW).body_digest


def test_the_content_digest_is_that_of_the_body_without_its_id(world: World) -> None:
    one = wsse.verify(make(world.recipe), world.policy, now=NOW)
    two = wsse.verify(wsse.sign(envelope(), world.p256, now=NOW), world.policy, now=NOW)
    plain = canonical(envelope().find("s:Body", NAMES))
    assert one.body_digest == two.body_digest == hashlib.sha256(plain).digest()
    other = wsse.verify(make(world.recipe.change(body="<a/>")), world.policy, now=NOW)
    assert other.body_digest != one.body_digest


def test_the_token_may_be_signed(world: World) -> None:
    wsse.verify(make(world.recipe.change(extra_references=("#Token",))), world.policy, now=NOW)


@pytest.mark.parametrize("size", ["384", "512"])
def test_stronger_algorithms_are_accepted(world: World, size: str) -> None:
    digest = SHA256.replace("sha256", "sha512") if size == "512" else f"{MORE}sha384"
    for identity, kind in ((world.rsa, "rsa"), (world.p256, "ecdsa")):
        recipe = Recipe(identity, digest=digest, signature_method=f"{MORE}{kind}-sha{size}")
        wsse.verify(make(recipe), world.policy, now=NOW)


def test_a_repeated_answer_has_the_same_bytes(world: World) -> None:
    assert wsse.sign(envelope(), world.rsa, now=NOW) == wsse.sign(envelope(), world.rsa, now=NOW)


@pytest.mark.parametrize("seconds", [-360, -300, 0, 300, 360])
def test_freshness_bounds_hold(world: World, seconds: int) -> None:
    text = make(world.recipe.change(created=NOW + timedelta(seconds=seconds), expires=None))
    wsse.verify(text, world.policy, now=NOW)


def test_expires_is_honoured_with_skew_and_up_to_the_longest_lifetime(world: World) -> None:
    created = NOW - timedelta(seconds=300)
    wsse.verify(
        make(world.recipe.change(created=created, expires=NOW - timedelta(seconds=60))), world.policy, now=NOW
    )
    wsse.verify(make(world.recipe.change(expires=NOW + timedelta(seconds=900))), world.policy, now=NOW)
    signed = wsse.sign(envelope(), world.p256, now=NOW, lifetime_s=30)
    wsse.verify(signed, world.policy, now=NOW + timedelta(seconds=90))
    with pytest.raises(Stale):
        wsse.verify(signed, world.policy, now=NOW + timedelta(seconds=91))


def test_fractions_of_a_second_are_read(world: World) -> None:
    stamp = "<wsu:Created>2026-03-02T09:00:00.1234567Z</wsu:Created>"
    verified = wsse.verify(make(world.recipe.change(timestamp=stamp)), world.policy, now=NOW)
    assert verified.created == NOW + timedelta(microseconds=123456)


@pytest.mark.parametrize(
    "text", ["2026-03-02T09:00:00+00:00", "2026-03-02T11:00:00+02:00", "2026-03-02T09:00:00.0Z"]
)
def test_any_zone_that_is_written_down_is_read(world: World, text: str) -> None:
    recipe = world.recipe.change(timestamp=f"<wsu:Created>{text}</wsu:Created>")
    assert wsse.verify(make(recipe), world.policy, now=NOW).created == NOW


def test_a_list_that_revokes_others_lets_this_one_pass(world: World) -> None:
    policy = Policy((world.authority.certificate,), crls=(revocation_list(world.authority, 1),))
    wsse.verify(make(world.recipe), policy, now=NOW)


def test_the_certificate_is_judged_at_the_instant_of_the_message(world: World) -> None:
    later = NOW + timedelta(days=60)
    recipe = world.recipe.change(created=later, expires=None)
    with pytest.raises(UntrustedCertificate, match="outside its dates"):
        wsse.verify(make(recipe), world.policy, now=later)
    renewed = certificate(world.rsa.key, world.authority, end=later + timedelta(days=1))
    # The authority of this test ends before its partner does.
    authority = Identity(
        certificate(
            world.authority.key,
            None,
            ca=True,
            signs=False,
            subject="authority",
            end=later + timedelta(days=1),
        ),
        world.authority.key,
    )
    recipe = world.partner(renewed).change(created=later, expires=None)
    wsse.verify(make(recipe), Policy((authority.certificate,)), now=later)


def test_a_large_message_is_refused_before_it_is_parsed(world: World) -> None:
    with pytest.raises(TooLarge):
        wsse.verify(b"<" * 5_000_000, world.policy, now=NOW)


def test_threads_do_not_disturb_each_other(world: World) -> None:
    def one(number: int) -> str | None:
        addressing = ADDRESSING | {"MessageID": f"urn:uuid:{number}"}
        signed = wsse.sign(envelope(addressing=addressing), world.p256, now=NOW)
        return wsse.verify(signed, world.policy, now=NOW).message_id

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(48))) == [f"urn:uuid:{number}" for number in range(48)]


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT, attribute=TEXT, message_id=TEXT, version=st.sampled_from(sorted(SOAPS)))
@example(text="\r\n\t &<>\"'", attribute="\r\n\t &<>\"'", message_id=" ", version="1.1")
def test_any_content_survives(world: World, text: str, attribute: str, message_id: str, version: str) -> None:
    unsigned = envelope(SOAPS[version], addressing={"MessageID": ""}, body="<a/>")
    unsigned[1][0].text = text
    unsigned[1][0].set("x", attribute)
    unsigned[0][0].text = message_id
    verified = wsse.verify(wsse.sign(unsigned, world.p256, now=NOW), world.policy, now=NOW)
    assert (verified.body[0].text or "") == text
    assert verified.body[0].get("x") == attribute
    assert verified.message_id == (message_id.strip() or None)


# The weaker profile: addressing headers that a partner's stack cannot sign.


def _weaker(world: World, *partners: Identity) -> Policy:
    allowed = [partner.certificate for partner in partners]
    return replace(world.policy, may_leave_unsigned=lambda certificate: certificate in allowed)


@pytest.mark.parametrize("engine", ENGINES)
def test_addressing_may_go_unsigned_where_the_certificate_may(world: World, engine: str) -> None:
    recipe = world.recipe.change(addressing=ADDRESSING | {"RelatesTo": "x"})
    text = make(recipe.change(unsigned=tuple(recipe.addressing)))
    policy = replace(_weaker(world, world.rsa), engine=ENGINES[engine])
    verified = wsse.verify(text, policy, now=NOW)
    assert verified.weaker
    assert (verified.message_id, verified.relates_to, verified.action, verified.to) == (
        None,
        None,
        None,
        None,
    )
    assert len(verified.envelope[0]) == 0
    assert b"urn:uuid:1" not in serialise(verified.envelope)
    assert verified.body_digest == wsse.verify(make(world.recipe), world.policy, now=NOW).body_digest


def test_nobody_may_unless_it_is_said(world: World) -> None:
    text = make(world.recipe.change(unsigned=("MessageID",)))
    for policy in (world.policy, _weaker(world), _weaker(world, world.p256)):
        with pytest.raises(Unsigned, match="MessageID is not signed"):
            wsse.verify(text, policy, now=NOW)


@pytest.mark.parametrize("left", ["MessageID", "To", "Action"])
def test_of_the_headers_only_those_signed_come_out(world: World, left: str) -> None:
    verified = wsse.verify(make(world.recipe.change(unsigned=(left,))), _weaker(world, world.rsa), now=NOW)
    assert verified.weaker
    seen = {"MessageID": verified.message_id, "To": verified.to, "Action": verified.action}
    assert seen == ADDRESSING | {left: None}


def test_who_may_leave_them_unsigned_and_signs_them_is_not_weaker(world: World) -> None:
    verified = wsse.verify(make(world.recipe), _weaker(world, world.rsa), now=NOW)
    assert not verified.weaker
    assert verified.message_id == ADDRESSING["MessageID"]
    assert not wsse.verify(make(world.recipe.change(addressing={})), world.policy, now=NOW).weaker


@pytest.mark.parametrize("part", ["Body", "Stamp"])
def test_nobody_may_leave_body_or_timestamp_unsigned(world: World, part: str) -> None:
    text = make(world.recipe.change(unsigned=(part, *ADDRESSING)))
    with pytest.raises(Unsigned):
        wsse.verify(text, _weaker(world, world.rsa), now=NOW)


def test_the_right_to_it_is_asked_after_the_chain_and_before_the_signature(world: World) -> None:
    asked: list[x509.Certificate] = []

    def ask(certificate: x509.Certificate) -> bool:
        asked.append(certificate)
        return False

    policy = replace(world.policy, may_leave_unsigned=ask)
    unsigned = world.recipe.change(unsigned=("To",))
    strange = unsigned.change(identity=Identity(certificate(world.rsa.key, world.stranger), world.rsa.key))
    with pytest.raises(UntrustedCertificate):
        wsse.verify(make(strange), policy, now=NOW)
    assert asked == []
    with pytest.raises(Unsigned):
        wsse.verify(make(unsigned).replace(b">A1<", b">A2<"), policy, now=NOW)
    assert asked == [world.rsa.certificate]
    wsse.verify(make(world.recipe), policy, now=NOW)
    assert asked == [world.rsa.certificate]


def test_an_unsigned_header_is_nobodys_word_wherever_it_comes_from(world: World) -> None:
    """With the right to it, headers may be added, changed or taken away on the way: none of it comes out."""
    policy = _weaker(world, world.rsa)
    text = make(world.recipe.change(unsigned=("To", "Action")))
    good = wsse.verify(text, policy, now=NOW)
    for changed in (
        text.replace(b"urn:example:to<", b"urn:example:evil<"),
        text.replace(b"urn:example:ask/Ask<", b"<x/><"),
        text.replace(b"<wsa:To", f'<wsa:RelatesTo xmlns:wsa="{WSA}">evil</wsa:RelatesTo><wsa:To'.encode()),
    ):
        assert changed != text
        assert _same(wsse.verify(changed, policy, now=NOW), good)
    for doubled in (b"<wsa:MessageID>evil</wsa:MessageID>", b"<wsa:To>evil</wsa:To>"):
        with pytest.raises(SignatureInvalid, match="stands there twice"):
            wsse.verify(text.replace(b"<wsa:To", doubled + b"<wsa:To"), policy, now=NOW)
    with pytest.raises(SignatureInvalid):
        wsse.verify(text.replace(b"urn:uuid:1", b"urn:uuid:2"), policy, now=NOW)


# Cost.


def test_a_short_message_is_no_huge_one_when_it_is_written_out(world: World) -> None:
    """A canonical form repeats declarations: long names, and many of them in one scope, are refused before."""
    name = "urn:" + "x" * 50_000
    long = f'<a xmlns:p="{name}">' + "<p:b>0123456789012345678901234567890123456789</p:b>" * 1000 + "</a>"
    declared = [" ".join(f'xmlns:p{depth}x{n}="urn:{n}"' for n in range(60)) for depth in range(3)]
    many = "".join(f"<a {names}>" for names in declared) + "</a>" * 3
    for body in (long, many):
        with pytest.raises(TooLarge):
            wsse.verify(make(world.recipe.change(body=body)), world.policy, now=NOW)


def test_declarations_that_each_element_makes_for_itself_are_no_burden(world: World) -> None:
    body = "<a>" + '<p:b xmlns:p="urn:x" xmlns:q="urn:y">0123456789</p:b>' * 2000 + "</a>"
    assert wsse.verify(make(world.recipe.change(body=body)), world.policy, now=NOW).body[0].tag == "a"


def _survives(world: World, good: Verified, mutated: bytes) -> bool:
    """Whether a mutated message is refused, or says exactly what the one it was made from says."""
    try:
        verified = wsse.verify(mutated, world.policy, now=NOW)
    except GatewayError:
        return True
    return _same(verified, good)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_single_byte_changes_what_is_verified(world: World, data: st.DataObject) -> None:
    signed = wsse.sign(envelope(), world.p256, now=NOW)
    good = wsse.verify(signed, world.policy, now=NOW)
    position = data.draw(st.integers(0, len(signed) - 1))
    action = data.draw(st.sampled_from(("replace", "insert", "delete")))
    byte = bytes([data.draw(st.integers(0, 255))])
    mutated = {
        "replace": signed[:position] + byte + signed[position + 1 :],
        "insert": signed[:position] + byte + signed[position:],
        "delete": signed[:position] + signed[position + 1 :],
    }[action]
    assert _survives(world, good, mutated)


def test_no_bit_changes_what_is_verified(world: World) -> None:
    """Every byte of the message once, one bit of it flipped."""
    signed = wsse.sign(envelope(), world.p256, now=NOW)
    good = wsse.verify(signed, world.policy, now=NOW)
    for position in range(len(signed)):
        mutated = bytearray(signed)
        mutated[position] ^= 1 << (position % 7)
        assert _survives(world, good, bytes(mutated)), position


def test_a_chain_that_was_found_ends_with_the_authority_s_own_dates(world: World) -> None:
    ends = NOW + timedelta(hours=1)
    above = Identity(
        certificate(world.stranger.key, None, end=ends, ca=True, subject="short-lived"), world.stranger.key
    )
    below = Identity(certificate(world.p256.key, above), world.p256.key)
    policy = Policy((above.certificate,))
    for instant in (NOW, ends - timedelta(seconds=1)):
        wsse.verify(wsse.sign(envelope(), below, now=instant), policy, now=instant)
    late = ends + timedelta(seconds=1)
    with pytest.raises(UntrustedCertificate):
        wsse.verify(wsse.sign(envelope(), below, now=late), policy, now=late)


def test_a_chain_that_was_found_is_not_one_to_other_authorities(world: World) -> None:
    signed = wsse.sign(envelope(), world.p256, now=NOW)
    wsse.verify(signed, world.policy, now=NOW)
    others = replace(world.policy, authorities=(world.stranger.certificate,))
    with pytest.raises(UntrustedCertificate):
        wsse.verify(signed, others, now=NOW)
