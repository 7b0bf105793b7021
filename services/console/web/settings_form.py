"""What the forms of the settings share: what was typed, and what of it is new."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import FormData

from services.console.errors import Refused
from services.console.web.context import text_of


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
