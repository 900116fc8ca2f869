"""An independent judge of what reached the heads: written from the rules in docs/SAFETY.md, sharing no code with the interlock.

It knows aspects by their first letters and keeps, per group, what was seen and when. It says nothing about what should
have been allowed, only whether what was shown was safe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hardware.signals import Aspect, SiteSpec

LETTERS = {Aspect.DARK: "d", Aspect.RED: "r", Aspect.RED_AMBER: "u", Aspect.GREEN: "G", Aspect.AMBER: "a", Aspect.FLASHING_AMBER: "f"}
UNKNOWN = "?"


@dataclass(frozen=True)
class Memory:
    """What was seen; ``began`` of the present letter, ``ended`` of the last green, ``red_since`` of the present all-red."""

    letters: str
    began: tuple[int, ...]
    ended: tuple[int | None, ...]
    red_since: int | None = None
    armed: bool = False  # greens may start: the longest intergreen of all-red has passed since start, refusal or flashing
    latched: bool = False  # a refusal has not been reset: nothing may start
    excused: str = ""  # groups whose present green may be cut: it was not the interlock that began it


class Oracle:
    def __init__(self, spec: SiteSpec) -> None:
        self.spec = spec
        self.index = {g.id: i for i, g in enumerate(spec.groups)}
        self.longest = max(spec.intergreen_ms.values(), default=0)

    def begin(self, now: int, seen: tuple[Aspect, ...] | None = None) -> Memory:
        count = len(self.spec.groups)
        letters = "".join(LETTERS[a] for a in seen) if seen else UNKNOWN * count
        red_since = now if letters == "r" * count else None
        return Memory(letters, (now,) * count, (None,) * count, red_since, excused="".join(str(i) for i in range(count)))

    def refused(self, memory: Memory) -> Memory:
        return replace(memory, latched=True, armed=False)

    def lost(self, memory: Memory) -> Memory:
        """The device failed in mid-change: what it shows is known to us, not to the interlock, which must start anew."""
        return replace(memory, armed=False, excused="".join(str(i) for i in range(len(memory.letters))))

    def resumed(self, memory: Memory, now: int) -> Memory:
        return replace(memory, latched=False, armed=False, red_since=now if set(memory.letters) == {"r"} else None)

    def watch(self, memory: Memory, aspects: tuple[Aspect, ...], now: int) -> tuple[list[str], Memory]:
        """Return what was unsafe about showing these aspects now, and what to remember."""
        new = "".join(LETTERS[a] for a in aspects)
        faults = self._together(new)
        began, ended, excused = list(memory.began), list(memory.ended), memory.excused
        for i, (was, now_is) in enumerate(zip(memory.letters, new, strict=True)):
            if was == now_is:
                continue
            faults += self._change(memory, i, was, now_is, now)
            if was == "G":
                ended[i] = now
                excused = excused.replace(str(i), "")
            began[i] = now
        starting = [i for i in range(len(new)) if new[i] == "G" and memory.letters[i] != "G"]
        for i in starting:
            excused = excused.replace(str(i), "")
            faults += self._start(i, new, began, ended, now)
        armed = memory.armed
        if any(n in "uG" and o not in "uG" for n, o in zip(new, memory.letters, strict=True)):
            rested = memory.red_since is not None and now - memory.red_since >= self.longest
            if memory.latched or not (armed or rested):
                faults.append(f"{now}: {memory.letters} -> {new}: something starts although the junction was not cleared")
            armed = armed or rested
        if set(new) & set("df"):
            armed = False
        red_since = None
        if set(new) == {"r"}:
            red_since = memory.red_since if memory.red_since is not None else now
        return faults, Memory(new, tuple(began), tuple(ended), red_since, armed, memory.latched, excused)

    def _together(self, new: str) -> list[str]:
        faults = []
        for one, other in self.spec.intergreen_ms:
            a, b = new[self.index[one]], new[self.index[other]]
            if a in "uG" and b in "uG":
                faults.append(f"{one} and {other} are let go together: {new}")
            if a == "G" and b not in "ra":
                faults.append(f"{one} is green beside {other}, which shows {b}")
        if set(new) & set("df") and set(new) - set("df"):
            faults.append(f"part of the junction is off: {new}")
        return faults

    def _change(self, memory: Memory, i: int, was: str, now_is: str, now: int) -> list[str]:
        group = self.spec.groups[i]
        lasted = now - memory.began[i]
        where = f"{now}: {group.id} {was} -> {now_is} after {lasted} ms"
        faults = []
        after_green = "a" if group.amber_ms else "r"
        lawful = {
            "?": "rafd",
            "r": ("u" if group.red_amber_ms else "G") + "df",
            "u": "Gr" + ("a" if str(i) in memory.excused else ""),
            "G": after_green,
            "a": "r",
            "d": after_green + "f",
            "f": after_green + "d",
        }[was]
        if str(i) in memory.excused:  # heads in an unknown state go to red over amber, or come from dark
            lawful += {"r": "a", "d": "r", "f": "r"}.get(was, "")
        if now_is not in lawful:
            faults.append(f"{where}: wrong order")
        if now_is in "au" and not {"a": group.amber_ms, "u": group.red_amber_ms}[now_is]:
            faults.append(f"{where}: it has no such aspect")
        if now_is == "f" and not group.amber_ms:
            faults.append(f"{where}: it cannot flash")
        if was == "G" and lasted < group.min_green_ms and str(i) not in memory.excused:
            faults.append(f"{where}: short green")
        if was == "a" and lasted < group.amber_ms:
            faults.append(f"{where}: short amber")
        if was == "u" and now_is == "G" and lasted < group.red_amber_ms:
            faults.append(f"{where}: short red-amber")
        if now_is in "df" and was not in "df?" and (memory.red_since is None or now - memory.red_since < self.longest):
            faults.append(f"{where}: switched off without a cleared all-red")
        return faults

    def _start(self, i: int, new: str, began: list[int], ended: list[int | None], now: int) -> list[str]:
        faults = []
        me = self.spec.groups[i].id
        for (clearing, entering), gap in self.spec.intergreen_ms.items():
            end = ended[self.index[clearing]]
            if entering == me and end is not None and now - end < gap:
                faults.append(f"{now}: {me} starts {now - end} ms after {clearing}, needs {gap}")
            if entering == me and new[self.index[clearing]] == "a":
                faults.append(f"{now}: {me} starts during the amber of {clearing}")
        for (yielding, priority), head in self.spec.head_start_ms.items():
            for other in {yielding: [priority], priority: [yielding]}.get(me, []):
                j = self.index[other]
                too_early = new[j] == "G" and now - began[j] < head
                first_of_both = me == priority and began[j] == now  # then the yielding one is at fault, and is told so
                if too_early and not first_of_both:
                    faults.append(f"{now}: {me} starts {now - began[j]} ms after {other}, needs {head}")
        return faults
