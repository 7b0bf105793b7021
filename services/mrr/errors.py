"""What can be wrong with what mrr is given.

MrrError
 ├─ Unreadable     an object of Stripe's that cannot be valued at all: its record goes to the dead letters
 ├─ UnknownPolicy  no preset of that name
 └─ InvalidRates   a file of rates that are none: every fault with its line
"""


class MrrError(ValueError):
    """Base of everything the core raises; the message says what is wrong and where, for a person."""


class Unreadable(MrrError):
    """An object that breaks what Stripe promises of it, so that no rule gives it a value."""


class UnknownPolicy(MrrError):
    """A policy was named that does not exist."""


class InvalidRates(MrrError):
    """Rates of exchange that cannot be gone by; `faults` name each line and what is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
