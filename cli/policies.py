"""The section about MRR policies on the page for analysts: every choice, what presets choose, and what they lack."""

import json
from collections.abc import Iterator
from typing import get_args

from pydantic.fields import FieldInfo

from schemas.events.mrr_policy import NOT_MODELLED, PRESETS, DiscountPolicy, PolicyTerms

_INTRODUCTION = """## Policies

What counts as MRR is a policy, and every choice in it a field. `dropfix mrr compare --to NAME|FILE` shows what another
one would make of all that was read, by month and customer, and changes nothing; `dropfix mrr set-policy NAME|FILE
--counts-from DAY` has it count, as movements of kind `policy`. A policy of your own is a file (`.json` or `.toml`) with
a version that is no preset's; what it leaves out is as in `stripe`."""


def policies_section() -> str:
    """The whole section."""
    example = json.dumps({"version": "ours/1", "past_due_grace_days": 14, "discounts": {"repeating": True}})
    lacking = [f"- `{name}`: {what}." for name, told in NOT_MODELLED.items() for what in told]
    return "\n".join(
        [
            _INTRODUCTION,
            "",
            f"```json\n{example}\n```",
            "",
            *_choices(),
            "",
            "What the tools do otherwise than the presets named for them, and no choice says:",
            "",
            *lacking,
        ]
    )


def _choices() -> Iterator[str]:
    names = [terms.version.partition("/")[0] for terms in PRESETS]
    yield f"| choice | values | {' | '.join(names)} | meaning |"
    yield f"|{' --- |' * (len(names) + 3)}"
    for name, field in PolicyTerms.model_fields.items():
        if name == "discounts":
            for inner, choice in DiscountPolicy.model_fields.items():
                yield _row(f"{name}.{inner}", choice, [getattr(terms.discounts, inner) for terms in PRESETS])
        else:
            yield _row(name, field, [getattr(terms, name) for terms in PRESETS])


def _row(name: str, field: FieldInfo, chosen: list[object]) -> str:
    cells = [f"`{name}`", _values(field), *(f"`{_in_json(value)}`" for value in chosen), str(field.description)]
    return f"| {' | '.join(cells)} |"


def _values(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "`true`, `false`"
    literals = [value for value in get_args(field.annotation) if isinstance(value, str)]
    if literals:
        return ", ".join(f"`{value}`" for value in literals)
    return "name/number" if field.annotation is str else "days, or `null`"


def _in_json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
