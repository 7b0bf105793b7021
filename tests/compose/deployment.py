"""DropFix on Docker as ops run it: `make up` in a clone of its own, under a project, ports and secrets of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from deploy.embedded.ports import PortClaims, choose_ports
from tests.fixtures.stacks import wait_for

CLONE = Path(__file__).resolve().parents[2]
SERVICES = ("poller", "mirror", "mrr", "detector", "dunning", "console")
SERVERS = ("kafka", "postgres", "mail", "simulator")
JOBS = ("migrate", "topics")
SIMULATOR = "http://simulator:12111"
HEALTHY_SECONDS = 120
"""How long `make up` may take once the images are there."""

COUNTS = (
    "SELECT (SELECT count(*) FROM analytics.customers), (SELECT count(*) FROM analytics.subscriptions),"
    " (SELECT count(*) FROM analytics.invoices), (SELECT count(*) FROM analytics.signals),"
    " (SELECT count(*) FROM analytics.mrr_movements), (SELECT count(*) FROM analytics.dunning_episodes)"
)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it printed."""

    code: int
    output: str
    errors: str


@dataclass
class Deployment:
    """A deployment of the clone in `root`, with the simulator as its Stripe."""

    root: Path
    project: str
    ports: Mapping[str, int]
    write_key: str = field(default="", repr=False)

    @classmethod
    @contextmanager
    def of_a_clone(cls, folder: Path) -> Iterator["Deployment"]:
        """What is checked out, copied and not started yet; everything of it is removed at the end."""
        root = copy_of_the_tree(folder / "clone")
        with PortClaims() as claims:
            ports = choose_ports(("console", "mail"), wanted={}, claim=claims.claim)
            deployment = cls(root, f"dropfix-test-{uuid4().hex[:8]}", ports)
            try:
                yield deployment
            finally:
                deployment.compose("--profile", "*", "down", "--volumes", "--remove-orphans")

    @property
    def environment(self) -> dict[str, str]:
        """Of the commands: nothing that whoever runs the tests has set for a deployment of theirs."""
        ours = ("DROPFIX_", "KAFKA_", "COMPOSE_", "POSTGRES_", "DEMO_", "STRIPE_API_BASE", "DATABASE_", "SMTP_")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_PROFILES": "demo",
            "COMPOSE_ANSI": "never",
            "DROPFIX_IMAGE_PREFIX": "dropfix-test",
            "DROPFIX_PORT": str(self.ports["console"]),
            "DROPFIX_MAIL_PORT": str(self.ports["mail"]),
            "DROPFIX_UP_TIMEOUT": str(HEALTHY_SECONDS),
            "STRIPE_API_BASE": SIMULATOR,
            "DEMO_CUSTOMERS": "150",
            "DEMO_OPTIONS": "--clock manual --search-lag 0",  # the truth stands still while it is looked at
        }

    def run(self, *command: str, folder: str = ".", seconds: float = 600) -> Ended:
        """Run a command in a folder of the clone, to its end."""
        done = subprocess.run(
            command,
            cwd=self.root / folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def make(self, target: str) -> Ended:
        """`make TARGET`, which has to end well."""
        return self._well(self.run("make", target), f"make {target}")

    def compose(self, *arguments: str) -> Ended:
        """`docker compose …` where its file is."""
        return self.run("docker", "compose", *arguments, folder="deploy")

    def dropfix(self, *arguments: str) -> Ended:
        """The command line, as the docs say: in a container of its own."""
        return self.compose("run", "--rm", "--no-TTY", "dropfix", *arguments)

    def _well(self, ended: Ended, what: str) -> Ended:
        if ended.code != 0:
            logs = self.compose("logs", "--tail", "8", "--no-color").output
            raise AssertionError(
                f"{what} ended with {ended.code}:\n{ended.errors[-3000:]}\n{ended.output[-1000:]}\n{logs}"
            )
        return ended

    def docker(self, *arguments: str) -> str:
        """What `docker …` prints; it has to end well."""
        return self._well(self.run("docker", *arguments), f"docker {arguments[0]}").output.strip()

    def containers(self) -> dict[str, dict[str, Any]]:
        """Every container by its service, as `docker inspect` has it; without those of single commands."""
        ids = self.compose("ps", "--all", "--quiet").output.split()
        described = json.loads(self.docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in described}

    def secrets(self) -> dict[str, str]:
        """Every secret by the name of its file."""
        return {file.name: file.read_text().strip() for file in (self.root / "deploy" / "secrets").iterdir()}

    def touch(self, service: str) -> None:
        """Another version of a service: its image is another one."""
        with (self.root / "services" / service / "__init__.py").open("a") as file:
            file.write(f"# {uuid4()}\n")

    # What people see of it

    @property
    def operator(self) -> httpx.Client:
        """A client of the console with the operator's token."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.ports['console']}",
            headers={"Authorization": f"Bearer {self.secrets()['operator_token']}"},
            timeout=30,
            trust_env=False,
        )

    def ask(self, path: str) -> Any:
        """GET of the console's API."""
        with self.operator as console:
            return console.get(path).raise_for_status().json()

    def tell(self, path: str, content: Mapping[str, object]) -> Any:
        """POST to the console's API."""
        with self.operator as console:
            return console.post(path, json=dict(content)).raise_for_status().json()

    def identify(self, user: str) -> None:
        """One user of the product, as the company's own code sends them."""
        address = f"http://127.0.0.1:{self.ports['console']}/v1/identify"
        message = {"userId": user, "traits": {"name": "Ada"}, "messageId": str(uuid4())}
        httpx.post(address, json=message, auth=(self.write_key, ""), timeout=30, trust_env=False).raise_for_status()

    def tracked_users(self) -> int:
        return int(self.ask("/api/overview")["tracked_users"])

    def mails(self) -> list[dict[str, Any]]:
        """What the mail page lists."""
        url = f"http://127.0.0.1:{self.ports['mail']}/api/messages"
        found: list[dict[str, Any]] = httpx.get(url, timeout=15, trust_env=False).raise_for_status().json()
        return found

    def counts(self) -> str:
        """Rows of the analysts' tables, as one line."""
        return self._well(
            self.compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-d", "dropfix", "-Atc", COUNTS), "psql"
        ).output.strip()

    def log_ends(self) -> dict[str, int]:
        """By topic and partition, where its log ends."""
        tool = "/opt/kafka/bin/kafka-get-offsets.sh"
        told = self._well(
            self.compose("exec", "-T", "kafka", tool, "--bootstrap-server", "localhost:9092"), "kafka-get-offsets"
        ).output
        lines = (line.rpartition(":") for line in told.split())
        return {place: int(offset) for place, _, offset in lines if not place.startswith("__")}

    def send_a_mail(self) -> None:
        """A test email, by which a person makes sure that the sender works."""
        before = len(self.mails())
        self.tell("/api/decisions", {"kind": "dunning.test_send", "detail": {"to": "ada@customers.example"}})
        wait_for("the test email is in the sink", lambda: len(self.mails()) > before, seconds=60)


def copy_of_the_tree(target: Path) -> Path:
    """What `make up` needs of this clone, without its secrets and settings."""
    for folder in ("schemas", "runtime", "pipeline", "services", "cli", "simulator", "deploy", "requirements"):
        ignored = shutil.ignore_patterns("__pycache__", "secrets", ".env")
        shutil.copytree(CLONE / folder, target / folder, ignore=ignored)
    for file in ("Makefile", ".dockerignore"):
        shutil.copy2(CLONE / file, target / file)
    return target
