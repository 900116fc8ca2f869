"""Gymnasium and PettingZoo environments on the simulations that `umlauf bench` measures: same loops, interlock and metric (docs/ENVIRONMENTS.md)."""
