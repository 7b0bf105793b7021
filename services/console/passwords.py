"""Passwords: argon2id, with OWASP's parameters for little memory (19 MiB, two passes)."""

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.console.errors import Refused

SHORTEST, LONGEST = 10, 256

_ONE_AT_A_TIME = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
"""A hash takes 19 MiB for some milliseconds: in one thread, that memory is there once."""
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = _hasher.hash("nobody has this password")


def check_password_strength(password: str, email: str) -> None:
    """Raises Refused where the password is too short, too long or the e-mail address itself."""
    remedy = f"Choose one of at least {SHORTEST} characters; a short sentence is easy to remember."
    problem = None
    if len(password) < SHORTEST:
        problem = "That password is too short."
    elif len(password) > LONGEST:
        problem, remedy = "That password is too long.", f"Choose one of at most {LONGEST} characters."
    elif password.strip().lower() == email.strip().lower():
        problem = "Your e-mail address cannot be your password."
    if problem:
        raise Refused("weak_password", problem, remedy, HTTPStatus.UNPROCESSABLE_ENTITY)


def hash_password(password: str) -> str:
    """The argon2id hash that is stored."""
    return _ONE_AT_A_TIME.submit(_hasher.hash, password).result()


def password_matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; `None` (no such member) takes as long and is never right."""
    try:
        _ONE_AT_A_TIME.submit(_hasher.verify, stored or _NOBODY, password[:LONGEST]).result()
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None
