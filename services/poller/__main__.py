"""`python -m services.poller`: run the poller."""

import sys

from runtime.service import run_service
from services.poller.app import serve
from services.poller.settings import Settings


def main() -> int:
    return run_service(Settings, serve)


if __name__ == "__main__":
    sys.exit(main())
