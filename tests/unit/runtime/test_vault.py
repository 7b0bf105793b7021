"""The vault: sealed by anyone, opened by one, and only for what it was sealed for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import VaultError
from runtime.vault import Keyring, PrivateKey, PublicKey

KEY = PrivateKey.generate()


@given(secret=st.binary(max_size=300), associated=st.binary(max_size=60))
def test_what_is_sealed_opens_with_the_same_associated_data(secret: bytes, associated: bytes) -> None:
    public = PublicKey.decode(KEY.public.encode())
    sealed = public.seal(secret, associated=associated)
    assert Keyring([KEY]).open(sealed, associated=associated) == secret
    assert len(secret) < 16 or secret not in sealed


@given(position=st.integers(min_value=0, max_value=80), flip=st.integers(min_value=1, max_value=255))
def test_a_changed_byte_anywhere_does_not_open(position: int, flip: int) -> None:
    sealed = bytearray(KEY.public.seal(b"rk_test_0123456789abcdef", associated=b"stripe_key:con_1"))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(VaultError):
        Keyring([KEY]).open(bytes(sealed), associated=b"stripe_key:con_1")


def test_a_sealed_key_copied_to_another_connection_does_not_open() -> None:
    sealed = KEY.public.seal(b"rk_test_1", associated=b"stripe_key:con_1")
    with pytest.raises(VaultError, match="sealed for something else"):
        Keyring([KEY]).open(sealed, associated=b"stripe_key:con_2")


def test_a_rotated_keyring_opens_what_the_old_key_sealed_and_seals_to_the_new(tmp_path: Path) -> None:
    new = PrivateKey.generate()
    file = tmp_path / "keyring"
    file.write_text(f"{new.encode()}\n{KEY.encode()}\n")
    ring = Keyring.read(file)
    assert ring.open(KEY.public.seal(b"s", associated=b""), associated=b"") == b"s"
    assert ring.public == new.public
    with pytest.raises(VaultError, match="not in this keyring"):
        Keyring([new]).open(KEY.public.seal(b"s", associated=b""), associated=b"")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" * 100, b"\x01" * 53])
def test_what_is_no_sealed_secret_is_said_to_be_none(sealed: bytes) -> None:
    with pytest.raises(VaultError):
        Keyring([KEY]).open(sealed, associated=b"")


def test_a_private_key_is_never_printed() -> None:
    assert KEY.encode() not in f"{KEY!r} {KEY} {Keyring([KEY])!r}"


@pytest.mark.parametrize("text", ["", "rk_test_1", "dropfix-public-", "dropfix-private-AAAA"])
def test_what_is_no_key_of_the_vault_is_refused_without_echo(text: str) -> None:
    for decode in (PublicKey.decode, PrivateKey.decode):
        with pytest.raises(VaultError) as caught:
            decode(text)
        assert not text.startswith("rk_") or text not in str(caught.value)


def test_an_empty_or_missing_keyring_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="dropfix secrets make"):
        Keyring([])
    with pytest.raises(VaultError, match="cannot be read"):
        Keyring.read(tmp_path / "none")
