"""The reader of log folders against files of released format versions, whole and damaged."""

import pathlib
import shutil

import pytest

import logfile

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "log" / "v1"


@pytest.fixture(name="folder")
def copied(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "log")
    return tmp_path / "log"


def numbers(folder):
    return [frame.seq for frame in logfile.frames(folder)]


def test_crc():
    assert logfile.crc32c(b"123456789") == 0xE3069283
    assert logfile.crc32c(b"6789", logfile.crc32c(b"12345")) == 0xE3069283


def test_all_frames(folder):
    assert numbers(folder) == list(range(1, 21))


def test_consumers_and_what_they_are_owed(folder):
    consumers = logfile.consumers(folder)
    assert {bit: (c.name, c.cursor) for bit, c in consumers.items()} == {0: ("first", 5), 1: ("second \u00e9", 0)}
    owed = [(frame.seq, names) for frame, names in logfile.owed(folder)]
    assert owed == [(n, ["first"] if n % 2 else ["second \u00e9"]) for n in range(1, 21) if n % 2 == 0 or n > 5]


def test_names_survive_the_loss_of_one_file(folder):
    (folder / "consumers").unlink()
    assert logfile.consumers(folder)[0].name == "first"


def test_one_flipped_bit_costs_one_frame_at_most(folder):
    path = folder / "0000000000000001.segment"
    whole, before = path.read_bytes(), set(numbers(folder))
    for at in range(0, len(whole), 7):
        data = bytearray(whole)
        data[at] ^= 0x10
        path.write_bytes(data)
        after = numbers(folder)
        assert after == sorted(after) and set(after) <= before and len(before) - len(after) <= 1, at


def test_a_torn_end(folder):
    path = folder / "0000000000000002.segment"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert numbers(folder) == list(range(1, 20))
