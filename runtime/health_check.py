"""Ask this container's own service whether it is ready; exit 0 if so. What a container's health check runs."""

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 2.5


def main() -> int:
    """0 where `/readyz` answers 200, else 1 with what it answered."""
    address = f"http://127.0.0.1:{os.environ.get('DROPFIX_HTTP_PORT', '8080')}/readyz"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS):
            return 0
    except urllib.error.HTTPError as error:
        sys.stderr.write(error.read().decode(errors="replace"))
    except OSError as error:
        sys.stderr.write(f"{address}: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
