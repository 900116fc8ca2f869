"""SUMO worlds: catalogue, importer, runner, metrics."""
