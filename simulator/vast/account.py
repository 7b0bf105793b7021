"""A vast account, wired together: it serves lists, objects, searches and its truth, and cannot be directed."""

from datetime import UTC, datetime

from simulator.company.world import Action, World
from simulator.errors import SetupError
from simulator.founding import Company
from simulator.ids import Ids
from simulator.vast.books import Books
from simulator.vast.geometry import Geometry
from simulator.vast.shelves import Charges, Customers, Intents, Invoices, Subscriptions
from simulator.vast.truth import VastRecord


class VastWorld(World):
    """Time passes by being told; nothing is scheduled, and nothing can be made to happen."""

    def __init__(self, *, seed: int, opened_at: int, books: Books) -> None:
        super().__init__(seed=seed, opened_at=opened_at)
        self.customers = Customers(books, self._present)
        self.subscriptions = Subscriptions(books, self._present)
        self.invoices = Invoices(books, self._present)
        self.charges = Charges(books, self._present)
        self.intents = Intents(books, self._present)

    def _present(self) -> int:
        return self.now

    def act(self, action: Action, *args: object) -> None:
        raise SetupError("A vast account is computed, so that nothing can be changed in it.")


def vast(
    *,
    customers: int,
    now: int,
    seed: int = 1,
    months: int = 10,
    email_domain: str = "customers.example",
    spread_days: int = 27,
) -> Company:
    """So many customers (rounded up to a multiple of `months`) with a subscription each.

    They came in the calendar months before that of `now`, and nobody comes later. They are billed monthly, in the first
    `spread_days` days of the month (1: all on the first).
    """
    if customers < 1 or not 1 <= months <= 60 or not 1 <= spread_days <= 27:
        raise SetupError("A vast account has a customer, 1 to 60 months and 1 to 27 days on which it bills.")
    begin = datetime.fromtimestamp(now, UTC)
    year, month = divmod(begin.year * 12 + begin.month - 1 - months, 12)
    opened_at = int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp())
    geometry = Geometry(opened_at=opened_at, cohorts=months, size=-(-customers // months), spread_days=spread_days)
    catalogue = World(seed=seed, opened_at=opened_at).catalogue
    books = Books(seed=seed, geometry=geometry, catalogue=catalogue, email_domain=email_domain)
    world = VastWorld(seed=seed, opened_at=opened_at, books=books)
    world.now = now
    return Company(world, VastRecord(books), Ids(seed))
