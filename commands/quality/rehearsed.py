"""Rules that are seen by doing: the recorded requests go to the simulator, signed with keys made for it, and come back.

Nothing leaves the process; the gateway's own client stands at one end, the simulator's SOAP stack at the other.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import config
import errors
from adapters import Adapter, Operation, Repeat
from adapters.profiles.soap import SoapProfile
from adapters.profiles.viss import VissProfile
from commands.quality.calls import retry_declared
from commands.quality.house import House
from exchange import Context, Environment, Official
from mappings.kinds import Coded
from mappings.mapping import Mapping as Table
from security import wsse
from security.certificates import load_authorities
from security.keys import Identity, new_keys
from simulators.control import Mode
from simulators.discovery import Past, Simulator, discover
from simulators.population import Population
from simulators.stand_in import StandIn, WsSecurity
from simulators.viss import Integrator, served
from wsdl import contract

_SYSTEM = "system"
_PERSONS, _SEED = 1_000, 1
_CONTEXT = Context(
    purpose="rehearsal",
    rule="p19.2",
    official=Official("rehearsal", "rehearsal", "rehearsal"),
    case="",
    request_id=uuid.UUID("018f0000-0000-7000-8000-000000000001"),
    environment=Environment.TEST,
)
# What the client must make of an answer in each mode.
_WANTED: Mapping[Mode, type[errors.GatewayError]] = {
    Mode.FAULT: errors.SystemFault,
    Mode.INVALID: errors.AnswerRefused,
    Mode.OTHER_ANSWER: errors.AnswerMismatch,
    Mode.UNKNOWN_CODE: errors.UnknownCode,
    Mode.UNSIGNED: errors.AnswerUnsigned,
    Mode.WRONG_SIGNATURE: errors.AnswerUnsigned,
}
_WRITES = "write:"
_SEALS = (Mode.OK, Mode.UNSIGNED, Mode.WRONG_SIGNATURE)


@dataclass(frozen=True, slots=True)
class New:
    """A simulator that nobody ran before."""

    known: Path | None = None
    forgetful: bool = False


def retry_safety(adapter: Adapter, house: House, past: Past = New()) -> Iterator[str]:
    """What is wrong with the declarations, and messages that are said to be known again and take effect twice."""
    yield from retry_declared(adapter)
    stage = None
    for operation, arguments in _served(adapter, house):
        if operation.repeat is Repeat.DEDUPES:
            stage = stage or _Stage(adapter, past)
            tried = arguments if operation.notice is not None else arguments[:1]
            if any(stage.twice(operation, one) for one in tried):
                yield f"{operation.name} is sent again on trust, and its simulator lets it take effect twice"


def signed(adapter: Adapter, house: House) -> Iterator[str]:
    """Requests that the simulator's signature policy refuses, and unsigned answers that are believed."""
    for operation, problem in _problems(adapter, house, _SEALS):
        yield f"{operation}: {problem}"


def integrated(adapter: Adapter, house: House) -> Iterator[str]:
    """No destination at the state integrator, and operations that do not come back from it as they do directly."""
    if not house.settings.system(adapter.name).destination:
        yield f"config/systems.d/{adapter.name}.toml names no destination"
        return
    stage = None
    for operation, arguments in _served(adapter, house):
        stage = stage or _Integrated(adapter, house)
        played = [stage.play(operation, one) for one in arguments]
        if all(error is not None and not isinstance(error, errors.NotFound) for error in played):
            yield f"{operation.name}: by way of the state integrator it is taken as {_said(played[0])}"


def simulated(adapter: Adapter, house: House, simulator: Simulator | None = None) -> Iterator[str]:
    """No simulator of this version, operations that it does not serve, ways of lying that it does not have.

    Without a `simulator` it is the one of the system's name.
    """
    simulator = simulator or discover().get(adapter.name)
    if simulator is None:
        yield f"simulators/{adapter.name}.py is missing"
        return
    if simulator.version != adapter.version:
        yield f"simulators/{adapter.name}.py serves {simulator.version}, the adapter calls {adapter.version}"
        return
    for operation, problem in _problems(adapter, house, tuple(Mode), simulator):
        yield f"{operation}: {problem}"


def _problems(
    adapter: Adapter, house: House, modes: tuple[Mode, ...], simulator: Simulator | None = None
) -> Iterator[tuple[str, str]]:
    stage = None
    for operation, arguments in _served(adapter, house):
        stage = stage or _Stage(adapter, simulator=simulator)
        # One whose person the simulator knows says more than one that it does not know.
        played = [stage.play(operation, one, Mode.OK) for one in arguments]
        best = next((n for n, error in enumerate(played) if error is None), 0)
        answered = played[best] is None
        if not answered and not isinstance(played[best], errors.NotFound):
            yield operation.name, f"the simulator does not serve it: {_said(played[best])}"
            continue
        for mode in modes:
            wanted = _WANTED.get(mode)
            if wanted is None or not _shows(operation, mode, answered=answered):
                continue
            got = stage.play(operation, arguments[best], mode)
            if not isinstance(got, wanted):
                yield operation.name, f"in mode {mode} the answer is taken as {_said(got)}, not {wanted.code}"


