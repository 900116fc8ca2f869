"""Ports, adapters and the interlock. Nothing here computes a timing."""
