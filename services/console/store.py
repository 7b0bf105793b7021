"""The tables of the schema `control` about people: workspaces, members, sessions, links, write keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from runtime.database import Connection as Db
from runtime.database import Pool
from services.console.errors import Refused
from services.console.identifiers import digest, mint_id, mint_token
from services.console.model import Member, WriteKey
from services.console.passwords import check_password_strength, hash_password
from services.console.sql import statements

SESSION_LASTS = timedelta(days=14)
FIRST_RUN_LINK_LASTS = timedelta(days=1)
SIGN_IN_LINK_LASTS = timedelta(minutes=15)
SCHEMA = "control"
BORROW_WITHIN_S = 5.0

_ACCESS = statements("access")


@dataclass(frozen=True, slots=True)
class NewMember:
    """The first person of a workspace."""

    workspace_name: str
    email: str
    password: str


class Store:
    """Everything the console writes. Times are the machine's but where a parameter says `now` (domain time)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @contextmanager
    def _transaction(self) -> Iterator[Db]:
        with self._pool.connection(timeout=BORROW_WITHIN_S) as connection:
            yield connection

    # People and their sessions

    def has_members(self) -> bool:
        """Whether anybody can sign in yet."""
        with self._transaction() as db:
            return bool(_scalar(db, _ACCESS["any_member"], {}))

    def offer_first_run(self, at: datetime) -> str | None:
        """A new first-run token in place of earlier ones; None once there is a member."""
        with self._transaction() as db:
            db.execute(_ACCESS["lock_first_run"])
            if _scalar(db, _ACCESS["any_member"], {}):
                return None
            db.execute(_ACCESS["drop_first_run_links"])
            return _add_link(db, "first_run", member=None, at=at, lasts=FIRST_RUN_LINK_LASTS)

    def offer_sign_in(self, email: str, at: datetime) -> str | None:
        """A token that signs this member in once; None where there is no such member."""
        with self._transaction() as db:
            found = db.execute(_ACCESS["member_by_email"], {"email": email.strip().lower()}).fetchone()
            if found is None:
                return None
            return _add_link(db, "sign_in", member=(str(found[0]), str(found[1])), at=at, lasts=SIGN_IN_LINK_LASTS)

    def link(self, token: str, purpose: str, at: datetime) -> tuple[str | None, str | None] | None:
        """(member id, e-mail) that a link is for, both None for the first run; None where it is used or expired."""
        with self._transaction() as db:
            found = db.execute(_ACCESS["link"], {"token_hash": digest(token), "purpose": purpose, "at": at}).fetchone()
        return None if found is None else (found[0], found[1])

    def sign_in_by_link(self, token: str, at: datetime) -> str | None:
        """Use a sign-in link: a new session's token, or None where it is used or expired."""
        with self._transaction() as db:
            found = db.execute(
                _ACCESS["use_link"], {"token_hash": digest(token), "purpose": "sign_in", "at": at}
            ).fetchone()
            return None if found is None else _add_session(db, str(found[0]), at)

    def complete_first_run(self, token: str, new: NewMember, at: datetime) -> str:
        """Make the workspace and its first member; a new session's token. Raises Refused."""
        check_new_member(new)
        hashed = hash_password(new.password)
        with self._transaction() as db:
            db.execute(_ACCESS["lock_first_run"])
            used = db.execute(_ACCESS["use_link"], {"token_hash": digest(token), "purpose": "first_run", "at": at})
            if used.fetchone() is None:
                raise Refused(
                    "link_expired",
                    "This link was used already, or it expired.",
                    "Restart the console for a new one: it is in its log, and “dropfix run” prints it.",
                    HTTPStatus.GONE,
                )
            member_id, _ = _add_workspace(db, new, hashed, at)
            return _add_session(db, member_id, at)

    def set_up(self, new: NewMember, at: datetime) -> tuple[str, str]:
        """Make a workspace and its first member without a link; (member id, workspace id). Raises Refused."""
        check_new_member(new)
        hashed = hash_password(new.password)
        with self._transaction() as db:
            db.execute(_ACCESS["lock_first_run"])
            db.execute(_ACCESS["drop_first_run_links"])
            return _add_workspace(db, new, hashed, at)

    def credentials(self, email: str) -> tuple[str, str] | None:
        """(member id, password hash) of an address."""
        with self._transaction() as db:
            found = db.execute(_ACCESS["member_by_email"], {"email": email.strip().lower()}).fetchone()
        return None if found is None else (str(found[0]), str(found[2]))

    def start_session(self, member_id: str, at: datetime) -> str:
        """A session of the member; gives its token, which is kept as a hash alone."""
        with self._transaction() as db:
            db.execute(_ACCESS["forget_expired"], {"at": at})
            return _add_session(db, member_id, at)

    def session(self, token: str, at: datetime) -> Member | None:
        """Who holds this session, None where it ended."""
        with self._transaction() as db:
            found = db.execute(_ACCESS["session"], {"token_hash": digest(token), "at": at}).fetchone()
        if found is None:
            return None
        member_id, email, workspace_id, workspace_name = map(str, found)
        return Member(member_id, email, workspace_id, workspace_name)

    def end_session(self, token: str) -> None:
        """Let go of a session; nothing where it is over already."""
        with self._transaction() as db:
            db.execute(_ACCESS["end_session"], {"token_hash": digest(token)})

    def workspaces(self) -> list[tuple[str, str]]:
        """(id, name) of every workspace, the oldest first. For the operator alone."""
        with self._transaction() as db:
            return [(str(key), str(name)) for key, name in db.execute(_ACCESS["workspaces"])]

    # Write keys

    def add_write_key(self, workspace_id: str, at: datetime) -> str:
        """A new write key, whole: this is the only time that it is seen."""
        key = mint_token("wk_")
        with self._transaction() as db:
            db.execute(
                _ACCESS["add_write_key"],
                {
                    "write_key_id": mint_id("wkid", at),
                    "key_hash": digest(key),
                    "workspace_id": workspace_id,
                    "hint": f"wk_…{key[-4:]}",
                    "at": at,
                },
            )
        return key

    def write_keys(self, workspace_id: str) -> list[WriteKey]:
        """The keys of the workspace that are not revoked, the newest first; of each only its hint."""
        with self._transaction() as db:
            rows = db.execute(_ACCESS["write_keys"], {"workspace_id": workspace_id})
            return [WriteKey(*row) for row in rows]

    def revoke_write_key(self, workspace_id: str, write_key_id: str, at: datetime) -> None:
        """End a key at once; false where the workspace has no such key."""
        with self._transaction() as db:
            db.execute(
                _ACCESS["revoke_write_key"], {"workspace_id": workspace_id, "write_key_id": write_key_id, "at": at}
            )

    def use_write_key(self, key: str, at: datetime) -> str | None:
        """The workspace of a write key, None where it is unknown or revoked."""
        with self._transaction() as db:
            found = _scalar(db, _ACCESS["use_write_key"], {"key_hash": digest(key), "at": at})
        return None if found is None else str(found)


