"""`python -m deploy.embedded.mail FOLDER SMTP_PORT PAGE_PORT [--host HOST]`: the sink as a process."""

import argparse
import asyncio
from pathlib import Path

from deploy.embedded.mail.sink import serve
from deploy.embedded.ports import LOOPBACK

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded.mail", description="Keep mail and show it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("smtp_port", type=int)
    parser.add_argument("page_port", type=int)
    parser.add_argument("--host", default=LOOPBACK)
    options = parser.parse_args()
    asyncio.run(serve(options.folder, host=options.host, smtp_port=options.smtp_port, page_port=options.page_port))
