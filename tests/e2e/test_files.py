"""Files of records: whole when they appear, told of in an index, and readable by foreign readers value by value."""

import csv
import datetime
import glob
import gzip
import hashlib
import json
import os
import socket
import subprocess

import net
import pypi
import pytest
from telex import BINARY, file_exporter
from test_export import export, write_config

READERS = ("pyarrow==26.0.1", "duckdb==2.0.0")

# What a reader finds, column by column: times as nanoseconds, all else as it is; NaN as text.
SCRIPT = """
import json, math, sys
path, who = sys.argv[1:]
def plain(value):
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return value
if who == "pyarrow":
    import pyarrow, pyarrow.parquet as pq
    table = pq.read_table(path, page_checksum_verification=True)
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pyarrow.types.is_timestamp(column.type):
            column = column.cast(pyarrow.timestamp("ns", "UTC")).cast("int64")
        columns[name] = column.to_pylist()
else:
    import duckdb
    names = duckdb.execute("describe select * from read_parquet(?)", [path]).fetchall()
    columns = {}
    for name, kind, *_ in names:
        quoted = '"' + name.replace('"', '""') + '"'
        said = f"epoch_ns({quoted})" if kind.startswith("TIMESTAMP") else quoted
        rows = duckdb.execute(f"select {said} from read_parquet(?)", [path]).fetchall()
        columns[name] = [row[0] for row in rows]
json.dump({name: [plain(value) for value in values] for name, values in columns.items()}, sys.stdout)
"""


def flat(record, before=""):
    """A record as a row: members of objects by their path."""
    row = {}
    for name, value in record.items():
        if isinstance(value, dict):
            row.update(flat(value, before + name + "."))
        else:
            row[before + name] = value
    return row


