"""What is kept of a file survives its process, and is taken up where it was left."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from deploy.payroll.kept import FileBusy, Kept, Store
from deploy.payroll.rejects import csv_pieces, write_rejects
from deploy.payroll.waiting import Batch
from tests.unit.payroll.builders import HEADER, ROW, a_map, kept_of

REJECT = {"row": 7, "participant_id": "=HYPERLINK(1)", "status": "rejected", "code": "LIMIT_402G", "cents": 12_345}


def again(kept: Kept) -> Kept:
    found = Store(kept.folder.parent).find(kept.state.file_id)
    assert found is not None
    return found


def test_the_same_file_and_map_have_one_id(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, HEADER + ROW)
    kept.state.sent = 1
    kept.save()
    assert kept_of(tmp_path, HEADER + ROW).state.sent == 1
    others = [
        kept_of(tmp_path, HEADER + ROW + ROW), kept_of(tmp_path, HEADER + ROW, with_totals=True),
        kept_of(tmp_path, HEADER + ROW, a_map(identity="key")),
    ]  # fmt: skip
    assert len({kept.state.file_id, *(other.state.file_id for other in others)}) == 4


def test_a_run_that_ended_in_between_leaves_its_checkpoint_and_nothing_after_it(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, HEADER + ROW)
    kept.append_rejects([REJECT])
    kept.save()
    kept.append_rejects([REJECT, REJECT])  # The process dies before it is saved.
    taken_up = again(kept)
    assert len(list(taken_up.rejects())) == 1
    taken_up.append_rejects([REJECT | {"row": 8}])
    assert [reject["row"] for reject in taken_up.rejects()] == [7, 8]


def test_pages_of_rejects_are_parts_of_the_whole(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, HEADER + ROW)
    kept.append_rejects([REJECT | {"row": row} for row in range(10)])
    assert [one["row"] for one in kept.rejects(3, 4)] == [3, 4, 5, 6]
    assert [one["row"] for one in kept.rejects(8, 4)] == [8, 9]
    assert list(kept.rejects(10, 4)) == []


@pytest.mark.parametrize("name", ["..", "../..", "/etc/passwd", "", "state.json", "x" * 36, "incoming-0000"])
def test_only_ids_name_files(tmp_path: Path, name: str) -> None:
    assert Store(tmp_path).find(name) is None


def test_one_process_at_a_time_sends_a_file(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, HEADER + ROW)
    store = Store(kept.folder.parent)
    with store.lock(kept), pytest.raises(FileBusy), store.lock(kept):
        pass


def test_what_a_killed_reader_left_is_swept_and_a_living_readers_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "incoming-dead").mkdir()
    with store.incoming() as living:
        with Store(tmp_path).incoming():
            assert living.folder.exists()
        assert not (tmp_path / "incoming-dead").exists()
    assert list(tmp_path.iterdir()) == []


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    kept = kept_of(tmp_path, HEADER + ROW)
    assert {file.stat().st_mode & 0o077 for file in [kept.folder, *kept.folder.iterdir()]} == {0}


def test_rejects_open_in_a_spreadsheet_without_running_anything(tmp_path: Path) -> None:
    file = tmp_path / "rejects.csv"
    assert write_rejects(file, [REJECT]) == 1
    (row,) = csv.DictReader(file.open(newline="", encoding="utf-8"))
    assert (row["row"], row["participant_id"], row["amount"], row["message"]) == ("7", "'=HYPERLINK(1)", "123.45", "")
    assert "".join(csv_pieces([REJECT], rows=1)).encode() == file.read_bytes()


def test_all_is_well_only_when_every_row_was_accepted(tmp_path: Path) -> None:
    state = kept_of(tmp_path, HEADER + ROW).state
    assert not state.ok
    batch = Batch(0, 1, 0.0)
    batch.answers["accepted"] = 1
    batch.add_to(state)
    assert not state.ok
    state.phase = "done"
    assert state.ok
    state.malformed = 1
    assert not state.ok
