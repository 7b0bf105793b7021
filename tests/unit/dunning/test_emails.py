"""The emails: every variant in every tone says what it should, in the customer's locale, and nothing it should not."""

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from itertools import product
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.signed import UNSUBSCRIBE, TokenError, read_signed, sign
from schemas.events.decisions import DunningSender
from schemas.events.dunning_texts import USUAL_TEXTS, EmailText, Standing, Tone, Variant
from services.dunning.emails.locales import amount, locale_of
from services.dunning.emails.message import message_id, message_of
from services.dunning.emails.render import Rendered, render
from services.dunning.letter import Letter, Line
from services.dunning.links import Links

AT = datetime(2026, 3, 5, 9, tzinfo=UTC)
SENDER = DunningSender(address="billing@acme.example", name="Acme Analytics", reply_to="help@acme.example", passed=True)
PAY = "https://invoice.stripe.com/i/acct_1/abc?s=ap&x=1"
ONE = Line("ACME-0042", 4900, "usd", AT, PAY)
LETTER = Letter(
    variant="retry",
    tone="first",
    standing="active",
    company="Acme Analytics",
    color="#0f766e",
    logo_url=None,
    company_address="Lindenstraße 5, Berlin",
    sender=SENDER,
    recipient="ada@example.com",
    name="Ada Lovelace",
    locales=("en-US",),
    zone="America/New_York",
    lines=(ONE,),
    totals={"usd": 4900},
    pay_url=PAY,
    next_attempt_at=AT + timedelta(days=3),
)
UNTOLD = re.compile(r"lost|stolen|fraud|suspici|pick(ed)? ?up|risk|blocked|revo(ke|cation)", re.IGNORECASE)


def letter(**changes: object) -> Letter:
    return msgspec.structs.replace(LETTER, **changes)


@pytest.mark.parametrize("variant", get_args(Variant))
@pytest.mark.parametrize("tone", get_args(Tone))
@pytest.mark.parametrize("standing", get_args(Standing))
@pytest.mark.parametrize("several", [False, True])
def test_every_email_is_whole_and_tells_no_secret_of_the_bank(
    variant: Variant, tone: Tone, standing: Standing, *, several: bool
) -> None:
    lines = (ONE, msgspec.structs.replace(ONE, number="ACME-0043")) if several else (ONE,)
    found = render(letter(variant=variant, tone=tone, standing=standing, lines=lines))
    for part in (found.subject, found.text, found.html):
        assert not UNTOLD.search(part)
        assert "{total" not in part
        assert "{company" not in part
        assert "{what" not in part
        assert "{next" not in part
        assert "None" not in part
        assert "  ," not in part
    assert "Acme Analytics" in found.subject
    assert "$49.00" in found.text
    assert "$49.00" in found.html
    assert PAY in found.text
    assert PAY.replace("&", "&amp;") in found.html


def test_every_variant_has_every_tone() -> None:
    assert set(USUAL_TEXTS) == set(product(get_args(Variant), get_args(Tone)))


OWN = EmailText(
    subject="{company} could not charge you",
    preview="",
    body="We could not collect\n{what}.\n\nIt is tried again on {next_attempt}.\n\n\n{consequence} <b>Bye</b>",
    button="Settle {total}",
)


def test_a_company_says_it_in_its_own_words() -> None:
    found = render(letter(text=OWN))
    assert found.subject == "Acme Analytics could not charge you"
    for said in ("We could not collect a payment of $49.00.", "It is tried again on March 8, 2026.", "Settle $49.00"):
        assert said in found.text
    assert "<b>Bye</b>" in found.text
    assert "&lt;b&gt;Bye&lt;/b&gt;" in found.html
    assert "collect your" not in found.text


def test_a_paragraph_with_nothing_to_say_is_left_out() -> None:
    found = render(letter(text=OWN, next_attempt_at=None))
    assert "tried again" not in found.text
    assert "\n\n\n" not in found.text


@given(company=st.text(min_size=1, max_size=40) | st.sampled_from(["{total}", "{what", "}{", "{consequence}"]))
def test_what_stands_in_a_placeholder_is_data(company: str) -> None:
    words = {"company": company, "total": "$1.00", "what": "a payment", "next_attempt": "", "consequence": "It ends."}
    text = EmailText(subject="{company}", body="{company}", button="{total}")
    written = text.written(words)
    assert (written.subject, written.button) == (company, "$1.00")
    assert written.paragraphs == (company,)


def test_an_overdue_invoice_never_speaks_of_a_card() -> None:
    for tone in get_args(Tone):
        found = render(letter(variant="overdue", tone=tone))
        assert "card" not in found.text
        assert "declined" not in found.text


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        ("active", "not be able to keep your subscription going"),
        ("unpaid", "is on hold until this is settled"),
        ("canceled", "has ended"),
    ],
)
def test_the_last_email_says_what_is_true_of_the_subscription(standing: Standing, said: str) -> None:
    assert said in render(letter(tone="final", standing=standing)).text


def test_without_another_attempt_none_is_promised() -> None:
    assert "try again" not in render(letter(next_attempt_at=None)).text


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "written"),
    [
        (123456, "usd", "en-US", "$1,234.56"),
        (123456, "eur", "de-DE", "1.234,56\xa0€"),
        (500, "jpy", "en", "¥500"),
        (12500, "kwd", "en", "KWD\xa012.500"),
        (150000, "isk", "en", "ISK\xa01,500.00"),
        (4900, "usd", "pt_BR", "US$\xa049,00"),
    ],
)
def test_amounts_are_written_in_the_locale_with_stripes_decimals(
    minor: int, currency: str, locale: str, written: str
) -> None:
    assert amount(minor, currency, locale_of([locale])) == written


