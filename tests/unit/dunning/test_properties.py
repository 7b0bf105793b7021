"""The core is a function of a set of facts: any order, any batching, any repeat ends the same."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import Record
from services.dunning.core import SubjectState, decide
from services.dunning.decisions import Image, Ruling
from services.dunning.decoding import Decided, Told, decode
from services.dunning.episode import Episode, episodes_of
from services.dunning.facts import Facts, Mail, Observed, merge
from tests.unit.dunning.build import (
    CUSTOMER,
    DAY,
    HOUR,
    START,
    SUBJECT,
    Stage,
    charge,
    customer,
    dispute,
    intent,
    invoice,
    subscription,
)

END = START + 60 * DAY
Step = tuple[str, int]


@st.composite
def stories(draw: st.DrawFn) -> Stage:
    """A customer's life of some weeks: failures, retries, payments, changes, decisions, emails."""
    stage = Stage.armed()
    steps: list[Step] = draw(
        st.lists(st.tuples(st.sampled_from(sorted(_ACTS)), st.integers(0, 45)), min_size=1, max_size=14)
    )
    for act, day in sorted(steps, key=lambda step: step[1]):
        _ACTS[act](stage, day)
    return stage


def _mail(stage: Stage, day: int) -> None:
    at = START + day * DAY + HOUR
    for episode in stage.episodes(at):
        if episode.state == "due":
            stage.mailed(episode.step, at=at, episode=episode, state=("sent", "unknown", "failed")[day % 7 % 3])


def _at(day: int) -> timedelta:
    return day * DAY


_ACTS = {
    "fail one": lambda stage, day: stage.fail("in_1", at=START + _at(day)),
    "fail two": lambda stage, day: stage.fail("in_2", at=START + _at(day), currency="eur"),
    "backfill": lambda stage, day: stage.fail("in_3", at=START + _at(day), change="backfilled"),
    "retry": lambda stage, day: stage.see(charge(f"ch_{day}", at=START + _at(day)), at=START + _at(day)),
    "hard": lambda stage, day: stage.see(charge(f"ch_{day}", of="in_2", reason="lost_card"), at=START + _at(day)),
    "pay one": lambda stage, day: stage.pay("in_1", at=START + _at(day)),
    "void two": lambda stage, day: stage.see(
        invoice("in_2", status="void", currency="eur", closed_at=START + _at(day)), at=START + _at(day)
    ),
    "clear": lambda stage, day: stage.see(invoice("in_1", remaining=0), at=START + _at(day)),
    "slow": lambda stage, day: stage.see(
        charge("ch_slow", status=("pending", "failed", "succeeded")[day % 3], reason=None), at=START + _at(day)
    ),
    "confirm": lambda stage, day: stage.see(intent(status="requires_action"), at=START + _at(day)),
    "debit": lambda stage, day: stage.see(intent(of="in_2", status="processing"), at=START + _at(day)),
    "move": lambda stage, day: stage.see(customer(email=f"ada{day}@example.com"), at=START + _at(day)),
    "dispute": lambda stage, day: stage.see(dispute(status=("won", "needs_response")[day % 2]), at=START + _at(day)),
    "cancel": lambda stage, day: stage.see(subscription(status="canceled"), at=START + _at(day)),
    "renew": lambda stage, day: stage.see(subscription(status="active"), at=START + _at(day)),
    "delete": lambda stage, day: stage.see(
        {"id": CUSTOMER, "object": "customer", "deleted": True}, at=START + _at(day), change="deleted"
    ),
    "hold": lambda stage, day: stage.decide("dunning.hold", at=START + _at(day), about=True),
    "release": lambda stage, day: stage.decide("dunning.release", at=START + _at(day), about=True),
    "stop": lambda stage, day: stage.decide("dunning.stop", at=START + _at(day), about=True),
    "start": lambda stage, day: stage.decide("dunning.start", at=START + _at(day), about=True),
    "off": lambda stage, day: stage.decide("dunning.sending", {"mode": "off"}, at=START + _at(day)),
    "on": lambda stage, day: stage.decide("dunning.sending", {"mode": "on"}, at=START + _at(day)),
    "policy": lambda stage, day: stage.decide("dunning.policy", {"days": (0, day + 1)}, at=START + _at(day)),
    "mail": _mail,
}


def told(records: list[Record], mails: list[Mail]) -> tuple[Facts, Image]:
    """What is known after these, in this order."""
    facts, rulings = Facts(), list[Ruling]()
    for record in records:
        match decode(record):
            case Decided(ruling=ruling) if ruling is not None:
                rulings.append(ruling)
            case Observed() as observed:
                facts = merge(facts, observed)
            case Decided() | Told():
                raise AssertionError(record)
    for mail in mails:
        facts = merge(facts, Observed("ws_1", "con_1", CUSTOMER, None, None, mail))
    return facts, Image.of(rulings)


@settings(max_examples=150, deadline=None)
@given(stage=stories(), data=st.data())
def test_any_order_and_any_repeat_of_the_records_gives_the_same_episodes(stage: Stage, data: st.DataObject) -> None:
    mails = list(stage.facts.mails.values())
    known, decided = told(stage.records, mails)
    repeated = stage.records + data.draw(st.lists(st.sampled_from(stage.records), max_size=4))
    shuffled = data.draw(st.permutations(repeated))
    facts, image = told(shuffled, data.draw(st.permutations(mails)))
    assert facts == known
    assert episodes_of(SUBJECT, facts, image, END) == episodes_of(SUBJECT, known, decided, END)


@settings(max_examples=150, deadline=None)
@given(stage=stories())
def test_what_was_said_is_said_once_and_ends_where_the_facts_do(stage: Stage) -> None:
    state = SubjectState(subject=SUBJECT)
    said = []
    for day in range(61):
        now = START + day * DAY + HOUR
        known = [record for record in stage.records if record.observed_at <= now]
        mails = [mail for mail in stage.facts.mails.values() if mail.at <= now]
        facts, image = told(known, mails)
        outcome = decide(SubjectState(SUBJECT, facts, state.published, state.due), image, now)
        again = decide(outcome.state, image, now)
        assert (again.says, again.changed) == ((), ())
        assert all(at > now for at in outcome.timers.values())
        said += [(say.episode.id, say.revision) for say in outcome.says]
        state = outcome.state
    assert len(said) == len(set(said))
    final = {one.id: one for one in episodes_of(SUBJECT, stage.facts, stage.image, START + 60 * DAY + HOUR)}
    assert {name: published.episode for name, published in state.published.items() if name in final} == final


@settings(max_examples=150, deadline=None)
@given(stage=stories())
def test_at_most_one_email_is_due_and_never_for_what_is_over(stage: Stage) -> None:
    for day in range(61):
        now = START + day * DAY + HOUR
        due = [one for one in stage.episodes(now) if one.state == "due"]
        assert len(due) <= 1
        for episode in due:
            _must_be_mailable(stage, episode)


def _must_be_mailable(stage: Stage, episode: Episode) -> None:
    assert episode.open_cases
    assert not any(case.proposed for case in episode.cases)
    sent = {mail.step for mail in stage.facts.mails.values() if mail.episode_id == episode.id and mail.state == "sent"}
    assert episode.step not in {step for step in sent if step <= episode.mailed}
    assert episode.step > episode.mailed
