"""Errors as problem+json (RFC 9457), and the page behind each problem's type, in Latvian and English."""

from __future__ import annotations

import uuid
from html import escape

import rfc8785

from errors import GatewayError, NotFound, Side, by_code
from exchange import Json, Reply

CONTENT_TYPE = "application/problem+json"

# Every code of the closed table, said in Latvian.
LATVIAN = {
    "internal_error": (
        "Vārteja šobrīd to nevar izpildīt. "
        "Mēģiniet vēlāk; ja atkārtojas, nosauciet uzturētājam apmaiņas identifikatoru."
    ),
    "invalid_request": "Pieprasījums nav saprotams. Salīdziniet to ar publicēto līgumu.",
    "invalid_person_code": (
        "Personas kods nav derīgs. Norādiet 11 ciparus, ar domuzīmi aiz sestā vai bez tās."
    ),
    "schema_violation": "Ziņojums neatbilst publicētajai shēmai. Pārbaudiet to pret līguma XSD.",
    "malformed_message": "Ziņojums nav pareizi izveidots. Sūtiet UTF-8 XML vai JSON, kā noteikts līgumā.",
    "doctype_refused": "Ziņojumā ir dokumenta tipa deklarācija. Izņemiet DOCTYPE.",
    "too_large": "Ziņojums pārsniedz pieļaujamo apjomu. Sadaliet to.",
    "unknown_operation": "Tādas sistēmas vai darbības nav. Saraksts ir OpenAPI dokumentā vai WSDL.",
    "wrong_environment": (
        "Ziņojums paredzēts otrai videi. Izsauciet tās vides adresi, kas nosaukta kontekstā."
    ),
    "not_found": "Ar šādu atslēgu nekas nav atrasts. Pārbaudiet atslēgu.",
    "message_id_reused": (
        "Šis ziņojuma identifikators jau lietots ar citu saturu. Katram jaunam ziņojumam dodiet savu."
    ),
    "not_authenticated": (
        "Izsaucējs nav zināms. Sūtiet atslēgu laukā Authorization: Bearer vai lūdziet to uzturētājam."
    ),
    "unsigned": (
        "Ziņojums nav parakstīts, kā prasa paraksta profils. "
        "Parakstiet Timestamp, Body un adresācijas laukus."
    ),
    "signature_invalid": (
        "Paraksts neatbilst. Parakstiet tieši nosūtītos baitus ar paraksta profila algoritmiem."
    ),
    "untrusted_certificate": (
        "Sertifikātam te neuzticas. "
        "Lietojiet uzticamo sarakstā esošas iestādes izdotu, spēkā esošu sertifikātu."
    ),
    "expired_certificate": "Sertifikāta termiņš ir beidzies. Parakstiet ar jauno, iepriekš to reģistrējot.",
    "revoked_certificate": "Sertifikātu ir atsaucis tā izdevējs. Saņemiet jaunu un lūdziet to reģistrēt.",
    "revocation_unknown": (
        "Nav zināms, vai sertifikāts ir atsaukts: izdevēja saraksts vai atbilde ir novecojusi. Mēģiniet vēlāk."
    ),
    "unknown_partner": "Sertifikāts nepieder nevienam aktīvam partnerim. Lūdziet uzturētāju to reģistrēt.",
    "stale": (
        "Ziņojuma derīguma laiks beidzies vai nav sācies. "
        "Pārbaudiet pulksteni un parakstiet ar jaunu Timestamp."
    ),
    "access_denied": (
        "Šādam pieprasījumam tiesību nav. "
        "Jautājiet uzturētājam, kuras darbības, mērķi un tiesības piešķirtas."
    ),
    "purpose_not_allowed": (
        "Mērķis vai tiesību norma šai darbībai nav piešķirta. Lietojiet piešķirtu vai lūdziet to piešķirt."
    ),
    "no_open_stay": (
        "Persona neuzturas aprūpes institūcijā, tāpēc maksājumus prasīt nedrīkst. "
        "Vispirms reģistrējiet uzturēšanos."
    ),
    "not_own_data": (
        "Tie nav pieprasītāja paša dati, un šodien tā nav viņa aizbildnībā vai aizgādnībā esoša persona. "
        "Prasiet par sevi vai šādu personu."
    ),
    "quota_exceeded": "Šī saņēmēja kvota ir izlietota. Mēģiniet vēlreiz pēc norādītā laika.",
    "system_unavailable": "Ārējā sistēma nav sasniedzama. Mēģiniet vēlāk; nekas nav mainīts.",
    "system_timeout": "Ārējā sistēma laikā neatbildēja. Mēģiniet vēlāk.",
    "system_fault": "Ārējā sistēma pieprasījumu nespēja izpildīt un to paziņoja. Mēģiniet vēlāk.",
    "system_refused": (
        "Ārējā sistēma pieprasījumu noraidīja. Pārbaudiet argumentus vai jautājiet uzturētājam."
    ),
    "answer_invalid": (
        "Ārējās sistēmas atbildei nevar uzticēties vai to nevar nolasīt. "
        "Tā glabājas kā pierādījums un reģistros nenonāk."
    ),
    "unexpected_element": "Ārējās sistēmas atbildē ir kaut kas, kā līgumā nav. Reģistros tā nenonāk.",
    "unknown_code": "Ārējās sistēmas atbildē ir kods, kura klasifikatorā nav. Reģistros tā nenonāk.",
    "answer_signature_invalid": "Ārējās sistēmas atbilde nav parakstīta, kā norunāts. Reģistros tā nenonāk.",
    "answer_unreadable": "Ārējā sistēma atsūtīja kaut ko, kas nav SOAP ziņojums. Reģistros tas nenonāk.",
    "answer_mismatch": "Atbilde pieder citam ziņojumam. Reģistros tā nenonāk.",
    "outcome_unknown": (
        "Nav zināms, kas ar pieprasījumu noticis. "
        "Pirms sūtāt jaunu, jautājiet ar to pašu ziņojuma identifikatoru."
    ),
    "log_unavailable": "Apmaiņas žurnālā nevar rakstīt, tāpēc nekas netiek darīts. Mēģiniet vēlāk.",
    "log_damaged": (
        "Apmaiņas žurnāls datubāzē ir bojāts. Uzturētājam jāpalaiž `gateway audit verify`, kas norāda vietu."
    ),
    "busy": "Vārtejai ir vairāk darba, nekā tā var uzņemties. Mēģiniet vēlreiz pēc norādītā laika.",
    "configuration_error": (
        "Vārtejas konfigurācija ir kļūdaina. Uzturētājam tā jālabo un vārteja jāpalaiž no jauna."
    ),
}


