"""What a change of a contract is in words, Latvian and English."""

from __future__ import annotations

from wsdl.changes import Change, Kind, Side

LANGUAGES = ("en", "lv")

_KINDS: dict[Kind, dict[str, str]] = {
    Kind.NAMESPACE: {
        "en": "the namespace is now {after} (it was {before})",
        "lv": "nosaukumvieta tagad ir {after} (bija {before})",
    },
    Kind.OPERATION_ADDED: {"en": "operation {after} is new", "lv": "jauna operācija {after}"},
    Kind.OPERATION_REMOVED: {"en": "operation {before} is gone", "lv": "operācijas {before} vairs nav"},
    Kind.ACTION: {
        "en": "the SOAPAction of {operation} is now {after} (it was {before})",
        "lv": "operācijas {operation} SOAPAction tagad ir {after} (bija {before})",
    },
    Kind.FAULT_ADDED: {
        "en": "{operation} may now answer with the fault {after}",
        "lv": "{operation} tagad var atbildēt ar kļūdu {after}",
    },
    Kind.FAULT_REMOVED: {
        "en": "{operation} no longer answers with the fault {before}",
        "lv": "{operation} vairs neatbild ar kļūdu {before}",
    },
    Kind.ELEMENT_ADDED: {"en": "new element, occurs {after}", "lv": "jauns elements, sastopams {after}"},
    Kind.ELEMENT_REMOVED: {
        "en": "the element is gone (it occurred {before})",
        "lv": "elementa vairs nav (bija sastopams {before})",
    },
    Kind.ELEMENT_RENAMED: {
        "en": "the element is now called {after}",
        "lv": "elementu tagad sauc {after}",
    },
    Kind.OCCURS: {
        "en": "it now occurs {after} (it was {before})",
        "lv": "tagad sastopams {after} (bija {before})",
    },
    Kind.ORDER: {
        "en": "the order is now {after} (it was {before})",
        "lv": "secība tagad ir {after} (bija {before})",
    },
    Kind.CHOICE: {
        "en": "it is now an alternative in “{after}” (it was “{before}”)",
        "lv": "tagad tā ir izvēle “{after}” (bija “{before}”)",
    },
    Kind.NILLABLE: {
        "en": "nillable is now {after} (it was {before})",
        "lv": "nillable tagad ir {after} (bija {before})",
    },
    Kind.TYPE: {
        "en": "the type is now {after} (it was {before})",
        "lv": "tips tagad ir {after} (bija {before})",
    },
    Kind.WORDS: {
        "en": "the values allowed are now “{after}” (they were “{before}”)",
        "lv": "atļautās vērtības tagad ir “{after}” (bija “{before}”)",
    },
    Kind.PATTERN: {
        "en": "the pattern is now “{after}” (it was “{before}”)",
        "lv": "šablons tagad ir “{after}” (bija “{before}”)",
    },
    Kind.FACET: {
        "en": "the limit is now “{after}” (it was “{before}”)",
        "lv": "ierobežojums tagad ir “{after}” (bija “{before}”)",
    },
}
_SIDES: dict[Side, dict[str, str]] = {
    Side.REQUEST: {"en": "request", "lv": "pieprasījums"},
    Side.ANSWER: {"en": "answer", "lv": "atbilde"},
    Side.FAULT: {"en": "fault", "lv": "kļūda"},
}
_EFFECTS: dict[tuple[bool, bool], dict[str, str]] = {
    (True, False): {"en": "wider", "lv": "plašāk"},
    (False, True): {"en": "narrower", "lv": "šaurāk"},
    (True, True): {"en": "different", "lv": "citādi"},
    (False, False): {"en": "harmless", "lv": "nekaitīgi"},
}
WORDS: dict[str, dict[str, str]] = {
    "none": {"en": "nothing has changed", "lv": "nekas nav mainījies"},
    "compatible": {
        "en": "compatible: {who} can stay as they are",
        "lv": "saderīgi: {who} var palikt nemainīti",
    },
    "breaking": {"en": "breaking: {who} must change", "lv": "nesaderīgi: {who} jāmaina"},
    "us": {"en": "our own calls", "lv": "mūsu izsaukumi"},
    "callers": {"en": "callers", "lv": "izsaucēji"},
    "breaks": {"en": "BREAKS", "lv": "LAUŽ"},
    "fits": {"en": "fits", "lv": "der"},
    "survives": {"en": "the mapping table survives", "lv": "kartējuma tabula der"},
    "changes": {"en": "the mapping table must change", "lv": "kartējuma tabula jāmaina"},
    "unmapped": {"en": "not mapped by us", "lv": "nav kartēts"},
    "announce": {
        "en": "announced on {announced_on}, it may begin on {earliest} ({notice_days} working days' notice)",
        "lv": "paziņojot {announced_on}, var sākt {earliest} ({notice_days} darba dienu termiņš)",
    },
    "tell": {
        "en": "tell {name} ({contact}) by way of service {service}: earliest {earliest}",
        "lv": "paziņot {name} ({contact}), pakalpojums {service}: agrākais {earliest}",
    },
    "nameless": {
        "en": "whose contract it is is not known; --system NAME looks at our mapping tables and partners",
        "lv": "nav zināms, kura sistēma tā ir; ar --system NAME aplūko mūsu kartējumus un partnerus",
    },
    "nobody": {"en": "no active partner is concerned", "lv": "neviens aktīvs partneris nav skarts"},
    "no-contact": {"en": "no contact known", "lv": "kontakts nav zināms"},
    "years": {
        "en": "which working days the Cabinet moves is known to {year}; leave a few days more",
        "lv": "pārceltās darba dienas zināmas līdz {year}. gadam; atstājiet dažas dienas vairāk",
    },
}


def sentence(change: Change, language: str) -> str:
    """A change in one sentence with its place: where, what, and whether that is wider or narrower than before."""
    what = _KINDS[change.kind][language].format(
        operation=change.operation, before=change.before or "—", after=change.after or "—"
    )
    effect = _EFFECTS[change.widens, change.narrows][language]
    if not change.path:
        return f"{what}; {effect}"
    return f"{_SIDES[change.side][language]} {change.path}: {what}; {effect}"


def say(word: str, language: str, **values: str) -> str:
    """One of the other texts."""
    return WORDS[word][language].format(**values)
