"""Takes back what a killed process had not synced, as a power cut would, from the journal that shim.c keeps.

`cut(control, how)` changes the files below the watched folder to what the disk may hold:

    LOSE_ALL    nothing that was not synced
    BY_CHANCE   each 512-byte granule of each unsynced write by chance, so that writes arrive torn and in any order; of
                a folder's unsynced changes (creations, renames, removals) some first ones, in order
"""

import os
import pathlib
import shutil
import struct

from shim import KINDS

LOSE_ALL, BY_CHANCE = "lose all", "by chance"
GRANULE = 512
ENTRY = struct.Struct("<7Q")


class Entry:
    def __init__(self, kind, fields, path, to, old):
        self.kind = kind
        self.offset, self.length, self.old_size, self.saved = fields
        self.path, self.to, self.old = path, to, old
        self.forgotten = False

    @property
    def is_data(self):
        return self.kind in ("write", "truncate")

    @property
    def end(self):
        return self.offset + self.length if self.kind == "write" else max(self.offset, self.old_size)

    def overlaps(self, other):
        return self is other or self.offset < other.end and other.offset < self.end


def read(journal):
    """All entries, in the order of the calls. One that is cut off belongs to a call that was not made any more."""
    data, at, found = journal.read_bytes(), 0, []
    while at + ENTRY.size <= len(data):
        kind, path_len, offset, length, old_len, old_size, saved = ENTRY.unpack_from(data, at)
        at += ENTRY.size
        if at + path_len + old_len > len(data):
            break
        names = data[at:at + path_len].decode().split("\0")
        at += path_len
        found.append(Entry(KINDS[kind], (offset, length, old_size, saved), names[0],
                           names[1] if len(names) > 2 else None, data[at:at + old_len]))
        at += old_len
    return found


def pending(entries):
    """What no sync has made durable. Bytes wait for their file's sync, names for their folder's.

    A failed sync forgets the bytes that it was asked for, as Linux does: a later one that succeeds does not bring them to
    the disk, unless they were written again.
    """
    left = []
    for entry in entries:
        if entry.kind != "sync":
            left.append(_moved(left, entry))
        elif entry.length:
            for other in left:
                other.forgotten |= other.is_data and other.path == entry.path
        else:
            left = _synced(left, entry.path)
    return left


def _moved(left, entry):
    """A renamed file's bytes go with it."""
    for other in left if entry.kind == "rename" else ():
        if other.is_data and other.path == entry.path:
            other.path = entry.to
    return entry


def _synced(left, path):
    """What is still pending after a sync of the file or folder `path`."""
    durable = [other for other in left if other.is_data and other.path == path and not other.forgotten]
    return [other for other in left
            if not (other.is_data and other.path == path and any(other.overlaps(one) for one in durable))
            and (other.is_data or os.path.dirname(other.to or other.path) != path)]


def cut(control, how, rng):
    """Undoes; removes the journal. Returns how many calls were taken back, in whole or in part."""
    journal = pathlib.Path(f"{control}.journal")
    if not journal.exists():
        return 0
    left = pending(read(journal))
    kept_names = _kept_names(left, how, rng)
    undone, granules = 0, {}
    for entry in reversed(left):
        if entry.is_data:
            undone += _undo_bytes(entry, granules, how, rng)
        elif id(entry) not in kept_names:
            _undo_name(entry, control)
            undone += 1
    journal.unlink()
    for saved in journal.parent.glob(f"{pathlib.Path(control).name}.saved.*"):
        saved.unlink()
    return undone


def _kept_names(left, how, rng):
    """The changes of names that reached the disk: of each folder some first ones."""
    folders, kept = {}, set()
    for entry in left:
        if not entry.is_data:
            folders.setdefault(os.path.dirname(entry.to or entry.path), []).append(entry)
    for entries in folders.values():
        kept.update(id(entry) for entry in entries[:rng.randint(0, len(entries)) if how == BY_CHANCE else 0])
    return kept


def _undo_bytes(entry, granules, how, rng):
    if not os.path.exists(entry.path):
        return 0
    settled = granules.setdefault(entry.path, set())
    undone = 0
    with open(entry.path, "r+b") as file:
        if entry.kind == "truncate" or how == LOSE_ALL:
            if how == BY_CHANCE and rng.random() < 0.5:
                return 0
            _restore_bytes(file, entry)
            return 1
        end = entry.end
        for granule in range(entry.offset // GRANULE, (end + GRANULE - 1) // GRANULE):
            if granule in settled:
                continue
            if rng.random() < 0.5:
                settled.add(granule)
                continue
            first, last = max(entry.offset, granule * GRANULE), min(end, (granule + 1) * GRANULE)
            was = entry.old[first - entry.offset:last - entry.offset]
            file.seek(first)
            file.write(was + bytes(last - first - len(was)))
            undone = 1
    return undone


def _restore_bytes(file, entry):
    """What was there, and the old size unless something is behind it that stays."""
    file.seek(entry.offset)
    file.write(entry.old)
    size = file.seek(0, os.SEEK_END)
    if entry.kind == "truncate" or size <= entry.end:
        file.truncate(entry.old_size)
    else:
        file.seek(entry.offset + len(entry.old))
        file.write(bytes(entry.length - len(entry.old)))


def _undo_name(entry, control):
    if entry.kind == "mkdir":
        shutil.rmtree(entry.path, ignore_errors=True)
    elif entry.kind == "create":
        pathlib.Path(entry.path).unlink(missing_ok=True)
    elif entry.kind == "rename" and not os.path.exists(entry.path):
        os.rename(entry.to, entry.path)
        _restore(entry, control, entry.to)
    elif entry.kind == "unlink":
        _restore(entry, control, entry.path)


def _restore(entry, control, path):
    if entry.saved:
        shutil.copyfile(f"{control}.saved.{entry.offset}.{entry.saved}", path)
