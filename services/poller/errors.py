"""Exceptions of the poller. What Stripe itself answers is raised as the official SDK's exceptions.

PollerError
 ├─ Refused          a request that must never leave: another method, another host, a live key in the clear
 ├─ UnreadableAnswer the server answered with something that is not Stripe's: HTML, half a body, another shape
 ├─ LeaseLost        another poller works this connection now, or it was disconnected
 ├─ Unreadable       a customer that was to be read afresh and cannot be
 ├─ KeyUnreadable    the sealed key cannot be opened with this poller's keyring
 ├─ AbilitiesChanged the key or the server gives something else than what was planned by
 ├─ NothingLeft      a key that could read may read nothing any more, as it seems
 └─ Stopped          a connection rests until another key is submitted
"""


class PollerError(Exception):
    """Base of what the poller raises. A message never holds a key, nor a body that may echo one."""


class Refused(PollerError):
    """The transport did not send a request that no poller may send."""


class UnreadableAnswer(PollerError):
    """An answer that is not what Stripe's API gives. The message says what it looks like."""


class LeaseLost(PollerError):
    """The lease's epoch is not ours any more: stop, write nothing."""


class Unreadable(PollerError):
    """A fresh read of a customer cannot be made. The message is the reason that is answered."""


class KeyUnreadable(PollerError):
    """The key of a connection cannot be opened."""


class AbilitiesChanged(PollerError):
    """A list was refused, and a look at what the key may read showed that it may not read the same as before. The
    reader's capabilities are what was found; what is still to be read is planned anew by them."""


class NothingLeft(PollerError):
    """Every list is refused. That may pass (a firewall answers so, too), so it is not believed at once."""


class Stopped(PollerError):
    """A connection cannot be read with this key: it rests until another is submitted."""

    def __init__(self, sentence: str, remedy: str | None = None) -> None:
        super().__init__(sentence)
        self.remedy = remedy
