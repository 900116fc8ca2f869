"""SUMO's signal heads: aspects to the letters of the state string and back. Raw: to be wrapped by the interlock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hardware.ports import Observation, PortError
from hardware.signals import Aspect, Frame, SiteSpec

if TYPE_CHECKING:
    from hardware.sumo import SumoWorld

LETTER_OF_ASPECT: Final = {
    Aspect.DARK: "O",
    Aspect.RED: "r",
    Aspect.RED_AMBER: "u",
    Aspect.AMBER: "y",
    Aspect.FLASHING_AMBER: "o",
}
ASPECT_OF_LETTER: Final = {
    "O": Aspect.DARK,
    "r": Aspect.RED,
    "s": Aspect.RED,
    "u": Aspect.RED_AMBER,
    "y": Aspect.AMBER,
    "Y": Aspect.AMBER,
    "g": Aspect.GREEN,
    "G": Aspect.GREEN,
    "o": Aspect.FLASHING_AMBER,
}
CHANGING: Final = "yYu"
ONLINE: Final = "online"  # SUMO's name for what TraCI clients show
GOING: Final = (Aspect.GREEN, Aspect.AMBER)


class SumoHeads:
    """The whole state string of one light. Links of no group stay red."""

    def __init__(
        self,
        world: SumoWorld,
        light_id: str,
        spec: SiteSpec,
        links: Sequence[Sequence[int]],
        *,
        turn_on_red: Sequence[bool],
        yields: Sequence[tuple[str, str]],
    ) -> None:
        self._world = world
        self._light = light_id
        index = {group.id: i for i, group in enumerate(spec.groups)}
        self._min_green_ms = [group.min_green_ms for group in spec.groups]
        with world.link():
            self._programme = _own_programme(world, light_id)
            shown = str(world.api.trafficlight.getRedYellowGreenState(light_id))
        self._links = [tuple(group_links) for group_links in links]
        _check_links(light_id, spec, self._links, len(shown))
        self._red = ["s" if allowed else "r" for allowed in turn_on_red]
        self._priority_of = [tuple(index[p] for y, p in yields if y == group.id) for group in spec.groups]
        self._length = len(shown)
        self._state: str | None = None
        self._asked: tuple[tuple[Aspect, ...], str] = ((), "")  # the aspects asked for last, and their string
        self._read: tuple[str, tuple[Aspect, ...]] = ("", ())  # the string read last, and its aspects

    def show(self, frame: Frame, now_ms: int) -> None:
        """Show the frame; the simulator is asked only where the string changes. Raises `PortError` on a lost link."""
        del now_ms  # SUMO shows at once
        if len(frame.aspects) != len(self._links):
            raise PortError(f"light {self._light!r} has {len(self._links)} groups, the frame has {len(frame.aspects)} aspects")
        if frame.aspects != self._asked[0]:
            self._asked = frame.aspects, state_letters(frame.aspects, self._links, self._red, self._priority_of, self._length)
        state = self._asked[1]
        if state == self._state:
            return
        with self._world.link():
            self._world.api.trafficlight.setRedYellowGreenState(self._light, state)
        self._state = state

    def observe(self, now_ms: int) -> Observation:
        """Return the aspects that SUMO shows now. Raises `PortError` on a lost link or a letter that no aspect has."""
        with self._world.link():
            state = str(self._world.api.trafficlight.getRedYellowGreenState(self._light))
        if state != self._read[0]:
            try:
                self._read = state, tuple(ASPECT_OF_LETTER[state[links[0]]] for links in self._links)
            except KeyError as error:
                raise PortError(f"light {self._light!r} shows {state!r}: the letter {error} has no aspect (known: {''.join(ASPECT_OF_LETTER)})") from error
        mode = "remote" if self._state is None or state == self._state else "local"
        return Observation(now_ms, self._read[1], mode)

    def release(self, now_ms: int, *, hurried: bool = False) -> bool:
        """Give the light back to its own programme; True when done. Only while everything is red, for the jump has no amber.

        Unless ``hurried``, only where the programme stands in a phase without amber, and early enough in it for the minimum greens.
        """
        if self._state is None:
            return True
        if any(letter not in "rs" for letter in self._state):
            return False
        lights = self._world.api.trafficlight
        with self._world.link():
            lights.setProgram(self._light, self._programme)
            if not hurried and not self._good_point(now_ms):
                lights.setRedYellowGreenState(self._light, self._state)  # within one step: nobody saw the programme's lamps
                return False
        self._state = None
        return True

    def _good_point(self, now_ms: int) -> bool:
        """Tell whether what the programme shows now begins and lasts as it should after red."""
        lights = self._world.api.trafficlight
        state = str(lights.getRedYellowGreenState(self._light))
        if any(letter in CHANGING for letter in state):
            return False
        green = [ms for ms, links in zip(self._min_green_ms, self._links, strict=True) if state[links[0]] in "gG"]
        return round(float(lights.getNextSwitch(self._light)) * 1000) - now_ms >= max(green, default=0)


def _own_programme(world: SumoWorld, light_id: str) -> str:
    """Return the programme that a light runs, or its first one where another TraCI client holds it."""
    lights = world.api.trafficlight
    running = str(lights.getProgram(light_id))
    own = [str(logic.programID) for logic in lights.getAllProgramLogics(light_id) if logic.programID != ONLINE]
    return running if running in own or not own else own[0]


def state_letters(aspects: Sequence[Aspect], links: Sequence[Sequence[int]], red: Sequence[str], priority_of: Sequence[Sequence[int]], length: int) -> str:
    """Return the state string of ``length`` letters that shows one aspect per group.

    ``links``: per group its indices; ``red``: its letter for red; ``priority_of``: the groups it yields to. Green is 'g' while one
    of these has green or amber, else 'G'. Indices of no group are red.
    """
    letters = ["r"] * length
    for i, aspect in enumerate(aspects):
        if aspect is Aspect.GREEN:
            letter = "g" if any(aspects[p] in GOING for p in priority_of[i]) else "G"
        elif aspect is Aspect.RED:
            letter = red[i]
        else:
            letter = LETTER_OF_ASPECT[aspect]
        for link in links[i]:
            letters[link] = letter
    return "".join(letters)


def _check_links(light_id: str, spec: SiteSpec, links: Sequence[Sequence[int]], length: int) -> None:
    if len(links) != len(spec.groups):
        raise PortError(f"light {light_id!r}: {len(spec.groups)} groups but links for {len(links)}")
    used: set[int] = set()
    for group, group_links in zip(spec.groups, links, strict=True):
        if not group_links:
            raise PortError(f"light {light_id!r}: group {group.id!r} drives no link; give it at least one index of the state string")
        for link in group_links:
            if not 0 <= link < length:
                raise PortError(f"light {light_id!r}: group {group.id!r} names link {link}, the state string has {length} letters (0 to {length - 1})")
            if link in used:
                raise PortError(f"light {light_id!r}: link {link} belongs to two groups, one of them {group.id!r}")
            used.add(link)
