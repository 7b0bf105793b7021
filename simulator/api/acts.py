"""Acts on request: what a director tells the company to do, by Stripe's ids."""

from collections.abc import Mapping
from typing import Any

from simulator.director import contracts, money, people
from simulator.director.stage import Result, Stage, Verb, Wanted
from simulator.errors import SetupError
from simulator.founding import Company

VERBS: Mapping[str, Verb] = {**people.VERBS, **contracts.VERBS, **money.VERBS}
"""By what an order says to `do`; each function's docstring tells what else it needs."""


class Acts:
    """`perform({"do": verb, ...})` on one company."""

    def __init__(self, company: Company) -> None:
        self._stage = Stage(company.world, company.ids)

    def perform(self, wanted: Wanted) -> dict[str, Any]:
        """Do it now; answers `did`, `at` and the ids of what came of it, by kind.

        Raises SetupError for an unknown verb or what cannot be done, ApiError for an unknown id.
        """
        verb = VERBS.get(str(wanted.get("do")))
        if verb is None:
            raise SetupError(f"Say what to do: {', '.join(sorted(VERBS))}.")
        made: list[Result] = []
        self._stage.world.act(lambda _: made.append(verb(self._stage, wanted)))
        return {"did": wanted["do"], "at": self._stage.world.now, **(made[0] or {})}
