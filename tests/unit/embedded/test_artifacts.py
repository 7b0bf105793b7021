"""Kafka's artifacts are run as they were pinned or not at all."""

import hashlib
from pathlib import Path

import pytest

from deploy.embedded import artifacts
from deploy.embedded.artifacts import COORDINATES, Pin, ensure_artifacts, read_pins
from deploy.embedded.errors import ArtifactError, HashMismatch


def pin_of(content: bytes, coordinate: str = "org.acme:thing:1.0") -> Pin:
    return Pin(coordinate, hashlib.sha256(content).hexdigest())


def put(repository: Path, pin: Pin, content: bytes) -> Path:
    file = repository / pin.file
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return file


def test_every_wanted_coordinate_is_pinned_once_with_a_sha256() -> None:
    pins = read_pins()
    assert {pin.coordinate for pin in pins} >= set(COORDINATES)
    assert len({pin.coordinate.rpartition(":")[0] for pin in pins}) == len(pins)
    assert all(len(pin.sha256) == 64 for pin in pins)


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "_fetch", lambda *_: pytest.fail("fetched"))
    pin = pin_of(b"bytes")
    file = put(tmp_path, pin, b"bytes")
    assert ensure_artifacts(tmp_path, pins=[pin]) == [file]


def test_an_artifact_with_other_bytes_is_refused_and_removed(tmp_path: Path) -> None:
    pin = pin_of(b"bytes")
    file = put(tmp_path, pin, b"other bytes")
    with pytest.raises(HashMismatch, match=r"thing-1\.0\.jar is not the artifact that was pinned"):
        ensure_artifacts(tmp_path, pins=[pin])
    assert not file.exists()


def test_a_repository_that_cannot_be_reached_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(artifacts, "_fetch", unreachable)
    with pytest.raises(ArtifactError, match=r"no route to host.*KAFKA_BOOTSTRAP_SERVERS"):
        ensure_artifacts(tmp_path, pins=[pin_of(b"bytes")])


def test_fetching_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = [pin_of(b"a", "org.acme:a:1"), pin_of(b"b", "org.acme:b:1")]
    contents = {pins[0]: b"a", pins[1]: b"b"}
    monkeypatch.setattr(artifacts, "_fetch", lambda repository, pin: put(repository, pin, contents[pin]))
    told: list[tuple[int, int]] = []
    ensure_artifacts(tmp_path, pins=pins, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]
