"""Exceptions of the contracts.

SchemaError
 ├─ EnvelopeError     the headers of a record are not the CloudEvents that the contract asks for
 ├─ UnknownTopic      a name that the catalogue does not have
 └─ InvalidDecision   a decision of a kind that there is not, or whose detail is not what its kind asks for
"""


class SchemaError(ValueError):
    """Something breaks a contract of `schemas`; the message says what and where."""


class EnvelopeError(SchemaError):
    """A header is missing or malformed."""


class UnknownTopic(SchemaError):
    """No topic of that name is in the catalogue."""


class InvalidDecision(SchemaError):
    """No decision can be so; the message is for whoever makes it."""
