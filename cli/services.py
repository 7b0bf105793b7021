"""The services that there are: found by their folders, so that another is added by adding one."""

import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import services
from cli.errors import USAGE, CommandError

if TYPE_CHECKING:
    from pipeline.rebuild.plan import Plan
    from runtime.migrations import ServiceSchema

ORDER = ("poller", "mirror", "mrr", "detector", "dunning", "console")
"""The order in which they are named, migrated and started; a service that is not in it comes last."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service by its name."""

    name: str

    def schema(self) -> "ServiceSchema":
        """Its tables: what its `schema` module says its migrations are."""
        found: ServiceSchema = importlib.import_module(f"services.{self.name}.schema").MIGRATIONS
        return found

    @property
    def consumes(self) -> bool:
        """Whether reading topics is what it is for: then it has a `processor`."""
        return importlib.util.find_spec(f"services.{self.name}.processor") is not None

    def commands(self) -> ModuleType | None:
        """Its `commands` module, if it adds to the command line."""
        return self._optional("commands")

    def rebuild(self) -> "Plan | None":
        """How it is rebuilt, if it can be: what its `rebuild` module says."""
        module = self._optional("rebuild")
        plan: Plan | None = module.PLAN if module else None
        return plan

    def _optional(self, module: str) -> ModuleType | None:
        name = f"services.{self.name}.{module}"
        return importlib.import_module(name) if importlib.util.find_spec(name) is not None else None


def all_services() -> list[Service]:
    """Every service, in order: a folder under `services/` that can be started is one."""
    names = [module.name for module in pkgutil.iter_modules(services.__path__) if module.ispkg]
    ranked = sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return [Service(name) for name in ranked if importlib.util.find_spec(f"services.{name}.__main__") is not None]


def service_named(name: str) -> Service:
    """One service; raises CommandError naming those there are."""
    for service in all_services():
        if service.name == name:
            return service
    names = ", ".join(service.name for service in all_services())
    raise CommandError(f"there is no service {name!r}", remedy=f"there are {names}", code=USAGE)
