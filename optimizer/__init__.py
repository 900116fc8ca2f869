"""Arithmetic: numpy and numba kernels that compute green times. No clock, no I/O."""
