"""The table of what is sent besides the attacks on signatures: each request with the codes that may answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.attacks.live import Sent
from tests.endpoints.soap.messages import SOAP
from tests.security.conftest import World
from tests.security.messages import Recipe, complete, make, skeleton

_Maker = Callable[[World], Sent]


@dataclass(frozen=True)
class Case:
    """A request and what refuses it. With a `status`, HTTP itself has the answer, which may hold no code."""

    name: str
    make: _Maker
    codes: tuple[str, ...]
    status: int | None = None


CASES: dict[str, Case] = {}


def case(name: str, *codes: str, status: int | None = None) -> Callable[[_Maker], _Maker]:
    """Enter a request into the table."""

    def enter(maker: _Maker) -> _Maker:
        assert name not in CASES, name
        CASES[name] = Case(name, maker, codes, status)
        return maker

    return enter


def signed(
    name: str,
    *codes: str,
    body: Callable[[str], str] | None = None,
    message: Callable[[str], str] | None = None,
    header: str = "",
    version: str = "1.1",
    headers: Mapping[str, str] | None = None,
    addressing: Mapping[str, str] | None = None,
) -> None:
    """Enter a message that is signed rightly: with its body changed, or the whole text before it is signed."""

    @case(name, *codes)
    def _(world: World) -> Sent:
        recipe = in_version(world.recipe, version).change(header=header)
        if addressing is not None:
            recipe = recipe.change(addressing={**recipe.addressing, **addressing})
        if body is not None:
            recipe = recipe.change(body=body(recipe.body))
        text = skeleton(recipe)
        return Sent(complete(message(text) if message else text, recipe), headers or {})


def written(name: str, *codes: str, change: Callable[[bytes], bytes]) -> None:
    """Enter a right message whose bytes are changed."""

    @case(name, *codes)
    def _(world: World) -> Sent:
        return Sent(change(make(world.recipe)))


def within(name: str, inserted: bytes, *codes: str) -> None:
    """Enter a right message with something put at the end of its operation."""
    written(name, *codes, change=lambda data: data.replace(b"</GetPerson>", inserted + b"</GetPerson>"))


def before(name: str, first: bytes, *codes: str) -> None:
    """Enter a right message with something in front."""
    written(name, *codes, change=lambda data: first + data)


def requested(
    name: str,
    *codes: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    path: str = "",
) -> None:
    """Enter a right message in a request that is wrong."""

    @case(name, *codes, status=status)
    def _(world: World) -> Sent:
        sent = Sent(make(world.recipe), headers or {}, method)
        return Sent(sent.content, sent.headers, method, path) if path else sent


def by_hand(name: str, *codes: str, status: int, head: str, body: str = "<a/>") -> None:
    """Enter a request whose every byte is written here; `\\n` stands for the end of a line of HTTP."""

    @case(name, *codes, status=status)
    def _(_world: World) -> Sent:
        return Sent(raw=f"{head}\n\n{body}".replace("\n", "\r\n").encode("latin-1"))


def in_version(recipe: Recipe, version: str) -> Recipe:
    """The recipe in a SOAP version."""
    return recipe.change(soap=SOAP[version])
