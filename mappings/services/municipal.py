"""The service `municipal`: what municipal social services hand in, record by record.

Source: wsdl/spolis/municipal/v1-0, rules p9, p10, p10^1.1, p10^1.3, p11^1, p13, p17.3, p20.
"""

from __future__ import annotations

from typing import Any

from mappings.deinstitutionalisation import COMMUNITY_SERVICE, MUNICIPAL_ASSESSMENT
from mappings.mapping import Mapping
from mappings.municipal_assistants import ASSISTANT_DELIVERY, ASSISTANT_REPORT, ASSISTANT_SERVICE
from mappings.municipal_declarations import DECLARATION
from mappings.municipal_means import STATUS, SUPPORT_FUND, SURVEY
from mappings.municipal_records import MUNICIPAL_RECORD_DELETION, NAMESPACE
from mappings.municipal_rehabilitation import VICTIM_REPORT, VICTIM_SERVICE_RECORD
from mappings.municipal_support import BENEFIT, PAYMENT, PLACEMENT_RECORD, SERVICE_RECORD
from mappings.services import Service, ServiceOperation
from mappings.supplying import handed_in

SOURCE = "municipality"


def _takes(operation: str, table: Mapping[Any]) -> ServiceOperation:
    return handed_in(NAMESPACE, operation, table, SOURCE)


SERVICE = Service(
    name="municipal",
    version="v1-0",
    operations=(
        _takes("SubmitStatus", STATUS),
        _takes("SubmitDeclaration", DECLARATION),
        _takes("SubmitSurvey", SURVEY),
        _takes("SubmitSupportFund", SUPPORT_FUND),
        _takes("SubmitService", SERVICE_RECORD),
        _takes("SubmitBenefit", BENEFIT),
        _takes("SubmitPayment", PAYMENT),
        _takes("SubmitPlacement", PLACEMENT_RECORD),
        _takes("SubmitAssessment", MUNICIPAL_ASSESSMENT),
        _takes("SubmitCommunityService", COMMUNITY_SERVICE),
        _takes("SubmitAssistant", ASSISTANT_SERVICE),
        _takes("SubmitAssistantDelivery", ASSISTANT_DELIVERY),
        _takes("SubmitAssistantReport", ASSISTANT_REPORT),
        _takes("SubmitVictimService", VICTIM_SERVICE_RECORD),
        _takes("SubmitVictimReport", VICTIM_REPORT),
        _takes("DeleteMunicipalRecord", MUNICIPAL_RECORD_DELETION),
    ),
)
