"""`python -m deploy.embedded.mail FOLDER SMTP_PORT PAGE_PORT`: the sink as a process."""

import asyncio
import sys
from pathlib import Path

from deploy.embedded.mail.sink import serve
from deploy.embedded.ports import LOOPBACK

if __name__ == "__main__":
    folder, smtp_port, page_port = sys.argv[1:]
    asyncio.run(serve(Path(folder), host=LOOPBACK, smtp_port=int(smtp_port), page_port=int(page_port)))
