"""Declarations of means (iztikas līdzekļu deklarācija), with the persons, incomes and property declared.

Code lists that no public source has are modelled: kinship, employment status, kind of income. Source: p9.2, p17.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal

from mappings.codes import Code, code_list
from mappings.fields import code, date, decimal, many, nested, person_code, text
from mappings.mapping import Mapping
from mappings.municipal_records import KINSHIP, NAMESPACE, municipality, object_no

EMPLOYMENT_STATUS = code_list("employment_status")
INCOME_KIND = code_list("income_kind")

_MEMBER = "municipal_declared_person"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealEstate:
    """Real estate (nekustamais īpašums); `share` as it is written in the Land register. Source: p9.2.5.6."""

    cadastre_no: str
    folio_no: str | None
    share: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movable:
    """A movable (kustamā manta); a vehicle has its plate. Source: p9.2.5.7."""

    description: str
    plate: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceContract:
    """A maintenance contract (uztura līgums) that was concluded. Source: p9.2.5.8."""

    concluded_on: day
    number: str | None
    party: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredPerson:
    """A person whom the declaration names (deklarācijā norādītā persona). Source: p9.2.5."""

    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    kinship: Code
    employment: Code
    average_income: Decimal
    income_kinds: tuple[Code, ...]
    real_estate: tuple[RealEstate, ...]
    movables: tuple[Movable, ...]
    maintenance_contracts: tuple[MaintenanceContract, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A declaration of means; incomes are euro a month, of who declares and of the household. Source: p9.2."""

    object_no: str
    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    municipality: str
    submitted_on: day
    office: str
    average_income: Decimal
    household_income: Decimal
    members: tuple[DeclaredPerson, ...]
    supplier: str = ""


def problem(declaration: Declaration) -> str:
    """What is wrong with a declaration taken by itself, or ""."""
    codes = [member.person_code for member in declaration.members]
    if len(set(codes)) < len(codes):
        return "members[].person_code stands twice"
    selves = [member.person_code for member in declaration.members if member.kinship.code == "SELF"]
    if any(code != declaration.person_code for code in selves):
        return "members[].kinship is SELF of another person"
    return ""


_ESTATE = f"{_MEMBER}.real_estate"
REAL_ESTATE = Mapping(
    RealEstate,
    NAMESPACE,
    "NekustamaisIpasums",
    (
        text("cadastre_no", "KadastraNumurs", pattern=r"[0-9]{11}", rule="p9.2.5.6", column=_ESTATE),
        text(
            "folio_no",
            "NodalijumaNumurs",
            longest=100,
            rule="p9.2.5.6",
            column=_ESTATE,
            optional=True,
        ),
        text("share", "DomajamaDala", longest=100, rule="p9.2.5.6", column=_ESTATE, optional=True),
    ),
)

_MOVABLES = f"{_MEMBER}.movables"
MOVABLE = Mapping(
    Movable,
    NAMESPACE,
    "KustamaManta",
    (
        text("description", "Apraksts", rule="p9.2.5.7", column=_MOVABLES),
        text(
            "plate",
            "RegistracijasNumurs",
            longest=100,
            rule="p9.2.5.7",
            column=_MOVABLES,
            optional=True,
        ),
    ),
)

_CONTRACTS = f"{_MEMBER}.maintenance_contracts"
MAINTENANCE_CONTRACT = Mapping(
    MaintenanceContract,
    NAMESPACE,
    "UzturaLigums",
    (
        date("concluded_on", "NoslegsanasDatums", rule="p9.2.5.8", column=_CONTRACTS),
        text("number", "LigumaNumurs", longest=100, rule="p9.2.5.8", column=_CONTRACTS, optional=True),
        text("party", "OtraPuse", longest=250, rule="p9.2.5.8", column=_CONTRACTS),
    ),
)

DECLARED_PERSON = Mapping(
    DeclaredPerson,
    NAMESPACE,
    "NoraditaPersona",
    (
        many(
            text("given_names", "Vards", longest=100, rule="p9.2.5.1", column=f"{_MEMBER}.given_names"),
            minimum=1,
        ),
        text("family_name", "Uzvards", longest=100, rule="p9.2.5.1", column=f"{_MEMBER}.family_name"),
        person_code(
            "person_code", "PersonasKods", asked=True, rule="p9.2.5.1", column=f"{_MEMBER}.member_code"
        ),
        code("kinship", "Radnieciba", KINSHIP, rule="p9.2.5.2", column=f"{_MEMBER}.kinship"),
        code(
            "employment",
            "NodarbinatibasStatuss",
            EMPLOYMENT_STATUS,
            rule="p9.2.5.3",
            column=f"{_MEMBER}.employment",
        ),
        decimal(
            "average_income",
            "VidejieIenakumi",
            places=2,
            rule="p9.2.5.4",
            column=f"{_MEMBER}.average_income",
        ),
        many(
            code(
                "income_kinds",
                "IenakumuVeids",
                INCOME_KIND,
                rule="p9.2.5.5",
                column=f"{_MEMBER}.income_kinds",
            ),
            optional=True,
        ),
        many(nested("real_estate", "NekustamaisIpasums", REAL_ESTATE), optional=True),
        many(nested("movables", "KustamaManta", MOVABLE), optional=True),
        many(nested("maintenance_contracts", "UzturaLigums", MAINTENANCE_CONTRACT), optional=True),
    ),
)

DECLARATION = Mapping(
    Declaration,
    NAMESPACE,
    "Deklaracija",
    (
        object_no("municipal_declaration"),
        many(
            text(
                "given_names",
                "Vards",
                longest=100,
                rule="p9.2.1",
                column="municipal_declaration.given_names",
            ),
            minimum=1,
        ),
        text(
            "family_name",
            "Uzvards",
            longest=100,
            rule="p9.2.1",
            column="municipal_declaration.family_name",
        ),
        person_code(
            "person_code", "PersonasKods", asked=True, rule="p9.2.1", column="spolis_person_code.code"
        ),
        municipality("municipal_declaration", "p9.2.3"),
        date(
            "submitted_on", "IesniegsanasDatums", rule="p9.2.2", column="municipal_declaration.submitted_on"
        ),
        text("office", "Iestade", longest=250, rule="p9.2.3", column="municipal_declaration.office"),
        decimal(
            "average_income",
            "VidejieIenakumi",
            places=2,
            rule="p9.2.4",
            column="municipal_declaration.average_income",
        ),
        decimal(
            "household_income",
            "MajsaimniecibasIenakumi",
            places=2,
            rule="p9.2.4",
            column="municipal_declaration.household_income",
        ),
        many(nested("members", "NoraditaPersona", DECLARED_PERSON), optional=True),
    ),
    check=problem,
)
