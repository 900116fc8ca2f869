"""What every backend of the controller port keeps. A new backend adds one row to `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
from support_ntcip import OverSnmp, driver_of_four
from support_safety_junctions import spec_of_four

from hardware.fake import FakeController
from hardware.ports import Actuation, CommandKind, ControllerCommand, ControllerPort, FrameRefusedError, PortError
from hardware.registry import open_controller
from hardware.signals import SiteSpec

BACKENDS: Mapping[str, Callable[[SiteSpec], ControllerPort]] = {
    "fake": FakeController,
    "ntcip in process": lambda spec: driver_of_four(spec, Actuation.PHASE_CONTROL),
    "ntcip over SNMP": lambda spec: driver_of_four(spec, Actuation.PHASE_CONTROL, OverSnmp),
}


@pytest.fixture(params=BACKENDS)
def port(request: pytest.FixtureRequest) -> Iterator[ControllerPort]:
    port = BACKENDS[request.param](spec_of_four())
    yield port
    close = getattr(port, "close", None)
    if close is not None:
        close()


class TestControllerPort:
    @pytest.mark.parametrize("kind", CommandKind)
    def test_takes_every_kind_of_command(self, port: ControllerPort, kind: CommandKind) -> None:
        """A driver that is set up for another way of driving refuses, and says what it takes."""
        groups = ("A", "B", "P", "Q") if kind is CommandKind.SPLITS else ()
        command = ControllerCommand(0, kind, groups, (20_000,) * len(groups))
        if kind is CommandKind.SPLITS and getattr(port, "actuation", Actuation.SPLITS) is not Actuation.SPLITS:
            with pytest.raises(PortError, match="expected one of call, flash, force_off, hold, omit, pattern, release"):
                port.request(command, 0)
        else:
            port.request(command, 0)

    def test_reports_aspects_in_the_order_of_the_site_or_none(self, port: ControllerPort) -> None:
        seen = port.observe(1000)
        assert seen.at_ms <= 1000
        assert seen.aspects is None or len(seen.aspects) == 4

    def test_refuses_an_unknown_group(self, port: ControllerPort) -> None:
        with pytest.raises(PortError, match="expected groups out of"):
            port.request(ControllerCommand(0, CommandKind.CALL, ("Z",)), 0)

    def test_refuses_durations_that_fit_no_groups(self, port: ControllerPort) -> None:
        with pytest.raises(PortError, match="expected 1 durations, found 2"):
            port.request(ControllerCommand(0, CommandKind.SPLITS, ("A",), (1, 2)), 0)

    def test_behind_the_gate_nothing_unlawful_is_sent(self, port: ControllerPort) -> None:
        guarded = open_controller(spec_of_four(), port, now_ms=0)
        guarded.request(ControllerCommand(0, CommandKind.HOLD, ("A",)), 0)
        with pytest.raises(FrameRefusedError, match="hold"):
            guarded.request(ControllerCommand(0, CommandKind.FORCE_OFF, ("A",)), 0)
        with pytest.raises(FrameRefusedError, match="omit"):
            guarded.request(ControllerCommand(0, CommandKind.OMIT, ("A", "B", "P", "Q")), 0)
        assert guarded.refusals == 2
