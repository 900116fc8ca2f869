"""The optimizer process: snapshots in at standard input, plans out at standard output, one JSON line each (`controller.cabinet.codec`).

It says ready once the planners are compiled. Whatever goes wrong in it is told in one line and ends it: the guard starts another one.
The same program serves as the guard's child and, with a socket as its standard input and output, as a unit of systemd.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controller.assemble import optimizing_planners
from controller.cabinet.codec import LINE_BYTES, Answer, answer_line, line_of, message_of
from controller.cabinet.notify import Notifier
from controller.detection import Detection
from controller.estimate import LoopEstimator
from controller.free_stages import with_more_stages
from controller.journal_schema import junction_of
from controller.junction import Junction, Node
from controller.known import snapshot_of
from controller.planner import Remembering
from controller.sequencer import Sequencer
from controller.snapshot import Snapshot

_WAIT_S: Final = 5.0
_READ_BYTES: Final = 1 << 16

Planners = Mapping[tuple[str, str], Remembering]
"""By node and mode."""


def serve(source: int, sink: int, notifier: Notifier) -> None:
    """Answer what is asked at the file descriptor ``source`` until it ends. Raises whatever goes wrong, after telling it."""
    planners: Planners = {}
    for line in _lines(source, notifier):
        try:
            message = message_of(line)
            if "hello" in message:
                planners = make_planners(junction_of(message["hello"]))
                notifier.ready()
                reply = line_of(ready=True)
            elif "ping" in message:
                reply = line_of(pong=message["ping"])
            else:
                reply = answer_line(answer(message, planners))
        except Exception as error:
            _write(sink, line_of(error=f"{type(error).__name__}: {error}"[:1_000]))
            raise
        _write(sink, reply)
        notifier.watchdog()


def make_planners(junction: Junction) -> Planners:
    """Return the planners of every node, compiled: each has solved a first snapshot of an empty road."""
    junction = with_more_stages(junction)
    for node in junction.nodes:
        for planner in optimizing_planners(junction, node).values():
            planner.submit(_empty_road(junction, node))
            planner.predicted()
    return {(node.id, str(mode)): planner for node in junction.nodes for mode, planner in optimizing_planners(junction, node).items()}


def answer(message: Mapping[str, Any], planners: Planners) -> Answer:
    """Return what the planner says to a question. Raises what it raises."""
    planner = planners[message["node"], message["mode"]]
    memory = planner.memory() if message.get("remember") is True else None
    planner.submit(snapshot_of(message["snapshot"]))
    told = planner.last_digest, planner.last_solve_ms, tuple(planner.notes), tuple(planner.predicted())
    return Answer(message["ask"], planner.poll(), *told, memory)


def _empty_road(junction: Junction, node: Node) -> Snapshot:
    beliefs = LoopEstimator(junction, 0)
    detectors = Detection(junction, 0).states()
    beliefs.update(0, (), detectors, {})
    return Snapshot(0, 0, Sequencer(junction, node, 0).state(0), detectors, beliefs.beliefs(0), beliefs.blocked_exits())


def _lines(source: int, notifier: Notifier) -> Iterator[bytes]:
    """Yield the lines that come; while none does, tell that all is well."""
    buffer = bytearray()
    while True:
        if not select.select([source], [], [], _WAIT_S)[0]:
            notifier.watchdog()
            continue
        data = os.read(source, _READ_BYTES)
        if not data:
            return
        buffer += data
        *lines, rest = buffer.split(b"\n")
        if len(rest) > LINE_BYTES:
            raise ValueError(f"expected lines of at most {LINE_BYTES} bytes, found a longer one")
        buffer = bytearray(rest)
        yield from map(bytes, lines)


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]


def main() -> None:
    """Serve standard input and output; what libraries print goes to standard error."""
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    try:
        serve(source, sink, Notifier.of_environment())
    except BrokenPipeError:
        sys.exit(0)  # the guard has gone


if __name__ == "__main__":
    main()