def check_new_member(new: NewMember) -> None:
    """Raises Refused where a field cannot be taken."""
    if not new.workspace_name.strip():
        raise Refused("no_name", "The workspace has no name.", "Give it the name of your company.", _UNPROCESSABLE)
    name, _, domain = new.email.strip().partition("@")
    if not name or "." not in domain or len(new.email) > 254 or any(c.isspace() for c in new.email.strip()):
        raise Refused("bad_email", "That is not an e-mail address.", "It looks like you@example.com.", _UNPROCESSABLE)
    check_password_strength(new.password, new.email)


_UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY


def _scalar(db: Db, statement: Any, parameters: dict[str, Any]) -> Any:
    row = db.execute(statement, parameters).fetchone()
    return row[0] if row else None


def _add_link(db: Db, purpose: str, *, member: tuple[str, str] | None, at: datetime, lasts: timedelta) -> str:
    token = mint_token()
    member_id, workspace_id = member or (None, None)
    db.execute(
        _ACCESS["add_link"],
        {
            "token_hash": digest(token),
            "purpose": purpose,
            "workspace_id": workspace_id,
            "member_id": member_id,
            "at": at,
            "expires_at": at + lasts,
        },
    )
    return token


def _add_workspace(db: Db, new: NewMember, password_hash: str, at: datetime) -> tuple[str, str]:
    workspace_id, member_id, email = mint_id("ws", at), mint_id("mem", at), new.email.strip().lower()
    db.execute(
        _ACCESS["add_workspace"], {"workspace_id": workspace_id, "name": new.workspace_name.strip()[:120], "at": at}
    )
    added = db.execute(
        _ACCESS["add_member"],
        {
            "member_id": member_id,
            "workspace_id": workspace_id,
            "email": email,
            "password_hash": password_hash,
            "at": at,
        },
    ).fetchone()
    if added is None:
        raise Refused(
            "already_set_up", "There is a member with this e-mail address already.", "Sign in.", HTTPStatus.CONFLICT
        )
    return member_id, workspace_id


def _add_session(db: Db, member_id: str, at: datetime) -> str:
    token = mint_token()
    db.execute(
        _ACCESS["add_session"],
        {"token_hash": digest(token), "member_id": member_id, "at": at, "expires_at": at + SESSION_LASTS},
    )
    return token
