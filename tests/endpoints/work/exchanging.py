"""Exchanges one after the other, as long as a test wants them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.test import Client

from endpoints import api
from exchange import utc_now
from gateway import Gateway
from routing.parties import add_caller
from tests.endpoints.conftest import asking


@contextmanager
def exchanging(gateway: Gateway) -> Iterator[None]:
    """A caller who asks again and again, whatever he is answered."""
    with gateway.engine.begin() as connection:
        key = add_caller(connection, "busy", "spolis-core", utc_now())
    stop = threading.Event()

    def ask() -> None:
        client = Client(api.application(gateway))
        while not stop.wait(0.05):
            client.post("/api/v1/pmlp/get-person", json=asking(), headers={"Authorization": f"Bearer {key}"})

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
