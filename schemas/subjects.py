"""Subjects and keys: whom a record is about, and the key that never repeats."""


def stripe_subject(connection_id: str, owner_id: str) -> str:
    """Subject of what Stripe says: `owner_id` is the customer, or the object itself where there is none."""
    return f"{connection_id}/{owner_id}"


def product_subject(workspace_id: str, *, user_id: str | None = None, anonymous_id: str | None = None) -> str:
    """Subject of what the product says: the user, or `anon:` and the anonymous id before it is known."""
    if user_id:
        return f"{workspace_id}/{user_id}"
    if anonymous_id:
        return f"{workspace_id}/anon:{anonymous_id}"
    raise ValueError("a product message needs userId or anonymousId")


def split_subject(subject: str) -> tuple[str, str]:
    """(connection or workspace, customer or user or object)."""
    scope, _, owner = subject.partition("/")
    return scope, owner


def kept_key(subject: str, object_id: str, version: int | str) -> str:
    """Key of a record in a topic that is kept for ever: unique, so that a tombstone can erase exactly it."""
    return f"{subject}#{object_id}@{version}"
