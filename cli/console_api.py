"""The console's API for the local command line: decisions have one way in, and this is the operator's."""

import os
from pathlib import Path
from typing import Any

import httpx

from cli.errors import FAILED, NOT_RUNNING, USAGE, CommandError
from cli.places import running_stack
from cli.secrets import OPERATOR_TOKEN

TIMEOUT_SECONDS = 15.0
CONSOLE_SETTING = "DROPFIX_CONSOLE_URL"
OPERATOR_SETTING = "DROPFIX_OPERATOR_TOKEN_FILE"


class ConsoleApi:
    """Calls the console with the operator's token."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self._client = httpx.Client(
            base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    @classmethod
    def of(cls, data_dir: Path | None) -> "ConsoleApi":
        """The console that the environment names, else that of the stack that runs; raises CommandError without one.

        A data folder that is named goes before the environment.
        """
        if data_dir is None and (named := os.environ.get(CONSOLE_SETTING)):
            return cls.at(named, Path(os.environ[OPERATOR_SETTING]) if os.environ.get(OPERATOR_SETTING) else None)
        root, report = running_stack(data_dir)
        address = report.addresses.get("console")
        if address is None:
            raise CommandError("the stack runs without a console", remedy="wait until it has started", code=NOT_RUNNING)
        return cls(address, (root / "secrets" / OPERATOR_TOKEN).read_text().strip())

    @classmethod
    def at(cls, address: str, token_file: Path | None) -> "ConsoleApi":
        """The console at an address, such as http://127.0.0.1:8080, with the operator's token from a file."""
        if not address.startswith(("http://", "https://")):
            raise CommandError(f"{address} is no address of a console", remedy="it starts with http://", code=USAGE)
        if token_file is None:
            raise CommandError(
                f"the console at {address} wants the operator's token",
                remedy=f"name the file that holds it: {OPERATOR_SETTING}",
                code=USAGE,
            )
        try:
            return cls(address.rstrip("/"), token_file.read_text().strip())
        except OSError as error:
            raise CommandError(
                f"{OPERATOR_SETTING} names {token_file}, which cannot be read: {error.strerror}", code=USAGE
            ) from error

    def get(self, path: str, **parameters: str) -> Any:
        """GET; the decoded answer. Raises CommandError with what the console says."""
        return self._call("GET", path, params=parameters)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST; the decoded answer. Raises CommandError with what the console says."""
        return self._call("POST", path, json=body)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise CommandError(
                f"the console at {self.address} does not answer ({type(error).__name__})",
                remedy="look at `dropfix status`, and at the console's log in the data folder",
                code=NOT_RUNNING,
            ) from error
        if answer.is_success:
            return answer.json()
        raise _refusal(answer)


def _refusal(answer: httpx.Response) -> CommandError:
    try:
        said = answer.json()["error"]
        return CommandError(said["message"], remedy=said.get("remedy") or "", code=FAILED)
    except (ValueError, KeyError, TypeError):
        return CommandError(f"the console answered {answer.status_code}", remedy="its log says more")
