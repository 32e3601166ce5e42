"""Social enterprises: canonical record and mapping table. They are legal persons; nothing here is of a natural one.

Source: p5.7, p6^1, p17^1, p18.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import Code, code_list
from mappings.fields import code, date, text
from mappings.mapping import Mapping

NAMESPACE = "urn:spolis:gateway:social-enterprises:v1-0"
STATUS = code_list("social_enterprise_status")


@dataclass(frozen=True, slots=True, kw_only=True)
class SocialEnterprise:
    """An enterprise and what was last decided on its status as a social enterprise (sociālais uzņēmums).

    Source: p6^1.
    """

    registration_number: str
    name: str
    status: Code
    decided_on: day
    decision_number: str
    valid_from: day | None = None
    valid_to: day | None = None


def problem(enterprise: SocialEnterprise) -> str:
    """What is wrong with an enterprise taken by itself, or ""."""
    if (enterprise.valid_from is None) != (enterprise.status.code == "REFUSED"):
        return "valid_from belongs to a status that is granted or withdrawn"
    if enterprise.status.code == "WITHDRAWN" and enterprise.valid_to is None:
        return "a status that is withdrawn has valid_to"
    if enterprise.valid_to is not None and (
        enterprise.valid_from is None or enterprise.valid_to < enterprise.valid_from
    ):
        return "valid_to is before valid_from"
    return ""


SOCIAL_ENTERPRISE = Mapping(
    SocialEnterprise,
    NAMESPACE,
    "Uznemums",
    (
        text(
            "registration_number",
            "RegistracijasNumurs",
            rule="p6^1",
            column="enterprises_social_enterprise.registration_number",
            pattern=r"\d{11}",
        ),
        text("name", "Nosaukums", rule="p6^1", column="enterprises_social_enterprise.name", longest=250),
        code("status", "Statuss", STATUS, rule="p6^1", column="enterprises_social_enterprise.status"),
        date("decided_on", "LemumaDatums", rule="p6^1", column="enterprises_social_enterprise.decided_on"),
        text(
            "decision_number",
            "LemumaNumurs",
            rule="p6^1",
            column="enterprises_social_enterprise.decision_number",
            longest=50,
        ),
        date(
            "valid_from",
            "SpekaNo",
            rule="p6^1",
            column="enterprises_social_enterprise.valid_from",
            optional=True,
        ),
        date(
            "valid_to",
            "SpekaLidz",
            rule="p6^1",
            column="enterprises_social_enterprise.valid_to",
            optional=True,
        ),
    ),
    check=problem,
)
