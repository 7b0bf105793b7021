"""Folders, files and ports of a stack."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.embedded.errors import DataDirBusy, MissingPrerequisite
from deploy.embedded.places import DataDir, cache_dir, write_whole
from deploy.embedded.ports import PortClaims, choose_ports, is_free
from deploy.embedded.process import MARK
from deploy.embedded.state import Identity, ProcessReport, StackReport, end_orphans, held, read_state, write_state


def test_a_file_is_for_its_owner_alone_and_never_half_there(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write_whole(file, "one")
    write_whole(file, "two")
    assert file.read_text() == "two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_in_the_place_of_a_data_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(
            MissingPrerequisite, match=rf"{folder} cannot be made: {tmp_path}/file is a file; .*--data-dir"
        ):
            DataDir.prepare(folder)


def test_the_cache_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DROPFIX_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "dropfix"
    monkeypatch.setenv("DROPFIX_CACHE_DIR", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"


def test_a_wanted_port_is_given_only_where_it_is_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert choose_ports(["a"], wanted={"a": port})["a"] != port
    assert choose_ports(["a"], wanted={"a": port}) == {"a": port}


def test_no_two_names_get_one_port() -> None:
    port = choose_ports(["a"], wanted={})["a"]
    chosen = choose_ports(["a", "b", "c"], wanted={"a": port, "b": port})
    assert chosen["a"] == port
    assert len(set(chosen.values())) == 3


def test_a_port_that_another_stack_was_promised_is_not_given_though_nobody_listens_there_yet(tmp_path: Path) -> None:
    with PortClaims(tmp_path) as one, PortClaims(tmp_path) as other:
        port = choose_ports(["a"], wanted={}, claim=one.claim)["a"]
        assert is_free(port)
        assert choose_ports(["a"], wanted={"a": port}, claim=other.claim)["a"] != port
    with PortClaims(tmp_path) as later:
        assert choose_ports(["a"], wanted={"a": port}, claim=later.claim) == {"a": port}


def test_a_data_folder_is_one_stacks_at_a_time(tmp_path: Path) -> None:
    data = DataDir.prepare(tmp_path)
    with (
        held(data),
        pytest.raises(DataDirBusy, match=rf"already runs in .*process {os.getpid()}.*--data-dir"),
        held(data),
    ):
        pass
    with held(data):
        pass


def test_a_process_is_told_from_another_with_its_id() -> None:
    me = Identity.of(os.getpid())
    assert me is not None
    assert me.alive
    assert not Identity(me.pid, me.started - 100).alive


def test_a_dead_child_that_nobody_waited_for_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = Identity.of(child.pid)
    assert identity is not None
    before = identity.alive
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert (before, identity.alive) == (True, False)
    child.communicate()


def test_what_is_written_of_a_stack_is_read_again(tmp_path: Path) -> None:
    data = DataDir.prepare(tmp_path)
    process = ProcessReport("kafka", "healthy", Identity(7, 1.5), 2, "kafka.log", last_exit=-9)
    report = StackReport(
        state="running",
        supervisor=Identity(1, 2.0),
        data_dir=str(tmp_path),
        addresses={"kafka": "127.0.0.1:9"},
        processes=(process,),
        ports={"kafka": 9},
    )
    write_state(data, report)
    assert read_state(tmp_path) == report
    assert stat.S_IMODE(data.state.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"state": "running"})])
def test_a_damaged_state_file_is_as_none(tmp_path: Path, content: str) -> None:
    data = DataDir.prepare(tmp_path)
    data.state.write_text(content)
    assert read_state(tmp_path) is None


def test_what_an_earlier_supervisor_left_is_ended_by_force_if_need_be(tmp_path: Path) -> None:
    data, other = DataDir.prepare(tmp_path / "a"), DataDir.prepare(tmp_path / "b")
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); sys.stdin.read()"

    def leave(folder: DataDir) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", deaf],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, MARK: str(folder.root)},
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    with leave(data) as left, leave(other) as foreign:
        assert end_orphans(data, patience=0.3) == 1
        assert not psutil.pid_exists(left.pid)
        assert foreign.poll() is None
        foreign.kill()
