"""The two forms in which an edition comes: UTF-8 CSV, with commas and quotes, or with semicolons and `#`.

Source: open data of the State Address Register, data set `varis-atvertie-dati`.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from errors import InvalidRequest

_BOM = b"\xef\xbb\xbf"


class Form(Enum):
    """How fields are parted and quoted; a quote inside a field is doubled."""

    CURRENT = (",", '"')
    OLD = (";", "#")


class Line(NamedTuple):
    """One row: the line of the file on which it begins, and its fields; None where it could not be read."""

    number: int
    values: list[str] | None
    reason: str = ""


@dataclass(slots=True)
class File:
    """One file of an edition, read once from front to back."""

    path: Path
    size: int = 0
    done: int = 0
    form: Form | None = None
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """The digest of the bytes read so far, hexadecimal."""
        return self._digest.hexdigest()

    def lines(self) -> Iterator[Line]:
        """The rows, heading first. After a row that breaks the form nothing more can be read, and it is the last.

        Raises: InvalidRequest when the file cannot be opened.
        """
        try:
            self.size = self.path.stat().st_size
            content = self.path.open("rb")
        except OSError as error:
            raise InvalidRequest(f"{self.path.name} cannot be read") from error
        with content:
            first = content.readline()
            self.form = _form(first.removeprefix(_BOM))
            content.seek(0)
            comma, quote = self.form.value
            reader = csv.reader(self._texts(content), delimiter=comma, quotechar=quote, strict=True)
            while True:
                begin = reader.line_num + 1
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except UnicodeDecodeError:
                    yield Line(reader.line_num + 1, None, "it is not UTF-8")
                    return
                except csv.Error:
                    quotes = "quotes that do not match, or a zero byte"
                    yield Line(begin, None, f"it is no CSV of this form: {quotes}")
                    return
                if values:
                    yield Line(begin, values)

    def _texts(self, content: Iterator[bytes]) -> Iterator[str]:
        for number, raw in enumerate(content):
            self._digest.update(raw)
            self.done += len(raw)
            # Decoded line by line, so that what is no text is known by its line.
            yield (raw.removeprefix(_BOM) if number == 0 else raw).decode()


def _form(heading: bytes) -> Form:
    old = heading.startswith(b"#") or (not heading.startswith(b'"') and b";" in heading)
    return Form.OLD if old else Form.CURRENT
