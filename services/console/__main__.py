"""`python -m services.console`."""

import sys

from runtime.service import run_service
from services.console.app import serve
from services.console.settings import ConsoleSettings


def main() -> int:
    return run_service(ConsoleSettings, serve, own_http=True)


if __name__ == "__main__":
    sys.exit(main())
