"""The means of a person as a municipality found them: status, survey of the home, the support fund.

Code lists that no public source has are modelled: status of means. Source: p9.1, p9.3, p9.4, p17.3, p23.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import Code, code_list
from mappings.fields import code, date, many, nested, text
from mappings.mapping import Mapping
from mappings.municipal_records import NAMESPACE, municipality, object_no, person

MEANS_STATUS = code_list("means_status")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeansStatus:
    """The status of a needy or low-income person (trūcīga vai maznodrošināta persona). Source: p9.1."""

    object_no: str
    person_code: str
    municipality: str
    status: Code
    decided_on: day
    decision_number: str
    valid_from: day
    valid_to: day
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyWorker:
    """An official who surveyed the home (darbinieks, kas apsekoja). Source: p9.3.3."""

    given_names: tuple[str, ...]
    family_name: str
    position: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSurvey:
    """A survey of the home (dzīvesvietas apsekošana), supplied since 2016-01-01. Source: p9.3, p23."""

    object_no: str
    person_code: str
    municipality: str
    address: str
    surveyed_on: day
    workers: tuple[SurveyWorker, ...]
    reason: str
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportFundStatus:
    """That the income allows support of the European fund for the most deprived, and for which period.

    Source: p9.4 (Eiropas Atbalsta fonds vistrūcīgākajām personām).
    """

    object_no: str
    person_code: str
    municipality: str
    valid_from: day
    valid_to: day
    supplier: str = ""


def period_problem(record: MeansStatus | SupportFundStatus) -> str:
    """What is wrong with a period taken by itself, or ""."""
    return "valid_to is before valid_from" if record.valid_to < record.valid_from else ""


STATUS = Mapping(
    MeansStatus,
    NAMESPACE,
    "MaterialaStavoklaStatuss",
    (
        object_no("municipal_status"),
        person(),
        municipality("municipal_status", "p9.1.2"),
        code("status", "Statuss", MEANS_STATUS, rule="p9.1.1", column="municipal_status.status"),
        date("decided_on", "LemumaDatums", rule="p9.1.3", column="municipal_status.decided_on"),
        text(
            "decision_number",
            "LemumaNumurs",
            longest=100,
            rule="p9.1.3",
            column="municipal_status.decision_number",
        ),
        date("valid_from", "SakumaDatums", rule="p9.1.4", column="municipal_status.valid_from"),
        date("valid_to", "BeiguDatums", rule="p9.1.5", column="municipal_status.valid_to"),
    ),
    check=period_problem,
)

_WORKERS = "municipal_survey.workers"
WORKER = Mapping(
    SurveyWorker,
    NAMESPACE,
    "ApsekotajsDarbinieks",
    (
        many(text("given_names", "Vards", longest=100, rule="p9.3.3", column=_WORKERS), minimum=1),
        text("family_name", "Uzvards", longest=100, rule="p9.3.3", column=_WORKERS),
        text("position", "Amats", longest=250, rule="p9.3.3", column=_WORKERS),
    ),
)

SURVEY = Mapping(
    HomeSurvey,
    NAMESPACE,
    "Apsekosana",
    (
        object_no("municipal_survey"),
        person(),
        municipality("municipal_survey", "p9.3"),
        text("address", "ApsekotaAdrese", rule="p9.3.1", column="municipal_survey.address"),
        date("surveyed_on", "ApsekosanasDatums", rule="p9.3.2", column="municipal_survey.surveyed_on"),
        many(nested("workers", "ApsekotajsDarbinieks", WORKER), minimum=1),
        text("reason", "ApsekosanasIemesls", rule="p9.3.4", column="municipal_survey.reason"),
    ),
)

SUPPORT_FUND = Mapping(
    SupportFundStatus,
    NAMESPACE,
    "AtbalstaFonds",
    (
        object_no("municipal_support_fund"),
        person(),
        municipality("municipal_support_fund", "p9.4"),
        date("valid_from", "SakumaDatums", rule="p9.4", column="municipal_support_fund.valid_from"),
        date("valid_to", "BeiguDatums", rule="p9.4", column="municipal_support_fund.valid_to"),
    ),
    check=period_problem,
)
