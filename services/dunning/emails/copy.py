"""The words: for each variant and tone a subject, a preview line, paragraphs and the button, as Jinja templates.

What they may use: `company`, `total` (amounts by currency, joined), `invoices` (how many), `next_attempt` (a date, or
nothing), `standing` (active, unpaid, canceled). They give plain text; the layouts escape it. A sentence that comes
out empty is left out. Nothing here says why a bank declined.
"""

from dataclasses import dataclass

from services.dunning.letter import Tone, Variant


@dataclass(frozen=True, slots=True)
class Copy:
    """The words of one email."""

    subject: str
    preview: str
    paragraphs: tuple[str, ...]
    button: str


_NEXT = (
    "{% if next_attempt %}We will try again on {{ next_attempt }};"
    " there is nothing to do if it goes through.{% endif %}"
)
_ENDS = (
    "{% if standing == 'unpaid' %}Your subscription is on hold until this is settled."
    "{% elif standing == 'canceled' %}Your subscription has ended, and this is still open."
    "{% else %}Without a payment we will not be able to keep your subscription going.{% endif %}"
)
_LAST = "This is the last reminder we will send about it."
_REPLY = "If something is not right, just reply to this email. A person will read it."
_WHAT = "{% if invoices > 1 %}{{ invoices }} invoices, {{ total }} in all,{% else %}a payment of {{ total }}{% endif %}"
_THEY = "{{ 'They are' if invoices > 1 else 'It is' }}"

_RETRY: dict[Tone, Copy] = {
    "first": Copy(
        "Your payment to {{ company }} did not go through",
        "{{ total }} could not be collected. It takes a minute to put right.",
        (
            "We tried to collect " + _WHAT + " for {{ company }}, and it did not go through. That happens, and is"
            " usually quick to put right: you can pay below, with the same card or another one.",
            _NEXT,
            _REPLY,
        ),
        "Pay {{ total }}",
    ),
    "reminder": Copy(
        "Still unpaid: {{ total }} to {{ company }}",
        "A reminder that your last payment is still open.",
        (
            "This is a reminder that " + _WHAT + " for {{ company }} could not be collected. " + _THEY + " still open.",
            _NEXT,
            _REPLY,
        ),
        "Pay {{ total }}",
    ),
    "final": Copy(
        "Last reminder: {{ total }} to {{ company }}",
        "Please settle it to keep your subscription.",
        (
            "We have not been able to collect " + _WHAT + " for {{ company }}. " + _ENDS,
            _LAST + " " + _REPLY,
        ),
        "Pay {{ total }}",
    ),
}

_FUNDS: dict[Tone, Copy] = {
    **_RETRY,
    "first": Copy(
        "Your payment to {{ company }} did not go through",
        "{{ total }} could not be collected this time.",
        (
            "We tried to collect " + _WHAT + " for {{ company }}, and your bank did not let it through this time.",
            "{% if next_attempt %}We will try again on {{ next_attempt }}. If you would rather settle it now, or with"
            " another card, you can do so below.{% else %}You can settle it below, with the same card"
            " or another one.{% endif %}",
            _REPLY,
        ),
        "Pay {{ total }}",
    ),
}

_UPDATE: dict[Tone, Copy] = {
    "first": Copy(
        "Please update your card for {{ company }}",
        "Your card was declined. Another one takes a minute to add.",
        (
            "We tried to collect " + _WHAT + " for {{ company }}, and your card was declined. Trying the same card"
            " again is not likely to work: please pay with another one, or update its details.",
            _REPLY,
        ),
        "Update card and pay",
    ),
    "reminder": Copy(
        "Your card for {{ company }} still needs an update",
        "Your payment of {{ total }} is still open.",
        (
            "A reminder: your card was declined, so " + _WHAT + " for {{ company }} could not be collected."
            " Please pay with another card, or update its details.",
            _REPLY,
        ),
        "Update card and pay",
    ),
    "final": Copy(
        "Last reminder: update your card for {{ company }}",
        "Please settle {{ total }} to keep your subscription.",
        (
            "Your card was declined, and " + _WHAT + " for {{ company }} could not be collected since. " + _ENDS,
            _LAST + " " + _REPLY,
        ),
        "Update card and pay",
    ),
}