def sentence(error: type[GatewayError]) -> str:
    """What happened and what to do, in English."""
    return " ".join((error.__doc__ or "").split())


def problem(
    error: GatewayError,
    exchange_id: uuid.UUID,
    *,
    status: int | None = None,
    allow: tuple[str, ...] = (),
) -> Reply:
    """The answer that tells an error. `status` differs from the error's own where HTTP itself has a better one.

    Shape: type, title, status, code, exchange_id, retryable, retry_after; `detail` where it names a place in the
    message. What is our own fault stays without detail, which could name files and tables.
    """
    status = status or error.status
    content: dict[str, Json] = {
        "type": f"/problems/{error.code}",
        "title": sentence(by_code()[error.code]),
        "status": status,
        "code": error.code,
        "exchange_id": str(exchange_id),
        "retryable": error.retryable,
        "retry_after": error.retry_after,
    }
    if error.detail and error.side is not Side.GATEWAY:
        content["detail"] = error.detail
    headers = {"Content-Type": CONTENT_TYPE, "X-Exchange-Id": str(exchange_id), "Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="spolis-gateway"'
    if allow:
        headers["Allow"] = ", ".join(allow)
    return Reply(status, headers, rfc8785.dumps(content))


def about(code: str) -> dict[str, Json]:
    """A problem explained: what its type stands for.

    Raises: NotFound for a code that the table does not have.
    """
    error = _known(code)
    return {
        "type": f"/problems/{code}",
        "code": code,
        "status": error.status,
        "side": error.side.value,
        "retryable": error.retryable,
        "title_lv": LATVIAN[code],
        "title_en": sentence(error),
    }


def page(code: str) -> str:
    """The same for people. Raises: NotFound."""
    error = _known(code)
    again = (
        ("Atkārtot ir vērts.", "Worth repeating.")
        if error.retryable
        else ("Atkārtot nav vērts.", "Not worth repeating.")
    )
    return document(
        code,
        f"<h1>{escape(code)}</h1>"
        f'<p lang="lv">{escape(LATVIAN[code])} {again[0]}</p>'
        f'<p lang="en">{escape(sentence(error))} {again[1]}</p>'
        f"<p>HTTP {error.status}</p>",
    )


def _known(code: str) -> type[GatewayError]:
    try:
        return by_code()[code]
    except KeyError as error:
        raise NotFound from error


def document(title: str, content: str) -> str:
    """A small HTML document with its style inside; `content` is HTML already."""
    return (
        '<!DOCTYPE html><html lang="lv"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{content}</main></body></html>"
    )


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1b1b1b;background:#fff}"
    "main{max-width:60rem;margin:0 auto;padding:1rem}"
    "code,pre{font-family:ui-monospace,monospace;background:#f3f3f3}"
    "pre{padding:.75rem;overflow:auto}table{border-collapse:collapse;width:100%}"
    "th,td{border-bottom:1px solid #ccc;text-align:left;vertical-align:top;padding:.3rem .6rem}"
    "a{color:#00498d}a:focus{outline:3px solid #f4b400}"
)
