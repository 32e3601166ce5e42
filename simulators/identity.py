"""The state login as a test has it: OpenID Connect on a socket, invented persons, real signatures, and lies to order.

It signs by hand, with `cryptography` alone: what the gateway believes is not made by the library that it reads with.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from exchange import Json

CLIENT_ID = "spolis-gateway"
COMES_BACK = "/console/sign-in/answer"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LIFE_S = 300
_CODE_S = 60.0
_MOST_BODY = 16_384
_IDLE_S = 60.0


class Lie(StrEnum):
    """How the next sign-in is answered. All but `ok` are what a gateway must not believe."""

    OK = "ok"
    WRONG_NONCE = "wrong_nonce"  # the token was made for another request
    WRONG_AUDIENCE = "wrong_audience"  # for another client
    OTHER_PARTY = "other_party"  # for us and another client, authorised for that one
    ALG_NONE = "alg_none"  # not signed at all
    HS256_PUBLIC_KEY = "hs256_public_key"  # "signed" by HMAC with the public key, which everybody has
    OTHER_KEY = "other_key"  # signed with a key that is not in the list, under the name of one that is
    EXPIRED = "expired"
    NO_EXPIRY = "no_expiry"
    STALE = "stale"  # still valid, and made long ago
    UNKNOWN_KID = "unknown_kid"  # signed with a key that the list never has
    ROTATED = "rotated"  # signed with a new key that is in the list from now on: no lie, and to be believed
    OTHER_ISSUER = "other_issuer"  # the token's iss is another one
    MIX_UP = "mix_up"  # the iss beside the code is another one
    NO_ISSUER = "no_issuer"  # none beside the code, though it is promised
    WRONG_STATE = "wrong_state"
    TWO_ROLES = "two_roles"
    NO_PERSON = "no_person"  # no PNOLV
    REFUSED = "refused"  # the person has declined
    REDIRECT = "redirect"  # the token is behind a redirect
    LARGE = "large"  # the answer does not end


@dataclass(frozen=True, slots=True)
class Invented:
    """Somebody who can sign in."""

    key: str
    given_name: str
    family_name: str
    serial_number: str
    roles: tuple[str, ...]
    what: str


PERSONS = (
    Invented("auditor", "Inese", "Kalniņa", "PNOLV-329999-10014", ("SPOLIS_AUDITOR",), "auditors"),
    Invented("dpo", "Uldis", "Ozols", "PNOLV-329999-20025", ("SPOLIS_DPO",), "datu aizsardzības speciālists"),
    Invented("operator", "Raivis", "Liepiņš", "PNOLV-329999-30036", ("SPOLIS_OPERATOR",), "operators"),
    Invented(
        "administrator", "Santa", "Vītola", "PNOLV-329999-40047", ("SPOLIS_ADMINISTRATOR",), "administrators"
    ),
    Invented("nobody", "Zigurds", "Balodis", "PNOLV-329999-50058", ("CITA_SISTEMA",), "bez lomas šeit"),
)
# As they stand in [[console.oidc_roles]].
ROLES = {person.roles[0]: person.key for person in PERSONS[:4]}


@dataclass(frozen=True, slots=True)
class _Promise:
    """What a code stands for until it is handed over, once."""

    person: Invented
    redirect_uri: str
    nonce: str
    challenge: str
    lie: Lie
    made_at: float


@dataclass(slots=True)
class _Key:
    kid: str
    private: rsa.RSAPrivateKey = field(repr=False)

    def jwk(self) -> dict[str, Json]:
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": _b64(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": _b64(numbers.e.to_bytes(3, "big")),
        }

    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


class IdentityProvider(ThreadingHTTPServer):
    """The provider on a free or a given port of this machine; `start` and `stop` for tests.

    `comes_back` are addresses to which persons are sent back; without any, the console's own path on this machine.
    """

    daemon_threads = True

    def __init__(self, port: int = 0, secret: str = "", comes_back: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}"
        self.client_id = CLIENT_ID
        self.client_secret = secret or secrets.token_urlsafe(32)
        self.lie = Lie.OK
        self.asked: list[str] = []
        self._comes_back = comes_back
        self._keys = [_new_key()]
        self._hidden = _new_key()
        self._codes: dict[str, _Promise] = {}
        self._lock = threading.Lock()

    def start(self) -> IdentityProvider:
        """Serve in a thread of this process."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            print(f"identity: {type(sys.exception()).__name__} in a request", file=sys.stderr)

    def configuration(self) -> dict[str, Json]:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }

    def jwks(self) -> dict[str, Json]:
        """The keys that it says are its own."""
        return {"keys": [key.jwk() for key in self._keys]}

    def problem_of(self, asked: dict[str, str]) -> str:
        """What is wrong with a request to sign somebody in; "" when nothing is."""
        wanted = {"response_type": "code", "client_id": self.client_id, "code_challenge_method": "S256"}
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        wrong += [name for name in ("state", "nonce", "code_challenge") if not asked.get(name)]
        if "openid" not in asked.get("scope", "").split():
            wrong.append("scope")
        if not self._may_come_back(asked.get("redirect_uri", "")):
            wrong.append("redirect_uri")
        return ", ".join(wrong)

    def answer(self, asked: dict[str, str], person: Invented) -> str:
        """Where the browser goes once a person was chosen."""
        lie = self.lie
        said = {"state": asked["state"], "iss": self.issuer}
        if lie is Lie.REFUSED:
            said["error"] = "access_denied"
        else:
            said["code"] = secrets.token_urlsafe(24)
            promise = _Promise(
                person,
                asked["redirect_uri"],
                asked["nonce"],
                asked["code_challenge"],
                lie,
                time.monotonic(),
            )
            with self._lock:
                self._codes[said["code"]] = promise
        if lie is Lie.WRONG_STATE:
            said["state"] = secrets.token_urlsafe(16)
        if lie is Lie.MIX_UP:
            said["iss"] = "https://other.example"
        if lie is Lie.NO_ISSUER:
            del said["iss"]
        return f"{asked['redirect_uri']}?{urlencode(said)}"

    def exchange(self, sent: dict[str, str], credentials: str) -> tuple[int, dict[str, Json], Lie]:
        """The answer of the token endpoint: a code counts once, for who asked, with its verifier."""
        wanted = f"{self.client_id}:{self.client_secret}"
        if not hmac.compare_digest(credentials.encode(), wanted.encode()):
            return 401, {"error": "invalid_client"}, Lie.OK
        with self._lock:
            promise = self._codes.pop(sent.get("code", ""), None)
        challenge = _b64(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        if (
            promise is None
            or sent.get("grant_type") != "authorization_code"
            or sent.get("redirect_uri") != promise.redirect_uri
            or not hmac.compare_digest(challenge, promise.challenge)
            or time.monotonic() - promise.made_at > _CODE_S
        ):
            return 400, {"error": "invalid_grant"}, Lie.OK
        return (
            200,
            {
                "access_token": secrets.token_urlsafe(16),
                "token_type": "Bearer",
                "expires_in": _LIFE_S,
                "id_token": self._identity_token(promise),
            },
            promise.lie,
        )

    def _identity_token(self, promise: _Promise) -> str:
        lie, now, person = promise.lie, int(time.time()), promise.person
        claims: dict[str, Any] = {
            "iss": "https://other.example" if lie is Lie.OTHER_ISSUER else self.issuer,
            "sub": hashlib.sha256(person.serial_number.encode()).hexdigest()[:24],
            "aud": "another-client" if lie is Lie.WRONG_AUDIENCE else self.client_id,
            "iat": now,
            "exp": now + _LIFE_S,
            "nonce": "another" if lie is Lie.WRONG_NONCE else promise.nonce,
            "serial_number": person.serial_number,
            "given_name": person.given_name,
            "family_name": person.family_name,
            "roles": list(person.roles),
        }
        if lie is Lie.OTHER_PARTY:
            claims |= {"aud": [self.client_id, "another-client"], "azp": "another-client"}
        if lie is Lie.EXPIRED:
            claims |= {"iat": now - 500, "exp": now - 200}
        if lie is Lie.NO_EXPIRY:
            del claims["exp"]
        if lie is Lie.STALE:
            claims |= {"iat": now - 3600, "exp": now + 3600}
        if lie is Lie.TWO_ROLES:
            claims["roles"] = ["SPOLIS_AUDITOR", "SPOLIS_ADMINISTRATOR"]
        if lie is Lie.NO_PERSON:
            claims["serial_number"] = "PNOEE-38001085718"
        key = self._keys[-1]
        if lie is Lie.ROTATED:
            key = _new_key()
            self._keys.append(key)
        if lie is Lie.UNKNOWN_KID:
            key = self._hidden
        if lie is Lie.OTHER_KEY:
            key = _Key(key.kid, self._hidden.private)
        return _signed(claims, key, lie)

    def _may_come_back(self, address: str) -> bool:
        if self._comes_back:
            return address in self._comes_back
        parts = urlsplit(address)
        return (
            parts.scheme in ("http", "https")
            and parts.hostname in _LOOPBACK
            and parts.path == COMES_BACK
            and not parts.query
        )


class _Handler(BaseHTTPRequestHandler):
    server: IdentityProvider
    protocol_version = "HTTP/1.1"
    server_version = "spolis-identity"
    sys_version = ""
    timeout = _IDLE_S

    def do_GET(self) -> None:
        """Discovery, keys, and the page where a person is chosen."""
        parts = urlsplit(self.path)
        self.server.asked.append(parts.path)
        if parts.path == "/.well-known/openid-configuration":
            self._json(200, self.server.configuration())
        elif parts.path == "/jwks":
            self._json(200, self.server.jwks())
        elif parts.path == "/authorize":
            self._choose(_first(parts.query))
        else:
            self._send(404, "text/plain", b"no such page\n")

    def do_POST(self) -> None:
        """The choice, the token endpoint, and how it is told to lie."""
        path = urlsplit(self.path).path
        self.server.asked.append(path)
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > _MOST_BODY:
            self.close_connection = True
            self._send(413, "text/plain", b"too large\n")
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        if path == "/choose":
            self._chosen(_first(body))
        elif path == "/token":
            self._token(_first(body))
        elif path == "/_control":
            self._control(body)
        else:
            self._send(404, "text/plain", b"no such page\n")

    def _choose(self, asked: dict[str, str]) -> None:
        if problem := self.server.problem_of(asked):
            self._send(400, "text/plain", f"the request is not right: {problem}\n".encode())
            return
        self._send(200, "text/html", _page(asked).encode())

    def _chosen(self, sent: dict[str, str]) -> None:
        person = next((one for one in PERSONS if one.key == sent.get("person")), None)
        if person is None or self.server.problem_of(sent):
            self._send(400, "text/plain", b"the request is not right\n")
            return
        self._send(303, "text/plain", b"", {"Location": self.server.answer(sent, person)})

    def _token(self, sent: dict[str, str]) -> None:
        given = self.headers.get("Authorization", "").partition("Basic ")[2]
        try:
            credentials = unquote(base64.b64decode(given, validate=True).decode())
        except ValueError:
            credentials = ""
        status, content, lie = self.server.exchange(sent, credentials)
        if lie is Lie.REDIRECT:
            self._send(302, "text/plain", b"", {"Location": f"{self.server.issuer}/jwks"})
        elif lie is Lie.LARGE:
            self._json(status, content | {"padding": "x" * 5_000_000})
        else:
            self._json(status, content)

    def _control(self, body: str) -> None:
        try:
            self.server.lie = Lie(json.loads(body)["mode"])
        except (ValueError, KeyError, TypeError):
            self._json(400, {"error": f"mode is one of {', '.join(Lie)}"})
            return
        self._json(200, {"mode": self.server.lie.value})

    def _json(self, status: int, content: dict[str, Json]) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _send(self, status: int, kind: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        charset = "; charset=utf-8" if kind.startswith("text/") else ""
        told = {
            "Content-Type": kind + charset,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
        }
        for name, value in (told | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """No access log: addresses hold codes."""


def _signed(claims: dict[str, Any], key: _Key, lie: Lie) -> str:
    header = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
    if lie is Lie.ALG_NONE:
        header["alg"] = "none"
    if lie is Lie.HS256_PUBLIC_KEY:
        header["alg"] = "HS256"
    said = ".".join(_b64(json.dumps(part).encode()) for part in (header, claims))
    if lie is Lie.ALG_NONE:
        return f"{said}."
    if lie is Lie.HS256_PUBLIC_KEY:
        return f"{said}.{_b64(hmac.digest(key.public_pem(), said.encode(), 'sha256'))}"
    return f"{said}.{_b64(key.private.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _new_key() -> _Key:
    return _Key(secrets.token_hex(8), rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _first(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


def _page(asked: dict[str, str]) -> str:
    """The page where a person is chosen; nobody is asked for a password."""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.items()
        if name != "person"
    )
    buttons = "".join(
        f'<p><button name="person" value="{one.key}"><strong>{one.given_name} {one.family_name}</strong><br>'
        f"{one.what}</button></p>"
        for one in PERSONS
    )
    return (
        '<!doctype html><html lang="lv"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Testa pieteikšanās</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;"
        "margin:8vh auto;padding:0 1rem}button{font:inherit;width:100%;text-align:left;padding:.6rem 1rem}"
        "</style></head><body><main><h1>Testa pieteikšanās</h1>"
        "<p>Valsts vienotās pieteikšanās vietā: izdomātas personas, bez parolēm. "
        '<span lang="en">A test identity provider with invented persons.</span></p>'
        f'<form method="post" action="/choose">{hidden}{buttons}</form></main></body></html>'
    )
