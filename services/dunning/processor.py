"""The core as the pipeline runs it: decisions become the image, records become facts, outcomes messages and rows.

A decision is on the partition of its workspace, a customer on another. So it is written to the image, and whom it
concerns is woken by a timer on the customer's own partition: there it counts from its `effective_at` on, after
everything that was said before.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline.processor import Timer, Tx
from pipeline.records import Arrived, Record
from pipeline.subjects import Effects, SubjectProcessor
from schemas.catalogue import CONTROL_DECISION, DUNNING_EVENT, STRIPE_REFRESH_RESULT, Topic, topic_named
from services.dunning import arming, core
from services.dunning.core import SubjectState
from services.dunning.decisions import Image
from services.dunning.decoding import KIND_OF, Decided, Decoded, Told, decode
from services.dunning.facts import Observed
from services.dunning.image import load_images, lock_workspaces, save_rulings, wake
from services.dunning.messages import MAIL_KINDS, episode_message
from services.dunning.store import DunningStore, save_emails

GROUP = "dunning"
INPUTS: tuple[Topic, ...] = (
    *(topic_named(name) for name in KIND_OF),
    STRIPE_REFRESH_RESULT,
    CONTROL_DECISION,
    DUNNING_EVENT,
)


class DunningCore:
    """The pipeline's Core over the pure one. `whom` is subject to workspace, of the subjects in hand."""

    def __init__(self, whom: Mapping[str, str]) -> None:
        self._whom = whom

    def empty(self, subject: str) -> SubjectState:
        return core.empty(subject, workspace_id=self._whom.get(subject, ""))

    def merge(self, state: SubjectState, fact: Observed) -> SubjectState:
        return core.merge(state, fact)

    def decide(self, state: SubjectState, policy: Image, now: datetime) -> Effects[SubjectState]:
        outcome = core.decide(state, policy, now)
        return Effects(
            state=outcome.state,
            messages=tuple(episode_message(outcome.state, say, now) for say in outcome.says),
            rows=outcome.changed,
            timers=outcome.timers,
        )


class DunningProcessor:
    """The Processor of dunning."""

    group = GROUP
    inputs = INPUTS

    def __init__(self) -> None:
        self._store = DunningStore()

    def decode(self, record: Record) -> Decoded:
        """What one record says; raises BadRecord."""
        return decode(record)

    def apply(self, tx: Tx, facts: Sequence[Arrived[Decoded]]) -> None:
        """Decisions into the image; everything else to its customer or user."""
        observed: list[Arrived[Observed]] = []
        for arrived in facts:
            match arrived.fact:
                case Decided():
                    continue
                case Told(observed=fact):
                    observed.append(Arrived(arrived.record, fact))
                case fact:
                    observed.append(Arrived(arrived.record, fact))
        decided = [(arrived.record, arrived.fact) for arrived in facts if isinstance(arrived.fact, Decided)]
        told = [
            (arrived.record, arrived.fact.event)
            for arrived in facts
            if isinstance(arrived.fact, Told) and arrived.fact.event.kind in MAIL_KINDS
        ]
        if decided:
            self._decide(tx, decided)
        if observed:
            whom = {one.record.subject: one.fact.workspace_id for one in observed}
            self._subjects(tx, whom).apply(tx, observed)
        if told:
            save_emails(tx.conn, told)
            arming.check_known(tx.conn, told, at=tx.now)

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """Decide each timer's subject at its `due_at`."""
        subjects = {timer.subject for timer in timers}
        whom = self._store.workspaces_of(tx.conn, subjects)
        for erased in subjects - set(whom):
            tx.set_timers(erased, {})
        self._subjects(tx, whom).fire(tx, [timer for timer in timers if timer.subject in whom])

    def _decide(self, tx: Tx, decided: Sequence[tuple[Record, Decided]]) -> None:
        lock_workspaces(tx.conn, {one.workspace_id for _, one in decided}, alone=True)
        rulings = [(record, one.workspace_id, one.ruling) for record, one in decided if one.ruling is not None]
        save_rulings(tx.conn, rulings)
        wake(tx, [(workspace_id, ruling) for _, workspace_id, ruling in rulings])

    def _subjects(self, tx: Tx, whom: dict[str, str]) -> SubjectProcessor[SubjectState, Observed, Image]:
        """The usual processor, going by what was decided about these subjects and their workspaces."""
        lock_workspaces(tx.conn, set(whom.values()), alone=False)
        tx.lock("subject", whom)
        images = load_images(tx.conn, whom)
        return SubjectProcessor(
            group=GROUP,
            inputs=INPUTS,
            core=DunningCore(whom),
            store=self._store,
            decoder=lambda _: Observed("", None, None, None, None, None),
            policy_of=lambda subject: images.get(subject, Image()),
        )
