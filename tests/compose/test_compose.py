"""Images and compose, built and run for real: what ops rely on."""

import json
import os
import stat

import pytest

from tests.compose.deployment import CLONE, JOBS, SERVERS, SERVICES, SIMULATOR, Deployment
from tests.fixtures.stacks import wait_for

pytestmark = pytest.mark.timeout(900)

FOREIGN = {
    "poller": ("faust", "fastapi"),
    "mirror": ("stripe", "fastapi", "faust"),
    "mrr": ("stripe", "fastapi"),
    "detector": ("stripe", "fastapi"),
    "dunning": ("stripe", "fastapi", "faust"),
    "console": ("stripe", "faust"),
}
"""What another service needs and this one does not."""

LISTED = """
import importlib.metadata, importlib.util, json, pathlib, sys
print(json.dumps({
    "packages": sorted(found.metadata["Name"].lower().replace("_", "-") for found in importlib.metadata.distributions()
                       if "/venv/" in str(found.locate_file(""))),
    "services": sorted(path.name for path in pathlib.Path("/app/services").iterdir() if path.is_dir()),
    "importable": [name for name in sys.argv[1:] if importlib.util.find_spec(name)],
}))
"""


def test_everything_is_healthy_in_time_and_the_numbers_are_the_truth(deployment: Deployment) -> None:
    found = deployment.containers()
    assert found.keys() == {*SERVICES, *SERVERS, *JOBS}
    assert {name: found[name]["State"]["Health"]["Status"] for name in (*SERVICES, *SERVERS)} == dict.fromkeys(
        (*SERVICES, *SERVERS), "healthy"
    )
    assert {name: found[name]["State"]["ExitCode"] for name in JOBS} == dict.fromkeys(JOBS, 0)
    checked = deployment.dropfix("demo", "--check", "--json", "--stripe", SIMULATOR)
    assert checked.code == 0, checked.output + checked.errors
    conditions = json.loads(checked.output)
    assert len(conditions) == 4
    assert [one for one in conditions if not one["holds"] or one["shown"] in {"0", "None", "nothing"}] == []


def test_what_was_there_before_it_was_stopped_is_there_after_it_was_started(deployment: Deployment) -> None:
    def kept() -> tuple[object, ...]:
        return deployment.ask("/api/workspaces"), deployment.ask("/api/overview")["mrr"], deployment.counts()

    before, mails, ends = kept(), deployment.mails(), deployment.log_ends()
    assert mails
    assert sum(ends.values()) > 0
    deployment.make("down")
    assert deployment.containers() == {}
    deployment.make("up")
    assert kept() == before
    assert deployment.mails() == mails
    after = deployment.log_ends()
    assert {place: end for place, end in ends.items() if after[place] < end} == {}
    deployment.send_a_mail()


def test_one_service_is_replaced_by_another_version_while_the_others_run(deployment: Deployment) -> None:
    before, users = deployment.containers(), deployment.tracked_users()
    deployment.identify("before-the-change")
    deployment.touch("detector")
    replaced = deployment.compose("up", "--detach", "--build", "--no-deps", "--wait", "detector")
    assert replaced.code == 0, replaced.errors
    deployment.identify("after-the-change")
    wait_for("both users are counted", lambda: deployment.tracked_users() == users + 2, seconds=60)
    after = deployment.containers()
    assert after["detector"]["Image"] != before["detector"]["Image"]
    others = {*SERVICES, *SERVERS} - {"detector"}
    assert {name for name in others if after[name]["State"]["StartedAt"] != before[name]["State"]["StartedAt"]} == set()


def test_starting_it_again_without_a_change_leaves_every_container_alone(deployment: Deployment) -> None:
    deployment.make("up")  # what a test before this one changed
    before = deployment.containers()
    deployment.make("up")
    after = deployment.containers()
    running = (*SERVICES, *SERVERS)
    assert {
        name for name in running if after[name]["State"]["StartedAt"] != before[name]["State"]["StartedAt"]
    } == set()


def test_an_upgrade_replaces_what_changed_and_keeps_the_servers_and_the_data(deployment: Deployment) -> None:
    before, counts, mails = deployment.containers(), deployment.counts(), deployment.mails()
    deployment.touch("mirror")
    deployment.make("up")
    after = deployment.containers()
    assert after["mirror"]["Image"] != before["mirror"]["Image"]
    assert after["mrr"]["Image"] == before["mrr"]["Image"]
    assert {name for name in ("kafka", "postgres") if after[name]["Id"] != before[name]["Id"]} == set()
    assert (deployment.counts(), deployment.mails()) == (counts, mails)


