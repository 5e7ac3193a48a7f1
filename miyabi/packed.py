"""What a host has packed as base64, with gzip where it has that, unpacked. Pure."""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Iterable


def unpacked(packing: str, lines: Iterable[str], most: int) -> bytes:
    """What the lines hold.

    + packing: ``gzip``, or anything else for what is only in base64
    + most: bytes that are unpacked at most

    Raises ``ValueError`` when it is cut off, or larger.
    """
    packed = b64decode("".join(lines), validate=True)
    if packing != "gzip":
        return packed
    unpacking = zlib.decompressobj(31)
    try:
        told = unpacking.decompress(packed, most)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacking.eof:
        raise ValueError("its end is missing")
    return told
