"""Links in emails that work without signing in."""

from dataclasses import dataclass

from runtime.signed import UNSUBSCRIBE, sign


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links to the console; without its address and the key there are none."""

    public_url: str | None
    key: bytes | None

    def unsubscribe(self, workspace_id: str, subject: str) -> str | None:
        """`<console>/unsubscribe/<token>`: GET shows a page with a button, POST unsubscribes (RFC 8058)."""
        if self.public_url is None or self.key is None:
            return None
        return f"{self.public_url.rstrip('/')}/unsubscribe/{sign(self.key, UNSUBSCRIBE, (workspace_id, subject))}"
