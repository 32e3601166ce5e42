"""What operators read of an incident, in Latvian and English: what is wrong, and what to do (docs/monitoring.md)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The same in both languages."""

    lv: str
    en: str


@dataclass(frozen=True, slots=True)
class AlertText:
    """A kind of incident in words."""

    title: Words
    action: Words


TEXTS = {
    "log": AlertText(
        Words("Apmaiņas žurnālā nevar rakstīt", "The exchange log cannot be written"),
        Words(
            "Visi pieprasījumi tiek atteikti. Pārbaudiet datubāzi: vai tā atbild un vai tās diskā ir vieta.",
            "Every request is refused. See whether the database answers and whether its disk has space.",
        ),
    ),
    "sequencer": AlertText(
        Words("Žurnāla ieraksti gaida savu vietu", "Records wait for their place in the exchange log"),
        Words(
            "Pārbaudiet, vai kāds process veic darbu “sequencer”: gateway work --status.",
            "See whether some process does the job “sequencer”: gateway work --status.",
        ),
    ),
    "fork": AlertText(
        Words("Liecinieks noliedz apmaiņas žurnālu", "The witness contradicts the exchange log"),
        Words(
            "Žurnāls ir pārrakstīts, nogriezts vai atjaunots bez gateway recover. Saglabājiet datubāzi kā "
            "pierādījumu un palaidiet gateway audit verify.",
            "The log was rewritten, cut off, or restored without gateway recover. Keep the database as evidence and "
            "run gateway audit verify.",
        ),
    ),
    "exposure": AlertText(
        Words(
            "Liecinieks nav parakstījis jaunāko žurnālu", "The witness has not cosigned the newest of the log"
        ),
        Words(
            "Apmaiņa turpinās. Skatiet darbu “witness”: gateway work --status; sazinieties ar liecinieka turētāju.",
            "Exchanges go on. See the job “witness”: gateway work --status; call the witness's operator.",
        ),
    ),
    "outbox_dead": AlertText(
        Words("Ziņojumus nevarēja piegādāt", "Messages could not be delivered"),
        Words(
            "Noskaidrojiet cēloni: gateway outbox list --state dead; pēc tam replay vai park.",
            "Find the cause: gateway outbox list --state dead; then replay or park.",
        ),
    ),
    "outbox_unknown": AlertText(
        Words("Ziņojumu iznākums nav zināms", "The outcome of messages is not known"),
        Words(
            "Jautājiet sistēmas turētājam, vai tie saņemti: gateway outbox list --state unknown.",
            "Ask the system's holder whether they took effect: gateway outbox list --state unknown.",
        ),
    ),
    "outbox_late": AlertText(
        Words("Ziņojumus neviens nepiegādā", "Nobody delivers what is due"),
        Words(
            "Sistēma darbojas un maršruts ir ieslēgts: skatiet gateway work --status un palaidiet gateway work.",
            "The system is well and the route is on: see gateway work --status, and start gateway work.",
        ),
    ),
    "backlog": AlertText(
        Words("Rindā uzkrājas ziņojumi", "Messages pile up in the outbox"),
        Words(
            "Pie robežas pieprasītājiem jānāk vēlāk. Meklējiet lēno sistēmu vai palaidiet vēl gateway work.",
            "At the limit callers are told to come later. Look for the slow system, or start more gateway work.",
        ),
    ),
    "breaker": AlertText(
        Words("Ārējā sistēma neatbild", "An external system does not answer"),
        Words(
            "Sazinieties ar tās turētāju; piegādes atsāksies pašas.",
            "Call its holder; deliveries go on by themselves when it is back.",
        ),
    ),
    "certificate": AlertText(
        Words("Sertifikāts drīz beigsies vai ir beidzies", "A certificate ends soon or has ended"),
        Words(
            "Saņemiet un nolieciet vietā jaunu, pirms vecais beidzas.",
            "Obtain a new one and put it in place before the old one ends.",
        ),
    ),
    "revocation": AlertText(
        Words(
            "Atsaukto sertifikātu saraksts vai atbilde ir novecojusi",
            "A revocation list or a responder's answer is out of date",
        ),
        Words(
            "Saņemiet izdevēja jauno sarakstu vai noskaidrojiet, kāpēc tas neatbild; citādi partneri tiks atteikti.",
            "Obtain the issuer's new list, or find out why it does not answer; else partners will be refused.",
        ),
    ),
    "clock": AlertText(
        Words("Servera pulkstenis atšķiras no datubāzes", "A host's clock differs from the database's"),
        Words(
            "Pārbaudiet laika sinhronizāciju (NTP): paraksti ar nepareizu laiku tiek noraidīti.",
            "See to time synchronisation (NTP): signatures of a wrong time are refused.",
        ),
    ),
    "broker": AlertText(
        Words("RabbitMQ neatbild", "RabbitMQ does not answer"),
        Words(
            "Nekas nav zaudēts, piegādes notiek lēnāk no datubāzes. Palaidiet RabbitMQ.",
            "Nothing is lost, deliveries go on more slowly from the database. Start RabbitMQ.",
        ),
    ),
    "job_failing": AlertText(
        Words("Fona darbs neizdodas", "A background job fails"),
        Words(
            "Skatiet gateway work --status un diagnostikas rindas ar darba nosaukumu.",
            "See gateway work --status and the lines of diagnostics with the job's name.",
        ),
    ),
    "job_silent": AlertText(
        Words("Fona darbu neviens neveic", "Nobody does a background job"),
        Words(
            "Process, kas to veica, ir apstājies: palaidiet gateway serve vai gateway work.",
            "The process that did it has stopped: start gateway serve or gateway work.",
        ),
    ),
    "quota": AlertText(
        Words("Saņēmēja dienas kvota ir izlietota", "A recipient's quota of the day is used up"),
        Words(
            "Noskaidrojiet, ko tas prasa: gateway audit search --outcome denied. Kvotas nosaka access.d.",
            "See what it asks for: gateway audit search --outcome denied. Quotas are set in access.d.",
        ),
    ),
    "sync": AlertText(
        Words("Avota izmaiņas netiek pārņemtas", "The changes of a source are not followed"),
        Words(
            "Skatiet gateway sync --status: stopped — outbox replay; refused — pārbaudiet izdevuma mapi; "
            "missing — salīdziniet ar gateway reconcile.",
            "See gateway sync --status: stopped, outbox replay; refused, see to the folder of the edition; "
            "missing, compare by gateway reconcile.",
        ),
    ),
    "disk": AlertText(
        Words("Diskā beidzas vieta", "A disk is nearly full"),
        Words(
            "Atbrīvojiet vietu stāvokļa mapes diskā vai palieliniet to.",
            "Free space on the disk of the state directory, or enlarge it.",
        ),
    ),
    "unusual_lookups": AlertText(
        Words("Neparasti vaicājumi par personām", "Unusual look-ups of persons"),
        Words(
            "Datu aizsardzības speciālistam: gateway audit unusual; izvērtējiet un pierakstiet: gateway audit dismiss.",
            "For the data-protection officer: gateway audit unusual; look into it and note: gateway audit dismiss.",
        ),
    ),
    "test": AlertText(
        Words("Izmēģinājuma trauksme", "A test alert"),
        Words("Nekas nav jādara.", "Nothing is to be done."),
    ),
}

EVENTS = {
    "opened": Words("Sākās", "Opened"),
    "graver": Words("Kļuva nopietnāk", "Became graver"),
    "closed": Words("Beidzās", "Closed"),
    "test": Words("Izmēģinājums", "Test"),
}
