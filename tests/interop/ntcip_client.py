"""A process that drives the virtual controller over SNMP until it is killed: ``python ntcip_client.py SETTINGS`` (JSON)."""

from __future__ import annotations

import json
import sys

from support_controlled import controlled_junction, ntcip_options
from support_virtual import dual_ring

from controller.assemble import assemble
from controller.cabinet.controller_heads import follow
from controller.clock import SystemClock
from hardware.fake import FakeInputs
from hardware.ntcip.opening import open_driver
from hardware.ports import Actuation


def main() -> None:
    settings = json.loads(sys.argv[1])
    clock = SystemClock()
    junction = controlled_junction(dual_ring())
    more = {"port": settings["port"], "community_secret_file": settings["secret"], "timeout_ms": 200, "retries": 0}
    driver = open_driver(junction.site_spec(), ntcip_options(Actuation(settings["actuation"]), **more), clock.now_ms)
    while driver.numbers()["ntcip_sweeps"] < 2:
        clock.wait_until(clock.now_ms() + 50)
    heads, factory = follow(junction, driver, clock.now_ms())
    control = assemble(junction, "programme", FakeInputs(), heads, None, start_ms=clock.now_ms(), sequencer=factory)
    due_ms = clock.now_ms()
    while True:
        control.tick(clock.now_ms())
        due_ms += 100
        clock.wait_until(due_ms)


main()
