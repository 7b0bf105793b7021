"""What dunning says, as records of `dunning.event.v1` and `stripe.refresh_request.v1`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pipeline.processor import Message
from schemas.catalogue import DUNNING_EVENT, STRIPE_REFRESH_REQUEST
from schemas.events.dunning import DunningEvent
from schemas.events.stripe import RefreshRequest
from schemas.ids import derived_id
from schemas.subjects import kept_key
from services.dunning.core import Due, Say, SubjectState
from services.dunning.episode import Episode

MailKind = Literal["email_due", "email_sent", "email_captured", "email_failed", "email_unknown"]
MAIL_KINDS: frozenset[str] = frozenset({"email_due", "email_sent", "email_captured", "email_failed", "email_unknown"})


def episode_message(state: SubjectState, say: Say, at: datetime) -> Message:
    """An event of an episode's life."""
    facts, episode = state.facts, say.episode
    event = DunningEvent(
        episode_id=episode.id,
        workspace_id=facts.workspace_id,
        connection_id=facts.connection_id,
        customer_id=facts.customer_id,
        user_id=facts.user_id,
        kind=say.kind,
        step=episode.step,
        at=at,
        reason=episode.reason,
        detail={
            "invoices": [case.id for case in episode.cases],
            "remaining": episode.totals(),
            "opened_at": episode.opened_at.isoformat(),
            "mailed": episode.mailed,
        },
    )
    identifier = derived_id(
        subject=state.subject, rule=f"dunning.{say.kind}", cause_id=episode.id, ordinal=say.revision
    )
    key = kept_key(state.subject, episode.id, say.revision)
    return _message(state, event, identifier=identifier, key=key, at=at)


def mail_message(
    state: SubjectState,
    due: Due,
    kind: MailKind,
    *,
    at: datetime,
    message_id: str | None,
    reason: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Message:
    """An event of one email. There is at most one of each kind for an email."""
    facts = state.facts
    event = DunningEvent(
        episode_id=due.episode_id,
        workspace_id=facts.workspace_id,
        connection_id=facts.connection_id,
        customer_id=facts.customer_id,
        user_id=facts.user_id,
        kind=kind,
        step=due.step,
        at=at,
        message_id=message_id,
        reason=reason,
        detail={"attempt": due.attempt, **(detail or {})},
    )
    identifier = derived_id(subject=state.subject, rule=f"dunning.{kind}", cause_id=due.key)
    return _message(state, event, identifier=identifier, key=kept_key(state.subject, due.key, kind), at=at)


def _message(state: SubjectState, event: DunningEvent, *, identifier: str, key: str, at: datetime) -> Message:
    return Message(
        topic=DUNNING_EVENT,
        subject=state.subject,
        key=key,
        id=identifier,
        workspace_id=event.workspace_id,
        value=event.encode(),
        time=at,
        connection_id=event.connection_id,
        object_id=event.episode_id,
    )


def refresh_message(state: SubjectState, due: Due, episode: Episode, *, request_id: str, at: datetime) -> Message:
    """Please read this customer afresh: its open invoices, those of the episode, its subscriptions."""
    facts = state.facts
    request = RefreshRequest(
        request_id=request_id,
        connection_id=facts.connection_id or "",
        customer_id=facts.customer_id or "",
        invoice_ids=tuple(case.id for case in episode.open_cases),
        requested_at=at,
        reason=f"email {due.step} of {episode.policy.steps} is due",
    )
    return Message(
        topic=STRIPE_REFRESH_REQUEST,
        subject=state.subject,
        key=state.subject,
        id=request_id,
        workspace_id=facts.workspace_id,
        value=request.encode(),
        time=at,
        connection_id=facts.connection_id,
        object_id=facts.customer_id or "",
    )


def explanation(episode: Episode, due: Due) -> dict[str, Any]:
    """Why an email is due: which records, which rule, which step, why then."""
    cases = episode.open_cases
    return {
        "rule": "asked for by a person" if due.attempt else f"day {episode.policy.days[due.step - 1]}",
        "step": due.step,
        "steps": episode.policy.steps,
        "due_at": due.due_at.isoformat(),
        "first_failure": min(case.failed_at for case in cases).isoformat(),
        "counted_from": episode.anchor.isoformat(),
        "invoices": [case.id for case in cases],
        "records": sorted({source for case in cases for source in case.sources}),
        "remaining": episode.totals(),
    }
