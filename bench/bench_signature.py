"""What signing and verifying cost beside the key's own operation, by either engine.

    .venv/bin/python -m bench.bench_signature

Prints one line of JSON. For each key, engine and size of the Body: milliseconds of processor time of `sign` and of
`verify` (the whole policy: parse, structure, certificate, signature, freshness, verified tree), and how many of the
key's own operations that is. Take ratios on one machine, not times.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from lxml import etree

from exchange import Json, utc_now
from security import wsse
from security.certificates import load_authorities
from security.engines import ENGINES, Engine
from security.keys import Identity, PrivateKey, issue, new_keys
from security.wsse import Policy
from security.xml import Element

WSA = "http://www.w3.org/2005/08/addressing"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SIZES = {"2KB": 2_000, "1MB": 1_000_000, "4MB": 4_000_000}
_TEXT = "Ozolu iela 18, Valmiermuiža, Valmieras pagasts, Valmieras novads, LV-4219"
_ITEM = f'<Adrese kods="7"><Teksts>{_TEXT}</Teksts><Piezime>{_TEXT} {_TEXT}</Piezime></Adrese>'


@click.command()
@click.option("--rounds", default=7, show_default=True, help="The best of so many is taken.")
def bench(rounds: int) -> None:
    """Measure signing and verifying."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        new_keys(keys, [])
        policy = Policy(load_authorities(keys / "authority.pem"))
        identities = {
            "rsa-2048": issue(keys, "one", key_type="rsa"),
            "p-256": issue(keys, "two", key_type="p256"),
        }
        click.echo(
            json.dumps({kind: measure(identity, policy, rounds) for kind, identity in identities.items()})
        )


def measure(identity: Identity, policy: Policy, rounds: int) -> dict[str, Json]:
    """The key's own operations, then each engine at each size."""
    sign, verify = key_operations(identity.key)
    key_sign, key_verify = best(sign, rounds, 100), best(verify, rounds, 100)
    figures: dict[str, Json] = {"key_sign_ms": key_sign, "key_verify_ms": key_verify}
    for label, size in SIZES.items():
        for name, engine in ENGINES.items():
            if name == "signxml" and label == "4MB":
                continue
            repeats = 20 if label == "2KB" else 1
            message = envelope(size)
            signed = wsse.sign(message, identity, now=utc_now(), engine=engine)
            chosen = Policy(policy.authorities, engine=engine)

            def signing(message: Element = message, engine: Engine = engine) -> object:
                return wsse.sign(message, identity, now=utc_now(), engine=engine)

            def verifying(signed: bytes = signed, chosen: Policy = chosen) -> object:
                return wsse.verify(signed, chosen, now=utc_now())

            to_sign, to_verify = best(signing, rounds, repeats), best(verifying, rounds, repeats)
            figures[f"{name} {label}"] = {
                "bytes": len(signed),
                "sign_ms": to_sign,
                "sign_in_key_operations": round(to_sign / key_sign, 1),
                "verify_ms": to_verify,
                "verify_in_key_operations": round(to_verify / key_verify, 1),
            }
    return figures


def key_operations(key: PrivateKey) -> tuple[Callable[[], object], Callable[[], object]]:
    """Signing and verifying a thousand bytes, and nothing else."""
    data, algorithm = bytes(1000), hashes.SHA256()
    if isinstance(key, rsa.RSAPrivateKey):
        public, padded = key.public_key(), padding.PKCS1v15()
        value = key.sign(data, padded, algorithm)
        return lambda: key.sign(data, padded, algorithm), lambda: public.verify(
            value, data, padded, algorithm
        )
    curve, method = key.public_key(), ec.ECDSA(algorithm)
    value = key.sign(data, method)
    return lambda: key.sign(data, method), lambda: curve.verify(value, data, method)


def best(work: Callable[[], object], rounds: int, repeats: int) -> float:
    """Milliseconds of processor time for one."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeats):
            work()
        taken.append((time.process_time() - start) / repeats)
    return round(min(taken) * 1000, 3)


def envelope(size: int) -> Element:
    """A message of about so many bytes, with four addressing headers."""
    headers = "".join(
        f"<wsa:{name}>urn:example:{name}</wsa:{name}>" for name in ("MessageID", "To", "Action", "ReplyTo")
    )
    body = f'<Saraksts xmlns="urn:example:list">{_ITEM * (size // len(_ITEM.encode()))}</Saraksts>'
    return etree.fromstring(
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{WSA}"><s:Header>{headers}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


if __name__ == "__main__":
    bench()
