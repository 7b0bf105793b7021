"""Who signs up: name, address, currency and way of paying, drawn from the customer's own chance."""

from dataclasses import dataclass

from simulator.company.chance import Chance
from simulator.company.habits import new_method
from simulator.company.model import Customer
from simulator.company.world import World


@dataclass(frozen=True, slots=True)
class _Country:
    code: str
    currency: str
    locale: str
    first: tuple[str, ...]
    last: tuple[str, ...]


_ENGLISH = ("Olivia", "Noah", "Emma", "Liam", "Ava", "Mia", "Lucas", "Ella", "Henry", "Grace", "Jack", "Ruby")
_SURNAMES = ("Smith", "Johnson", "O'Brien", "Taylor", "Brown", "Wilson", "Clark", "Walker", "Young", "Hall", "King")
_COUNTRIES = (
    (50.0, _Country("US", "usd", "en-US", _ENGLISH, _SURNAMES)),
    (9.0, _Country("GB", "gbp", "en-GB", _ENGLISH, _SURNAMES)),
    (5.0, _Country("CA", "cad", "en-CA", _ENGLISH, _SURNAMES)),
    (12.0, _Country("DE", "eur", "de", ("Jürgen", "Anke", "Lena", "Max", "Sören"), ("Müller", "Weiß", "Schäfer"))),
    (8.0, _Country("FR", "eur", "fr", ("Chloé", "Hugo", "Zoë", "André"), ("Dubois", "Lefèvre", "Moreau", "Noël"))),
    (4.0, _Country("NL", "eur", "nl", ("Sanne", "Daan", "Femke"), ("de Vries", "van den Berg", "Jansen"))),
    (8.0, _Country("JP", "jpy", "ja", ("Yuki", "Haruto", "Sakura"), ("Satō", "Suzuki", "Takahashi"))),
    (4.0, _Country("KW", "kwd", "ar", ("Fatima", "Yousef", "Mariam"), ("Al-Sabah", "Al-Rashid", "Al-Mutairi"))),
)
_METHODS = (
    (73.0, "good"),
    (8.0, "flaky"),
    (4.0, "expiring"),
    (3.0, "lost"),
    (3.0, "auth"),
    (0.6, "blocked"),
    (3.4, "debit"),
    (5.0, "none"),
)
_ENDS = ((6.0, "cancel"), (2.0, "unpaid"), (2.0, "past_due"))


def new_customer(world: World, number: int, domain: str) -> Customer:
    """Customer `number`, created now; the e-mail's local part is unique but for a few who share one."""
    chance = Chance(world.seed, number + 1)
    country = chance.weighted(_COUNTRIES)
    first, last = chance.pick(country.first), chance.pick(country.last)
    customer = Customer(
        number=number,
        created=world.now,
        name=f"{first} {last}",
        email=_email(chance, first, last, number, domain),
        country=country.code,
        currency=country.currency,
        locale=country.locale,
        user_id=f"user_{number + 1}" if chance.happens(0.7) else None,
        chance=chance,
    )
    habit = chance.weighted(_METHODS)
    if habit == "debit":
        habit = {"usd": "us_bank_account", "eur": "sepa_debit"}.get(customer.currency, "good")
    if habit != "none":
        customer.method = new_method(customer, habit, world.now)
    end = chance.weighted(_ENDS)
    customer.dunning_end = "unpaid" if end == "unpaid" else "past_due" if end == "past_due" else "cancel"
    return customer


def _email(chance: Chance, first: str, last: str, number: int, domain: str) -> str | None:
    if chance.happens(0.01):
        return None
    if number and chance.happens(0.01):
        return f"shared.{number // 40}@{domain}"
    address = f"{_plain(first)}.{_plain(last)}.{number + 1}@{domain}"
    return address.title() if chance.happens(0.03) else address


def _plain(name: str) -> str:
    letters = name.lower().translate(str.maketrans("üäößéèëā'ō", "uaoseeea-o"))
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in letters)
