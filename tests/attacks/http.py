"""Attacks by how it is sent: methods, paths, content types, and HTTP that no client would write."""

from __future__ import annotations

from tests.attacks.live import PATH, Sent
from tests.attacks.table import by_hand, case, requested
from tests.security.conftest import World
from tests.security.messages import make

POST = f"POST {PATH} HTTP/1.1\nHost: localhost\nContent-Type: text/xml; charset=utf-8"

for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
    requested(f"HTTP: the method {method}", "invalid_request", status=405, method=method)

for path in (
    "/soap",
    "/soap/persons",
    "/soap/nobody/v1-0",
    f"{PATH}/",
    f"{PATH}/..",
    "/soap/persons/v1-0%00",
    "/soap/../api/v1/pmlp/get-person",
    "/api/v1/pmlp/get-person",
    "/console",
    "/metrics",
    "/soap/persons/v1-0;x=y",
    "//soap/persons/v1-0",
):
    requested(f"HTTP: the path {path}", "unknown_operation", status=404, path=path)

for kind in (
    "application/json",
    "application/xml",
    "text/html",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/xop+xml",
    'multipart/related; type="application/xop+xml"; boundary=x',
    'multipart/related; type="text/xml"; boundary=x; start="<a>"',
    "multipart/form-data; boundary=x",
    "application/fastinfoset",
    "*/*",
    ";;;",
):
    requested(f"HTTP: the type {kind}", "invalid_request", status=415, headers={"Content-Type": kind})

for coding in ("gzip", "deflate", "br", "gzip, identity", "x-unknown"):
    requested(
        f"HTTP: the coding {coding}", "invalid_request", status=415, headers={"Content-Encoding": coding}
    )

for charset in ("utf-7", "iso-8859-1", "utf-32", "ebcdic-cp-us", "no-such"):

    @case(f"HTTP: the charset {charset}", "malformed_message")
    def _(world: World, charset: str = charset) -> Sent:
        return Sent(make(world.recipe), {"Content-Type": f"text/xml; charset={charset}"})


@case("HTTP: a message over the size", "too_large", status=413)
def _(world: World) -> Sent:
    return Sent(make(world.recipe) + b" " * 4_200_000)


@case("HTTP: no message", "malformed_message", status=400)
def _(_world: World) -> Sent:
    return Sent(b"")


by_hand(
    "HTTP: two lengths", "malformed_message", status=400, head=f"{POST}\nContent-Length: 4\nContent-Length: 5"
)
by_hand(
    "HTTP: two equal lengths",
    "malformed_message",
    status=400,
    head=f"{POST}\nContent-Length: 4\nContent-Length: 4",
)
by_hand(
    "HTTP: a length and chunks",
    "malformed_message",
    status=400,
    head=f"{POST}\nContent-Length: 4\nTransfer-Encoding: chunked",
    body="0\n\nGET /soap HTTP/1.1\n\n",
)
by_hand("HTTP: a length below nothing", "malformed_message", status=400, head=f"{POST}\nContent-Length: -4")
by_hand("HTTP: a length with a sign", "malformed_message", status=400, head=f"{POST}\nContent-Length: +4")
by_hand("HTTP: a length in hexadecimal", "malformed_message", status=400, head=f"{POST}\nContent-Length: 0x4")
by_hand(
    "HTTP: less than the length says", "malformed_message", status=400, head=f"{POST}\nContent-Length: 40"
)
by_hand(
    "HTTP: chunks of no number",
    "malformed_message",
    status=400,
    head=f"{POST}\nTransfer-Encoding: chunked",
    body="zz\n<a/>\n0\n\n",
)
by_hand(
    "HTTP: chunks of another length",
    "malformed_message",
    status=400,
    head=f"{POST}\nTransfer-Encoding: chunked",
    body="1\n<a/>\n0\n\n",
)
by_hand(
    "HTTP: a coding that nobody knows",
    "malformed_message",
    status=501,
    head=f"{POST}\nTransfer-Encoding: xchunked",
)
by_hand(
    "HTTP: compressed chunks",
    "malformed_message",
    status=400,
    head=f"{POST}\nTransfer-Encoding: gzip, chunked",
)
by_hand(
    "HTTP: a blank in a header's name", "malformed_message", status=400, head=f"{POST}\nContent-Length : 4"
)
by_hand(
    "HTTP: a header on two lines",
    "malformed_message",
    status=400,
    head=f"{POST}\nX-A: b\n c\nContent-Length: 4",
)
by_hand(
    "HTTP: a header without a colon",
    "malformed_message",
    status=400,
    head=f"{POST}\nnothing\nContent-Length: 4",
)
by_hand(
    "HTTP: a null in a header", "malformed_message", status=400, head=f"{POST}\nX-A: \0\nContent-Length: 4"
)
by_hand("HTTP: no version", "malformed_message", status=400, head=f"POST {PATH}")
by_hand("HTTP: version 3", "malformed_message", status=400, head=POST.replace("HTTP/1.1", "HTTP/3.0"))
by_hand("HTTP: the preface of HTTP/2", "malformed_message", status=400, head="PRI * HTTP/2.0", body="SM\n\n")
by_hand(
    "HTTP: no host",
    "malformed_message",
    status=400,
    head=POST.replace("Host: localhost\n", "") + "\nContent-Length: 4",
)
by_hand("HTTP: a line too long", "malformed_message", status=414, head=POST.replace("v1-0", "x" * 5000))
by_hand("HTTP: a header too long", "malformed_message", status=431, head=f"{POST}\nX-A: {'x' * 70_000}")
by_hand("HTTP: too many headers", "malformed_message", status=431, head=POST + "\nX-A: b" * 200)
by_hand(
    "HTTP: an expectation that nobody meets",
    "malformed_message",
    status=417,
    head=f"{POST}\nExpect: wonders\nContent-Length: 4",
)
by_hand(
    "HTTP: the method in small letters", "malformed_message", status=400, head=POST.replace("POST", "post")
)
