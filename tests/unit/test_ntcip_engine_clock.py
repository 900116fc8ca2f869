"""The clocks of SNMPv3 engines never go back within one engine, and what a session does where one did."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support_ntcip import Bench, options, spec_of_two_rings

from controller.cabinet.controller_heads import AlarmTeller
from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.engine_clock import EngineClocks
from hardware.ntcip.objects import Oid, Value
from hardware.ntcip.session import State
from hardware.ntcip.transport import InProcess, OlderEngineError, Pair
from hardware.ports import Actuation, CommandKind, ControllerCommand

OLD, NEW = b"\x80old", b"\x80new"


@pytest.mark.parametrize(
    ("messages", "wrong"),
    [
        ([(OLD, 3, 100, 0.0), (OLD, 3, 110, 10.0), (OLD, 4, 0, 20.0)], ""),
        ([(OLD, 3, 100, 0.0), (OLD, 3, 100 + 3_600 - 150, 3_600.0)], ""),
        ([(OLD, 3, 100, 0.0), (OLD, 3, 100 + 3_600 - 151, 3_600.0)], "expected at least 3550 s since the boot of its engine 806f6c64, found 3549 s"),
        ([(OLD, 3, 100, 0.0), (OLD, 2, 9_000, 1.0)], "expected at least 3 boots of its engine 806f6c64, found 2"),
        ([(OLD, 3, 100, 0.0), (NEW, 1, 0, 1.0)], ""),
        ([(OLD, 3, 100, 0.0), (NEW, 1, 0, 1.0), (OLD, 2, 100, 2.0)], "expected at least 3 boots of its engine 806f6c64, found 2"),
        ([(OLD, 3, 100, 0.0), (OLD, 2, 100, 1.0), (OLD, 2, 101, 2.0)], ""),
    ],
)
def test_no_engine_goes_back(messages: Sequence[tuple[bytes, int, int, float]], wrong: str) -> None:
    clocks = EngineClocks()
    assert [clocks.take(*message) for message in messages][-1] == wrong


class Older(InProcess):
    """Answers as another controller would that calls itself the same, once when it is told to."""

    older = False

    def get_many(self, oids: Sequence[Oid]) -> Sequence[Value]:
        self._once()
        return super().get_many(oids)

    def set_many(self, pairs: Sequence[Pair]) -> None:
        self._once()
        super().set_many(pairs)

    def _once(self) -> None:
        if self.older:
            self.older = False
            raise OlderEngineError("expected 3 boots, found 2")


@pytest.mark.parametrize("by_a_write", [False, True])
def test_what_an_older_engine_says_is_an_alarm_and_the_controller_is_driven_again(by_a_write: bool) -> None:
    bench = Bench(actuation=Actuation.PHASE_CONTROL)
    transport, told, audited = Older(bench.agent, most_per_request=40), list[str](), list[str]()
    bench.driver = NtcipDriver(spec_of_two_rings(), options(actuation=Actuation.PHASE_CONTROL, hold_down_s=20), lambda: bench.now_ms, transport, threaded=False)
    teller = AlarmTeller(bench.driver, lambda kind, text: told.append(f"{kind}: {text}"), audited.append)
    bench.run(30_000, each=teller)
    bench.ask(CommandKind.HOLD, "V2")
    assert bench.agent.value("phaseControlGroupHold", 1) == 2
    transport.older = True
    if by_a_write:
        bench.driver.request(ControllerCommand(bench.now_ms, CommandKind.OMIT, ("V8",)), bench.now_ms)
    bench.run(1_000, each=teller)
    assert bench.driver._session.state in (State.CONNECTING, State.WAITING)
    assert bench.driver._session.mode == "local"
    assert bench.agent.value("phaseControlGroupHold", 1) == 0, "taken back"
    assert told == ["controller: older engine: expected 3 boots, found 2"]
    assert audited == ["older engine: expected 3 boots, found 2"]
    bench.run(30_000, each=teller)
    assert told[-1] == "controller: older engine: over"
    assert len(audited) == 1
    bench.ask(CommandKind.HOLD, "V6")
    assert bench.agent.value("phaseControlGroupHold", 1) == 32
