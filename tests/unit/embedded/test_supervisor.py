"""The supervisor keeps processes running, tells how they are, and leaves nothing behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from deploy.embedded.errors import SettingsRefused, StartFailed
from deploy.embedded.process import ProcessSpec, plain_environment
from deploy.embedded.state import Identity, ProcessReport, ProcessState
from deploy.embedded.supervisor import LONGEST_RESTART_SECONDS, Supervisor, bound_log, restart_delay
from tests.fixtures.stacks import wait_for

FOR_EVER = "import time; time.sleep(600)"


def python(name: str, program: str, **options: object) -> ProcessSpec:
    return ProcessSpec(name=name, argv=(sys.executable, "-c", program), **options)  # type: ignore[arg-type]


def supervisor(folder: Path, told: list[str] | None = None) -> Supervisor:
    lines: list[str] = [] if told is None else told
    return Supervisor(logs=folder, mark=str(folder), changed=lambda: None, tell=lines.append)


async def until(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_for, "what the test waits for", holds, seconds=20)


def report_of(keeper: Supervisor, name: str) -> ProcessReport:
    return {report.name: report for report in keeper.reports()}[name]


def test_the_wait_before_a_restart_doubles_up_to_a_limit() -> None:
    assert [restart_delay(failures=n) for n in (1, 2, 3)] == [0.2, 0.4, 0.8]
    assert restart_delay(failures=50) == LONGEST_RESTART_SECONDS


def test_a_killed_process_is_started_again_and_the_person_told(tmp_path: Path) -> None:
    told: list[str] = []

    async def run() -> tuple[Identity | None, ProcessReport]:
        keeper, spec = supervisor(tmp_path, told), python("one", FOR_EVER)
        keeper.add([spec])
        await keeper.all_healthy([spec])
        first = report_of(keeper, "one").identity
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: report_of(keeper, "one").restarts == 1 and report_of(keeper, "one").state == "healthy")
        after = report_of(keeper, "one")
        await keeper.stop(["one"])
        return first, after

    first, after = asyncio.run(run())
    assert after.identity != first
    assert after.last_exit == -signal.SIGKILL
    assert told == ["one was ended by signal 9; it starts again in 0.2 s"]


def test_what_is_stopped_is_gone_even_where_it_does_not_listen(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )

    async def run() -> list[ProcessReport]:
        keeper = supervisor(tmp_path)
        specs = [python("polite", FOR_EVER), python("deaf", deaf, stop_seconds=0.2)]
        keeper.add(specs)
        await keeper.all_healthy(specs)
        await until(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
        await keeper.stop(["polite", "deaf"])
        return list(keeper.reports())

    reports = asyncio.run(run())
    assert [report.state for report in reports] == ["stopped", "stopped"]
    assert not any(report.identity and report.identity.alive for report in reports)


def test_a_process_whose_settings_are_wrong_fails_the_start_with_what_it_said(tmp_path: Path) -> None:
    complains = "import sys; sys.stderr.write('DROPFIX_THING is missing'); sys.exit(2)"

    async def never() -> bool:
        return False

    async def run() -> None:
        keeper, spec = supervisor(tmp_path), python("wrong", complains, probe=never)
        keeper.add([spec])
        await keeper.all_healthy([spec])

    with pytest.raises(StartFailed, match=r"(?s)wrong ended with code 2.*DROPFIX_THING is missing"):
        asyncio.run(run())


def test_a_program_that_is_not_there_fails_the_start(tmp_path: Path) -> None:
    async def run() -> None:
        keeper = supervisor(tmp_path)
        spec = ProcessSpec(name="absent", argv=("/nowhere/absent",), probe=None, ready_seconds=5)
        await keeper.once(spec)

    with pytest.raises(StartFailed, match="absent ended with code 1"):
        asyncio.run(run())


def test_a_job_is_waited_for_and_its_failure_told(tmp_path: Path) -> None:
    async def run(program: str) -> None:
        await supervisor(tmp_path).once(python("job", program))

    asyncio.run(run("pass"))
    with pytest.raises(StartFailed, match=r"(?s)job ended with code 3.*no such table"):
        asyncio.run(run("import sys; sys.stderr.write('no such table'); sys.exit(3)"))


def test_a_process_gets_its_own_settings_and_none_of_the_supervisors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://admin:secret@db/x")
    show = "import os; print(sorted(name for name in os.environ if name.endswith(('_URL', '_STACK'))))"

    async def run() -> None:
        await supervisor(tmp_path).once(
            python("show", show, environment={**plain_environment(), "SMTP_URL": "smtp://localhost"})
        )

    asyncio.run(run())
    assert (tmp_path / "show.log").read_text().strip() == "['DROPFIX_STACK', 'SMTP_URL']"


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux ends children with their parent; elsewhere the next start does"
)
def test_a_process_dies_with_its_supervisor_however_that_dies(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
from deploy.embedded.process import ProcessSpec
from deploy.embedded.supervisor import Supervisor

async def main():
    keeper = Supervisor(logs=Path({str(tmp_path)!r}), mark="x", changed=lambda: None)
    program = "print('up', flush=True); import time; time.sleep(600)"
    spec = ProcessSpec(name="child", argv=(sys.executable, "-c", program))
    keeper.add([spec])
    await keeper.all_healthy([spec])
    while not (Path({str(tmp_path)!r}) / "child.log").read_text():
        await asyncio.sleep(0.01)
    print(keeper.reports()[0].identity.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""

    async def run() -> None:
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, env=plain_environment()
        )
        assert parent.stdout is not None
        child = Identity.of(int(await parent.stdout.readline()))
        assert child is not None
        assert child.alive
        parent.kill()
        await parent.wait()
        await until(lambda: not child.alive)

    asyncio.run(run())


def test_a_log_over_its_limit_is_emptied_and_the_older_kept(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old lines\n")
        bound_log(log, limit=5)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "one.1.log").read_bytes() == b"old lines\n"


def test_one_that_ends_again_and_again_does_not_pass_for_started_by_the_moments_in_between(tmp_path: Path) -> None:
    short = "import time; time.sleep(0.3); raise SystemExit(1)"

    async def run() -> str:
        keeper, spec = supervisor(tmp_path), python("short", short, ready_seconds=3.0, ready=never)
        keeper.add([spec])
        with pytest.raises(StartFailed) as refused:
            await keeper.all_healthy([spec])
        restarts = report_of(keeper, "short").restarts
        await keeper.stop(["short"])
        assert restarts > 0
        return str(refused.value)

    assert "short ended with code 1" in asyncio.run(run())


def test_one_that_ends_while_the_others_start_is_waited_for_again(tmp_path: Path) -> None:
    seen = str(tmp_path / "seen")
    once = f"import pathlib, time; p = pathlib.Path({seen!r}); n = p.exists(); p.touch(); time.sleep(600 if n else 0.3)"

    async def run() -> tuple[int, ProcessState]:
        keeper = supervisor(tmp_path)
        specs = [python("once", once), python("slow", FOR_EVER, ready=after(1.0))]
        keeper.add(specs)
        await keeper.all_healthy(specs)
        found = report_of(keeper, "once")
        await keeper.stop(["once", "slow"])
        return found.restarts, found.state

    assert asyncio.run(run()) == (1, "healthy")


def test_one_whose_settings_are_wrong_is_told_apart(tmp_path: Path) -> None:
    async def run() -> None:
        keeper = supervisor(tmp_path)
        spec = python("wrong", "print('ADDRESS: is none'); raise SystemExit(2)", ready=never)
        keeper.add([spec])
        try:
            with pytest.raises(SettingsRefused, match="ADDRESS: is none"):
                await keeper.all_healthy([spec])
            with pytest.raises(SettingsRefused, match="ADDRESS: is none"):
                await keeper.once(spec)
        finally:
            await keeper.stop(["wrong"])

    asyncio.run(run())


async def never() -> bool:
    return False


def after(seconds: float) -> Callable[[], Awaitable[bool]]:
    """Ready from so many seconds after its first look on."""
    looks: list[float] = []

    async def ready() -> bool:
        looks.append(time.monotonic())
        return looks[-1] - looks[0] >= seconds

    return ready
