"""How one value looks in a message, in a record and in JSON: one class per kind of value.

A kind knows nothing of rules, paths or cardinality; `fields` puts it under a name, `mapping` under a table.
`parse` raises ValueError without a chain where a library's message would hold the value.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from errors import InvalidPersonCode
from exchange import Json
from mappings import person_code
from mappings.codes import Code, CodeList

# The characters of XML 1.0, without the controls and surrogates that no message can carry.
_LEGAL = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_FIRST_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-01", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Scalar:
    """A kind of value that is the text of one element: by default the text itself.

    No abstract class, because every field of every message is asked whether its kind is one.
    """

    def parse(self, text: str) -> object:
        """The value of an element's text. Raises: ValueError, never with the text in it."""
        return text

    def format(self, value: object) -> str:
        """The element's text of a value."""
        return str(value)

    def json(self, value: object) -> Json:
        """The value in JSON; by default the text that stands in a message."""
        return self.format(value)

    def take(self, value: object) -> object:
        """The value of an argument. Raises: ValueError saying what is wanted; InvalidPersonCode."""
        if not isinstance(value, str):
            raise ValueError("text is wanted")
        return self.parse(value.strip())


@dataclass(frozen=True, slots=True)
class Text(Scalar):
    """A text, taken as it stands. `pattern` and the lengths are asked of arguments; messages have the XSD."""

    pattern: str = ""
    shortest: int = 1
    longest: int = 1000

    def parse(self, text: str) -> str:
        """The text itself."""
        return text

    def take(self, value: object) -> str:
        """A text within the lengths, of the pattern, that XML can carry."""
        if not isinstance(value, str):
            raise ValueError("text is wanted")
        if not self.shortest <= len(value) <= self.longest:
            raise ValueError(f"{self.shortest} to {self.longest} characters are wanted")
        if _LEGAL.fullmatch(value) is None:
            raise ValueError("a control character is in it")
        if self.pattern and re.fullmatch(self.pattern, value, re.ASCII) is None:
            raise ValueError(f"the form {self.pattern} is wanted")
        return value


@dataclass(frozen=True, slots=True)
class Day(Scalar):
    """A calendar day in Europe/Riga: `2026-01-31`."""

    def parse(self, text: str) -> date:
        """The day; a time zone is refused."""
        if _DATE.fullmatch(text.strip()) is None:
            raise ValueError("a date is wanted: 2026-01-31")
        try:
            return date.fromisoformat(text.strip())
        except ValueError:
            raise ValueError("no day of the calendar") from None  # the library's message holds the value

    def take(self, value: object) -> object:
        """A date or its text."""
        return value if type(value) is date else Scalar.take(self, value)


@dataclass(frozen=True, slots=True)
class Month(Scalar):
    """A month, held as its first day: `2026-01`."""

    def parse(self, text: str) -> date:
        """The first day of the month."""
        if _MONTH.fullmatch(text.strip()) is None or text.startswith("0000"):
            raise ValueError("a month is wanted: 2026-01")
        return date.fromisoformat(f"{text.strip()}-01")

    def format(self, value: object) -> str:
        """Year and month."""
        return str(value)[:7]

    def take(self, value: object) -> object:
        """A date, which stands for its month, or the text of the month or of its first day, as JSON keeps a date."""
        if isinstance(value, str) and _FIRST_DAY.fullmatch(value):
            value = value.removesuffix("-01")
        return value.replace(day=1) if type(value) is date else Scalar.take(self, value)


@dataclass(frozen=True, slots=True)
class Boolean(Scalar):
    """Yes or no."""

    def parse(self, text: str) -> bool:
        """The four forms of XML Schema."""
        try:
            return _BOOLEANS[text.strip()]
        except KeyError:
            raise ValueError("true or false is wanted") from None  # the error's message holds the value

    def format(self, value: object) -> str:
        """`true` or `false`."""
        return "true" if value else "false"

    def json(self, value: object) -> Json:
        """JSON's own."""
        return bool(value)

    def take(self, value: object) -> object:
        """A boolean or its text."""
        return value if isinstance(value, bool) else Scalar.take(self, value)