_CONFIRM: dict[Tone, Copy] = {
    "first": Copy(
        "Please confirm your payment to {{ company }}",
        "Your bank wants to know that it is you.",
        (
            "Your bank asks you to confirm " + _WHAT + " for {{ company }}. It takes a moment: open the page below, and"
            " your bank will guide you through it.",
            "Nothing is charged before you confirm.",
            _REPLY,
        ),
        "Confirm payment",
    ),
    "reminder": Copy(
        "Your payment to {{ company }} waits for you to confirm it",
        "Your bank still needs your confirmation.",
        (
            "A reminder: your bank still waits for you to confirm " + _WHAT + " for {{ company }}.",
            _REPLY,
        ),
        "Confirm payment",
    ),
    "final": Copy(
        "Last reminder: confirm your payment to {{ company }}",
        "Please confirm {{ total }} to keep your subscription.",
        (
            "Your bank still waits for you to confirm " + _WHAT + " for {{ company }}. " + _ENDS,
            _LAST + " " + _REPLY,
        ),
        "Confirm payment",
    ),
}

_INVOICE = (
    "{% if invoices > 1 %}{{ invoices }} invoices of {{ total }} in all{% else %}your invoice of {{ total }}{% endif %}"
)
_OVERDUE: dict[Tone, Copy] = {
    "first": Copy(
        "{{ 'Invoices' if invoices > 1 else 'Invoice' }} from {{ company }} overdue",
        "{{ total }} was due. Perhaps it slipped through.",
        (
            "Perhaps it slipped through: " + _INVOICE + " from {{ company }}"
            " {{ 'are' if invoices > 1 else 'is' }} past the due date.",
            "If you have paid already, thank you, and please ignore this email. " + _REPLY,
        ),
        "View and pay",
    ),
    "reminder": Copy(
        "Reminder: {{ total }} to {{ company }} is overdue",
        "Your invoice is still open.",
        (
            "A reminder that " + _INVOICE + " from {{ company }} {{ 'are' if invoices > 1 else 'is' }} still open.",
            "If a payment is on its way, please ignore this email. " + _REPLY,
        ),
        "View and pay",
    ),
    "final": Copy(
        "Last reminder: {{ total }} to {{ company }} is overdue",
        "Please settle it to keep your subscription.",
        (
            "We have not received a payment for " + _INVOICE + " from {{ company }}. " + _ENDS,
            _LAST + " " + _REPLY,
        ),
        "View and pay",
    ),
}

_RECORDED: dict[Tone, Copy] = {
    "first": Copy(
        "Your payment to {{ company }} is open",
        "{{ total }} could not be collected.",
        ("We have not received " + _WHAT + " for {{ company }}.", _REPLY),
        "Pay {{ total }}",
    ),
    "reminder": Copy(
        "Reminder: your payment to {{ company }} is open",
        "{{ total }} is still open.",
        ("A reminder that " + _WHAT + " for {{ company }} has not reached us. " + _THEY + " still open.", _REPLY),
        "Pay {{ total }}",
    ),
    "final": Copy(
        "Last reminder: {{ total }} to {{ company }}",
        "Please settle it to keep your subscription.",
        ("We have not received " + _WHAT + " for {{ company }}. " + _ENDS, _LAST + " " + _REPLY),
        "Pay {{ total }}",
    ),
}

COPY: dict[Variant, dict[Tone, Copy]] = {
    "retry": _RETRY,
    "funds": _FUNDS,
    "update": _UPDATE,
    "confirm": _CONFIRM,
    "overdue": _OVERDUE,
    "recorded": _RECORDED,
}
"""Every email there is."""
