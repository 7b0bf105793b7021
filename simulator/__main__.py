"""`python -m simulator`: a Stripe account on this machine."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import get_args

from simulator.api.limits import Rates
from simulator.api.versions import PINNED
from simulator.app import ServerSettings, Simulator, simulate
from simulator.clock import Clock, FileClock, ManualClock, RealClock, instant
from simulator.company.life import Growth, Variety
from simulator.errors import SetupError
from simulator.founding import Company, found
from simulator.server import address_of, listen, server_of
from simulator.vast.account import vast


def arguments() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one (it is printed)")
    parser.add_argument("--prefix", default="", help="a path before /v1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--customers", type=int, default=2000, help="how many have signed up by the anchor")
    parser.add_argument("--days", type=int, default=90, help="how long before the anchor the company opened")
    parser.add_argument("--anchor", help="the instant (RFC 3339) up to which the past is seeded; default: now")
    parser.add_argument("--clock", default="real", help="real, manual (POST /_clock), or the path of a clock file")
    parser.add_argument("--variety", default="usual", choices=get_args(Variety), help="full: rare prices and fates too")
    parser.add_argument("--vast", action="store_true", help="computed customers with a subscription each, any number")
    parser.add_argument(
        "--months", type=int, default=10, help="of a vast account: how long ago its first customer came"
    )
    parser.add_argument(
        "--spread-days", type=int, default=27, help="of a vast account: days of a month that it bills on"
    )
    parser.add_argument("--email-domain", default="customers.example")
    parser.add_argument("--search-lag", type=int, default=2, help="simulated seconds that search runs behind")
    parser.add_argument("--version", default=PINNED, help="the API version of requests that name none")
    parser.add_argument("--no-limits", action="store_true", help="count rate limit violations, refuse nothing")
    parser.add_argument("--compact", action="store_true", help="answers without indentation")
    return parser


def build(options: argparse.Namespace) -> Simulator:
    """The simulator of the command line's options. Raises SetupError for one that cannot be used."""
    if options.customers < 1 or options.days < 1:
        raise SetupError("--customers and --days are at least 1.")
    try:
        anchor = None if options.anchor is None else int(instant(options.anchor))
    except ValueError as error:
        raise SetupError(f"--anchor {options.anchor} is not an RFC 3339 instant.") from error
    clock: Clock
    if options.clock == "manual":
        clock = ManualClock(int(time.time()) if anchor is None else anchor)
    else:
        clock = RealClock() if options.clock == "real" else FileClock(Path(options.clock))
    company = _company(options, clock.now() if anchor is None else anchor)
    settings = ServerSettings(
        prefix=options.prefix,
        version=options.version,
        search_lag=options.search_lag,
        rates=Rates(enforced=not options.no_limits),
        pretty=not options.compact,
    )
    return simulate(company, clock=clock, settings=settings)


def _company(options: argparse.Namespace, now: int) -> Company:
    domain = options.email_domain
    if options.vast:
        return vast(
            customers=options.customers,
            now=now,
            seed=options.seed,
            months=options.months,
            email_domain=domain,
            spread_days=options.spread_days,
        )
    growth = Growth(customers=options.customers, days=options.days, email_domain=domain, variety=options.variety)
    return found(seed=options.seed, now=now, growth=growth)


def main() -> int:
    """Serve until told to stop; 2 for options that cannot be used."""
    options = arguments().parse_args()
    try:
        sock = listen(options.host, options.port)
        simulator = build(options)
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    world = simulator.company.world
    ready = {
        "address": address_of(sock, options.prefix),
        "account": simulator.company.ids.account,
        "anchor": world.now,
        "keys": {key.name: key.secret for key in simulator.keys.all()},
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    server_of(simulator).run(sockets=[sock])
    return 0


if __name__ == "__main__":
    sys.exit(main())
