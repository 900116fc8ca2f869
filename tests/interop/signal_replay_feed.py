"""Runs in an environment of its own, with signal-replay: replays detector events over SNMP, and judges the log of what the controller did.

Prints one JSON object. ``python signal_replay_feed.py SETTINGS`` (JSON: port, log, folder, events as [after s, code, detector]).
"""

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pandas
from signal_replay import ATCSimulation, SignalConfig

settings = json.loads(sys.argv[1])
begin = datetime(2026, 1, 5, 7, 0)


def log(target, since):
    """Return the controller's high-resolution log, as the other process writes it."""
    rows = [json.loads(line) for line in Path(settings["log"]).read_text().splitlines()]
    return [{"TimeStamp": datetime.fromisoformat(at), "EventTypeID": code, "Parameter": parameter} for at, code, parameter in rows]


def main():
    """Replay once, with phases 2 and 4 told to be incompatible, and 2 and 6 as a proof that conflicts would be seen."""
    rows = [(begin + timedelta(seconds=after_s), "cross", code, detector) for after_s, code, detector in settings["events"]]
    events = pandas.DataFrame(rows, columns=["TimeStamp", "DeviceId", "EventId", "Parameter"])
    pairs = [tuple(pair) for pair in settings["incompatible"]]
    signal = SignalConfig(device_id="cross", ip="127.0.0.1", udp_port=settings["port"], incompatible_pairs=pairs, snmp_community="public")
    result = ATCSimulation(
        signals=[signal],
        events=events,
        event_source=log,
        stop_on_conflict=False,
        skip_comparison=True,
        collection_interval_minutes=0.1,
        post_replay_settle_seconds=2.0,
        final_collection_timeout_seconds=10.0,
        final_collection_poll_seconds=1.0,
        work_dir=settings["folder"],
    ).run()
    print(json.dumps({"reason": result.stop_reason, "completed": result.runs_completed, "conflicts": [c.conflict_details for c in result.conflicts]}))


main()
