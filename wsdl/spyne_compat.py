"""Spyne for Python 3.11 to 3.13: import its names from here, never from `spyne`.

Spyne 2.14 carries an old copy of six whose import hook has `find_module` only, which Python 3.12 no longer asks, so
that `spyne.util.six.moves` cannot be found there. A finder with `find_spec` answers for it, before spyne is imported.
Spyne publishes no types either: what the type checker needs to know of it stands here too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

_SIX = "spyne.util.six"
_F = TypeVar("_F", bound=Callable[..., object])


class VendoredSix(MetaPathFinder, Loader):
    """Finds `spyne.util.six.moves` and what is in it by asking spyne's own copy of six."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for a module of the vendored `six.moves`, None for every other module."""
        if not f"{fullname}.".startswith(f"{_SIX}.moves."):
            return None
        return spec_from_loader(fullname, self)

    def is_package(self, fullname: str) -> bool:
        """Whether the module holds others, as `six.moves.urllib` does."""
        known: bool = self._importer().is_package(fullname)
        return known

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The lazy module that six keeps, or the standard one that it stands for."""
        module: ModuleType = self._importer().load_module(spec.name)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run: six makes its modules whole."""

    @staticmethod
    def _importer() -> Any:
        six: Any = sys.modules[_SIX]
        return six._importer


if sys.version_info >= (3, 12):
    sys.meta_path.insert(0, VendoredSix())

if TYPE_CHECKING:

    class ComplexModel:
        """A typed element with children: each class attribute is one, in order."""

        def __init__(self, **children: object) -> None: ...

    class ServiceBase:
        """A set of operations."""

    class Fault(Exception):
        """A SOAP Fault to be raised by an operation."""

        faultcode: str
        faultstring: str
        detail: Any

        def __init__(
            self, faultcode: str, faultstring: str, faultactor: str = "", detail: object = None
        ) -> None: ...

    def rpc(*arguments: object, **options: object) -> Callable[[_F], _F]:
        """Declare an operation with the types of its arguments."""

    AnyXml: Any
    Application: Any
    Boolean: Any
    Date: Any
    Decimal: Any
    Integer: Any
    MethodContext: Any
    ServerBase: Any
    Soap11: Any
    Soap12: Any
    Unicode: Any
    WsgiApplication: Any
else:
    from spyne import (
        AnyXml,
        Application,
        Boolean,
        ComplexModel,
        Date,
        Decimal,
        Fault,
        Integer,
        MethodContext,
        ServiceBase,
        Unicode,
        rpc,
    )
    from spyne.protocol.soap import Soap11, Soap12
    from spyne.server import ServerBase
    from spyne.server.wsgi import WsgiApplication

__all__ = [
    "AnyXml",
    "Application",
    "Boolean",
    "ComplexModel",
    "Date",
    "Decimal",
    "Fault",
    "Integer",
    "MethodContext",
    "ServerBase",
    "ServiceBase",
    "Soap11",
    "Soap12",
    "Unicode",
    "VendoredSix",
    "WsgiApplication",
    "rpc",
]
