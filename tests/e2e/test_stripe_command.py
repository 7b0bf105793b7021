"""`dropfix stripe`: an account is connected, looked at and disconnected from the command line, by a script."""

from pathlib import Path

from tests.fixtures.system import Ended, RunningDropFix, SimulatedStripe, dropfix


def stripe(running: RunningDropFix, *arguments: str, given: str = "") -> Ended:
    return dropfix("stripe", *arguments, "--data-dir", str(running.root), given=given)


def refused(running: RunningDropFix, key: str, *options: str) -> str:
    """What a person is told of a key that does not work; never the key itself, never a stack trace."""
    ended = stripe(running, "connect", *options, given=f"{key}\n")
    assert ended.code == 1, ended
    assert "Traceback" not in ended.errors
    assert not key or key not in ended.errors + ended.output
    return ended.errors


def test_an_account_is_connected_from_standard_input_followed_and_forgotten(
    on_given_servers: RunningDropFix, prefixed_stripe: SimulatedStripe
) -> None:
    running, keys = on_given_servers, prefixed_stripe.keys
    assert stripe(running, "connect", given=f"{keys['full']}\n").errors.startswith("✗ There is no workspace yet")
    running.set_up()
    assert stripe(running, "status").code == 3
    none = stripe(running, "status", "--json")
    assert (none.code, none.json) == (3, [])
    assert "publishable key" in refused(running, keys["publishable"])
    assert "webhook signing secret" in refused(running, "whsec_5f2a9c0d7e")
    assert "no key came in" in refused(running, "")
    assert "Stripe" in refused(running, keys["revoked"], "--wait")
    for (connection_id,) in running.rows("SELECT connection_id FROM control.connections WHERE state = 'submitted'"):
        assert stripe(running, "disconnect", connection_id, "--yes").code == 0

    connected = stripe(running, "connect", "--wait", "--json", given=f"{keys['full']}\n")
    assert connected.code == 0, connected.errors
    assert connected.json["state"] in {"syncing", "live"}
    assert connected.json["account_id"] == prefixed_stripe.account
    assert connected.json["customers_counted"] == prefixed_stripe.truth()["customers"]

    known = stripe(running, "status", "--json")
    assert known.code == 0, known.errors
    (shown,) = [one for one in known.json if one["connection_id"] == connected.json["connection_id"]]
    assert shown["key_hint"].endswith(keys["full"][-4:])
    assert keys["full"] not in known.output

    mine = connected.json["connection_id"]
    sealed = "SELECT sealed_key IS NOT NULL, state FROM control.connections WHERE connection_id = %s"
    assert running.rows(sealed, mine) == [(True, "submitted")]
    assert stripe(running, "disconnect", mine, "--yes").code == 0
    assert running.rows(sealed, mine) == [(False, "ended")]
    assert stripe(running, "disconnect", mine, "--yes").code == 1
    assert leaks(running.root, keys["full"]) == []


def leaks(folder: Path, secret: str) -> list[str]:
    """Files of a stack in which a secret can be read."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
