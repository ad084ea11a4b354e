"""Reads a log's folder, from docs/internals/log.md and sharing no code with the program.

`held(folder)` gives the frames that some consumer is still owed, `frames(folder)` all, `samples(payload)` what a frame
of the bulk log carries. Damaged places are passed over as the program does: at each multiple of 8 a frame may begin.
"""

import ctypes
import functools
import pathlib
import struct

import snappy

import remote_write
import shim

MAGIC = b"TELEXLOG"
FRAME_MAGIC, FOOTER_MAGIC = 0x66584C54, 0x65584C54
FILE_HEADER, DATA_START, FRAME_HEADER, FOOTER = 64, 128, 48, 576
TYPE_OWN, TYPE_CURSOR, TYPE_CONSUMER, FLAG_RETIRED = 0xFF00, 0xFF00, 0xFF01, 1
CODEC_RW1 = 1
LETTER_BATCH, LETTER_RAW = 1, 2


class FormatError(ValueError):
    """Bytes that are not what the format says."""


@functools.lru_cache(maxsize=1)
def _library():
    """The C code that does the sum: Python takes a second for a few MB."""
    found = ctypes.CDLL(str(shim.library()))
    found.fault_crc32c.restype = ctypes.c_uint32
    found.fault_crc32c.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
    return found


def crc32c(data, crc=0):
    """CRC-32C of bytes, continuing `crc`."""
    data = bytes(data)
    return _library().fault_crc32c(crc, data, len(data))


class FileHeader:
    """The two copies at the front of every file; the first that is whole counts."""

    def __init__(self, data):
        for at in (0, FILE_HEADER):
            copy = data[at:at + FILE_HEADER]
            if len(copy) == FILE_HEADER and copy[:8] == MAGIC and crc32c(copy[:60]) == _u32(copy, 60):
                break
        else:
            raise FormatError("no file header")
        (self.version, self.kind, self.compatible, self.required, self.salt, self.serial, self.first_seq,
         self.created_ns) = struct.unpack_from("<HHIIIQQq", copy, 8)
        if self.version != 1 or self.required:
            raise FormatError(f"version {self.version}, required flags {self.required:#x}")


class Frame:
    def __init__(self, data, at, salt):
        """The frame at `at`; FormatError when there is none, or its payload is damaged (then `stepped` says how far)."""
        header = data[at:at + FRAME_HEADER]
        self.stepped = 0
        if len(header) < FRAME_HEADER or _u32(header, 0) != FRAME_MAGIC or \
                crc32c(header[8:], salt) != _u32(header, 4):
            raise FormatError("no frame")
        (length, self.type, self.flags, self.seq, self.mask, self.time_ns, payload_crc, _) = \
            struct.unpack_from("<IHHQQqII", header, 8)
        self.end = at + FRAME_HEADER + (length + 7 & ~7)
        self.payload = bytes(data[at + FRAME_HEADER:at + FRAME_HEADER + length])
        # A payload is whole also where only the padding behind it is missing.
        self.whole = len(self.payload) == length and crc32c(self.payload) == payload_crc


def _u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def file_frames(data):
    """All whole frames of one file, in file order."""
    header = FileHeader(data)
    found, at = [], DATA_START
    while at + FRAME_HEADER <= len(data):
        try:
            frame = Frame(data, at, header.salt)
        except FormatError:
            at += 8
            continue
        if frame.whole:
            found.append(frame)
            at = frame.end
        else:
            at = frame.end if frame.end <= len(data) else at + 8
    return found


def segments(folder):
    """(header, frames) of each readable segment, in order."""
    found = []
    for path in sorted(pathlib.Path(folder).glob("*.segment")):
        try:
            data = path.read_bytes()
            found.append((FileHeader(data), file_frames(data)))
        except FormatError:
            continue
    return found


def frames(folder):
    """All frames that were appended, by sequence number; the log's own are left out. A later segment's first number makes what older ones have from there on void."""
    result, floor = [], None
    for header, here in reversed(segments(folder)):
        result = [frame for frame in here
                  if frame.type < TYPE_OWN and (floor is None or frame.seq < floor)] + result
        floor = header.first_seq if floor is None else min(floor, header.first_seq)
    return result


class Consumer:
    def __init__(self, name):
        self.name = name
        self.cursor = 0
        self.retired = False


def consumers(folder):
    """{bit: Consumer} from the files `consumers` and `cursors`."""
    found = {}
    for name in ("consumers", "cursors"):
        path = pathlib.Path(folder) / name
        try:
            records = file_frames(path.read_bytes())
        except (FileNotFoundError, FormatError):
            continue
        for record in records:
            bit = record.mask.bit_length() - 1
            consumer = found.setdefault(bit, Consumer(record.payload.decode()))
            if record.type == TYPE_CONSUMER:
                consumer.retired = bool(record.flags & FLAG_RETIRED)
            elif consumer.name == record.payload.decode():
                consumer.cursor = max(consumer.cursor, record.seq)
    return found


def owed(folder):
    """[(frame, names of the consumers that are not done with it)] in order; frames nobody waits for are left out."""
    known = consumers(folder)
    result = []
    for frame in frames(folder):
        names = [consumer.name for bit, consumer in known.items()
                 if frame.mask >> bit & 1 and consumer.cursor < frame.seq and not consumer.retired]
        if names:
            result.append((frame, names))
    return result


def samples(payload):
    """The series (remote_write.Series) in a frame of samples."""
    codec, body = 0, b""
    for number, _, value in remote_write.fields(payload):
        if number == 1:
            codec = value
        elif number == 15:
            body = value
    if codec != CODEC_RW1:
        raise FormatError(f"codec {codec}")
    return remote_write.decode(snappy.uncompress(body))


def letter(frame):
    """(reason, payload) of a dead letter."""
    length, at = remote_write.varint(frame.payload, 0)
    return frame.payload[at:at + length].decode("utf-8", "replace"), frame.payload[at + length:]
