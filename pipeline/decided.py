"""The usual Processor of a service that goes by decisions: a SubjectProcessor whose policies come from the image."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from pipeline.decisions import Image, decode_decision, load_images, lock_workspaces, save_decisions, wake
from pipeline.errors import BadRecord
from pipeline.processor import Timer, Tx
from pipeline.records import Arrived, Record
from pipeline.subjects import SubjectProcessor
from runtime.database import Connection
from schemas.catalogue import CONTROL_DECISION, Topic
from schemas.events.control import Decision

S = TypeVar("S")
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


class OfWorkspace(Protocol):
    """A fact says which workspace it is about."""

    @property
    def workspace_id(self) -> str: ...


F = TypeVar("F", bound=OfWorkspace)


class Governance(Protocol[P_co]):
    """How a service goes by decisions."""

    @property
    def kinds(self) -> Collection[str]:
        """The kinds that concern it; others are not kept."""

    def policy(self, image: Image, subject: str) -> P_co:
        """What its core goes by for a subject of the image's workspace.

        The image holds what will count later too: a core that is decided before sets a timer for it.
        """

    def check(self, conn: Connection, decision: Decision) -> None:
        """Raises BadRecord where the decision cannot be gone by here; then it is rejected."""

    def concerned(self, conn: Connection, decision: Decision) -> Sequence[str]:
        """The subjects that are to be decided again at the decision's `effective_at`."""

    def workspaces_of(self, conn: Connection, subjects: Collection[str]) -> dict[str, str]:
        """Subject to workspace, of those that the service knows."""


@dataclass(frozen=True)
class DecidedProcessor(Generic[S, F, P]):
    """A Processor out of a SubjectProcessor and the governance that gives each of its subjects a policy."""

    subjects: SubjectProcessor[S, F, P]
    governance: Governance[P]

    @property
    def group(self) -> str:
        return self.subjects.group

    @property
    def inputs(self) -> tuple[Topic, ...]:
        return (*self.subjects.inputs, CONTROL_DECISION)

    def decode(self, record: Record) -> F | Decision:
        """The fact or the decision in one record; raises BadRecord."""
        return decode_decision(record) if record.topic == CONTROL_DECISION.name else self.subjects.decode(record)

    def apply(self, tx: Tx, facts: Sequence[Arrived[F | Decision]]) -> None:
        """Decisions into the image, and whom they concern is woken; everything else to its subject."""
        decided: list[tuple[Record, Decision]] = []
        told: list[Arrived[F]] = []
        for arrived in facts:
            if isinstance(arrived.fact, Decision):
                decided.append((arrived.record, arrived.fact))
            else:
                told.append(Arrived(arrived.record, arrived.fact))
        if decided:
            self._keep(tx, [one for one in decided if one[1].kind in self.governance.kinds])
        if told:
            whom = {one.record.subject: one.fact.workspace_id for one in told}
            self._going_by_decisions(tx, whom).apply(tx, told)

    def fire(self, tx: Tx, timers: Sequence[Timer]) -> None:
        """Decide each timer's subject at its `due_at`."""
        wanted = {timer.subject for timer in timers}
        whom = self.governance.workspaces_of(tx.conn, wanted)
        for erased in wanted - whom.keys():
            tx.set_timers(erased, {})
        self._going_by_decisions(tx, whom).fire(tx, [timer for timer in timers if timer.subject in whom])

    def _keep(self, tx: Tx, decided: Sequence[tuple[Record, Decision]]) -> None:
        if not decided:
            return
        lock_workspaces(tx.conn, {decision.workspace_id for _, decision in decided}, alone=True)
        for record, decision in decided:
            try:
                self.governance.check(tx.conn, decision)
            except BadRecord as error:
                tx.reject(record, error.reason)
                continue
            save_decisions(tx.conn, [(record, decision)])
            wake(tx.conn, decision, self.governance.concerned(tx.conn, decision))

    def _going_by_decisions(self, tx: Tx, whom: dict[str, str]) -> SubjectProcessor[S, F, P]:
        workspaces = set(whom.values())
        lock_workspaces(tx.conn, workspaces, alone=False)
        images = load_images(tx.conn, workspaces)
        policies: dict[str, P] = {}

        def policy_of(subject: str) -> P:
            if subject not in policies:
                policies[subject] = self.governance.policy(images[whom[subject]], subject)
            return policies[subject]

        return replace(self.subjects, policy_of=policy_of)
