"""The pure core: facts in, episodes out, and what is to be said of them.

    merge(state, observed) -> state         commutative and idempotent
    decide(state, image, now) -> Outcome    what follows, against what was published

Episodes follow from the facts alone (episode.py). They are compared with what was published: what reads otherwise is
said. Which email is due is part of the outcome; whether it may really go is asked again, at the real now, when it is
sent (protocol.py).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from schemas.subjects import split_subject
from services.dunning.cases import next_due_date
from services.dunning.decisions import Image
from services.dunning.episode import OPEN, Episode, boundaries, episodes_of
from services.dunning.facts import Facts, Observed, mail_key
from services.dunning.facts import merge as merge_facts

Kind = Literal["proposed", "opened", "held", "released", "recovered", "exhausted", "closed"]


class Due(msgspec.Struct, frozen=True):
    """An email that is due, since `due_at` (domain time)."""

    episode_id: str
    step: int
    attempt: str
    due_at: datetime

    @property
    def key(self) -> str:
        """Names the email wherever it is spoken of."""
        return mail_key(self.episode_id, self.step, self.attempt)


class Published(msgspec.Struct, frozen=True):
    """An episode as it was last published. `revision` counts its events from 1."""

    episode: Episode
    revision: int


class SubjectState(msgspec.Struct, frozen=True):
    """All that dunning keeps of a customer or user."""

    subject: str
    facts: Facts = Facts()
    published: dict[str, Published] = {}
    due: tuple[Due, ...] = ()


class Say(msgspec.Struct, frozen=True):
    """One thing to be said of an episode."""

    kind: Kind
    episode: Episode
    revision: int


class Outcome(msgspec.Struct, frozen=True):
    """What follows: the state that remembers it, what is to be said in order, the episodes that changed, and the
    instants at which to look again."""

    state: SubjectState
    says: tuple[Say, ...]
    changed: tuple[Episode, ...]
    timers: dict[str, datetime]


def empty(subject: str, *, workspace_id: str = "") -> SubjectState:
    """The state of a subject of whom nothing is known but its workspace. A user's subject says who it is."""
    scope, owner = split_subject(subject)
    user_id = owner if workspace_id and scope == workspace_id else None
    return SubjectState(subject=subject, facts=Facts(workspace_id=workspace_id, user_id=user_id))


def merge(state: SubjectState, observed: Observed) -> SubjectState:
    """The state with one more fact."""
    return msgspec.structs.replace(state, facts=merge_facts(state.facts, observed))


def decide(state: SubjectState, image: Image, now: datetime) -> Outcome:
    """What follows at `now` from the facts and from what was decided by then."""
    episodes = {episode.id: episode for episode in episodes_of(state.subject, state.facts, image, now)}
    says: list[Say] = []
    changed: list[Episode] = []
    published = dict(state.published)
    for episode in (*_vanished(state, episodes, now), *episodes.values()):
        known = published.get(episode.id)
        if known is not None and known.episode == episode:
            continue
        revision = known.revision if known else 0
        for kind in _kinds(known.episode if known else None, episode):
            revision += 1
            says.append(Say(kind, episode, revision))
        changed.append(episode)
        published[episode.id] = Published(episode, revision)
    due = due_of(tuple(episodes.values()))
    timers = dict(_timers(state, image, tuple(episodes.values()), now))
    after = msgspec.structs.replace(state, published=published, due=due) if changed or due != state.due else state
    return Outcome(after, tuple(says), tuple(changed), timers)


def due_of(episodes: tuple[Episode, ...]) -> tuple[Due, ...]:
    """The emails that are due."""
    return tuple(
        Due(episode.id, episode.step, episode.attempt, episode.due_at)
        for episode in episodes
        if episode.state == "due" and episode.due_at is not None
    )


def _vanished(state: SubjectState, episodes: dict[str, Episode], now: datetime) -> Iterator[Episode]:
    """Episodes that late facts put into another one, or that turn out to be none."""
    for name, published in state.published.items():
        if name not in episodes and published.episode.state != "closed":
            yield msgspec.structs.replace(
                published.episode, state="closed", reason="superseded", ended_at=now, due_at=None, cases=()
            )


def _kinds(before: Episode | None, after: Episode) -> tuple[Kind, ...]:
    """The events that lead from what was published to what follows."""
    was, now = _label(before), _label(after)
    if was == now:
        return ()
    fresh = before is None or (before.state not in {"held", "waiting", "due"} and now[0] in {"open", "held"})
    opened: tuple[Kind, ...] = ("opened",) if fresh and now[0] != "proposed" else ()
    if now[0] == "open":
        return opened or ("released",)
    return (*opened, now[0])


def _label(episode: Episode | None) -> tuple[Literal["open"] | Kind, str | None]:
    """What of an episode is told to the world: not which step it waits for, but whether it goes on."""
    if episode is None:
        return "open", "unborn"
    match episode.state:
        case "waiting" | "due":
            return "open", None
        case state:
            return state, episode.reason


def _timers(
    state: SubjectState, image: Image, episodes: tuple[Episode, ...], now: datetime
) -> Iterator[tuple[str, datetime]]:
    counted, is_open = image.until(now), any(episode.state in OPEN for episode in episodes)
    for episode in episodes:
        instants = [at for at in boundaries(episode, state.facts, counted, now) if at > now]
        if instants:
            yield f"episode:{episode.id}", min(instants)
    if (due_date := next_due_date(state.facts, now)) is not None:
        yield "due_date", due_date
    for ruling in image.after(now):
        if is_open or ruling.subject is not None:
            yield f"decision:{ruling.id}", ruling.at
