"""Contracts as they are served: the published files, only the addresses in them set to the one in use.

Shape: `?wsdl` is the WSDL, `?xsd=<name>` a schema that it refers to, directly or through another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import wsdl
from errors import ConfigurationError
from wsdl import Contract

# Found in the bytes, so that no other byte changes: our files write attributes in double quotes.
_ADDRESS = re.compile(rb'(<[\w.-]+:address\s[^<>]*?\blocation=")([^"<>]*)(?=")')
_REFERENCE = re.compile(rb'(<[\w.-]+:(?:import|include|redefine)\s[^<>]*?\bschemaLocation=")([^"<>]*)(?=")')


class PublishedContract:
    """The files of one contract, read once."""

    def __init__(self, contract: Contract) -> None:
        """Raises: ConfigurationError when a reference leads out of wsdl/, or two files would have one name."""
        self._wsdl = contract.wsdl
        self._files: dict[Path, bytes] = {}
        self._names: dict[str, Path] = {}
        self._read(contract.wsdl)

    def wsdl(self, address: str) -> bytes:
        """The WSDL for a service at an address."""
        return self._set(self._wsdl, address)

    def schema(self, name: str, address: str) -> bytes | None:
        """A schema by its name, for a service at an address; None when there is none of that name."""
        path = self._names.get(name)
        return self._set(path, address) if path is not None else None

    def _read(self, path: Path) -> None:
        if path in self._files:
            return
        if not path.is_relative_to(wsdl.ROOT) or not path.is_file():
            raise ConfigurationError(f"{self._wsdl.name} refers to a file outside wsdl/: {path.name}")
        self._files[path] = path.read_bytes()
        if path != self._wsdl and self._names.setdefault(path.stem, path) != path:
            raise ConfigurationError(f"{self._wsdl.name} refers to two files named {path.name}")
        for target in self._references(path):
            self._read(target)

    def _references(self, path: Path) -> Iterator[Path]:
        for match in _REFERENCE.finditer(self._files[path]):
            yield _target(path, match)

    def _set(self, path: Path, address: str) -> bytes:
        here = address.encode("ascii")

        def reference(match: re.Match[bytes]) -> bytes:
            return match[1] + here + b"?xsd=" + _target(path, match).stem.encode("ascii")

        content = _REFERENCE.sub(reference, self._files[path])
        return _ADDRESS.sub(lambda match: match[1] + here, content)


def _target(path: Path, match: re.Match[bytes]) -> Path:
    return (path.parent / match[2].decode("ascii")).resolve()
