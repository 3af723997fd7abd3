"""Record batches with header names that no client would write."""

from __future__ import annotations

from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c


class RawName(str):
    """A header name whose bytes are what the test wants."""

    raw: bytes

    def __new__(cls, raw: bytes) -> RawName:
        made = super().__new__(cls, raw.decode("latin-1"))
        made.raw = raw
        return made

    def encode(self, *_: str) -> bytes:
        """The bytes themselves."""
        return self.raw


def batch(
    first: int, headers: list[list[tuple[bytes, bytes | None]]], compression: int = 0, key: bytes = b"key",
    value: bytes = b"value",
) -> bytes:  # fmt: skip
    """A batch as a broker stores it, one record per list of headers."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 1_000_000)
    for number, pairs in enumerate(headers):
        builder.append(number, 1_000, key, value, [(RawName(name), said) for name, said in pairs])
    built = bytearray(builder.build())
    built[0:8] = first.to_bytes(8, "big")
    assert int.from_bytes(built[17:21], "big") == calc_crc32c(bytes(built[21:]))
    return bytes(built)
