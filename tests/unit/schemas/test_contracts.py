"""The contracts of the topics: names, keys, partitions, ids, versions, headers."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as reference_murmur2

from schemas import ids
from schemas.catalogue import RAW_TOPICS, TOPICS, topic_named
from schemas.envelope import Envelope, RawAttributes, format_time, parse_envelope, parse_time
from schemas.errors import EnvelopeError, UnknownTopic
from schemas.partition import murmur2, partition_of
from schemas.subjects import kept_key, product_subject, split_subject, stripe_subject
from schemas.versions import MAX_SEQUENCE, pack_version, unpack_version

instants = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
names = st.text(min_size=1, max_size=20)


@given(st.binary(max_size=200))
def test_the_partitioner_is_the_one_of_kafkas_own_clients(data: bytes) -> None:
    assert murmur2(data) == reference_murmur2(data) & 0xFFFFFFFF


@pytest.mark.parametrize(("subject", "partition"), [("con_1/cus_1", 1), ("con_1/cus_9", 0), ("ws_1/user 7", 5)])
def test_a_subject_stays_where_it_has_always_been(subject: str, partition: int) -> None:
    assert partition_of(subject, 8) == partition


def test_every_topic_is_named_domain_entity_kind_version_and_never_lacks_a_key() -> None:
    for name, topic in TOPICS.items():
        assert name == topic.name
        assert name.rsplit(".", 1)[1] == "v1"
        assert topic.key


def test_a_topic_that_is_kept_for_ever_has_unique_keys_and_dormant_compaction() -> None:
    for topic in TOPICS.values():
        config = topic.config()
        if topic.kept_for_ever:
            assert topic.key != "subject"
            assert config["cleanup.policy"] == "compact"
            assert config["min.cleanable.dirty.ratio"] == "1.0"
        else:
            assert config["cleanup.policy"] == "delete"


def test_every_object_of_stripe_that_is_polled_has_a_raw_topic() -> None:
    assert set(RAW_TOPICS) == {"customer", "subscription", "invoice", "charge", "payment_intent", "dispute"}


def test_an_unknown_topic_is_named_with_what_there_is() -> None:
    with pytest.raises(UnknownTopic, match=r"stripe\.invoice\.raw\.v1"):
        topic_named("stripe.invoices")


@given(subject=names, rule=names, cause=names)
def test_the_same_cause_has_the_same_id_and_another_has_another(subject: str, rule: str, cause: str) -> None:
    first = ids.derived_id(subject=subject, rule=rule, cause_id=cause)
    assert first == ids.derived_id(subject=subject, rule=rule, cause_id=cause)
    assert first != ids.derived_id(subject=subject, rule=rule, cause_id=cause, ordinal=1)
    assert first != ids.decision_effect_id(decision_id=cause, rule=rule)


@given(subject=names, rule=names, cause=names)
def test_an_id_is_a_uuid5_in_its_own_name_space(subject: str, rule: str, cause: str) -> None:
    parts = "\x1f".join(("derived", subject, rule, cause, "0"))
    assert ids.derived_id(subject=subject, rule=rule, cause_id=cause) == str(uuid5(ids.NAMESPACE, parts))


@given(instants)
def test_a_time_is_rfc_3339_in_utc_with_microseconds(instant: datetime) -> None:
    assert format_time(instant) == instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert parse_time(format_time(instant.astimezone(timezone(timedelta(hours=5))))) == instant


def test_raw_ids_form_a_chain_so_that_a_value_that_comes_back_is_a_new_record() -> None:
    def raw(fingerprint: str, previous: str) -> str:
        return ids.raw_id(connection_id="con_1", object_id="cus_1", fingerprint=fingerprint, previous_id=previous)

    first = raw("a", "")
    second = raw("b", first)
    assert raw("a", second) != first


@given(
    epochs=st.lists(st.integers(min_value=1, max_value=2**42), min_size=2, max_size=2, unique=True),
    sequences=st.tuples(st.integers(0, MAX_SEQUENCE), st.integers(0, MAX_SEQUENCE)),
)
def test_a_later_lease_always_has_the_greater_version(epochs: list[int], sequences: tuple[int, int]) -> None:
    earlier, later = sorted(epochs)
    old, new = (pack_version(epoch_ms=e, sequence=s) for e, s in zip((earlier, later), sequences, strict=True))
    assert old < new < 2**63
    assert unpack_version(new) == (later, sequences[1])


def test_a_sequence_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="renew the lease"):
        pack_version(epoch_ms=1, sequence=MAX_SEQUENCE + 1)


@given(
    version=st.integers(0, 2**62), observed=instants, expanded=st.frozensets(st.sampled_from(["customer", "discounts"]))
)
def test_an_envelope_reads_back_what_was_written(version: int, observed: datetime, expanded: frozenset[str]) -> None:
    raw = RawAttributes(
        change="updated", account="acct_1", livemode=False, observed_at=observed, expanded=expanded, version=version
    )
    written = Envelope(
        id="id-1",
        source="/dropfix/poller",
        type="stripe.customer.raw.v1",
        time=observed,
        subject="con_1/cus_1",
        object_id="cus_1",
        workspace_id="ws_1",
        connection_id="con_1",
        extra=raw.extra(),
    )
    read = parse_envelope(written.headers())
    assert read == written
    assert RawAttributes.of(read) == raw


@pytest.mark.parametrize("missing", ["ce_specversion", "ce_id", "ce_time", "ce_partitionkey", "ce_workspaceid"])
def test_a_missing_header_is_named(missing: str) -> None:
    envelope = Envelope(id="1", source="s", type="t", time=datetime.now(UTC), subject="a/b", workspace_id="w")
    headers = [pair for pair in envelope.headers() if pair[0] != missing]
    with pytest.raises(EnvelopeError, match=missing):
        parse_envelope(headers)


@given(instants, instants)
def test_times_as_text_sort_like_times(one: datetime, other: datetime) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)


def test_a_time_without_a_zone_is_refused_and_another_zone_becomes_utc() -> None:
    with pytest.raises(EnvelopeError, match="zone"):
        parse_time("2026-01-01T00:00:00")
    local = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert parse_time(local.isoformat()) == datetime(2026, 1, 1, tzinfo=UTC)


def test_subjects_and_keys_are_as_the_contract_writes_them() -> None:
    subject = stripe_subject("con_1", "cus_1")
    assert subject == "con_1/cus_1"
    assert split_subject(subject) == ("con_1", "cus_1")
    assert kept_key(subject, "in_9", 17) == "con_1/cus_1#in_9@17"
    assert product_subject("ws_1", anonymous_id="a1") == "ws_1/anon:a1"
    with pytest.raises(ValueError, match="userId"):
        product_subject("ws_1")
