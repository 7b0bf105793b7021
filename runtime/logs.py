"""Logs: one JSON object a line, that cannot print a secret.

Every rendered line passes a filter that masks what looks like a key of Stripe, of the vault, or a password in an
address, wherever it stands: in a value, a message, or the text of an exception.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRETS = (
    (re.compile(r"\b((?:rk|sk|pk)_(?:live|test|org)[A-Za-z0-9]*_|rkcs_(?:live|test)_|whsec_)[A-Za-z0-9_*]+"), r"\1…"),
    (re.compile(r"(dropfix-private-)[A-Za-z0-9_=-]+"), r"\1…"),
    (re.compile(r"(\w+://[^:/\s\"']+:)[^@/\s\"']+(@)"), r"\1…\2"),
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+)[^\s\"',]+"), r"\1…"),
)


def redact(text: str) -> str:
    """The text with everything that looks like a secret masked."""
    for pattern, mask in _SECRETS:
        text = pattern.sub(mask, text)
    return text


def _render(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    rendered = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)(_, __, event)
    return redact(rendered if isinstance(rendered, str) else rendered.decode())


def configure_logs(*, service: str, level: str = "INFO") -> None:
    """Send every log of the process, the libraries' included, to standard error as JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("kafka", "aiokafka", "faust", "mode", "httpx", "httpcore", "stripe", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
