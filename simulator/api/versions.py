"""From a `Stripe-Version` header to the shape of objects."""

import re

from simulator.errors import ApiError
from simulator.render.view import Shape

PINNED = "2025-08-27.basil"

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z_]+)?(;.*)?")
_SINCE = (
    ("2026-09-30", Shape.ENDIVE),
    ("2026-03-25", Shape.DAHLIA),
    ("2025-09-30", Shape.CLOVER),
    ("2025-03-31", Shape.BASIL),
)


def shape_of(version: str) -> Shape:
    """The shape of `version`; one older than acacia is answered as acacia."""
    if not _FORM.fullmatch(version):
        raise ApiError(400, f"Invalid Stripe API version: {version}")
    for since, shape in _SINCE:
        if version[:10] >= since:
            return shape
    return Shape.ACACIA
