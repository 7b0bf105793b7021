"""The processes of a stack: each service with its own settings, its own role, and nothing of the others."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from cli.secrets import SecretFiles
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.process import ProcessSpec, http_probe

SHARED_SETTINGS = (
    "KAFKA_",
    "SMTP_URL",
    "STRIPE_API_BASE",
    "DROPFIX_LOG_LEVEL",
    "DROPFIX_TOPIC_",
    "DROPFIX_SETTINGS_FILE",
    "DROPFIX_PUBLIC_URL",
)
"""Settings of the person who starts the stack that every service is given."""

PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the services stand on: where the servers are, the clock, the secrets."""

    bootstrap_servers: str
    admin_url: str
    secrets: SecretFiles
    clock: str = "real"
    smtp_url: str | None = None
    stripe_api_base: str | None = None
    further: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What every process of ours is given; no secret is in it."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(SHARED_SETTINGS) or name in PASSED_ON or name in PROXIES
        }
        environment |= {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers, "DROPFIX_CLOCK": self.clock}
        environment |= {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
        if self.smtp_url:
            environment["SMTP_URL"] = self.smtp_url
        if self.stripe_api_base:
            environment["STRIPE_API_BASE"] = self.stripe_api_base
        return environment | dict(self.further)

    def url_of(self, role: str) -> str:
        """The database for a role, without its password."""
        parts = urlsplit(self.admin_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, f"{quote(role)}@{host}", parts.path, parts.query, ""))


def service_spec(name: str, surroundings: Surroundings, *, port: int) -> ProcessSpec:
    """One service: healthy once it is ready, alive while it makes progress."""
    health = f"http://{LOOPBACK}:{port}"
    environment = {
        **surroundings.environment(),
        "DATABASE_URL": surroundings.url_of(f"dropfix_{name}"),
        "DATABASE_PASSWORD_FILE": str(surroundings.secrets.password_of(name)),
        "DROPFIX_HTTP_HOST": LOOPBACK,
        "DROPFIX_HTTP_PORT": str(port),
        **_own_settings(name, surroundings.secrets),
    }
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", f"services.{name}"),
        environment=environment,
        probe=http_probe(f"{health}/healthz"),
        ready=http_probe(f"{health}/readyz"),
        health_url=f"{health}/readyz",
        stop_seconds=20.0,
    )


def _own_settings(name: str, secrets: SecretFiles) -> dict[str, str]:
    """The secrets of a service; two services share one only where they speak to each other by it."""
    if name == "poller":
        return {"DROPFIX_VAULT_PRIVATE_KEYS": str(secrets.vault_private_keys)}
    if name == "console":
        return {
            "DROPFIX_VAULT_PUBLIC_KEY": str(secrets.vault_public_key),
            "DROPFIX_OPERATOR_TOKEN_FILE": str(secrets.operator_token),
            "DROPFIX_FIRST_RUN_LINK_FILE": str(secrets.first_run_link),
            "DROPFIX_UNSUBSCRIBE_KEY_FILE": str(secrets.unsubscribe_key),
        }
    if name == "dunning":
        return {"DROPFIX_UNSUBSCRIBE_KEY_FILE": str(secrets.unsubscribe_key)}
    return {}


def job_spec(name: str, arguments: tuple[str, ...], surroundings: Surroundings) -> ProcessSpec:
    """A command of `dropfix` that prepares the ground, as the database's owner."""
    environment = {**surroundings.environment(), "DATABASE_URL": surroundings.admin_url}
    return ProcessSpec(name=name, argv=(sys.executable, "-m", "cli", *arguments), environment=environment)


def simulator_spec(clock: Path, *, port: int, options: tuple[str, ...]) -> ProcessSpec:
    """The simulated Stripe account."""
    health = f"http://{LOOPBACK}:{port}/_clock"
    return ProcessSpec(
        name="simulator",
        argv=(sys.executable, "-m", "simulator", "--port", str(port), "--clock", str(clock), *options),
        environment={name: os.environ[name] for name in PASSED_ON if name in os.environ},
        probe=http_probe(health, accept=lambda status: status < 500),
        health_url=health,
    )