def nanoseconds(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * 10 ** 9 + int(fraction.ljust(9, "0") or 0)


def samples(count):
    for i in range(count):
        labels = {"host": f"host-{i % 40}", "path": f"/π/{i % 7}"}
        if i % 5 == 0:
            labels["odd"] = f'q"uoted, {i}\n\\'
        value = [i, i * 0.1, "NaN", "+Inf", -1.5e300][i % 5]
        yield {"kind": "sample", "timestamp": f"2024-01-15T10:{i // 600 % 60:02}:{i // 10 % 60:02}.{i % 10}Z",
               "name": f"metric_{i % 11}", "labels": labels, "value": value}


def profiles(count):
    for i in range(count):
        yield {"kind": "profile", "timestamp": "2024-01-15T10:30:00.123456789Z", "sequence": 2 ** 53 + i,
               "up": i % 3 == 0, "ratio": 7 if i % 2 else 7.25, **({"note": "" if i % 4 else "x" * i} if i % 2 else {}),
               "labels": {"service": "api"}}


def sealed(folder, name, records, **options):
    """The one file that an export of the records makes, and its line of the index."""
    config = write_config(folder, **{name: file_exporter(folder / "out", **options)})
    given = folder / "given.jsonl"
    given.write_text("".join(json.dumps(record) + "\n" for record in records))
    export(config, "--to", name, given)
    entry, = index_of(folder / "out", name)
    return folder / "out" / entry["name"], entry


def index_of(folder, name):
    """The index's lines; each is true of a file that is there."""
    entries = [json.loads(line) for line in (folder / f".{name}.index.jsonl").read_text().splitlines()]
    for entry in entries:
        found = (folder / entry["name"]).read_bytes()
        assert len(found) == entry["bytes"] and hashlib.sha256(found).hexdigest() == entry["sha256"]
    seen = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    assert sorted(entry["name"] for entry in entries) == seen, "the index is of all files that are to be seen"
    return entries


def read_parquet(path, who):
    done = subprocess.run([pypi.interpreter(*READERS), "-c", SCRIPT, path, who], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("who", ["pyarrow", "duckdb"])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("make", [samples, profiles])
def test_foreign_readers_find_every_value(tmp_path, make, compression, who):
    records = list(make(3000))
    path, entry = sealed(tmp_path, "rows", records, file_format="parquet", compression=compression)
    assert entry["format"] == "parquet" and entry["compression"] == compression and entry["records"] == len(records)
    found = read_parquet(path, who)
    rows = [flat(record) for record in records]
    assert set(found) == {name for row in rows for name in row}
    for name, values in found.items():
        wanted = [row.get(name) for row in rows]
        if name == "timestamp":
            wanted = [nanoseconds(text) for text in wanted]
        assert values == wanted, name


def test_csv_is_read_back(tmp_path):
    records = list(samples(500))
    path, entry = sealed(tmp_path, "rows", records, file_format="csv", compression="zstd", filename_template="x-{pid}")
    assert path.name.endswith(".csv.zst") and entry["records"] == 500
    text = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True, timeout=30).stdout.decode()
    head, *lines = csv.reader(text.splitlines(keepends=True))
    assert len(lines) == 500 and "labels.odd" in head
    for record, line in zip(records, lines):
        row = flat(record)
        found = {name: value for name, value in zip(head, line) if value != ""}
        assert found["labels.host"] == row["labels.host"] and found.get("labels.odd") == row.get("labels.odd")
        if isinstance(row["value"], str):
            assert found["value"] == row["value"]
        else:
            assert float(found["value"]) == row["value"]


def test_the_seeds_serializer(tmp_path):
    """The example of the seed, with templates in place of Python's lambda."""
    serializer = {
        "timestamp": "{{ .timestamp }}",
        "performance": {"throughput": "{{ .messages_per_second }}",
                        "latency": {"avg": "{{ .avg_latency_ms }}", "p95": "{{ .p95_latency_ms }}"}},
        "features": {"error_rate": "{{ .error_rate }}"},
        "system": {"host": "{{ hostname }}", "pid": "{{ pid }}", "version": "telex {{ version }}"}}
    profile = {"kind": "profile", "timestamp": "2024-01-15T10:30:00Z", "messages_per_second": 14523.75,
               "avg_latency_ms": 120, "error_rate": 0.06}
    path, entry = sealed(tmp_path, "seed", [profile], rotation_policy="time", rotation_interval="1h",
                         max_file_size="100MB", compression="gzip",
                         filename_template="profiling-{timestamp}-{hostname}.jsonl.gz", serializer=serializer)
    assert path.name.startswith("profiling-2") and path.name.endswith(f"-{socket.gethostname()}.jsonl.gz")
    line, = gzip.decompress(path.read_bytes()).decode().splitlines()
    found = json.loads(line)
    assert found["timestamp"] == profile["timestamp"] == entry["from"]
    assert found["performance"] == {"throughput": 14523.75, "latency": {"avg": 120, "p95": None}}
    assert found["system"]["host"] == socket.gethostname() and isinstance(found["system"]["pid"], int)


def test_kills_lose_nothing_that_was_acknowledged(tmp_path, start_telex):
    """Killed again and again while small files are made: every acknowledged record is in a file, and the index is right."""
    out = tmp_path / "out"
    config = {"receive": {"profiles": True},
              "exporters": {"rows": file_exporter(out, rotation_policy="size", max_file_size="20KB", compression="gzip")}}
    program = start_telex(config)
    acknowledged = []
    for kill in range(5):
        for _ in range(120):
            body = json.dumps({"sequence": len(acknowledged), "padding": "x" * 200}).encode()
            answer = net.post(program.url + "/api/v1/profile", body, headers={"Content-Type": "application/json"})
            assert answer.status == 204
            acknowledged.append(len(acknowledged))
        program.sigkill()
        program.start()
        program.wait_ready()
    program.sigterm()
    found = []
    for entry in index_of(out, "rows"):
        lines = gzip.decompress((out / entry["name"]).read_bytes()).decode().splitlines()
        assert len(lines) == entry["records"]
        found += [json.loads(line)["sequence"] for line in lines]
    assert set(found) == set(acknowledged)
    assert len(index_of(out, "rows")) > 5
    assert not [name for name in os.listdir(out) if ".sealing-" in name or name.endswith(".tmp")]


def test_a_file_ends_though_nothing_comes(tmp_path, start_telex):
    """Nobody asks for its health, and of what goes on coming nothing is for one of them."""
    options = dict(rotation_policy="time", rotation_interval="2s", health_check={"interval": 0})
    only = {"type": "conditional", "conditions": [
        {"condition": "sequence == 0", "exporter": file_exporter(tmp_path / "only", **options)}]}
    program = start_telex({"receive": {"profiles": True}, "exporters": {
        "all": file_exporter(tmp_path / "all", **options), "only": only}})

    def push(sequence):
        body = json.dumps({"sequence": sequence}).encode()
        assert net.post(program.url + "/api/v1/profile", body, headers={"Content-Type": "application/json"}).status == 204

    push(0)
    net.wait_until("the first file", lambda: glob.glob(str(tmp_path / "all" / "*.jsonl")), 10)

    def is_there():
        push(1)
        return glob.glob(str(tmp_path / "only" / "*.jsonl"))
    net.wait_until("the other", is_there, 10)


def test_traps_are_explained(tmp_path):
    for options, said in ((dict(filename_template="x-{hostname}"), "say {timestamp} in it"),):
        config = write_config(tmp_path, rows=file_exporter(tmp_path / "out", **options))
        done = subprocess.run([BINARY, "check", "-c", config], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and said in done.stdout + done.stderr, (options, done.stdout + done.stderr)


def test_mistakes_are_told(tmp_path):
    for options, said in ((dict(filename_template="x-{time}"), "{time} is not known"),
                          (dict(filename_template="x.csv"), "ends in .jsonl"),
                          (dict(rotation_policy="none", compression="gzip"), "grows for ever"),
                          (dict(compression="snappy"), "pages of Parquet"),
                          (dict(serializer={"a": "{{ nonsense }}"}), "unknown function"),
                          (dict(serializer="x"), "is a map")):
        config = write_config(tmp_path, rows=file_exporter(tmp_path / "out", **options))
        done = subprocess.run([BINARY, "check", "-c", config], capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and said in done.stdout + done.stderr, (options, done.stdout + done.stderr)
