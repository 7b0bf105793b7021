"""What the page for analysts says of policies is what policies are."""

import json
import re

from cli.policies import policies_section
from schemas.events.mrr_policy import NOT_MODELLED, PRESETS
from services.mrr.policy import own_policy


def test_the_example_is_a_policy_and_every_choice_has_a_row_of_its_own() -> None:
    section = policies_section()
    (example,) = re.findall(r"```json\n(.*?)\n```", section)
    policy = own_policy(json.loads(example))
    choices = {
        *policy.model_dump(exclude={"discounts"}),
        *(f"discounts.{name}" for name in policy.discounts.model_dump()),
    }
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", section, re.MULTILINE)) == choices


def test_what_no_preset_can_say_is_said_of_presets_that_there_are() -> None:
    section = policies_section()
    assert NOT_MODELLED.keys() <= {terms.name for terms in PRESETS}
    assert all(f"- `{name}`: {what}." in section for name, told in NOT_MODELLED.items() for what in told)
