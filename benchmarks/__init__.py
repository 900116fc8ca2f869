"""Policies, scenarios and seeds compared; micro-benchmarks."""
