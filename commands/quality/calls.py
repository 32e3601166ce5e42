"""Rules on how a system is called: repeats, time-outs, schedules, transport profiles."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from adapters import Adapter, Operation, Repeat
from commands.quality.house import House


def retry_declared(adapter: Adapter) -> Iterator[str]:
    """Operations that are to be asked about by a question that is not there, or that has an effect itself."""
    for operation in adapter.operations:
        if operation.repeat is Repeat.QUERYABLE and operation.query is None:
            yield f"{operation.name} is queryable and names no query"
        if operation.query is not None:
            yield from _question(adapter, operation, operation.query.operation)


def _question(adapter: Adapter, operation: Operation, name: str) -> Iterator[str]:
    asked = adapter.operation(name)
    if asked is None:
        yield f"{operation.name} is asked about by {name}, which there is not"
    elif asked.notice is not None:
        yield f"{operation.name} is asked about by {name}, which has an effect itself"


def time_outs(adapter: Adapter, house: House) -> Iterator[str]:
    """A time-out that the system's own settings do not name, or that outlasts an exchange."""
    path = house.root / "config" / "systems.d" / f"{adapter.name}.toml"
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))["systems"][adapter.name]
    except (OSError, ValueError, KeyError):
        yield f"config/systems.d/{adapter.name}.toml has no [systems.{adapter.name}]"
        return
    if "timeout_s" not in own:
        yield f"config/systems.d/{adapter.name}.toml sets no timeout_s"
    longest = house.settings.limits.exchange_seconds
    if not 0 < house.settings.system(adapter.name).timeout_s <= longest:
        yield f"timeout_s is more than 0 and at most {longest}, the time of an exchange"


def changes_followed(adapter: Adapter, _house: House) -> Iterator[str]:
    """No operation that is asked on a schedule, and no edition that is; what may not be asked so."""
    if adapter.edition is None and all(operation.sync is None for operation in adapter.operations):
        yield "no operation has a sync, and no edition is looked for"
    for operation in adapter.operations:
        for anew in operation.sync.anew if operation.sync else ():
            if adapter.operation(anew.operation) is None:
                yield f"after {operation.name} {anew.operation} is asked, which there is not"
