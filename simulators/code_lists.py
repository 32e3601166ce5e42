"""The code lists of the five systems with their Latvian texts: a code never travels without its text.

These are the systems' own lists. That the gateway knows every code in them is for a test to show.
"""

from __future__ import annotations

from collections.abc import Mapping

DATA_SETS: Mapping[str, str] = {
    "NAME_AND_CODE": "Vārds, uzvārds un personas kods",
    "IDENTITY": "Identitātes dati",
    "REPRESENTATIVES": "Pārstāvji",
    "DOCUMENTS": "Personu apliecinoši dokumenti",
    "ADDRESSES": "Dzīvesvietas adreses",
    "FAMILY": "Ģimenes locekļi",
}
SEXES: Mapping[str, str] = {"M": "Vīrietis", "F": "Sieviete"}
NATIONALITY_KINDS: Mapping[str, str] = {
    "CITIZEN": "Latvijas pilsonis",
    "NON_CITIZEN": "Latvijas nepilsonis",
    "FOREIGNER": "Ārzemnieks",
    "STATELESS": "Bezvalstnieks",
    "REFUGEE": "Bēglis",
    "ALTERNATIVE_STATUS": "Persona ar alternatīvo statusu",
}
REGISTRY_STATUSES: Mapping[str, str] = {"ACTIVE": "Aktīvs", "PASSIVE": "Pasīvs", "DECEASED": "Miris"}
REPRESENTATIVE_KINDS: Mapping[str, str] = {
    "GUARDIAN": "Aizbildnis",
    "TRUSTEE": "Aizgādnis",
    "FOSTER_FAMILY": "Audžuģimene",
}
DOCUMENT_KINDS: Mapping[str, str] = {
    "PASSPORT": "Pase",
    "EID": "Personas apliecība",
    "ALIEN_PASSPORT": "Nepilsoņa pase",
    "RESIDENCE_PERMIT": "Uzturēšanās atļauja",
    "TRAVEL_DOCUMENT": "Ceļošanas dokuments",
}
ADDRESS_KINDS: Mapping[str, str] = {
    "DECLARED": "Deklarētā adrese",
    "REGISTERED": "Reģistrētā adrese",
    "INDICATED": "Norādītā adrese",
}
RELATIONS: Mapping[str, str] = {
    "SPOUSE": "Laulātais",
    "PARENT": "Vecāks",
    "CHILD": "Bērns",
    "SIBLING": "Brālis vai māsa",
}
DISABILITY_GROUPS: Mapping[str, str] = {
    "I": "I grupa",
    "II": "II grupa",
    "III": "III grupa",
    "CHILD": "Persona ar invaliditāti līdz 18 gadu vecumam",
}
DISABILITY_CAUSES: Mapping[str, str] = {
    "ILLNESS": "Slimība",
    "CHILDHOOD": "Slimība no bērnības",
    "WORK_ACCIDENT": "Nelaimes gadījums darbā",
    "OCCUPATIONAL_DISEASE": "Arodslimība",
    "ACCIDENT": "Nelaimes gadījums ārpus darba",
    "CHERNOBYL": "Černobiļas atomelektrostacijas avārijas seku likvidēšana",
}
PAYMENT_KINDS: Mapping[str, str] = {
    "OLD_AGE_PENSION": "Vecuma pensija",
    "DISABILITY_PENSION": "Invaliditātes pensija",
    "SURVIVORS_PENSION": "Apgādnieka zaudējuma pensija",
    "SERVICE_PENSION": "Izdienas pensija",
    "SPECIAL_PENSION": "Speciālā pensija",
    "FOREIGN_PENSION": "Ārvalsts pensija",
    "PENSION_SUPPLEMENT": "Piemaksa pie pensijas",
    "COMPENSATION_LOSS_OF_WORK_ABILITY": "Atlīdzība par darbspēju zaudējumu",
    "COMPENSATION_LOSS_OF_PROVIDER": "Atlīdzība par apgādnieka zaudējumu",
    "SOCIAL_SECURITY_BENEFIT": "Valsts sociālā nodrošinājuma pabalsts",
    "FAMILY_BENEFIT": "Ģimenes valsts pabalsts",
    "DISABLED_CHILD_SUPPLEMENT": "Piemaksa pie ģimenes valsts pabalsta par bērnu ar invaliditāti",
    "DISABLED_CHILD_CARE": "Bērna ar invaliditāti kopšanas pabalsts",
    "SPECIAL_CARE_BENEFIT": "Pabalsts personai ar invaliditāti, kurai nepieciešama kopšana",
    "TRANSPORT_COMPENSATION": "Pabalsts transporta izdevumu kompensēšanai",
    "GUARDIAN_PAY": "Atlīdzība par aizbildņa pienākumu pildīšanu",
    "FOSTER_FAMILY_PAY": "Atlīdzība par audžuģimenes pienākumu pildīšanu",
}
PAYMENT_STATUSES: Mapping[str, str] = {"PAID": "Izmaksāts", "GRANTED": "Piešķirts"}
DECISION_KINDS: Mapping[str, str] = {
    "SUSPEND_CUSTODY": "Pārtraukt aizgādības tiesības",
    "RESTORE_CUSTODY": "Atjaunot aizgādības tiesības",
    "PLACE_GUARDIAN": "Nodot aizbildņa ģimenē",
    "PLACE_FOSTER_FAMILY": "Ievietot audžuģimenē",
    "PLACE_INSTITUTION": "Ievietot bērnu aprūpes iestādē",
    "END_CARE": "Izbeigt ārpusģimenes aprūpi",
    "APPOINT_GUARDIAN": "Iecelt aizbildni",
    "REMOVE_GUARDIAN": "Atcelt aizbildni",
}
STOP_REASONS: Mapping[str, str] = {
    "ADULTHOOD": "Pilngadība",
    "ADOPTION": "Adopcija",
    "DEATH": "Nāve",
    "RETURNED_TO_FAMILY": "Atgriezies ģimenē",
    "OTHER": "Cits iemesls",
}
PLACE_KINDS: Mapping[str, str] = {
    "101": "Latvijas Republika",
    "102": "Rajons",
    "104": "Pilsēta",
    "105": "Pagasts",
    "106": "Ciems",
    "107": "Iela",
    "108": "Ēka vai apbūvei paredzēta zemes vienība",
    "109": "Telpu grupa",
    "113": "Novads",
}
PLACE_STATUSES: Mapping[str, str] = {"EKS": "Eksistē", "DEL": "Likvidēts", "ERR": "Kļūdains"}
CARE_STAY_NOTICES: Mapping[str, str] = {
    "ENTER": "Iestāšanās institūcijā",
    "LEAVE": "Pakalpojuma izbeigšana institūcijā",
}
CONTACT_PERSONS: Mapping[str, str] = {
    "MOTHER": "Māte",
    "FATHER": "Tēvs",
    "SIBLING": "Brālis vai māsa",
    "GRANDPARENT": "Vecvecāks",
    "OTHER_RELATIVE": "Cits radinieks",
    "GUARDIAN": "Aizbildnis",
    "HOST_FAMILY": "Viesģimene",
    "OTHER": "Cita persona",
}
CONTACT_KINDS: Mapping[str, str] = {
    "MEETING": "Tikšanās iestādē",
    "OUTING": "Tikšanās ārpus iestādes",
    "HOME_VISIT": "Viesošanās ģimenē",
    "CALL": "Tālruņa saruna",
    "VIDEO_CALL": "Videozvans",
    "LETTER": "Vēstule vai ziņa",
    "REFUSED": "Atteicās no kontakta",
}
SUCCESSION_REASONS: Mapping[str, str] = {
    "MERGED": "Apvienots ar citu objektu",
    "SPLIT": "Sadalīts vairākos objektos",
    "READDRESSED": "Objektam piešķirta cita adrese",
    "REPLACED": "Aizstāts ar citu objektu",
}
