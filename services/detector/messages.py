"""A publication as the event of the contract, and as a row of the table."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.events.base import Source
from schemas.events.signal import ChurnSignal, Evidence
from schemas.ids import derived_id
from services.detector.core import Publication
from services.detector.facts import TOPIC_OF, Facts
from services.detector.rules.base import Exhibit


def event_id(subject: str, publication: Publication) -> str:
    """The `ce_id` of the event: of its signal, what is said, and which time something is said of it."""
    signal = publication.signal
    return derived_id(
        subject=subject,
        rule=f"{signal.finding.code}.{publication.step}",
        cause_id=signal.signal_id,
        ordinal=signal.revision,
    )


def event_of(facts: Facts, publication: Publication) -> ChurnSignal:
    """The value of the record."""
    signal, finding = publication.signal, publication.signal.finding
    over = publication.step == "resolved" or signal.state == "resolved"
    return ChurnSignal(
        signal_id=signal.signal_id,
        workspace_id=facts.workspace_id,
        connection_id=facts.connection_id,
        customer_id=facts.customer_id,
        code=finding.code,
        state=publication.step,
        severity=finding.severity,
        sentence=finding.sentence,
        opened_at=_instant(finding.opened_at),
        resolved_at=_instant(finding.resolved_at) if over and finding.resolved_at is not None else None,
        resolution=_resolution(publication, over=over),
        detail=finding.detail,
        evidence=tuple(_evidence(exhibit) for exhibit in finding.evidence),
    )


def _resolution(publication: Publication, *, over: bool) -> str | None:
    if publication.step == "withdrawn":
        return "later facts show that it should not have opened"
    return publication.signal.finding.resolution if over else None


def _evidence(exhibit: Exhibit) -> Evidence:
    seen = exhibit.seen
    source = Source(topic=TOPIC_OF[exhibit.kind], partition=seen.partition, offset=seen.offset)
    return Evidence(source=source, object_id=exhibit.object_id, says=exhibit.says)


class SignalRow(msgspec.Struct, frozen=True):
    """One row of the table `signals`: the signal as it stands. Times are aware UTC datetimes."""

    signal_id: str
    subject: str
    workspace_id: str
    connection_id: str
    livemode: bool
    customer_id: str | None
    user_id: str | None
    code: str
    state: str
    severity: str
    opened_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    sentence: str
    detail: Mapping[str, Any]
    evidence: list[dict[str, Any]]
    revision: int


def row_of(subject: str, facts: Facts, publication: Publication) -> SignalRow:
    """The row that a publication leaves."""
    event, signal = event_of(facts, publication), publication.signal
    return SignalRow(
        signal_id=signal.signal_id,
        subject=subject,
        workspace_id=event.workspace_id,
        connection_id=facts.connection_id,
        livemode=facts.livemode,
        customer_id=event.customer_id,
        user_id=event.user_id,
        code=event.code,
        state=signal.state,
        severity=event.severity,
        opened_at=event.opened_at,
        resolved_at=event.resolved_at,
        resolution=event.resolution,
        sentence=event.sentence,
        detail=event.detail,
        evidence=[item.model_dump() for item in event.evidence],
        revision=signal.revision,
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
