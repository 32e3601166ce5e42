"""Our own messages: an envelope with its addressing headers and one element in the Body, written and signed.

It is written as text, each signed part in the canonical form that its signature is over, so that no tree is built of it
and nothing is canonicalised twice. An envelope that some other library has built is signed by `security.wsse`.
Source: SOAP 1.1, SOAP 1.2 part 1, WS-Addressing 1.0 (SOAP binding); signature profile (docs/interfaces.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape

from security import wsse
from security.engines import Engine
from security.keys import Identity
from security.profile import BASE64, DS, WSA, WSSE, WSU, X509_V3, Signable
from security.xml import canonical, reread

ANONYMOUS = f"{WSA}/anonymous"

_HEADER = f'<wsa:{{name}} xmlns:wsa="{WSA}" xmlns:wsu="{WSU}" wsu:Id="{{name}}">{{text}}</wsa:{{name}}>'
# Of a header that holds an endpoint reference and not a plain address.
_ENDPOINTS = frozenset({"ReplyTo", "FaultTo"})
_TIMESTAMP = (
    f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="Timestamp"><wsu:Created>{{created}}</wsu:Created>'
    "<wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp>"
)
_BODY = f'<soap:Body xmlns:soap="{{soap}}" xmlns:wsu="{WSU}" wsu:Id="Body">'
_HEAD = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<soap:Envelope xmlns:soap="{soap}"{declared}><soap:Header>{headers}'
    f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" xmlns:ds="{DS}" soap:mustUnderstand="1">{{timestamp}}'
    f'<wsse:BinarySecurityToken ValueType="{X509_V3}" EncodingType="{BASE64}" wsu:Id="Token">{{token}}'
    "</wsse:BinarySecurityToken>"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it is signed.

    `soap` is the namespace of the SOAP version, `headers` are the addressing headers by their names, `payload` is the
    one element of the Body in exclusive canonical XML. `declared` are the prefixes that stand in texts of the payload
    and nowhere else, so that its canonical form does not declare them.
    """

    soap: str
    headers: Mapping[str, str]
    payload: bytes
    declared: Mapping[str, str] = field(default_factory=dict)


def write(
    draft: Draft, identity: Identity, *, now: datetime, lifetime_s: int = 300, engine: Engine = wsse.NARROW
) -> bytes:
    """The message, its Timestamp, its Body and every header signed."""
    created, expires = wsse.instant_texts(now, lifetime_s)
    timestamp = _TIMESTAMP.format(created=created, expires=expires)
    headers = {name: _header(name, text) for name, text in draft.headers.items()}
    body = _body(draft)
    head = _HEAD.format(
        soap=draft.soap,
        declared="".join(f' xmlns:{prefix}="{space}"' for prefix, space in draft.declared.items()),
        headers="".join(headers.values()),
        timestamp=timestamp,
        token=wsse.token_text(identity.certificate),
    )
    covered = {"Timestamp": timestamp.encode(), "Body": body}
    covered |= {name: text.encode() for name, text in headers.items()}
    tail = b"</wsse:Security></soap:Header>%b</soap:Envelope>" % body
    return engine.sign(
        Signable(head.encode(), tail, covered, "Token"), identity.key, wsse.method(identity.key)
    )


def _header(name: str, text: str) -> str:
    text = escape(text, quote=False).replace("\r", "&#xD;")
    return _HEADER.format(
        name=name, text=f"<wsa:Address>{text}</wsa:Address>" if name in _ENDPOINTS else text
    )


def _body(draft: Draft) -> bytes:
    body = b"%b%b</soap:Body>" % (_BODY.format(soap=draft.soap).encode(), draft.payload)
    if b"xmlns:soap=" in draft.payload or b"xmlns:wsu=" in draft.payload:
        # A fault: it declares again what stands in scope here, and the Body's canonical form does not.
        return canonical(reread(body))
    return body
