"""Framing and codecs of wire protocols, sans-IO: bytes to values and back; no port, no clock, no thread."""
