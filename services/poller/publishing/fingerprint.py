"""The fingerprint of an object: equal exactly when nothing that matters changed between two reads.

The order of keys does not count, nor do links that carry a fresh token at every read. An expanded object that has a
topic of its own counts as its id, so that the fingerprint is the same whichever expansions a read asked for; what
belongs to the object (`discounts`, `payments`) counts in full.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from services.poller.kinds import CHILDREN, OBJECTS, Kind

DIGEST_BYTES = 16
_encoder = msgspec.json.Encoder(order="deterministic")


def canonical(kind: Kind, content: Mapping[str, Any]) -> dict[str, Any]:
    """The object as it is compared: without rotating links, its expanded neighbours as ids."""
    found = dict(content)
    for name in OBJECTS[kind].rotating:
        found.pop(name, None)
    for name in CHILDREN:
        value = found.get(name)
        if isinstance(value, dict) and isinstance(value.get("id"), str):
            found[name] = value["id"]
    return found


def fingerprint(kind: Kind, content: Mapping[str, Any]) -> str:
    """32 hexadecimal digits of a decoded object."""
    return blake2b(_encoder.encode(canonical(kind, content)), digest_size=DIGEST_BYTES).hexdigest()
