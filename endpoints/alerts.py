"""How operators are told of an incident: JSON by POST to a webhook, and a mail in Latvian and English.

Nothing in a message is of a person: names of systems, jobs, certificates and hosts, and numbers.
"""

from __future__ import annotations

import smtplib
import socket
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlsplit

import requests

from config import AlertSettings
from endpoints.alert_texts import EVENTS, TEXTS, Words
from errors import ConfigurationError
from exchange import Environment, Json, instant_text, new_id, utc_now
from routing.incidents import CLOSED, Channel, Finding, Incident

SECONDS = 5.0
# What the data-protection officer decides on, and not the operators.
_FOR_DPO = frozenset({"unusual_lookups"})

Send = Callable[[AlertSettings, "Message"], None]


class NotTold(Exception):
    """A channel did not take a message; the text names the kind of failure only."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told of an incident. `event` is opened, graver, closed or test; `seen` how often it was found."""

    id: uuid.UUID
    event: str
    kind: str
    subject: str
    detail: str
    environment: Environment
    opened_at: datetime
    closed_at: datetime | None = None
    seen: int = 1

    @property
    def title(self) -> Words:
        """What is wrong, with what."""
        subject = " ".join(self.subject.split())
        about = f": {subject}" if subject else ""
        words = TEXTS[self.kind].title
        return Words(words.lv + about, words.en + about)

    def to_json(self) -> dict[str, Json]:
        """The body of the webhook; the same incident has the same `id` in each of its messages."""
        action = TEXTS[self.kind].action
        return {
            "id": str(self.id),
            "event": self.event,
            "kind": self.kind,
            "subject": self.subject,
            "detail": self.detail,
            "environment": self.environment.value,
            "opened_at": instant_text(self.opened_at),
            "closed_at": None if self.closed_at is None else instant_text(self.closed_at),
            "seen": self.seen,
            "title": {"lv": self.title.lv, "en": self.title.en},
            "action": {"lv": action.lv, "en": action.en},
            "sent_by": socket.gethostname(),
        }

    def to_mail(self, sender: str, recipients: str) -> EmailMessage:
        """The mail, Latvian first."""
        event, action = EVENTS[self.event], TEXTS[self.kind].action
        mail = EmailMessage()
        mail["From"] = sender
        mail["To"] = recipients
        mail["Date"] = format_datetime(utc_now())
        mail["Message-ID"] = f"<{new_id()}@{_domain(sender)}>"
        mail["Auto-Submitted"] = "auto-generated"
        where = f"[SPOLIS {self.environment.value}]"
        mail["Subject"] = f"{where} {event.lv}: {self.title.lv} / {event.en}: {self.title.en}"
        over = self.closed_at is not None
        lines = [
            f"{event.lv}: {self.title.lv}",
            f"Sākums: {instant_text(self.opened_at)}",
            *([f"Beigas: {instant_text(self.closed_at)}"] if self.closed_at is not None else []),
            *([] if over else [action.lv]),
            "",
            f"{event.en}: {self.title.en}",
            f"Since: {instant_text(self.opened_at)}",
            *([f"Until: {instant_text(self.closed_at)}"] if self.closed_at is not None else []),
            *([] if over else [action.en]),
            "",
            *([self.detail] if self.detail else []),
            f"id={self.id} seen={self.seen} sent_by={socket.gethostname()}",
        ]
        mail.set_content("\n".join(lines) + "\n", cte="quoted-printable")
        return mail


def of_incident(incident: Incident, stage: int, environment: Environment) -> Message:
    """What is to be told of an incident at a stage."""
    return Message(
        id=incident.id,
        event=_event(stage),
        kind=incident.kind,
        subject=incident.subject,
        detail=incident.detail,
        environment=environment,
        opened_at=incident.opened_at,
        closed_at=incident.closed_at if stage == CLOSED else None,
        seen=incident.seen,
    )


def of_finding(finding: Finding, number: uuid.UUID, since: datetime, environment: Environment) -> Message:
    """What is to be told of a finding that cannot be put into the table of incidents."""
    event = _event(finding.stage)
    return Message(number, event, finding.kind, finding.subject, finding.detail, environment, since)


def channels(settings: AlertSettings) -> tuple[Channel, ...]:
    """The channels that are set up.

    Raises: ConfigurationError for one that is set up by half.
    """
    found: list[Channel] = []
    if settings.webhook_url:
        if urlsplit(settings.webhook_url).scheme not in ("http", "https"):
            raise ConfigurationError("alerts.webhook_url must be an http or https URL")
        found.append(Channel.WEBHOOK)
    if settings.dpo_mail_to and not settings.mail_to:
        raise ConfigurationError("alerts.dpo_mail_to needs mail_to")
    if settings.mail_to:
        if not (settings.mail_from and settings.smtp_host):
            raise ConfigurationError("alerts.mail_to needs mail_from and smtp_host")
        try:
            for recipients in filter(None, (settings.mail_to, settings.dpo_mail_to)):
                Message(new_id(), "test", "test", "", "", Environment.TEST, utc_now()).to_mail(
                    settings.mail_from, recipients
                )
        except ValueError as error:
            raise ConfigurationError(
                "alerts.mail_to, dpo_mail_to and mail_from must be mail addresses"
            ) from error
        found.append(Channel.MAIL)
    return tuple(found)


def post(settings: AlertSettings, message: Message) -> None:
    """Post a message to the webhook, which answers 2xx. Raises: NotTold."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.post(
                settings.webhook_url,
                json=message.to_json(),
                timeout=SECONDS,
                allow_redirects=False,
                stream=True,
            ) as answer:
                status = answer.status_code
    except requests.RequestException as error:  # its text repeats the address
        raise NotTold(type(error).__name__) from error
    if not 200 <= status < 300:
        raise NotTold(f"HTTP {status}")


def mail(settings: AlertSettings, message: Message) -> None:
    """Give a message to the mail relay of this network, in the clear and without a login. Raises: NotTold."""
    try:
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=SECONDS) as relay:
            # Whoever of several recipients is refused is not waited for; the others would get it again.
            relay.send_message(message.to_mail(settings.mail_from, recipients_of(settings, message.kind)))
    except (OSError, smtplib.SMTPException) as error:  # its text repeats addresses
        raise NotTold(type(error).__name__) from error


def recipients_of(settings: AlertSettings, kind: str) -> str:
    """Who gets the mail of an incident of this kind."""
    return settings.dpo_mail_to if kind in _FOR_DPO and settings.dpo_mail_to else settings.mail_to


SENDERS: Mapping[Channel, Send] = {Channel.WEBHOOK: post, Channel.MAIL: mail}


def _event(stage: int) -> str:
    if stage == CLOSED:
        return "closed"
    return "opened" if stage == 1 else "graver"


def _domain(sender: str) -> str:
    try:
        return Address(addr_spec=sender).domain or "localhost"
    except (ValueError, IndexError):  # with a display name
        return "localhost"
