"""Code lists as data: `mappings/code_lists/<list>.csv` with code, Latvian text and English text.

A code never travels without its text (naming rules of the state schema catalogue), and an unknown code is an error.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from errors import ConfigurationError, UnknownCode

FOLDER = Path(__file__).parent / "code_lists"
_COLUMNS = ("code", "text_lv", "text_en")


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a named list with its texts (klasifikatora vērtība)."""

    code: str
    text_lv: str
    text_en: str


@dataclass(frozen=True, slots=True)
class CodeList:
    """A named list of codes (klasifikators), in the order of its file.

    `flags` are its yes/no columns beside the texts, by column and code. `version` changes with the file.
    """

    name: str
    codes: Mapping[str, Code] = field(repr=False)
    flags: Mapping[str, Mapping[str, bool]] = field(repr=False)
    version: str = ""

    def __getitem__(self, code: str) -> Code:
        """The code with its texts. Raises: UnknownCode naming the list."""
        try:
            return self.codes[code]
        except KeyError as error:
            raise UnknownCode(f"code list {self.name}") from error

    def __contains__(self, code: object) -> bool:
        return code in self.codes

    def __iter__(self) -> Iterator[Code]:
        return iter(self.codes.values())

    def __len__(self) -> int:
        return len(self.codes)


@cache
def code_list(name: str) -> CodeList:
    """A list by the name of its file.

    Raises: ConfigurationError when there is no such list, or a code stands twice, or a text is missing.
    """
    path = FOLDER / f"{name}.csv"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"no code list {name}") from error
    rows = list(csv.DictReader(content.decode("utf-8").splitlines(), strict=True))
    codes: dict[str, Code] = {}
    flags: dict[str, dict[str, bool]] = {}
    for row in rows:
        if any(not row.get(column) for column in _COLUMNS) or row["code"] in codes:
            raise ConfigurationError(f"code list {name}: a code twice or without its texts")
        codes[row["code"]] = Code(row["code"], row["text_lv"], row["text_en"])
        for column in row.keys() - set(_COLUMNS):
            if row[column] not in ("yes", "no"):
                raise ConfigurationError(f"code list {name}: {column} is yes or no")
            flags.setdefault(column, {})[row["code"]] = row[column] == "yes"
    return CodeList(name, codes, flags, hashlib.sha256(content).hexdigest()[:12])


def code_lists() -> Iterator[CodeList]:
    """Every list, by name."""
    return (code_list(path.stem) for path in sorted(FOLDER.glob("*.csv")))


SEX = code_list("sex")
NATIONALITY_KIND = code_list("nationality_kind")
REGISTRY_STATUS = code_list("registry_status")
REPRESENTATIVE_KIND = code_list("representative_kind")
DOCUMENT_KIND = code_list("document_kind")
ADDRESS_KIND = code_list("address_kind")
FAMILY_RELATION = code_list("family_relation")
DATA_SET = code_list("data_set")
DISABILITY_GROUP = code_list("disability_group")
DISABILITY_CAUSE = code_list("disability_cause")
PAYMENT_KIND = code_list("payment_kind")
PAYMENT_STATUS = code_list("payment_status")
DECISION_KIND = code_list("decision_kind")
STOP_REASON = code_list("stop_reason")
ADDRESS_TYPE = code_list("address_type")
ADDRESS_STATUS = code_list("address_status")
INSTITUTION_KIND = code_list("institution_kind")
FUNDING_SOURCE = code_list("funding_source")
END_REASON = code_list("end_reason")
CARE_STAY_NOTICE = code_list("care_stay_notice")
SERVICE_STATUS = code_list("service_status")
SERVICE_PROVIDER = code_list("service_provider")
MUNICIPAL_SERVICE = code_list("municipal_service")
CONTACT_PERSON = code_list("contact_person")
CONTACT_KIND = code_list("contact_kind")
SUCCESSION_REASON = code_list("succession_reason")
