"""Exceptions of the runtime.

RuntimeFault
 ├─ SettingsError     the settings are wrong; the message lists everything that is
 ├─ MigrationError    a schema could not be brought to its version
 ├─ AccessError       a role of PostgreSQL cannot be made or is not there
 ├─ VaultError        a secret could not be sealed or opened
 └─ BrokerError       Kafka refused or did not answer
"""


class RuntimeFault(Exception):
    """Something that a process stands on is missing or wrong; the message says what to do."""


class SettingsError(RuntimeFault):
    """The settings are wrong."""


class MigrationError(RuntimeFault):
    """A migration could not be applied."""


class AccessError(RuntimeFault):
    """A role of PostgreSQL cannot be made, or is not there."""


class VaultError(RuntimeFault):
    """A secret could not be sealed or opened. The message never holds it."""


class BrokerError(RuntimeFault):
    """Kafka refused a request or did not answer in time."""
