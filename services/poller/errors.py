"""Exceptions of the poller. What Stripe itself answers is raised as the official SDK's exceptions.

PollerError
 ├─ Refused          a request that must never leave: another method, another host, a live key in the clear
 ├─ UnreadableAnswer the server answered with something that is not Stripe's: HTML, half a body, another shape
 ├─ LeaseLost        another poller works this connection now, or it was disconnected
 ├─ Unreadable       a customer that was to be read afresh and cannot be
 ├─ KeyUnreadable    the sealed key cannot be opened with this poller's keyring
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


class Stopped(PollerError):
    """A connection cannot be read with this key: it rests until another is submitted."""

    def __init__(self, sentence: str, remedy: str | None = None) -> None:
        super().__init__(sentence)
        self.remedy = remedy
