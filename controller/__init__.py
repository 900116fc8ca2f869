"""Decides: junction model, detection, estimation, planners, sequencer, supervisor, journal, loop."""