def _served(adapter: Adapter, house: House) -> Iterator[tuple[Operation, list[Mapping[str, object]]]]:
    """The operations with the arguments of their recorded successes; those without are for another rule to tell."""
    simulator = discover().get(adapter.name)
    if not house.has_tests or simulator is None or simulator.version != adapter.version:
        return
    for operation in adapter.operations:
        arguments = [
            json.loads((case.folder / "request.json").read_text(encoding="utf-8"))["arguments"]
            for case in house.cases(adapter)
            if case.operation == operation.name and case.has("record.json")
        ]
        if arguments:
            yield operation, arguments


def _shows(operation: Operation, mode: Mode, *, answered: bool) -> bool:
    """Whether a mode can be seen: a fault has no element to spoil, an answer without codes no unknown one."""
    if mode is Mode.UNKNOWN_CODE:
        return answered and _has_codes(operation.answer)
    return answered or mode is not Mode.INVALID


def _has_codes(table: Table[object]) -> bool:
    kinds = [getattr(field, "kind", None) for field in table.fields]
    return any(isinstance(kind, Coded) or (isinstance(kind, Table) and _has_codes(kind)) for kind in kinds)


def _said(error: errors.GatewayError | None) -> str:
    return "an answer" if error is None else str(error)


@cache
def _identity(name: str) -> Identity:
    """One of the keys of this process: to read a key takes longer than to sign with it."""
    return Identity.load(_keys() / f"{name}.pem", _keys() / f"{name}.key")


class _Stage:
    """A client and a simulator of one system, with the keys of this process."""

    def __init__(self, adapter: Adapter, past: Past = New(), simulator: Simulator | None = None) -> None:
        self._population = Population(_PERSONS, _SEED)
        keys = _keys()
        authority = keys / "authority.pem"
        system = config.System("http://127.0.0.1:1/", "soap", 1.0, keys / f"{_SYSTEM}.pem")
        self._profile = SoapProfile(adapter, system, _identity("gateway"), authority)
        played = simulator or discover()[adapter.name]
        application = played.application(self._population, past)
        seals = WsSecurity(wsse.Policy(load_authorities(authority)), _identity(_SYSTEM))
        self._stand_in = StandIn(contract(adapter.name, adapter.version), application, seals)

    def play(
        self, operation: Operation, arguments: Mapping[str, object], mode: Mode
    ) -> errors.GatewayError | None:
        """Ask in a mode; the error that the client makes of the answer, None where it reads a record."""
        try:
            asked = operation.request.from_json(arguments, context=_CONTEXT)
            message = self._profile.compose(operation, asked, f"urn:uuid:{uuid.uuid4()}")
            self._profile.read(operation, message, self._stand_in.answer(message.content, mode).content)
        except errors.GatewayError as error:
            return error
        return None

    def twice(self, operation: Operation, arguments: Mapping[str, object]) -> bool:
        """Whether one message that comes twice, about a person whom the simulator knows, takes effect twice."""
        subject = operation.subject
        if subject is not None and isinstance(arguments.get(subject), str):
            arguments = {**arguments, subject: self._population.person(0).code}
        asked = operation.request.from_json(arguments, context=_CONTEXT)
        message = self._profile.compose(operation, asked, f"urn:uuid:{uuid.uuid4()}")
        answers = [self._stand_in.answer(message.content, Mode.OK).effect for _ in range(2)]
        return all(effect.startswith(_WRITES) for effect in answers)


class _Integrated:
    """A client of one system and the simulated integrator with all systems behind it."""

    def __init__(self, adapter: Adapter, house: House) -> None:
        keys = _keys()
        authority, own = keys / "authority.pem", keys / f"{_SYSTEM}.pem"
        viss = config.Viss("http://127.0.0.1:1/", own, None, "URN:IVIS:100001:ISS-REHEARSAL", "100001", 1.0)
        system = replace(house.settings.system(adapter.name), viss=viss)
        self._profile = VissProfile(adapter, system, _identity("gateway"), authority)
        seals = WsSecurity(wsse.Policy(load_authorities(authority)), _identity(_SYSTEM))
        self._integrator = Integrator(contract("viss"), served(Population(_PERSONS, _SEED), New()), seals)

    def play(self, operation: Operation, arguments: Mapping[str, object]) -> errors.GatewayError | None:
        """Ask; the error that the client makes of the answer, None where it reads a record."""
        try:
            asked = operation.request.from_json(arguments, context=_CONTEXT)
            conversation = self._profile.converse(operation, asked, f"urn:uuid:{uuid.uuid4()}")
            message = next(conversation)
            while True:
                answer = self._integrator.answer(message.content, Mode.OK).content
                message = conversation.send(answer)
        except StopIteration:
            return None
        except errors.GatewayError as error:
            return error


@cache
def _keys() -> Path:
    """Keys for this process alone; they open nothing and are gone with it."""
    folder = tempfile.TemporaryDirectory(prefix="rehearsal-")
    _kept.append(folder)
    new_keys(Path(folder.name), [_SYSTEM])
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []
