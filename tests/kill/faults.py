"""The faults, one function each: what they kill or break, at a moment that chance chooses."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pika

from tests.endpoints.serving import below
from tests.kill.world import PATIENCE, SYSTEM_SECONDS, World


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: `weight` is how often it is chosen; `kills` whether something is killed or stopped by it."""

    name: str
    strike: Callable[[World], None]
    weight: int
    kills: bool
    needs: Callable[[World], bool] = lambda _world: True


# A worker sweeps at every half minute of its own clock.
_SWEEP_SECONDS = 30.0


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _worker(world: World) -> str:
    names = [name for name in world.kept if name.startswith("work-")] or ["serve"]
    return world.rng.choice(names)


def kill_work(world: World) -> None:
    """kill -9 of a process of `gateway work`."""
    _kill(world.kept[_worker(world)].pid)


def drain_and_kill(world: World) -> None:
    """SIGTERM, and kill -9 amid the draining."""
    pid = world.kept[_worker(world)].pid
    _kill(pid, signal.SIGTERM)
    time.sleep(world.rng.uniform(0.0, 0.6))
    _kill(pid)


def kill_any_below(world: World) -> None:
    """kill -9 of any process of `serve` but the supervisor: a listener's master, its worker, the background."""
    family = below(world.kept["serve"].pid)
    if family:
        _kill(world.rng.choice(family))


def kill_gunicorn_worker(world: World) -> None:
    """kill -9 of a process that answers callers; its master forks another."""
    children = [pid for master in below(world.kept["serve"].pid) for pid in below(master)]
    if children:
        _kill(world.rng.choice(children))


def kill_supervisor(world: World) -> None:
    """kill -9 of the supervisor of `serve`, and with it of everything below."""
    _kill(world.kept["serve"].pid)


def pause_work(world: World) -> None:
    """SIGSTOP of a worker for longer than its lease; it goes on later, and must find itself overtaken."""
    pid = world.kept[_worker(world)].pid
    _kill(pid, signal.SIGSTOP)
    time.sleep(SYSTEM_SECONDS + 6.0)
    _kill(pid, signal.SIGCONT)


def cut_off(world: World) -> None:
    """A host is cut off, its connections open, for less or more than a lease; what it sends later comes too late."""
    host = world.rng.choice(list(world.reached.values()))
    host.cut()
    time.sleep(world.rng.uniform(3.0, SYSTEM_SECONDS + 12.0))
    host.mend()


def new_generation(world: World) -> None:
    """A second generation works beside the first for a while, then drains."""
    extra = world.add_generation(world.environ)
    time.sleep(4.0)
    _kill(extra.pid, signal.SIGTERM)
    assert extra.process is not None
    extra.process.wait(PATIENCE)


def clock_off(world: World) -> None:
    """A worker whose clock is ten minutes off works beside the others until it has swept, then is killed."""
    off = world.add_generation(world.hosted_elsewhere(world.rng.choice((-600, 600))))
    time.sleep(_SWEEP_SECONDS + 4.0)
    _kill(off.pid)
    assert off.process is not None
    off.process.wait(PATIENCE)


def kill_postgres(world: World) -> None:
    """kill -9 of every process of the database, which recovers by its own log."""
    assert world.postgres is not None
    world.postgres.kill()
    time.sleep(world.rng.uniform(0.0, 1.0))
    world.postgres.start()


def stop_postgres(world: World) -> None:
    """The database is shut down and comes back."""
    assert world.postgres is not None
    world.postgres.stop()
    time.sleep(world.rng.uniform(0.0, 2.0))
    world.postgres.start()


def pause_postgres(world: World) -> None:
    """SIGSTOP of the database for some seconds."""
    assert world.postgres is not None
    world.postgres.pause()
    time.sleep(world.rng.uniform(3.0, 8.0))
    world.postgres.resume()


def fill_disk(world: World) -> None:
    """The disk of the database is full for some seconds; PostgreSQL may fall over it and is then started again."""
    assert world.postgres is not None
    world.postgres.fill_disk()
    time.sleep(world.rng.uniform(2.0, 4.0))
    world.postgres.free_disk()
    if not world.postgres.processes:
        world.postgres.start()


def kill_rabbit(world: World) -> None:
    """kill -9 of the broker."""
    assert world.rabbit is not None
    world.rabbit.kill()
    world.rabbit.start()


