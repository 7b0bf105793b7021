"""The page of the sink: a list of mails, one mail with its HTML and text, and the same as JSON.

GET /                     the list                GET /api/messages?to=ADDRESS   [{id, received_at, sender, …}]
GET /messages/ID          one mail                GET /api/messages/ID           {…, headers, text, html}
GET /messages/ID/html     its HTML part, alone    GET /messages/ID/raw           the bytes as they came
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from deploy.embedded.mail.store import Envelope, MailStore, NoSuchMail

STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #8889 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem } a { color: inherit } .dim { opacity: .65; font-size: .9em }
ul { list-style: none; padding: 0 } li { border-top: 1px solid var(--line) }
li a { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; padding: .6rem .3rem; text-decoration: none }
li a:hover, li a:focus { background: #8881 } pre { white-space: pre-wrap; border: 1px solid var(--line); padding: 1rem }
iframe { width: 100%; height: 60vh; border: 1px solid var(--line); background: white }
@media (max-width: 480px) { li a { grid-template-columns: 1fr } body { margin: 1rem auto } }
dt { opacity: .65 } dd { margin: 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem }
"""
ALONE = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a mail's HTML may do: nothing but look."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    body: bytes
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(store: MailStore, target: str) -> Answer:
    """The answer to GET `target`."""
    parts = urlsplit(target)
    recipient = parse_qs(parts.query).get("to", [None])[0]
    route = _ROUTES.get(_MAIL_ID.sub("/ID", parts.path))
    if route is None:
        return _not_found("not found")
    mail_id = _MAIL_ID.search(parts.path)
    try:
        return route(store, mail_id.group(1) if mail_id else recipient)
    except NoSuchMail as missing:
        return _not_found(str(missing))


def _not_found(what: str) -> Answer:
    return Answer(f"{what}\n".encode(), kind="text/plain; charset=utf-8", status=404)


def _index(store: MailStore, recipient: str | None) -> Answer:
    return _page("Mails", _list(store.list(recipient=recipient)))


def _html(store: MailStore, mail_id: str | None) -> Answer:
    return Answer(store.read(mail_id or "").html.encode(), headers={"Content-Security-Policy": ALONE})


def _raw(store: MailStore, mail_id: str | None) -> Answer:
    return Answer(store.raw(mail_id or ""), kind="text/plain; charset=utf-8")


def _json_index(store: MailStore, recipient: str | None) -> Answer:
    return _json([asdict(envelope) for envelope in store.list(recipient=recipient)])


def _json_message(store: MailStore, mail_id: str | None) -> Answer:
    mail = asdict(store.read(mail_id or ""))
    return _json({**mail.pop("envelope"), **mail})


def _health(_: MailStore, __: str | None) -> Answer:
    return _json({"alive": True})


def _list(envelopes: list[Envelope]) -> str:
    if not envelopes:
        return "<p>No mail yet. Whatever DropFix sends here is shown on this page and goes nowhere else.</p>"
    rows = "".join(
        f'<li><a href="/messages/{one.id}"><strong>{escape(one.subject) or "(no subject)"}</strong>'
        f'<span class="dim">{_when(one)}</span><span class="dim">to {escape(", ".join(one.recipients))}</span></a></li>'
        for one in envelopes
    )
    return f"<ul>{rows}</ul>"


def _message(store: MailStore, mail_id: str | None) -> Answer:
    mail = store.read(mail_id or "")
    named = {"From": mail.envelope.sender, "To": ", ".join(mail.envelope.recipients), "Received": _when(mail.envelope)}
    facts = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in named.items())
    html = (
        f'<h2>HTML</h2><iframe sandbox src="/messages/{mail_id}/html" title="HTML part"></iframe>' if mail.html else ""
    )
    text = f"<h2>Text</h2><pre>{escape(mail.text)}</pre>" if mail.text else ""
    headers = "".join(f"{escape(name)}: {escape(value)}\n" for name, value in mail.headers)
    rest = f'<details><summary>Headers</summary><pre>{headers}</pre></details><p><a href="/">All mails</a></p>'
    return _page(mail.envelope.subject or "(no subject)", f"<dl>{facts}</dl>{html}{text}{rest}")


def _when(envelope: Envelope) -> str:
    return f"{envelope.received_at[:19].replace('T', ' ')} UTC"


def _page(title: str, body: str) -> Answer:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    page = f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head>'
    return Answer(f"{page}<body><h1>{escape(title)}</h1>{body}</body></html>".encode())


def _json(content: object) -> Answer:
    return Answer(json.dumps(content, indent=1).encode(), kind="application/json")


_MAIL_ID = re.compile(r"/(\d+)(?=/|$)")
_ROUTES: Mapping[str, Callable[[MailStore, str | None], Answer]] = {
    "/": _index,
    "/messages/ID": _message,
    "/messages/ID/html": _html,
    "/messages/ID/raw": _raw,
    "/api/messages": _json_index,
    "/api/messages/ID": _json_message,
    "/healthz": _health,
}


def serve_page(store: MailStore, host: str, port: int) -> ThreadingHTTPServer:
    """A server for the page; the caller runs it."""
    server = ThreadingHTTPServer((host, port), _handler(lambda target: answer(store, target)))
    server.daemon_threads = True
    return server


def _handler(reply: Callable[[str], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = reply(self.path)
            self.send_response(found.status)
            for name, value in {"Content-Type": found.kind, **found.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:
            """Who looks at the page is no news."""

    return Handler
