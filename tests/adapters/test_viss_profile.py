"""By way of the state integrator: transactions, errors as published, and what of an answer is believed.

At the other end stands the simulated integrator with all systems behind it, in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

import config
import errors
from adapters import Operation, discover
from adapters.profiles import Conversation, Message
from adapters.profiles.viss import VissProfile
from adapters.profiles.viss_errors import REFUSALS
from exchange import Context, Official, utc_now
from mappings.pmlp import GetPersonRequest, Person
from mappings.vdeavk import GetDisabilityRequest
from security import wsse
from security.certificates import load_authorities
from security.keys import Identity, new_keys
from security.xml import Element, parse, serialise
from simulators import viss
from simulators.control import Mode
from simulators.population import Population
from simulators.serving import Serving
from simulators.stand_in import WsSecurity
from tests.exchanges.test_golden import CONTEXT, MESSAGE_ID, SOAP12, VISS, envelope, response
from wsdl import contract
from wsdl.ivis import message_type

PMLP, VDEAVK = discover()["pmlp"], discover()["vdeavk"]
GET_PERSON = PMLP.operations[0]
POPULATION = Population(20, 1)
SOMEBODY = POPULATION.person(0).code
NS = f"{{{VISS.namespace}}}"
ANSWER_TYPE = message_type(contract("pmlp"), "GetPersonResponse")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    new_keys(folder, ["viss", "pmlp"])
    return folder


@dataclass
class Ways:
    """A profile, the integrator that it speaks with, and what left."""

    keys: Path
    now: datetime = field(default_factory=utc_now)
    left: list[Message] = field(default_factory=list)
    refuse: Callable[[Message], int | None] = lambda _message: None

    @property
    def started(self) -> int:
        return sum(message.opening for message in self.left)

    def identity(self, name: str) -> Identity:
        return Identity.load(self.keys / f"{name}.pem", self.keys / f"{name}.key")

    def profile(self, limit: int = 4_194_304) -> VissProfile:
        settings = config.Viss(
            "http://127.0.0.1:1/", self.keys / "viss.pem", None, "URN:IVIS:100001:ISS-SPOLIS", "100680", 30.0
        )
        system = replace(config.load({}).system("pmlp"), viss=settings)
        authority = self.keys / "authority.pem"
        gateway = self.identity("gateway")
        return VissProfile(PMLP, system, gateway, authority, clock=lambda: self.now, limit=limit)

    def integrator(self) -> viss.Integrator:
        policy = wsse.Policy(load_authorities(self.keys / "authority.pem"))
        seals = WsSecurity(policy, self.identity("viss"), clock=lambda: self.now)
        return viss.Integrator(VISS, served(), seals)

    def talk(self, conversation: Conversation, integrator: viss.Integrator, mode: Mode = Mode.OK) -> object:
        """Carry a conversation to its end; `mode` is for the request itself."""
        message = next(conversation)
        while True:
            self.left.append(message)
            code = self.refuse(message)
            if code is not None:
                answer = self.signed(refused(message, code))
            else:
                answer = integrator.answer(message.content, Mode.OK if message.opening else mode).content
            try:
                message = conversation.send(answer)
            except StopIteration as done:
                return done.value

    def signed(self, answer: Element, by: str = "viss") -> bytes:
        return wsse.sign(answer, self.identity(by), now=self.now)


@dataclass(frozen=True)
class Nobody:
    """No simulator ran before."""

    known: Path | None = None
    forgetful: bool = False


@cache
def served() -> Mapping[str, Serving]:
    """The systems are made once; what an integrator knows of transactions is its own."""
    return viss.served(POPULATION, Nobody())


@pytest.fixture
def ways(keys: Path) -> Ways:
    return Ways(keys)


def asked(purpose: str = "social-service", official: Official = CONTEXT.official) -> GetPersonRequest:
    context: Context = replace(CONTEXT, purpose=purpose, official=official)
    return GetPersonRequest(context=context, person_code=SOMEBODY, data_sets=("NAME_AND_CODE",))


def sent(message: Message) -> Element:
    return parse(message.content).find(f"{{{SOAP12}}}Body")[0]


def text(message: Message, path: str) -> str | None:
    found: str | None = sent(message).findtext("/".join(f"{NS}{step}" for step in path.split("/")))
    return found


def refused(message: Message, code: int) -> Element:
    answer = response(message, {})
    found = answer.find(f".//{NS}Result")
    found.tag = f"{NS}Errors"
    found.text = None
    error = etree.SubElement(found, f"{NS}Error")
    etree.SubElement(error, f"{NS}ErrorCode").text = str(code)
    etree.SubElement(error, f"{NS}ErrorDescription").text = "as published"
    return answer


def test_a_transaction_is_started_once_for_a_purpose_and_used_again(ways: Ways) -> None:
    profile, integrator = ways.profile(), ways.integrator()
    for _ in range(3):
        record = ways.talk(profile.converse(GET_PERSON, asked(), MESSAGE_ID), integrator)
        assert isinstance(record, Person)
        assert record.person_code.replace("-", "") == SOMEBODY
    assert [message.opening for message in ways.left] == [True, False, False, False]
    ids = {text(message, "TransactionID") for message in ways.left[1:]}
    assert len(ids) == 1
    ways.talk(profile.converse(GET_PERSON, asked("child-protection"), MESSAGE_ID), integrator)
    assert ways.started == 2
    assert text(ways.left[-1], "TransactionID") not in ids
    start = sent(ways.left[-2]).find(f"{NS}Body/{NS}StartTransaction/{NS}Purpose")
    assert start.text == "child-protection"


def test_a_transaction_that_is_too_old_is_not_used(ways: Ways) -> None:
    profile, integrator = ways.profile(), ways.integrator()
    for minutes, started in ((0, 1), (29, 1), (2, 2)):
        ways.now += timedelta(minutes=minutes)
        ways.talk(profile.converse(GET_PERSON, asked(), MESSAGE_ID), integrator)
        assert ways.started == started


def test_after_a_restart_of_the_integrator_a_new_transaction_is_started_and_the_same_message_sent(
    ways: Ways,
) -> None:
    profile, integrator = ways.profile(), ways.integrator()
    ways.talk(profile.converse(GET_PERSON, asked(), MESSAGE_ID), integrator)
    integrator.transactions.forget()
    ways.left.clear()
    assert isinstance(ways.talk(profile.converse(GET_PERSON, asked(), MESSAGE_ID), integrator), Person)
    assert [message.opening for message in ways.left] == [False, True, False]
    assert ways.left[0].message_id == ways.left[2].message_id == MESSAGE_ID
    assert text(ways.left[0], "TransactionID") != text(ways.left[2], "TransactionID")
    assert {text(message, "MessageID") for message in ways.left if not message.opening} == {
        MESSAGE_ID.removeprefix("urn:uuid:")
    }


@pytest.mark.parametrize("code", [4, 5])
def test_a_transaction_is_started_anew_once_and_no_more(ways: Ways, code: int) -> None:
    profile, integrator = ways.profile(), ways.integrator()
    ways.talk(profile.converse(GET_PERSON, asked(), MESSAGE_ID), integrator)
    ways.left.clear()
    ways.refuse = lambda message: None if message.opening else code
    with pytest.raises(errors.SystemUnreachable, match=REFUSALS[code].name):
        ways.talk(profile.converse(GET_PERSON, asked(), MESSAGE_ID), integrator)
    assert [message.opening for message in ways.left] == [False, True, False]
    # The one that was refused is not kept.
    assert next(profile.converse(GET_PERSON, asked(), MESSAGE_ID)).opening


# As published, written down a second time: (code, name, error, retryable).
PUBLISHED = [
    (1, "MessageIdNotSpecified", errors.RequestRefused, False),
    (4, "TransactionIdIncorrect", errors.SystemUnreachable, True),
    (5, "TransactionNotStarted", errors.SystemUnreachable, True),
    (6, "SenderIncorrect", errors.RequestRefused, False),
    (8, "DestinationIsNull", errors.RequestRefused, False),
    (10, "DestinationNotFound", errors.RequestRefused, False),
    (13, "DestinationUserRightToLow", errors.RequestRefused, False),
    (16, "MessageTypeNotSet", errors.RequestRefused, False),
    (17, "BodyNotSet", errors.RequestRefused, False),
    (18, "BodyIncorrect", errors.RequestRefused, False),
    (19, "BodyToBig", errors.RequestRefused, False),
    (20, "URNTypeIsIncorect", errors.RequestRefused, False),
    (22, "BodyWrongFormat", errors.RequestRefused, False),
    (23, "MessageTypeNotFound", errors.RequestRefused, False),
]


def test_every_published_code_is_known() -> None:
    assert {(one.code, one.name, one.error, one.retryable) for one in REFUSALS.values()} == set(PUBLISHED)
    assert {one.code: one.name for one in REFUSALS.values()} == viss.ERRORS


@pytest.mark.parametrize(("code", "name", "kind", "retryable"), PUBLISHED)
@pytest.mark.parametrize("opening", [True, False])
def test_an_error_of_the_integrator_is_one_of_ours(
    ways: Ways, code: int, name: str, kind: type[errors.PartnerError], retryable: bool, opening: bool
) -> None:
    ways.refuse = lambda message: code if message.opening is opening else None
    with pytest.raises(errors.PartnerError) as raised:
        ways.talk(ways.profile().converse(GET_PERSON, asked(), MESSAGE_ID), ways.integrator())
    assert (type(raised.value), raised.value.retryable) == (kind, retryable)
    assert f"VISS {code} {name}: " in raised.value.message


@pytest.mark.parametrize("code", [2, 3, 99])
def test_an_error_that_is_not_published_is_an_unknown_code(ways: Ways, code: int) -> None:
    ways.refuse = lambda message: None if message.opening else code
    with pytest.raises(errors.UnknownCode, match="/IVISResponse/Errors/Error/ErrorCode"):
        ways.talk(ways.profile().converse(GET_PERSON, asked(), MESSAGE_ID), ways.integrator())


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (Mode.FAULT, errors.SystemFault),
        (Mode.INVALID, errors.AnswerRefused),
        (Mode.OTHER_ANSWER, errors.AnswerMismatch),
        (Mode.UNKNOWN_CODE, errors.UnknownCode),
        (Mode.UNSIGNED, errors.AnswerUnsigned),
        (Mode.WRONG_SIGNATURE, errors.AnswerUnsigned),
    ],
)
def test_an_integrator_that_misbehaves_feeds_nothing(
    ways: Ways, mode: Mode, kind: type[errors.PartnerError]
) -> None:
    request = replace(asked(), data_sets=("IDENTITY",))
    with pytest.raises(kind):
        ways.talk(ways.profile().converse(GET_PERSON, request, MESSAGE_ID), ways.integrator(), mode)
    assert ways.started == 1


def test_a_fault_of_the_system_behind_is_told_as_such(ways: Ways) -> None:
    request = replace(asked(), person_code="320000-00017")
    with pytest.raises(errors.NotFound):
        ways.talk(ways.profile().converse(GET_PERSON, request, MESSAGE_ID), ways.integrator())


def submitted(ways: Ways, profile: VissProfile) -> Message:
    """SubmitSync, waiting for its answer."""
    conversation = profile.converse(GET_PERSON, asked(), MESSAGE_ID)
    opening = next(conversation)
    return conversation.send(ways.integrator().answer(opening.content, Mode.OK).content)


def answered(message: Message, **header: str) -> Element:
    payload = parse((Path(__file__).parents[1] / "exchanges/pmlp/name-and-code-only/answer.xml").read_bytes())
    known = {"TransactionID": text(message, "TransactionID") or "", "MessageType": ANSWER_TYPE}
    return response(message, known | header, payload)


def test_an_answer_by_hand_is_read(ways: Ways) -> None:
    profile = ways.profile()
    message = submitted(ways, profile)
    assert isinstance(profile.read(GET_PERSON, message, ways.signed(answered(message))), Person)


def test_an_answer_signed_by_the_system_behind_is_not_the_integrators(ways: Ways) -> None:
    profile = ways.profile()
    message = submitted(ways, profile)
    with pytest.raises(errors.AnswerUnsigned, match="another system"):
        profile.read(GET_PERSON, message, ways.signed(answered(message), by="pmlp"))


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ({"MessageType": ANSWER_TYPE.replace("GetPerson", "GetChanges")}, "MessageType"),
        ({"CorrelationID": "018f0000-0000-7000-8000-00000000ffff"}, "CorrelationID"),
    ],
)
def test_an_answer_to_something_else_is_refused(ways: Ways, header: dict[str, str], what: str) -> None:
    profile = ways.profile()
    message = submitted(ways, profile)
    with pytest.raises(errors.AnswerMismatch, match=what):
        profile.read(GET_PERSON, message, ways.signed(answered(message, **header)))


@pytest.mark.parametrize("missing", ["Body", "MessageID", "TimeStamp", "Result"])
def test_an_answer_that_breaks_the_contract_of_the_integrator_is_refused(ways: Ways, missing: str) -> None:
    profile = ways.profile()
    message = submitted(ways, profile)
    answer = answered(message)
    part = answer.find(f"{{{SOAP12}}}Body/{NS}IVISResponse/{NS}{missing}")
    part.getparent().remove(part)
    with pytest.raises(errors.AnswerRefused, match="/IVISResponse"):
        profile.read(GET_PERSON, message, ways.signed(answer))


def test_an_answer_without_a_transaction_starts_none(ways: Ways) -> None:
    conversation = ways.profile().converse(GET_PERSON, asked(), MESSAGE_ID)
    opening = next(conversation)
    with pytest.raises(errors.AnswerRefused, match="TransactionID"):
        conversation.send(ways.signed(response(opening, {})))


def test_a_plain_answer_without_an_ivis_response_is_refused(ways: Ways) -> None:
    profile = ways.profile()
    message = submitted(ways, profile)
    request = etree.fromstring(serialise(sent(message)))
    bare = envelope(request, MESSAGE_ID, f"{message.action}Response", SOAP12)
    with pytest.raises(errors.AnswerMismatch, match="IVISResponse"):
        profile.read(GET_PERSON, message, ways.signed(bare))


def test_what_is_over_the_limit_is_refused_before_anything_leaves(ways: Ways) -> None:
    profile = ways.profile()
    size = len(submitted(ways, profile).content)
    with pytest.raises(errors.TooLarge, match="ask for less"):
        next(ways.profile(limit=size - 1).converse(GET_PERSON, asked(), MESSAGE_ID))
    assert next(ways.profile(limit=size).converse(GET_PERSON, asked(), MESSAGE_ID)).opening


def test_what_breaks_the_contract_of_the_system_starts_no_transaction(ways: Ways) -> None:
    other: Operation = replace(GET_PERSON, request=VDEAVK.operations[0].request)
    request = GetDisabilityRequest(context=CONTEXT, person_code="320000-00017", on_date=date(2026, 1, 1))
    with pytest.raises(errors.GatewayFailure, match="/GetDisability"):
        next(ways.profile().converse(other, request, MESSAGE_ID))


def test_a_request_without_a_transaction_is_not_composed(ways: Ways) -> None:
    with pytest.raises(errors.GatewayFailure, match="no transaction"):
        ways.profile().compose(GET_PERSON, asked(), MESSAGE_ID)


@pytest.mark.parametrize(
    ("official", "identifier", "kind"),
    [
        ("PK:390000-00001", "AU:100680-PK:390000-00001", "Employee"),
        ("39000000001", "AU:100680-PK:39000000001", "Employee"),
        ("schedule", "AU:100680", "Process"),
        ("PK:390000-0000", "AU:100680", "Process"),
    ],
)
def test_who_asks_is_named_in_the_forms_of_the_integrator(
    ways: Ways, official: str, identifier: str, kind: str
) -> None:
    request = asked(official=Official(official, "90000022632", "social worker"))
    assert isinstance(
        ways.talk(ways.profile().converse(GET_PERSON, request, MESSAGE_ID), ways.integrator()), Person
    )
    for message in ways.left:
        assert text(message, "Sender/NameIdentifier") == identifier
        assert sent(message).find(f"{NS}Sender")[-1].tag == f"{NS}{kind}"


@hypothesis.settings(deadline=None, max_examples=40)
@given(
    official=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=60),
    purpose=st.from_regex(r"[a-z][a-z-]{0,30}", fullmatch=True),
)
def test_whoever_asks_for_whatever_the_message_keeps_the_contract_and_is_answered(
    keys: Path, official: str, purpose: str
) -> None:
    ways = Ways(keys)
    request = asked(purpose, Official(official, "90000022632", "social worker"))
    assert isinstance(
        ways.talk(ways.profile().converse(GET_PERSON, request, MESSAGE_ID), ways.integrator()), Person
    )
    for message in ways.left:
        VISS.validate(sent(message))


def settings(tmp_path: Path, viss: str, system: str = 'profile = "viss"\n') -> config.Settings:
    (tmp_path / "gateway.toml").write_text(f"[viss]\n{viss}\n[systems.pmlp]\n{system}", encoding="utf-8")
    return config.load({"GATEWAY_CONFIG": str(tmp_path)})


US = 'system_id = "URN:IVIS:100001:ISS-SPOLIS"\nagency = "100680"\n'


def test_one_line_sends_a_system_by_way_of_the_integrator(tmp_path: Path) -> None:
    loaded = settings(tmp_path, US)
    assert loaded.systems["pmlp"].viss == loaded.viss
    assert loaded.systems["pmlp"].destination == "URN:IVIS:100001:ISS-PMLP"
    assert loaded.viss.trust == tmp_path / "var" / "keys" / "viss.pem"
    assert loaded.systems["vzd"].viss is None


@pytest.mark.parametrize(
    ("viss", "system", "wrong"),
    [
        ("", "", "system_id"),
        ('system_id = "URN:IVIS:1:ISS-SPOLIS"\nagency = "100680"', "", "system_id"),
        ('system_id = "URN:IVIS:100001:ISS-SPOLIS"\nagency = "1006"', "", "agency"),
        (f'url = ""\n{US}', "", "url"),
        (f"transaction_minutes = 0.0\n{US}", "", "transaction_minutes"),
        (US, 'destination = ""\n', "destination"),
        (US, 'destination = "PMLP"\n', "destination"),
        (f'sender = "x"\n{US}', "", "unknown setting viss.sender"),
    ],
)
def test_settings_that_cannot_be_say_which(tmp_path: Path, viss: str, system: str, wrong: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=wrong):
        settings(tmp_path, viss, f'profile = "viss"\n{system}')


def test_the_settings_of_the_integrator_are_not_asked_for_where_nobody_needs_them(tmp_path: Path) -> None:
    assert settings(tmp_path, 'url = ""', "").systems["pmlp"].viss is None
