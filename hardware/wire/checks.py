"""Check sums of serial protocols: 16-bit cyclic redundancy checks with the low bit first, and the exclusive or."""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import Final


def _table(polynomial: int) -> tuple[int, ...]:
    def shifted(register: int) -> int:
        return register >> 1 ^ (polynomial if register & 1 else 0)

    return tuple(reduce(lambda register, _: shifted(register), range(8), octet) for octet in range(256))


def _crc(table: tuple[int, ...], data: bytes) -> int:
    register = 0xFFFF
    for octet in data:
        register = register >> 8 ^ table[(register ^ octet) & 0xFF]
    return register


_MODBUS: Final = _table(0xA001)  # x^16 + x^15 + x^2 + 1, reflected ("MODBUS over serial line", V1.02, 6.2.2)
_X25: Final = _table(0x8408)  # x^16 + x^12 + x^5 + 1, reflected (ITU-T X.25, 2.2.7)


def crc_modbus(data: bytes) -> int:
    """Return the CRC of a Modbus RTU frame; it travels with the low octet first."""
    return _crc(_MODBUS, data)


def crc_x25(data: bytes) -> int:
    """Return the frame check sequence of HDLC and X.25; it travels with the low octet first."""
    return 0xFFFF ^ _crc(_X25, data)


def xor_sum(data: bytes) -> int:
    """Return the exclusive or of all octets."""
    return reduce(xor, data, 0)
