"""The words of the console: English stands in code and templates, Latvian in the files of `lv/`, one for each part."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

from errors import ConfigurationError
from questions.words import Language

FOLDER = Path(__file__).parent / "lv"


@cache
def latvian() -> dict[str, str]:
    """Every translation by its English text; what two files have, both have alike.

    Raises: ConfigurationError naming the file that cannot be read, or the text that has two translations.
    """
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.po")):
        try:
            with path.open("rb") as file:
                catalog = read_po(file, locale="lv", abort_invalid=True)
        except Exception as error:
            raise ConfigurationError(f"{path.name}: {type(error).__name__}") from error
        for message in catalog:
            text, words = str(message.id), str(message.string)
            if text and words and found.setdefault(text, words) != words:
                raise ConfigurationError(f"{path.name}: “{text}” has another translation elsewhere")
    return found


def say(language: Language, text: str, **values: object) -> str:
    """A text in a language, with its values put in; a text that nobody translated stays English.

    A value stands as `{name}`.
    """
    words = latvian().get(text, text) if language is Language.LATVIAN else text
    return words.format(**values) if values else words
