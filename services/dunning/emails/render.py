"""Rendering: a letter becomes a subject, a text and an HTML page. Strict: a customer's name is data.

Copy is rendered to plain text first and only then put into the layouts, and the HTML layout escapes all of it. An
undefined name is an error, never an empty word.
"""

import re
from typing import Any

import msgspec
from babel import Locale
from babel.lists import format_list
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import SandboxedEnvironment

from services.dunning.emails.copy import COPY
from services.dunning.emails.locales import amount, day, locale_of
from services.dunning.letter import Letter, Line

DEFAULT_COLOR = "#3b5bdb"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_LAYOUTS = Environment(
    loader=PackageLoader("services.dunning.emails"),
    autoescape=select_autoescape(enabled_extensions=("html.j2",), default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_WORDS = SandboxedEnvironment(autoescape=select_autoescape((), default_for_string=False), undefined=StrictUndefined)
"""For plain text, which the layout escapes."""


class Rendered(msgspec.Struct, frozen=True):
    """An email in words. `subject` is one line."""

    subject: str
    text: str
    html: str


def render(letter: Letter, *, unsubscribe_url: str | None = None) -> Rendered:
    """The email of a letter. `unsubscribe_url` is the customer's own, where there is a page for it."""
    locale = locale_of(letter.locales)
    words = _words(letter, locale)
    copy = COPY[letter.variant][letter.tone]
    color = letter.color if letter.color and _COLOR.fullmatch(letter.color) else DEFAULT_COLOR
    subject = _one_line(_say(copy.subject, words))
    content = {
        "subject": subject,
        "preview": _one_line(_say(copy.preview, words)),
        "greeting": f"Hello {_one_line(letter.name)}," if letter.name else "Hello,",
        "paragraphs": [said for paragraph in copy.paragraphs if (said := _say(paragraph, words).strip())],
        "button": _one_line(_say(copy.button, words)),
        "row_button": "Confirm" if letter.variant == "confirm" else "Pay",
        "company": _one_line(letter.company),
        "company_address": letter.company_address,
        "logo_url": letter.logo_url if (letter.logo_url or "").startswith("https://") else None,
        "color": color,
        "ink": _ink_on(color),
        "pay_url": letter.pay_url,
        "lines": [_line(line, letter, locale) for line in letter.lines],
        "totals": [amount(total, currency, locale) for currency, total in sorted(letter.totals.items())],
        "unsubscribe_url": unsubscribe_url,
        "sender_address": letter.sender.reply_to or letter.sender.address,
    }
    return Rendered(
        subject=subject,
        text=_tidy(_LAYOUTS.get_template("layout.txt.j2").render(content)),
        html=_LAYOUTS.get_template("layout.html.j2").render(content),
    )


def _words(letter: Letter, locale: Locale) -> dict[str, Any]:
    totals = [amount(total, currency, locale) for currency, total in sorted(letter.totals.items())]
    return {
        "company": _one_line(letter.company),
        "total": format_list(totals, locale="en"),
        "invoices": len(letter.lines),
        "next_attempt": day(letter.next_attempt_at, locale, letter.zone) if letter.next_attempt_at else None,
        "standing": letter.standing,
    }


def _line(line: Line, letter: Letter, locale: Locale) -> dict[str, str | None]:
    since = day(line.since, locale, letter.zone)
    return {
        "name": f"Invoice {_one_line(line.number)}" if line.number else "Payment",
        "since": f"due {since}" if letter.variant == "overdue" else since,
        "amount": amount(line.amount, line.currency, locale),
        "pay_url": line.pay_url,
    }


def _say(template: str, words: dict[str, Any]) -> str:
    return _WORDS.from_string(template).render(words)


def _one_line(text: str) -> str:
    """Without line breaks and control characters: it may become a header."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _ink_on(color: str) -> str:
    """White or near-black, whichever is read better on the colour (WCAG's relative luminance)."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.06 else "#16181d"
