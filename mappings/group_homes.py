"""Group homes (grupu māja, dzīvoklis) that the state co-finances: what the ministry decides, what a provider hands in.

Source: wsdl/spolis/providers/v1-0, rules p13^3.1 for the ministry (p17.6), p13^3.2–p13^3.7 for providers (p17.7).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal

from mappings.codes import END_REASON, Code, code_list
from mappings.fields import code, date, decimal, many, nested, text
from mappings.mapping import Mapping
from mappings.provider_records import NAMESPACE, numbers, person
from mappings.provider_register import REGISTRATION_NUMBER

CAME_FROM = code_list("group_home_origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cofinancing:
    """The ministry's decision to co-finance a person's service (līdzfinansējums). Source: p13^3.1."""

    case_no: str
    record_no: str
    person_code: str
    decided_on: day
    number: str
    financed_from: day
    financed_to: day | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderChange:
    """Another provider from a day on (sniedzēja maiņa). Source: p13^3.6."""

    changed_on: day
    provider: str
    registration_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAmount:
    """An amount a day, euro, and from when to when it holds. Source: p13^3.7."""

    amount: Decimal
    valid_from: day
    valid_to: day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupHome:
    """The service of a group home to a person, from the municipality's decision to the end. Source: p13^3."""

    case_no: str
    record_no: str
    person_code: str
    decided_on: day
    decision_number: str
    municipality: str
    provider: str
    registration_number: str
    contract_on: day
    contract_number: str
    began_on: day | None
    came_from: Code | None
    ended_on: day | None
    end_reason: Code | None
    changes: tuple[ProviderChange, ...]
    prices: tuple[DayAmount, ...]
    cofinancing: tuple[DayAmount, ...]
    supplier: str = ""


def cofinancing_problem(decision: Cofinancing) -> str:
    """What is wrong with a decision taken by itself, or ""."""
    ends_early = decision.financed_to is not None and decision.financed_to < decision.financed_from
    return "financed_to is before financed_from" if ends_early else ""


def group_home_problem(home: GroupHome) -> str:
    """What is wrong with a record taken by itself, or ""."""
    if (home.began_on is None) != (home.came_from is None):
        return "began_on and came_from belong together"
    if (home.ended_on is None) != (home.end_reason is None):
        return "ended_on and end_reason belong together"
    if home.ended_on is not None and (home.began_on is None or home.ended_on < home.began_on):
        return "ended_on is before began_on"
    for name, amounts in (("prices", home.prices), ("cofinancing", home.cofinancing)):
        for one in amounts:
            if one.valid_to is not None and one.valid_to < one.valid_from:
                return f"{name}[].valid_to is before valid_from"
    return ""


_C = "providers_cofinancing"
COFINANCING = Mapping(
    Cofinancing,
    NAMESPACE,
    "Lidzfinansejums",
    (
        *numbers(_C),
        person(),
        date("decided_on", "LemumaDatums", rule="p13^3.1", column=f"{_C}.decided_on"),
        text("number", "LemumaNumurs", longest=100, rule="p13^3.1", column=f"{_C}.number"),
        date("financed_from", "SakumaDatums", rule="p13^3.1", column=f"{_C}.financed_from"),
        date("financed_to", "BeiguDatums", rule="p13^3.1", column=f"{_C}.financed_to", optional=True),
    ),
    check=cofinancing_problem,
)

_T = "providers_group_home"
_CHANGES = f"{_T}.changes"
PROVIDER_CHANGE = Mapping(
    ProviderChange,
    NAMESPACE,
    "SniedzejaMaina",
    (
        date("changed_on", "Datums", rule="p13^3.6", column=_CHANGES),
        text("provider", "Nosaukums", longest=250, rule="p13^3.6", column=_CHANGES),
        text(
            "registration_number",
            "RegistracijasNumurs",
            pattern=REGISTRATION_NUMBER,
            longest=50,
            rule="p13^3.6",
            column=_CHANGES,
        ),
    ),
)


def _amounts(element: str, column: str) -> Mapping[DayAmount]:
    return Mapping(
        DayAmount,
        NAMESPACE,
        element,
        (
            decimal("amount", "SummaDiena", places=2, rule="p13^3.7", column=column),
            date("valid_from", "SpekaNo", rule="p13^3.7", column=column),
            date("valid_to", "SpekaLidz", rule="p13^3.7", column=column, optional=True),
        ),
    )


GROUP_HOME = Mapping(
    GroupHome,
    NAMESPACE,
    "GrupuMaja",
    (
        *numbers(_T),
        person(),
        date("decided_on", "PasvaldibasLemums/Datums", rule="p13^3.2", column=f"{_T}.decided_on"),
        text(
            "decision_number",
            "PasvaldibasLemums/Numurs",
            longest=100,
            rule="p13^3.2",
            column=f"{_T}.decision_number",
        ),
        text(
            "municipality",
            "PasvaldibasLemums/Pasvaldiba",
            longest=250,
            rule="p13^3.2",
            column=f"{_T}.municipality",
        ),
        text("provider", "Sniedzejs/Nosaukums", longest=250, rule="p13^3.3", column=f"{_T}.provider"),
        text(
            "registration_number",
            "Sniedzejs/RegistracijasNumurs",
            pattern=REGISTRATION_NUMBER,
            longest=50,
            rule="p13^3.3",
            column=f"{_T}.registration_number",
        ),
        date("contract_on", "Ligums/Datums", rule="p13^3.4", column=f"{_T}.contract_on"),
        text("contract_number", "Ligums/Numurs", longest=100, rule="p13^3.4", column=f"{_T}.contract_number"),
        date("began_on", "UzsaksanasDatums", rule="p13^3.5.1", column=f"{_T}.began_on", optional=True),
        code("came_from", "NoKurienes", CAME_FROM, rule="p13^3.5.1", column=f"{_T}.came_from", optional=True),
        date("ended_on", "IzbeigsanasDatums", rule="p13^3.5.2", column=f"{_T}.ended_on", optional=True),
        code(
            "end_reason",
            "IzbeigsanasIemesls",
            END_REASON,
            rule="p13^3.5.2",
            column=f"{_T}.end_reason",
            optional=True,
        ),
        many(nested("changes", "SniedzejaMaina", PROVIDER_CHANGE), optional=True),
        many(nested("prices", "Cena", _amounts("Cena", f"{_T}.prices")), optional=True),
        many(
            nested(
                "cofinancing", "LidzfinansejumaApmers", _amounts("LidzfinansejumaApmers", f"{_T}.cofinancing")
            ),
            optional=True,
        ),
    ),
    check=group_home_problem,
)
