"""The load: partners that each send one pre-signed message after another, and look at what they are answered."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from bench.partner_exchange import envelopes, messages, serving
from bench.partner_exchange.contestants import Contestant, cpu_seconds
from bench.partner_exchange.envelopes import Refused, Signer


@dataclass(frozen=True, slots=True)
class Ask:
    """A message, signed; what its answer must relate to and be about."""

    message_id: str
    code: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Leg:
    """What one contestant did with its share of a round."""

    name: str
    seconds: float
    latencies_ms: Sequence[float]
    wrong: Counter[str]
    cpu_seconds: float
    pmlp_seconds: float

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return len(self.latencies_ms) / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor time of one exchange."""
        return 1000 * self.cpu_seconds / max(1, len(self.latencies_ms))


def signed(keys: Path, count: int) -> list[Ask]:
    """So many messages of the partner, each with an id of its own, signed now."""
    signer = Signer.load(keys, "partner")
    asks = []
    for number in range(count):
        message_id, code = f"urn:uuid:{uuid.uuid4()}", messages.person_code(number)
        body = messages.asked(code)
        asks.append(
            Ask(
                message_id,
                code,
                envelopes.sign(signer, body, messages.GET_PERSON, message_id=message_id),
            )
        )
    return asks


def leg(
    contestant: Contestant, asks: Sequence[Ask], seconds: float, concurrency: int, keys: Path, pmlp: int
) -> Leg:
    """Send for a while, or until all is sent; then look at every answer, when the clock stands still."""
    heard: list[tuple[Ask, float, bytes]] = []
    wrong: Counter[str] = Counter()
    waiting = iter(asks)
    lock = threading.Lock()
    cpu, pmlp_cpu = contestant.cpu_seconds(), cpu_seconds(pmlp)
    began = time.perf_counter()

    def partner() -> None:
        client = serving.Client(contestant.port, contestant.path, messages.GET_PERSON)
        while time.perf_counter() - began < seconds:
            with lock:
                ask = next(waiting, None)
            if ask is None:
                break
            sent = time.perf_counter()
            try:
                status, answer = client.post(ask.content)
            except OSError as error:
                wrong[type(error).__name__] += 1
                continue
            if status == 200:
                heard.append((ask, 1000 * (time.perf_counter() - sent), answer))
            else:
                wrong[f"HTTP {status}"] += 1
        client.close()

    threads = [threading.Thread(target=partner) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    cpu, pmlp_cpu = contestant.cpu_seconds() - cpu, cpu_seconds(pmlp) - pmlp_cpu
    authority = envelopes.load_certificate(keys, "authority")
    latencies = []
    for ask, latency, answer in heard:
        try:
            _judge(ask, answer, authority)
            latencies.append(latency)
        except Refused as error:
            wrong[str(error)] += 1
    return Leg(contestant.name, took, latencies, wrong, cpu, pmlp_cpu)


def _judge(ask: Ask, answer: bytes, authority: x509.Certificate) -> None:
    """An answer is signed by a certificate of the authority, related to its message, about the person asked for.

    Raises: Refused.
    """
    opened = envelopes.verify(answer, authority)
    if opened.addressing.get("RelatesTo") != ask.message_id:
        raise Refused("RelatesTo")
    payload = opened.payload
    if payload.tag != f"{{{messages.PERSONS}}}GetPersonResponse":
        raise Refused("not the answer of GetPerson")
    person = payload.find(f"{{{messages.PERSONS}}}Persona")
    if person is None or person.findtext("{*}PersonasKods") != ask.code:
        raise Refused("another person")
    if person.findtext("{*}Uzvards") != messages.FAMILY_NAME:
        raise Refused("another name")
