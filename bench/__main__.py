"""`make bench`: fill, measure, compare. Ends with 1 when something is over its limit.

    ARGS="--only WORD"     measure only pages with the word in their name
    ARGS="--explain"       PostgreSQL's plan of the slowest statement of each page that is over a limit
    ARGS="--part nodes"    measure only hot patches on Erlang nodes; `fleet`: only devices that ask, beside goosebit's;
                           `pages`: only pages and orders
    ARGS="--devices 10000 --upgrades 100000"   fewer rows for the pages; below 1000 also fewer devices that ask

With TEST_POSTGRES_URL in the environment the database is made there, and kept: a second run measures it without filling it.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ["TEST_DATABASE"] = "postgresql"
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402

from bench.addresses import addresses  # noqa: E402
from bench.database import fill_once, make_database, rows, yardstick_ms  # noqa: E402
from bench.examples import give_own_rows  # noqa: E402
from bench.fleet.compared import DEVICES, measure_fleets  # noqa: E402
from bench.fleet_data import Size  # noqa: E402
from bench.nodes import measure_nodes  # noqa: E402
from bench.orders import measure_orders  # noqa: E402
from bench.pages import administrator, explained, measure  # noqa: E402
from bench.report import HEAD, Report, is_over  # noqa: E402
from tests.environment import postgres  # noqa: E402
from tests.environment.redis import RedisServer  # noqa: E402
from tests.environment.variables import missing_database  # noqa: E402
from tests.environment.workdir import remove_workdir  # noqa: E402

OUT = Path("var/bench")
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Wish:
    only: str
    part: str
    explain: bool
    size: Size

    def wants(self, part: str) -> bool:
        return self.part in ("", part)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """0: everything within its limits. 1: something is over. 2: there is no PostgreSQL."""
    wish = _wish()
    if missing_database:
        say(missing_database[0])
        return 2
    logging.disable(logging.CRITICAL)
    report = Report(_machine(), _commit())
    if wish.wants("pages"):
        _measure_rows(report, wish)
    if wish.wants("nodes") and not wish.only:
        for compared in measure_nodes():
            report.nodes.append(compared)
            say(str(compared))
    if wish.wants("fleet") and not wish.only:
        _measure_fleets(report, min(DEVICES, wish.size.devices))
    say(report.summary())
    if not wish.only:
        report.write(OUT)
        say(f"Written: {OUT}/bench.txt, {OUT}/bench.json")
    return 1 if report.over() else 0


def _measure_fleets(report: Report, devices: int) -> None:
    try:
        for sample in measure_fleets(OUT.absolute(), devices=devices):
            report.fleets.append(sample)
            say(str(sample))
    finally:
        postgres.stop_shared()
        remove_workdir()
    for line in report.fleet_lines():
        say(line)


def _measure_rows(report: Report, wish: Wish) -> None:
    redis = RedisServer(Path(settings.REDIS_URL.removeprefix("unix://")))
    redis.start()
    try:
        make_database()
        for line in fill_once(wish.size):
            say(line)
        report.rows, report.unit_ms = rows(), yardstick_ms()
        if not wish.only:
            report.orders = measure_orders()
        _measure_pages(report, wish)
    finally:
        redis.stop()
        postgres.stop_shared()
        remove_workdir()
    for order in report.orders:
        say(report.order_line(order))


def _measure_pages(report: Report, wish: Wish) -> None:
    visitor = administrator()
    client = Client(raise_request_exception=False, REMOTE_ADDR="127.0.0.1")
    client.force_login(visitor, backend="portal.sign_in.permissions.PermissionsAtOnce")
    give_own_rows(visitor)  # after the sign-in, which forgets what has had its time
    say(HEAD)
    for address in addresses(visitor):
        figure = measure(address, client) if wish.only in address.name else None
        if figure is None:
            continue
        report.pages.append(figure)
        say(report.page_line(figure))
        if wish.explain and is_over(figure) and figure.slowest:
            say(f"{figure.slowest.sql}\n{explained(figure.slowest)}")


def _wish() -> Wish:
    parser = argparse.ArgumentParser(prog="bench", description="Measure pages with a large fleet.")
    parser.add_argument("--only", default="", help="pages with this word in their name")
    parser.add_argument(
        "--part", choices=["pages", "nodes", "fleet"], default="", help="only that part"
    )
    parser.add_argument("--explain", action="store_true", help="show plans of slow statements")
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--upgrades", type=int, default=1_000_000)
    given = parser.parse_args()
    size = Size(devices=given.devices, upgrades=given.upgrades, told=given.upgrades // 10)
    return Wish(given.only, given.part, given.explain, size)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, load {load:.1f} at the start"
    )


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