def test_dates_are_those_of_the_customers_zone_and_locale() -> None:
    late = msgspec.structs.replace(ONE, since=datetime(2026, 3, 6, 3, tzinfo=UTC))
    assert "5. März 2026" in render(letter(lines=(late,), locales=("de-DE",))).text


@pytest.mark.parametrize("tags", [(), ("xx-klingon", "zz"), ("", "not a locale")])
def test_an_unknown_locale_is_english(tags: tuple[str, ...]) -> None:
    assert locale_of(tags).language == "en"


def test_currencies_are_listed_and_never_added() -> None:
    two = (ONE, Line("ACME-0043", 2000, "eur", AT, PAY))
    found = render(letter(lines=two, totals={"usd": 4900, "eur": 2000}))
    assert "€20.00 and $49.00" in found.text


HOSTILE = ("<script>alert(1)</script>", "{{ 7*7 }}", '"><img src=x>', "a\r\nBcc: b")


class _Elements(HTMLParser):
    """The elements and links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links |= {value for name, value in attrs if name in {"href", "src"} and value}


def elements(page: str) -> _Elements:
    found = _Elements()
    found.feed(page)
    return found


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(max_size=80)
    | st.sampled_from(["<script>alert(1)</script>", "{{ 7*7 }}", '"><img src=x>', "a\r\nBcc: b"])
)
def test_a_customers_name_is_data(name: str) -> None:
    plain, found = render(letter(name="Ada")), render(letter(name=name))
    assert elements(found.html).tags == elements(plain.html).tags
    assert elements(found.html).links == elements(plain.html).links
    assert "49\n" not in found.text


def test_what_the_company_chose_is_data_too() -> None:
    found = render(
        letter(
            company="A & B <i>", color="red;background:url(x)", logo_url="javascript:alert(1)", company_address="<b>"
        )
    )
    assert elements(found.html).tags == elements(render(LETTER).html).tags
    assert "url(x)" not in found.html
    assert "javascript" not in found.html


def test_the_button_can_be_read_on_any_colour() -> None:
    assert "color:#16181d;text-decoration:none" in render(letter(color="#fde047")).html
    assert "color:#ffffff;text-decoration:none" in render(letter(color="#1e3a8a")).html


def built(**options: str) -> EmailMessage:
    rendered = render(LETTER)
    identifier = message_id(SENDER, episode_id="ep", step=1)
    return message_of(rendered, sender=SENDER, recipient="ada@example.com", identifier=identifier, at=AT, **options)


def test_the_message_has_both_parts_and_the_headers_that_mail_programs_look_for() -> None:
    found = built(unsubscribe_url="https://app.example/unsubscribe/x")
    parsed = message_from_bytes(found.as_bytes(), policy=policy.default)
    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert str(parsed["From"]) == "Acme Analytics <billing@acme.example>"
    assert parsed["Reply-To"] == "help@acme.example"
    assert parsed["List-Unsubscribe"] == "<https://app.example/unsubscribe/x>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert parsed["Auto-Submitted"] == "auto-generated"


def test_a_link_longer_than_a_line_stays_a_link() -> None:
    url = "https://app.example/unsubscribe/" + "x" * 200
    found = built(unsubscribe_url=url).as_bytes(policy=policy.SMTP)
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in found


def test_without_a_page_one_unsubscribes_by_email() -> None:
    found = built()
    assert found["List-Unsubscribe"] == "<mailto:help@acme.example?subject=unsubscribe>"
    assert found["List-Unsubscribe-Post"] is None


def test_the_message_id_is_that_of_the_episode_and_the_step() -> None:
    def name(step: int, attempt: str = "") -> str:
        return message_id(SENDER, episode_id="ep", step=step, attempt=attempt)

    assert name(1) == name(1)
    assert len({name(1), name(2), name(1, "dec_1")}) == 3
    assert name(1).endswith("@acme.example>")


def test_a_senders_name_cannot_add_a_header() -> None:
    sender = SENDER.model_copy(update={"name": "Acme\r\nBcc: everybody@example.com"})
    rendered = Rendered("s", "t", "<p>h</p>")
    found = message_of(rendered, sender=sender, recipient="a@b.example", identifier="<x@y>", at=AT)
    assert found["Bcc"] is None


def test_an_unsubscribe_link_is_worth_something_for_that_purpose_only() -> None:
    url = Links(public_url="https://app.example/", key=b"k").unsubscribe("ws_1", "con_1/cus_1")
    assert url is not None
    token = url.removeprefix("https://app.example/unsubscribe/")
    assert read_signed(b"k", UNSUBSCRIBE, token) == ("ws_1", "con_1/cus_1")
    for forged in (token[:-1], sign(b"k", "other", ("ws_1",)), sign(b"other", UNSUBSCRIBE, ("ws_1",)), "", "é.é"):
        with pytest.raises(TokenError):
            read_signed(b"k", UNSUBSCRIBE, forged)


def test_without_an_address_there_is_no_link() -> None:
    assert Links(public_url=None, key=b"k").unsubscribe("ws_1", "s") is None
