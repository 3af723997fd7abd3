"""Read a payroll file, from wherever its bytes come, into a kept file that can be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

from aiokafka.errors import KafkaError

from deploy.payroll.columnmap import ColumnMap
from deploy.payroll.kept import FileState, Incoming, Kept, Store
from deploy.payroll.lines import LineReader
from deploy.payroll.problems import FileRefused, OutOfScope, RowProblem
from deploy.payroll.rows import CsvRows, NdjsonRows, Raw, Rows
from deploy.payroll.totals import FileTotals
from shared.runtime.clients import kafka_admin
from shared.runtime.settings import Settings
from shared.values.identity import derived_id

CHUNK_BYTES = 256 * 1024
MALFORMED_MAX = 100_000
"""Beyond this, the map is wrong and not the rows."""

PlanCheck = Callable[[str], bool]


class FileReading:
    """Takes a file's bytes in order; at the end there is a kept file, or the file is refused as a whole."""

    def __init__(self, columns: ColumnMap, incoming: Incoming, may_send_for: PlanCheck = lambda _: True) -> None:
        """Raises ``MapInvalid`` when the map leaves something open."""
        self._map, self._incoming, self._may_send_for = columns, incoming, may_send_for
        self._rows: Rows = CsvRows(columns.delimiter, columns.encoding) if columns.format == "csv" else NdjsonRows()
        self._reader = LineReader(columns)
        self._totals = FileTotals()
        self._digest = sha256()
        self._bytes = 0

    def push(self, data: bytes) -> None:
        """Read the next bytes. Raises ``FileRefused``."""
        self._bytes += len(data)
        self._digest.update(data)
        self._take(self._rows.push(data))

    def finish(self, store: Store, cluster: str, *, with_totals: bool = False, uploaded_by: str = "") -> Kept:
        """The kept file; one that was kept before when it is the same file. Raises ``FileRefused``."""
        self._take(self._rows.finish())
        incoming, digest = self._incoming, self._digest.hexdigest()
        if not self._reader.has_header or not incoming.lines + incoming.malformed:
            raise FileRefused("FILE_EMPTY", "there is no row in the file")
        state = FileState(
            file_id=derived_id("payroll-file", cluster, digest, self._map.digest, str(with_totals), uploaded_by),
            sender=self._map.sender, ce_source=self._map.ce_source, format=self._map.format, sha256=digest,
            bytes=self._bytes, lines=incoming.lines, malformed=incoming.malformed, plans=list(incoming.plans),
            runs=self._totals.as_json(), with_totals=with_totals, uploaded_by=uploaded_by,
        )  # fmt: skip
        return store.adopt(incoming, state)

    def _take(self, rows: Iterator[Raw]) -> None:
        for raw in rows:
            found = self._reader.read(raw)
            if found is None:
                continue
            if isinstance(found, RowProblem):
                self._incoming.refuse(*found)
                if self._incoming.malformed > MALFORMED_MAX:
                    raise FileRefused("FILE_TOO_MANY_ERRORS", f"more than {MALFORMED_MAX} rows cannot be read")
                continue
            if not self._may_send_for(found.plan_id):
                raise OutOfScope("plan_out_of_scope", "the row names a plan this sender may not send for", found.row)
            self._totals.add(found)
            self._incoming.add(found)


async def cluster_id(config: Settings) -> str:
    """Kafka's own id: a file that was sent to one cluster is a new one for another. Raises ``KafkaError``."""
    admin = kafka_admin(config)
    await admin.start()
    try:
        described = await admin.describe_cluster()
    finally:
        await admin.close()
    found = described.get("cluster_id")
    if not found:
        raise KafkaError("the broker does not tell its cluster id")
    return str(found)
