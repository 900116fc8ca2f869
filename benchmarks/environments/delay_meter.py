"""The published metric while it grows: the sum of time loss and departure delay over all vehicles that were due so far."""

from __future__ import annotations

from hardware.sumo import SumoWorld


class DelayMeter:
    """Reads the simulator after each step. What SUMO's trip records hold in the end differs by what vehicles lose in their last step."""

    def __init__(self, world: SumoWorld) -> None:
        self._world = world
        self._time_loss_s: dict[str, float] = {}  # of the vehicles under way
        self._gone_s = 0.0  # lost by those that have arrived
        self._depart_delay_s = 0.0  # of all that have departed
        self._waiting_s: dict[str, float] = {}  # due, and not inserted yet

    @property
    def total_s(self) -> float:
        """Return the sum so far in vehicle seconds."""
        return self._gone_s + sum(self._time_loss_s.values()) + self._depart_delay_s + sum(self._waiting_s.values())

    def step(self) -> None:
        """Take in what one step has cost. Raises `PortError` on a lost simulator."""
        with self._world.link():
            vehicle, simulation = self._world.api.vehicle, self._world.api.simulation
            for name in simulation.getDepartedIDList():
                self._waiting_s.pop(name, None)
                self._depart_delay_s += vehicle.getDepartDelay(name)
            before = self._time_loss_s
            self._time_loss_s = {name: vehicle.getTimeLoss(name) for name in vehicle.getIDList()}
            self._gone_s += sum(lost_s for name, lost_s in before.items() if name not in self._time_loss_s)
            step_s = self._world.step_length_ms / 1000
            self._waiting_s = {name: self._waiting_s.get(name, 0.0) + step_s for name in simulation.getPendingVehicles()}