def test_an_image_holds_what_its_service_needs_and_nothing_else(deployment: Deployment, service: str) -> None:
    image = f"dropfix-test-{service}"
    told = deployment.docker("run", "--rm", "--network", "none", image, "python", "-c", LISTED, *FOREIGN[service])
    found = json.loads(told)
    lock = (CLONE / "requirements" / f"{service}.lock").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lock if "==" in line and not line.startswith(" ")}
    assert set(found["packages"]) - pinned <= {"pip"}
    assert found["services"] == [service]
    assert found["importable"] == []


def test_a_service_may_write_nothing_and_has_no_rights(deployment: Deployment, service: str) -> None:
    container = deployment.containers()[service]
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001"
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False)
    assert "no-new-privileges:true" in host["SecurityOpt"]
    identity = deployment.compose("exec", "-T", service, "id", "-u")
    assert identity.output.strip() == "10001"
    refused = deployment.compose("exec", "-T", service, "touch", "/app/written")
    assert refused.code != 0
    assert "Read-only file system" in refused.errors


def test_secrets_are_files_of_whom_they_concern_and_in_no_setting(deployment: Deployment) -> None:
    secrets = {name: value for name, value in deployment.secrets().items() if value}
    assert len(secrets) >= 12
    told = json.dumps(deployment.containers()) + deployment.compose("config").output
    public = {"vault_public_key"}
    assert {name for name, value in secrets.items() if value in told and name not in public} == set()
    assert stat.S_IMODE((deployment.root / "deploy" / "secrets").stat().st_mode) == 0o700
    found = deployment.compose("exec", "-T", "console", "ls", "/run/secrets").output.split()
    assert "vault_private_keys" not in found
    assert set(found) == {"password_console", "vault_public_key", "operator_token", "unsubscribe_key"}


def test_only_the_console_and_the_mail_page_are_reachable_and_from_this_host_alone(deployment: Deployment) -> None:
    published = {
        (name, inside, binding["HostIp"])
        for name, container in deployment.containers().items()
        for inside, bindings in (container["HostConfig"]["PortBindings"] or {}).items()
        for binding in bindings
    }
    assert published == {("console", "8080/tcp", "127.0.0.1"), ("mail", "8025/tcp", "127.0.0.1")}
    way_out = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)"
    kept_in = deployment.compose("exec", "-T", "mirror", "python", "-c", way_out)
    assert kept_in.code != 0
    assert "Network is unreachable" in kept_in.errors


def test_a_stack_that_does_not_get_healthy_says_which_service_it_is(deployment: Deployment) -> None:
    with (deployment.root / "deploy" / ".env").open("w") as settings:
        settings.write("SMTP_URL=ftp://mail\n")
    try:
        failed = deployment.run("make", "up")
        assert failed.code != 0
        assert "Not everything became healthy" in failed.errors
        assert "dunning" in failed.errors.rpartition("Not everything")[2]
    finally:
        (deployment.root / "deploy" / ".env").unlink()
        deployment.make("up")


def test_what_the_page_for_ops_tells_to_do_can_be_done(deployment: Deployment) -> None:
    rebuilt = deployment.dropfix("rebuild", "mrr", "--verify")
    assert rebuilt.code == 0, rebuilt.output + rebuilt.errors
    assert deployment.dropfix("dlq", "list", "mirror").code == 0
    assert deployment.dropfix("dunning", "list", "--json").output.startswith("[")

    scaled = deployment.compose("up", "--detach", "--no-recreate", "--wait", "--scale", "detector=2")
    assert scaled.code == 0, scaled.errors
    assert len(deployment.compose("ps", "--quiet", "detector").output.split()) == 2
    assert deployment.compose("up", "--detach", "--no-recreate", "--scale", "detector=1").code == 0

    connected, user = deployment.ask("/api/stripe/status")["connections"], f"{os.getuid()}:{os.getgid()}"
    rotated = deployment.compose(
        "run", "--rm", "--user", user, "secrets", "secrets", "rotate", "--readable", "/secrets"
    )
    assert rotated.code == 0, rotated.errors
    assert len(deployment.secrets()["vault_private_keys"].splitlines()) == 2
    for service in ("poller", "console"):
        replaced = deployment.compose("up", "--detach", "--force-recreate", "--no-deps", "--wait", service)
        assert replaced.code == 0, replaced.errors
    assert [one["state"] for one in deployment.ask("/api/stripe/status")["connections"]] == [
        one["state"] for one in connected
    ]

    dumped = deployment.compose("exec", "-T", "postgres", "pg_dump", "--username", "postgres", "dropfix")
    assert dumped.code == 0
    assert {name for name, value in deployment.secrets().items() if value and value in dumped.output} <= {
        "vault_public_key"
    }
