"""What the forms of the settings share: what was typed, what of it is new, and the decision that it makes."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import FormData

from services.console.decisions import Decided
from services.console.errors import Refused
from services.console.model import Member
from services.console.web.context import Console, allow, text_of

Asked = Callable[[str, FormData, Decided], tuple[str, dict[str, Any]]]
"""The kind of decision that a section's form asks for, and its detail: empty where nothing changes; raises Refused."""


def texts(form: FormData) -> dict[str, str]:
    """What was typed, to be shown again beside what is wrong with it."""
    return {name: text_of(form, name) for name in form if name != "form_token"}


def changed(form: FormData, known: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The fields that were filled in with something else than what is set; raises Refused where one was emptied: a
    decision changes what is set and takes nothing back."""
    given = {name: text_of(form, name).strip() for name in names}
    if emptied := [name.replace("_", " ") for name in names if name in form and not given[name] and known.get(name)]:
        raise Refused(
            "emptied",
            f"What is set can be changed, and not be taken back: {', '.join(emptied)}.",
            "Fill in what it should be from now on.",
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    return {name: value for name, value in given.items() if value and value != known.get(name)}


def decide(console: Console, member: Member, form: FormData, section: str, asked: Asked) -> Refused | None:
    """One decision, of what the form changes; nothing where it changes nothing. Gives the refusal, if it is refused."""
    try:
        allow(console.limits.connect, member.workspace_id)
        kind, detail = asked(section, form, console.decisions.decided(member.workspace_id))
        if detail:
            console.decisions.decide(
                member.workspace_id, kind, detail, decided_by=member.member_id, why=text_of(form, "why")
            )
    except Refused as refusal:
        return refusal
    return None
