"""OpenID Connect of the state login: where somebody is sent, and what is believed of the answer.

Code flow with PKCE (S256), state and nonce. An identity token counts when a key of the issuer's own list has signed it
by an algorithm of `ALGORITHMS`, for us, for this request and now. Nothing else of the issuer's is kept: no token, no
cookie. No redirect is followed, no answer is large, none is waited for for long.
Source: OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9207; RFC 9700.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError
from urllib3.exceptions import HTTPError

from config import StateLogin
from endpoints.console.flows import Flow
from endpoints.console.names import person_name
from endpoints.console.roles import Role
from errors import (
    AnswerRefused,
    ConfigurationError,
    NotAuthenticated,
    SystemTimeout,
    SystemUnavailable,
)

ALGORITHMS = ("RS256", "ES256", "PS256")
_KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
_LEAST_RSA_BITS = 2048
_SCOPE = "openid profile"

# Discovery and keys are asked for again after that; for a key that is not known, at once, but not more often than this.
_KEPT_SECONDS = 600.0
_PAUSE_SECONDS = 15.0
_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 8.0
_MOST_BYTES = 256 * 1024
_MOST_TOKEN = 16 * 1024
# A token is made when the code is handed over; clocks differ.
_OLDEST_SECONDS = 600
_SKEW_SECONDS = 60
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Person:
    """Who the issuer says it is; without a role where it says none of ours, or several."""

    name: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class _Issuer:
    """What the issuer publishes of itself."""

    authorization: str
    token: str
    names_itself: bool
    keys: Mapping[str, jwk.Key]
    read_at: float


class StateLoginClient:
    """One issuer, asked as `settings` say.

    `clock` gives seconds since 1970, by which tokens are judged; `ticks` seconds that never run backwards.
    """

    def __init__(
        self,
        settings: StateLogin,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        seconds: float = _ANSWER_SECONDS,
    ) -> None:
        """Raises: ConfigurationError when the client's secret cannot be read."""
        self._settings = settings
        self._clock, self._ticks, self._seconds = clock, ticks, seconds
        self._lock = threading.Lock()
        self._known: _Issuer | None = None
        try:
            self._secret = settings.secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{settings.secret_file}: cannot be read") from error
        if not self._secret:
            raise ConfigurationError(f"{settings.secret_file}: is empty")

    def address(self, flow: Flow, comes_back: str) -> str:
        """Where the browser is sent; `comes_back` is the address of ours that the answer goes to.

        Raises: SystemUnavailable, AnswerRefused.
        """
        with self._session(comes_back) as session:
            made, _ = session.create_authorization_url(
                self._issuer().authorization,
                state=flow.state,
                nonce=flow.nonce,
                code_verifier=flow.verifier,
            )
        return str(made)

    def code(self, flow: Flow, answer: Mapping[str, list[str]]) -> str:
        """The code of the answer that a browser brings, when it is the answer to its own request, by this issuer.

        Raises: NotAuthenticated, SystemUnavailable, AnswerRefused.
        """
        if any(len(values) != 1 for values in answer.values()):
            raise NotAuthenticated("a parameter of the answer is given twice")
        said = {name: values[0] for name, values in answer.items()}
        if not hmac.compare_digest(said.get("state", "").encode(), flow.state.encode()):
            raise NotAuthenticated("state")
        # Another issuer's answer must not be taken for ours (RFC 9207).
        named = said.get("iss")
        if named != self._settings.issuer and (named is not None or self._issuer().names_itself):
            raise NotAuthenticated("another issuer answered")
        if "error" in said or not said.get("code"):
            raise NotAuthenticated("the issuer signed nobody in")
        return said["code"]

    def person(self, flow: Flow, code: str, comes_back: str) -> Person:
        """Who has signed in, for a code.

        Raises: NotAuthenticated when the token does not hold; SystemUnavailable, AnswerRefused.
        """
        text = self._identity_token(flow, code, comes_back)
        claims = self._claims(text, flow.nonce)
        name = person_name(str(claims.get(self._settings.name_claim, "")))
        if name is None:
            raise NotAuthenticated(f"{self._settings.name_claim} is no PNOLV")
        said = claims.get(self._settings.role_claim, [])
        values = said if isinstance(said, list) else [said]
        roles = {
            self._settings.roles[one]
            for one in values
            if isinstance(one, str) and one in self._settings.roles
        }
        role = Role(roles.pop()) if len(roles) == 1 else None
        return Person(name, role)

    def _identity_token(self, flow: Flow, code: str, comes_back: str) -> str:
        url = self._issuer().token
        with _converted(), self._session(comes_back) as session:
            token = session.fetch_token(
                url,
                grant_type="authorization_code",
                code=code,
                code_verifier=flow.verifier,
                allow_redirects=False,
            )
            text = token.get("id_token")
        if not isinstance(text, str) or not text.isascii() or len(text) > _MOST_TOKEN:
            raise NotAuthenticated("the issuer gave no identity token")
        return text

    def _claims(self, text: str, nonce: str) -> dict[str, Any]:
        try:
            header = jws.extract_compact(text.encode()).headers()
            algorithm, name = header.get("alg"), header.get("kid")
            if algorithm not in ALGORITHMS:
                raise NotAuthenticated("algorithm of the identity token")
            key = self._key(name, _KEY_TYPES[algorithm])
            claims = jwt.decode(text, key, algorithms=[algorithm]).claims
            jwt.JWTClaimsRegistry(
                now=int(self._clock()),
                leeway=_SKEW_SECONDS,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": self._settings.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except JoseError as error:
            raise NotAuthenticated(
                f"identity token: {type(error).__name__} {_claim_of(error)}".strip()
            ) from error
        except (ValueError, TypeError, AttributeError) as error:
            raise NotAuthenticated("identity token: unreadable") from error
        self._for_us(claims)
        if claims["nonce"] != nonce:  # a list that holds it would pass for the library
            raise NotAuthenticated("identity token: nonce")
        if claims["iat"] < self._clock() - _OLDEST_SECONDS:
            raise NotAuthenticated("identity token: too old")
        return claims

    def _for_us(self, claims: Mapping[str, Any]) -> None:
        audience, party = claims["aud"], claims.get("azp")
        several = isinstance(audience, list) and len(audience) > 1
        if (party is not None or several) and party != self._settings.client_id:
            raise NotAuthenticated("identity token: azp")

    def _key(self, name: object, key_type: str) -> jwk.Key:
        """The key of that name; the issuer's list is read again for a new one.

        Raises: NotAuthenticated.
        """
        if not isinstance(name, str):
            raise NotAuthenticated("the identity token names no key")
        known = self._issuer()
        if name not in known.keys and self._ticks() - known.read_at >= _PAUSE_SECONDS:
            known = self._issuer(anew=True)
        key = known.keys.get(name)
        if key is None or key.key_type != key_type:
            raise NotAuthenticated("the issuer has no such key")
        return key

    def _issuer(self, *, anew: bool = False) -> _Issuer:
        with self._lock:
            known = self._known
            if known is None or anew or self._ticks() - known.read_at > _KEPT_SECONDS:
                known = self._known = self._read()
            return known

    def _read(self) -> _Issuer:
        said = self._get(f"{self._settings.issuer}/.well-known/openid-configuration")
        if said.get("issuer") != self._settings.issuer:
            raise AnswerRefused("the state login names another issuer")
        if "S256" not in said.get("code_challenge_methods_supported", ["S256"]):
            raise AnswerRefused("the state login knows no S256")
        return _Issuer(
            authorization=_private(said, "authorization_endpoint"),
            token=_private(said, "token_endpoint"),
            names_itself=said.get("authorization_response_iss_parameter_supported") is True,
            keys=_keys(self._get(_private(said, "jwks_uri"))),
            read_at=self._ticks(),
        )

    def _get(self, url: str) -> dict[str, Any]:
        with _converted(), self._session("") as session:
            answer = session.request("GET", url, withhold_token=True, allow_redirects=False)
            if answer.status_code != requests.codes.ok:
                raise SystemUnavailable(f"the state login answers {answer.status_code}")
            found = json.loads(answer.content)
        if not isinstance(found, dict):
            raise AnswerRefused("the state login's answer is no object")
        return found

    def _session(self, comes_back: str) -> Any:
        until = time.monotonic() + self._seconds

        def narrowed(response: requests.Response, **_: object) -> None:
            if response.status_code not in (200, 400, 401):  # of a refused code the reason is a JSON answer
                response.close()
                raise SystemUnavailable(f"the state login answers {response.status_code}")
            response.raw = _Narrow(response.raw, until)

        session = OAuth2Session(
            self._settings.client_id,
            self._secret,
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 — a method, no secret
            scope=_SCOPE,
            redirect_uri=comes_back,
            code_challenge_method="S256",
            default_timeout=(_CONNECT_SECONDS, self._seconds),
            trust_env=False,
            stream=True,
            verify=str(self._settings.tls_trust) if self._settings.tls_trust else True,
            hooks={"response": [narrowed]},
        )
        session.headers["Accept-Encoding"] = "identity"
        return session


class _Narrow:
    """The bytes of an answer, few and soon: one that trickles must not hold a thread."""

    def __init__(self, raw: Any, until: float) -> None:
        self._raw, self._until = raw, until

    def stream(self, _size: int, decode_content: bool = False) -> Iterator[bytes]:
        """As requests reads it."""
        size = 0
        while part := self._raw.read1(65536, decode_content=False):
            size += len(part)
            if size > _MOST_BYTES:
                raise AnswerRefused("the state login's answer is over the size limit")
            if time.monotonic() > self._until:
                raise SystemTimeout("the state login is slow")
            yield part

    def close(self) -> None:
        """The connection with it: it is not used again."""
        self._raw.close()


@contextmanager
def _converted() -> Iterator[None]:
    """Errors of the libraries as ours; their texts may repeat what was sent."""
    try:
        yield
    except requests.Timeout as error:
        raise SystemTimeout("the state login is silent") from error
    except (requests.RequestException, HTTPError, OSError) as error:
        raise SystemUnavailable("the state login cannot be reached") from error
    except AuthlibBaseError as error:
        raise NotAuthenticated("the issuer does not take the code") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise AnswerRefused("the state login's answer cannot be read") from error


def _private(said: Mapping[str, Any], name: str) -> str:
    """An address that nobody on the way can change: by TLS, or on this machine."""
    url = said.get(name)
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
        raise AnswerRefused(f"the state login's {name} is no address by TLS")
    return str(url)


def _keys(said: Mapping[str, Any]) -> dict[str, jwk.Key]:
    """The keys that may sign identity tokens, by name; those of other kinds are passed over."""
    found: dict[str, jwk.Key] = {}
    listed = said.get("keys")
    for one in listed if isinstance(listed, list) else []:
        if not isinstance(one, dict) or one.get("kty") not in ("RSA", "EC") or one.get("use", "sig") != "sig":
            continue
        try:
            key = jwk.import_key(one)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        public = key.public_key
        if isinstance(public, RSAPublicKey) and public.key_size < _LEAST_RSA_BITS:
            continue
        if isinstance(one.get("kid"), str):
            found[one["kid"]] = key
    return found


def _claim_of(error: JoseError) -> str:
    return str(getattr(error, "claim", ""))
