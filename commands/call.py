"""`gateway call`: one exchange by hand, through the same eight steps as every other."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterable
from hashlib import sha256
from typing import cast

import click
from rich.console import Console

import config
import gateway
from audit.account import operating_user
from commands import AS_JSON, print_json
from commands.opening import Name, ensure_keys, open_database, sequence
from endpoints.envelope import read_envelope
from errors import GatewayError, InvalidRequest
from exchange import (
    Argument,
    Arrival,
    Caller,
    Disclosed,
    Json,
    Peer,
    Received,
    Reply,
    Request,
    Way,
)

# How long a call waits for its record to get its place in the log; the answer is there already.
_PATIENCE_S = 2.0

_ARGUMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<typed>:?)=(?P<value>.*)", re.DOTALL)


class CommandInlet:
    """The way in of the command line: the account of the operating system asks, with the rights of a recipient."""

    def __init__(self, wired: gateway.Gateway, recipient: str) -> None:
        self._wired = wired
        self._recipient = recipient
        self.error: GatewayError | None = None

    def read(self, received: Received) -> Request:
        """The request, read as strictly as one of /api/v1.

        Raises: UnknownOperation, InvalidRequest with the place.
        """
        system, _, operation = received.arrival.target.partition(".")
        self._wired.routes.find(system, operation)
        envelope = read_envelope(received.arrival.body)
        return Request(
            caller=Caller(f"command:{operating_user()}", self._recipient),
            context=envelope.context,
            system=system,
            operation=operation,
            arguments={
                # Whether a value fits its argument is judged by the mapping table.
                name: cast(Argument, tuple(value) if isinstance(value, list) else value)
                for name, value in envelope.arguments.items()
            },
            message_id=str(envelope.context.request_id),
            content=sha256(received.arrival.body).digest(),
        )

    def compose(self, request: Request, exchange_id: uuid.UUID, disclosed: Disclosed) -> bytes:
        """The same JSON as /api/v1 gives."""
        content: Json = {
            "exchange_id": str(exchange_id),
            "record": disclosed.record,
            "withheld": list(disclosed.withheld),
        }
        return json.dumps(content, ensure_ascii=False).encode()

    def seal(self, received: Received, request: Request, answer: bytes) -> Reply:
        """The answer as it is: it does not leave this process."""
        return Reply(200, {}, answer)

    def refuse(self, received: Received, error: GatewayError) -> Reply:
        """Keep the error for the exit code; the reply on record is its code."""
        self.error = error
        return Reply(error.status, {}, json.dumps({"code": error.code}).encode())


@click.command()
@click.argument("system")
@click.argument("operation")
@click.argument("arguments", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--purpose", required=True, help="The purpose of use, as access.d names it.")
@click.option("--rule", required=True, help="The rule that allows it, e.g. p8.13.")
@click.option(
    "--recipient", type=Name(), default="spolis-core", show_default=True, help="Whose rights to use."
)
@click.option("--official", default="", help="Who asks. Default: the account of the operating system.")
@click.option("--institution", default="", help="Registration number. Default: that of the settings.")
@click.option("--role", default="operator", show_default=True)
@click.option("--case", "case_", default="", help="Reference of the case.")
@AS_JSON
def command(
    system: str,
    operation: str,
    arguments: tuple[str, ...],
    purpose: str,
    rule: str,
    recipient: str,
    official: str,
    institution: str,
    role: str,
    case_: str,
    as_json: bool,
) -> None:
    """Ask SYSTEM for OPERATION (GetPerson or get-person), as SPOLIS core would, and print what may be given.

    A repeated key makes a list; KEY:=VALUE takes JSON (limit:=5). Exit codes: 2 the request is wrong, 4 not allowed,
    5 the system failed, 1 the gateway failed, 78 the configuration is wrong.

    \b
    Example:  gateway call pmlp get-person person_code=320000-00000 data_sets=IDENTITY data_sets=ADDRESSES \\
                  --purpose social-service --rule p8
    """
    settings = config.load()
    ensure_keys(settings)
    open_database(settings).dispose()
    wired = gateway.wire(settings)
    content: Json = {
        "context": {
            "purpose": purpose,
            "rule": rule,
            "official": {
                "id": official or operating_user(),
                "institution": institution or settings.institution,
                "role": role,
            },
            "case": case_,
            "request_id": str(uuid.uuid4()),
            "environment": settings.environment.value,
        },
        "arguments": read_arguments(arguments),
    }
    inlet = CommandInlet(wired, recipient)
    arrival = Arrival(
        way=Way.COMMAND,
        peer=Peer("local"),
        target=f"{system}.{operation_name(operation)}",
        body=json.dumps(content, ensure_ascii=False).encode(),
        deadline=time.monotonic() + settings.limits.exchange_seconds,
    )
    reply = gateway.run(wired, arrival, inlet)
    sequence(settings, wired.engine, _PATIENCE_S)
    if inlet.error is not None:
        raise inlet.error
    answer = json.loads(reply.body)
    if as_json:
        print_json(answer)
        return
    Console().print_json(data=answer["record"])
    if answer["withheld"]:
        click.echo(f"withheld: {', '.join(answer['withheld'])}")
    click.echo(f"exchange: {answer['exchange_id']}")


def operation_name(text: str) -> str:
    """`get-person` as the contracts write it, `GetPerson`; a name in that form stays."""
    return "".join(f"{part[:1].upper()}{part[1:]}" for part in text.split("-"))


def read_arguments(texts: Iterable[str]) -> dict[str, Json]:
    """`key=value` as text, `key:=value` as JSON; a repeated key makes a list.

    Raises: InvalidRequest.
    """
    read: dict[str, list[Json]] = {}
    for text in texts:
        match = _ARGUMENT.fullmatch(text)
        if match is None:
            raise InvalidRequest("an argument is KEY=VALUE or KEY:=JSON")
        value: Json = match["value"]
        if match["typed"]:
            try:
                value = json.loads(match["value"])
            except ValueError as error:
                raise InvalidRequest(f"{match['name']}:= takes JSON") from error
        read.setdefault(match["name"], []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in read.items()}