def stop_rabbit(world: World) -> None:
    """The broker is stopped and comes back."""
    assert world.rabbit is not None
    world.rabbit.stop()
    time.sleep(world.rng.uniform(0.0, 3.0))
    world.rabbit.start()


def pause_rabbit(world: World) -> None:
    """SIGSTOP of the broker for some seconds."""
    assert world.rabbit is not None
    world.rabbit.pause()
    time.sleep(world.rng.uniform(3.0, 8.0))
    world.rabbit.resume()


def wipe_rabbit(world: World) -> None:
    """The broker forgets everything."""
    assert world.rabbit is not None
    world.rabbit.wipe()


def poison(world: World) -> None:
    """Messages in the queue that name no row, and one that names a row which there is not."""
    assert world.rabbit is not None
    try:
        with pika.BlockingConnection(pika.URLParameters(world.rabbit.url)) as connection:
            channel = connection.channel()
            for body in (b"", b"no id", os.urandom(40), b"01a20673-dd34-7a16-a86b-8cc0cb5279a2"):
                channel.basic_publish("", "gateway.outbox", body)
    except pika.exceptions.AMQPError:
        pass  # the broker is away for another reason


def _partner(mode: str, count: int, delay_ms: int = 0) -> Callable[[World], None]:
    def strike(world: World) -> None:
        world.misbehave(mode, count, delay_ms)
        time.sleep(world.rng.uniform(0.5, 2.5))
        # While its breaker is open few messages come: so many bad answers would last for minutes.
        world.misbehave("ok", 1)

    return strike


def _silent(world: World) -> None:
    """SAIS takes requests and never answers, until it is well again."""
    world.misbehave("hang", 100_000)
    time.sleep(world.rng.uniform(2.0, 5.0))
    world.misbehave("ok", 1)


def _on_postgres(world: World) -> bool:
    return world.postgres is not None


def _with_broker(world: World) -> bool:
    return world.rabbit is not None


def _has_workers(world: World) -> bool:
    return any(name.startswith("work-") for name in world.kept)


_LATE = int(SYSTEM_SECONDS * 1000) + 700

FAULTS = (
    Fault("kill -9 of a worker", kill_work, 30, True),
    Fault("kill -9 while draining", drain_and_kill, 10, True, _has_workers),
    Fault("kill -9 of a process below serve", kill_any_below, 4, True),
    Fault("kill -9 of a process that answers", kill_gunicorn_worker, 16, True),
    Fault("kill -9 of the supervisor", kill_supervisor, 4, True),
    Fault("a worker paused beyond its lease", pause_work, 2, True, _has_workers),
    Fault("kill -9 of PostgreSQL", kill_postgres, 4, True, _on_postgres),
    Fault("PostgreSQL stopped", stop_postgres, 3, True, _on_postgres),
    Fault("PostgreSQL paused", pause_postgres, 2, True, _on_postgres),
    Fault("disk full", fill_disk, 1, False, _on_postgres),
    Fault("kill -9 of RabbitMQ", kill_rabbit, 2, True, _with_broker),
    Fault("RabbitMQ stopped", stop_rabbit, 1, True, _with_broker),
    Fault("RabbitMQ paused", pause_rabbit, 1, True, _with_broker),
    Fault("RabbitMQ wiped", wipe_rabbit, 1, True, _with_broker),
    Fault("poison messages", poison, 3, False, _with_broker),
    Fault("a host cut off", cut_off, 3, True, lambda world: bool(world.reached)),
    Fault("two generations side by side", new_generation, 1, False, _has_workers),
    Fault(
        "a clock ten minutes off",
        clock_off,
        1,
        True,
        lambda world: _has_workers(world) and world.has_faketime(),
    ),
    Fault("partner answers late", _partner("slow", 3, _LATE), 3, False),
    Fault("partner's effect comes late", _partner("late_effect", 3), 3, False),
    Fault("partner answers half", _partner("half", 4), 3, False),
    Fault("partner resets", _partner("reset", 4), 3, False),
    Fault("partner never answers", _silent, 2, False),
    Fault("partner gives another's answer", _partner("other_answer", 4), 3, False),
    Fault("partner's signature is wrong", _partner("wrong_signature", 4), 2, False),
    Fault("partner refuses connections", _partner("refuse", 6), 2, False),
    Fault("partner fails", _partner("fault", 4), 2, False),
)