@dataclass(frozen=True, slots=True)
class Number(Scalar):
    """A decimal number with so many fraction digits: euro amounts 2, coordinates 6."""

    places: int

    def parse(self, text: str) -> Decimal:
        """The exact number; more fraction digits than `places` are refused unless they are zeros."""
        if _DECIMAL.fullmatch(text.strip()) is None:
            raise ValueError("a decimal number is wanted")
        return self._exact(Decimal(text.strip()))

    def format(self, value: object) -> str:
        """Always with all fraction digits."""
        return f"{value:.{self.places}f}"

    def take(self, value: object) -> object:
        """A Decimal, a whole number or a text; a float would be inexact."""
        if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
            return self._exact(Decimal(value))
        return Scalar.take(self, value)

    def _exact(self, value: Decimal) -> Decimal:
        try:
            exact = value.quantize(Decimal(1).scaleb(-self.places))
        except InvalidOperation:
            raise ValueError("too many digits") from None  # the library's message names its own signals only
        if exact != value:
            raise ValueError(f"more than {self.places} fraction digits")
        return exact


@dataclass(frozen=True, slots=True)
class Integer(Scalar):
    """A whole number; the limits are asked of arguments."""

    least: int = 0
    most: int = 999_999_999

    def parse(self, text: str) -> int:
        """The number, at most nine digits."""
        if _INTEGER.fullmatch(text.strip()) is None:
            raise ValueError("a whole number is wanted")
        return int(text)

    def json(self, value: object) -> Json:
        """JSON's own."""
        return int(str(value))

    def take(self, value: object) -> object:
        """A number or its text, within the limits."""
        number = value if isinstance(value, int) and not isinstance(value, bool) else Scalar.take(self, value)
        if not isinstance(number, int) or not self.least <= number <= self.most:
            raise ValueError(f"a number from {self.least} to {self.most} is wanted")
        return number


@dataclass(frozen=True, slots=True)
class PersonCode(Scalar):
    """A personal code in the canonical form. `asked` is one that a caller gives: its date must be possible too."""

    asked: bool = False

    def parse(self, text: str) -> str:
        """The canonical form. Raises: InvalidPersonCode for a code that a caller gave, ValueError for any other."""
        if self.asked:
            return person_code.normalise(text)
        try:
            return person_code.canonical(text)
        except InvalidPersonCode as error:
            raise ValueError("a personal code is wanted") from error

    def take(self, value: object) -> str:
        """The canonical form. Raises: InvalidPersonCode."""
        if not isinstance(value, str):
            raise InvalidPersonCode
        return person_code.normalise(value) if self.asked else person_code.canonical(value)


@dataclass(frozen=True, slots=True)
class Identifier(Scalar):
    """A UUID."""

    def parse(self, text: str) -> uuid.UUID:
        """The UUID; the forms with braces or `urn:` are refused."""
        if len(text.strip()) != 36:
            raise ValueError("a UUID is wanted")
        try:
            return uuid.UUID(text.strip())
        except ValueError:
            raise ValueError("a UUID is wanted") from None  # the library's message says nothing more

    def take(self, value: object) -> object:
        """A UUID or its text."""
        return value if isinstance(value, uuid.UUID) else Scalar.take(self, value)


@dataclass(frozen=True, slots=True)
class Choice(Scalar):
    """One of a closed set of words that belong to the contract itself, such as the environment."""

    words: type[StrEnum]

    def parse(self, text: str) -> StrEnum:
        """The word."""
        try:
            return self.words(text.strip())
        except ValueError:
            raise ValueError(f"{' or '.join(self.words)} is wanted") from None  # the message holds the value


@dataclass(frozen=True, slots=True)
class Coded:
    """A code with its text: {Kods, Nosaukums}. `key` keeps the bare code in the record, for lists used as keys."""

    codes: CodeList
    key: bool = False

    def value(self, code: str) -> object:
        """What the record holds of a code of the list."""
        return code if self.key else self.codes[code]

    def code(self, value: object) -> Code:
        """The code of the list that a record's value is. Raises: UnknownCode."""
        return self.codes[value.code if isinstance(value, Code) else str(value)]

    def json(self, value: object) -> Json:
        """The code with both texts, or the bare code of a key."""
        code = self.code(value)
        return (
            code.code if self.key else {"code": code.code, "text_lv": code.text_lv, "text_en": code.text_en}
        )

    def take(self, value: object) -> object:
        """A code, bare or as an object with `code`. Raises: ValueError naming the list."""
        found = value.get("code") if isinstance(value, dict) else value
        found = found.code if isinstance(found, Code) else found
        if not isinstance(found, str) or found not in self.codes:
            raise ValueError(f"a code of the list {self.codes.name} is wanted")
        return self.value(found)
