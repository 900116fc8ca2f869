"""One episode inside the child process: SUMO, the nodes with agents in place of planners, and the reward."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmarks.environments.agents import Actions, SplitAgent, StageAgent, make_agent
from benchmarks.environments.delay_meter import DelayMeter
from benchmarks.environments.views import View
from controller.free_stages import with_more_stages
from controller.junction import Junction, Node
from hardware.sumo import SumoWorld
from scenarios.arguments import STATISTICS, TRIPINFO, sumo_args
from scenarios.case import Case
from scenarios.controls import Control, build_control, stop_loops_of
from scenarios.handback import Held
from scenarios.metrics import TripFile, measure, read_safety
from scenarios.neighbour_link import PostOffice
from scenarios.prepare import Prepared, prepare
from scenarios.saturation import SaturationMeter


class Seat(NamedTuple):
    """An agent's place: its name, its node, and what it sees."""

    name: str
    junction: Junction
    node: Node
    view: View


def seats_of(prepared: Prepared) -> list[Seat]:
    """Return the agents' places: one for each partial node, named by its junction, and by its node where the junction has several."""
    seats = []
    for junction in prepared.junctions:
        model = with_more_stages(junction)
        seats += [Seat(model.id if len(model.nodes) == 1 else f"{model.id}/{node.id}", model, node, View(model, node)) for node in model.nodes]
    return seats


class Session:
    """One episode. ``interval_ms``: how long each action is in force."""

    def __init__(self, case: Case, actions: Actions, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        prepared = prepare(case)
        self._case, self._window = case, prepared.window
        self.seats = seats_of(prepared)
        self.agents: dict[str, StageAgent | SplitAgent] = {}
        self._stack = ExitStack()
        self.world = SumoWorld.start(sumo_args(case, prepared.config, prepared.window, prepared.additional), "libsumo")
        self._stack.callback(self.world.close)
        self._meter = DelayMeter(self.world)
        self._rewarded_s = 0.0
        self._controls: list[Control] = []
        self._held: list[Held] = []
        office = PostOffice(case.seed, case.neighbour_loss_ratio)
        places = iter(self.seats)
        for junction in prepared.junctions:
            meter = SaturationMeter(stop_loops_of(junction))
            control, held = build_control(
                self.world, case, junction, None, meter, office.port(junction.id), planner=lambda model, node: self._seat(next(places), actions, model, node)
            )
            self._controls.append(control)
            self._held.append(held)
        self._step()
        self._tick()

    @property
    def out_of_time(self) -> bool:
        """Return whether the scenario's time is over, though vehicles may be under way."""
        end_s = self._window.end_s if self._window.end_s is not None else self._window.cap_s
        return self.world.now_ms >= 1000 * end_s

    @property
    def empty(self) -> bool:
        """Return whether the last vehicle has left, in a scenario without an end."""
        return self._window.end_s is None and self.world.remaining() == 0

    @property
    def ended(self) -> bool:
        """Return whether the scenario is over."""
        return self.out_of_time or self.empty

    def act(self, actions: dict[str, list[int]]) -> dict[str, bool]:
        """Give each agent its action, and simulate until the next decision. Return which actions were followed."""
        followed = {name: self.agents[name].act(action) for name, action in actions.items()}
        self._tick()  # once more at the same moment, for the agents have their plans only now
        until_ms = self.world.now_ms + self._interval_ms
        while self.world.now_ms < until_ms and not self.ended:
            self._step()
            self._tick()
        return followed

    def reward(self) -> float:
        """Return minus what was lost since the last call, in vehicle seconds."""
        total_s = self._meter.total_s
        reward, self._rewarded_s = self._rewarded_s - total_s, total_s
        return reward

    def observations(self) -> dict[str, dict[str, Any]]:
        """Return by agent what it sees and which actions would be followed."""
        found = {}
        for seat in self.seats:
            agent = self.agents[seat.name]
            assert agent.seen is not None
            found[seat.name] = {"observation": seat.view.observe(agent.seen).tolist(), "mask": [list(map(bool, part)) for part in agent.mask()]}
        return found

    def finish(self) -> dict[str, Any]:
        """End the simulation; return the run's figures, and as ``rest`` the reward that SUMO's trip records show to be missing."""
        end_s = self.world.now_ms / 1000
        self.close()
        trips = TripFile(self._case.file(TRIPINFO))
        total_s = sum(trip.time_loss_s + trip.depart_delay_s for trip in trips)
        rest, self._rewarded_s = self._rewarded_s - total_s, total_s
        refusals = sum(held.interlock.refusals for held in self._held)
        return {"rest": rest, "figures": {**measure(trips, end_s), **read_safety(self._case.file(STATISTICS)), "interlock_refusals": refusals}}

    def close(self) -> None:
        """End the simulation."""
        self._stack.close()

    def _seat(self, seat: Seat, actions: Actions, junction: Junction, node: Node) -> StageAgent | SplitAgent:
        agent = make_agent(actions, junction, node)
        self.agents[seat.name] = agent
        return agent

    def _step(self) -> None:
        self.world.step()
        self._meter.step()

    def _tick(self) -> None:
        for control in self._controls:
            control.tick(self.world.now_ms)
