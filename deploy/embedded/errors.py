"""Exceptions of the embedded stack. Every message says what is wrong and what to do about it.

EmbeddedError
 ├─ MissingPrerequisite   something the machine must have is not there
 ├─ ArtifactError         an artifact could not be fetched
 │   └─ HashMismatch      … or is not the one that was pinned
 ├─ DataDirBusy           another stack works in this data folder
 └─ StartFailed           a process ended or did not become healthy in time
     └─ SettingsRefused   … since its settings are wrong
"""


class EmbeddedError(Exception):
    """The stack cannot do what was asked."""


class MissingPrerequisite(EmbeddedError):
    """Something the machine must have is not there; the message names it and its remedy."""


class ArtifactError(EmbeddedError):
    """An artifact could not be fetched."""


class HashMismatch(ArtifactError):
    """An artifact is not the one that was pinned; it was removed and will not be run."""


class DataDirBusy(EmbeddedError):
    """Another stack works in this data folder."""


class StartFailed(EmbeddedError):
    """A process ended or did not become healthy in time; the message has the end of its log."""


class SettingsRefused(StartFailed):
    """A process ended because its settings are wrong; the message has what it said of them."""
