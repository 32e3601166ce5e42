"""What a proxy in front says of the client: believed on a Unix socket, where nobody else can speak.

On TCP the same headers are anybody's words: there nothing here is asked. The proxy must set each of them in every
request, so that none of the client's own comes through (deploy/nginx.conf).
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from endpoints.arrivals import PEER_CERTIFICATE, Environ
from errors import NotAuthenticated

# As WSGI names X-Client-Certificate (PEM, percent-encoded), X-Client-Verify (SUCCESS when it holds), X-Real-IP and
# X-Forwarded-Proto.
_CERTIFICATE = "HTTP_X_CLIENT_CERTIFICATE"
_VERIFIED = "HTTP_X_CLIENT_VERIFY"
_ADDRESS = "HTTP_X_REAL_IP"
_SCHEME = "HTTP_X_FORWARDED_PROTO"


def told(environ: Environ, *, certificate_required: bool) -> dict[str, object]:
    """What the proxy says, as WSGI and `arrivals.peer` have it; nothing when the connection is not on a Unix socket.

    Shape: REMOTE_ADDR, wsgi.url_scheme, and PEER_CERTIFICATE (DER) where the proxy has verified one.
    Raises: NotAuthenticated when a certificate is required and none is verified, or when it cannot be read.
    """
    connection = environ.get("gunicorn.socket")
    if not isinstance(connection, socket.socket) or connection.family is not socket.AF_UNIX:
        return {}
    said: dict[str, object] = {
        "REMOTE_ADDR": _address(str(environ.get(_ADDRESS) or "")),
        "wsgi.url_scheme": "https" if environ.get(_SCHEME) == "https" else "http",
    }
    if environ.get(_VERIFIED) == "SUCCESS":
        said[PEER_CERTIFICATE] = _certificate(str(environ.get(_CERTIFICATE) or ""))
    elif certificate_required:
        raise NotAuthenticated("the proxy has verified no client certificate")
    return said


def _address(text: str) -> str:
    """An IP address; whoever has none shares one place with all who have none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _certificate(text: str) -> bytes:
    try:
        (certificate,) = x509.load_pem_x509_certificates(unquote_to_bytes(text))
    except ValueError as error:
        raise NotAuthenticated("the proxy's X-Client-Certificate is not one certificate in PEM") from error
    return certificate.public_bytes(Encoding.DER)
