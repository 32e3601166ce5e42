"""Asks an authority of time stamps over HTTP; nothing that it answers counts before it is checked.

Source: RFC 3161, 3.4.
"""

from __future__ import annotations

import time

import requests
from urllib3.exceptions import HTTPError

from errors import AnswerRefused, SystemTimeout, SystemUnavailable

_SECONDS = 10.0
_MOST_BYTES = 65_536
_ASKED, _ANSWERED = "application/timestamp-query", "application/timestamp-reply"


class StampClient:
    """One authority by its address."""

    def __init__(self, url: str, seconds: float = _SECONDS) -> None:
        self._url = url
        self._seconds = seconds

    def ask(self, query: bytes) -> bytes:
        """The answer to a request for a stamp, as it came.

        Raises: SystemUnavailable, SystemTimeout, AnswerRefused.
        """
        until = time.monotonic() + self._seconds
        try:
            with requests.Session() as session:
                session.trust_env = False
                with session.post(
                    self._url,
                    data=query,
                    headers={"Content-Type": _ASKED, "Accept-Encoding": "identity"},
                    timeout=self._seconds,
                    stream=True,
                    allow_redirects=False,
                ) as response:
                    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
                    if response.status_code != requests.codes.ok or kind != _ANSWERED:
                        raise AnswerRefused(
                            f"the authority of time stamps answered HTTP {response.status_code}"
                        )
                    return _content(response, until)
        except requests.Timeout as error:
            raise SystemTimeout("the authority of time stamps is silent") from error
        except (requests.RequestException, HTTPError) as error:
            raise SystemUnavailable("the authority of time stamps cannot be reached") from error


def _content(response: requests.Response, until: float) -> bytes:
    found = b""
    while part := response.raw.read1(8192, decode_content=False):
        found += part
        if len(found) > _MOST_BYTES:
            raise AnswerRefused("a time stamp over the size limit")
        if time.monotonic() > until:
            raise SystemTimeout("the authority of time stamps is slow")
    return found
