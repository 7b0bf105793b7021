"""What the mail sink keeps, and what its page shows."""

import json
from pathlib import Path

import pytest

from deploy.embedded.mail.page import answer
from deploy.embedded.mail.store import MailStore, NoSuchMail

EVIL = (
    b"Subject: <script>alert(1)</script>\r\nFrom: a@acme.example\r\nTo: b@acme.example\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<script>alert(2)</script>\r\n"
)


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    return MailStore(tmp_path / "mail")


def test_a_mail_is_kept_byte_for_byte_and_survives_the_sink(store: MailStore, tmp_path: Path) -> None:
    kept = store.add(sender="a@acme.example", recipients=["b@acme.example"], content=EVIL)
    again = MailStore(tmp_path / "mail")
    assert again.raw(kept.id) == EVIL
    assert again.list() == [kept]


def test_mails_are_listed_newest_first_and_by_recipient(store: MailStore) -> None:
    ids = [store.add(sender="a", recipients=[to], content=b"Subject: s\r\n\r\n").id for to in ("x@e", "y@e", "X@E")]
    assert [mail.id for mail in store.list()] == ids[::-1]
    assert [mail.id for mail in store.list(recipient="x@e")] == [ids[2], ids[0]]
    assert [mail["id"] for mail in json.loads(answer(store, "/api/messages?to=y@e").body)] == [ids[1]]


def test_nothing_in_a_mail_runs_in_the_page(store: MailStore) -> None:
    kept = store.add(sender="a", recipients=["<b>"], content=EVIL)
    for target in ("/", f"/messages/{kept.id}"):
        assert b"<script>" not in answer(store, target).body
    alone = answer(store, f"/messages/{kept.id}/html")
    assert b"<script>" in alone.body
    assert alone.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


@pytest.mark.parametrize("target", ["/messages/17", "/api/messages/17", "/messages/../../etc/passwd", "/nothing"])
def test_what_is_not_there_is_not_found(store: MailStore, target: str) -> None:
    assert answer(store, target).status == 404


def test_no_file_outside_the_folder_can_be_read(store: MailStore, tmp_path: Path) -> None:
    (tmp_path / "secret.eml").write_bytes(b"Subject: secret\r\n\r\n")
    with pytest.raises(NoSuchMail):
        store.read("../secret")
