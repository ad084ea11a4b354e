"""`telex queue`: what a real program left on disk, looked at, exported, repaired, dropped and given again."""

import json
import shutil
import subprocess

import pytest
import yaml

import net
import telex
from telex import alerting

SERIES = [({"instance": f"i{number}"}, 1.0) for number in range(5)]


def run(*arguments, status=0):
    done = subprocess.run([telex.BINARY, "queue", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def inspect(folder, *arguments):
    return json.loads(run("inspect", "--format", "json", *arguments, folder).stdout)


def consumer(found, name):
    return next(each for each in found["consumers"] if each["name"] == name)


@pytest.fixture
def owing(scene):
    """A program whose webhook is down, and that owes it the five alerts that fire."""
    scene.hook.down()
    scene.play(alerting("Plain", "plain"), shutdown_timeout="200ms")
    scene.vectors["plain"] = SERIES
    net.wait_until("firing", lambda: len(scene.program.alert_states("Plain")) == len(SERIES))
    scene.ledger = scene.program.folder / "data" / "ledger"
    return scene


def test_a_folder_in_use_is_looked_at_and_not_touched(owing):
    found = inspect(owing.ledger)
    assert found["used_by"] == owing.program.process.pid
    assert consumer(found, "hook")["owed_frames"] > 0
    text = run("inspect", owing.ledger).stdout
    assert f"in use by process {owing.program.process.pid}" in text and "hook" in text
    for change in (("drop", "--all", "--yes"), ("repair",)):
        said = run(*change, owing.ledger, status=1).stderr
        assert f"in use by process {owing.program.process.pid}" in said and "stop it first" in said
    assert run("drop", "--all", owing.ledger, status=1).stderr.endswith("add --yes to do it\n")
    owing.hook.up()
    owing.wait_states("firing", instance="i0")


def test_frames_say_what_they_are(owing):
    found = inspect(owing.ledger, "--frames", "--consumer", "hook")
    frames = found["frames_listed"]
    assert found["chosen_frames"] == len(frames) == consumer(found, "hook")["owed_frames"]
    assert all(frame["kind"] == "alert" and "hook" in frame["consumers"] for frame in frames)
    assert sum(frame["rows"] for frame in frames) >= len(SERIES)
    assert len(inspect(owing.ledger, "--frames", "--limit", 1)["frames_listed"]) == 1
    later = inspect(owing.ledger, "--frames", "--from-seq", frames[-1]["seq"] + 1)["frames_listed"]
    assert all(frame["seq"] > frames[-1]["seq"] for frame in later)
    assert inspect(owing.ledger, "--frames", "--since", "2h")["chosen_frames"] == found["frames"]


def test_records_are_exported(owing, tmp_path):
    owing.program.sigterm()
    done = run("export", "--consumer", "hook", owing.ledger)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {record["labels"]["instance"] for record in records if record["state"] == "firing"} == \
        {labels["instance"] for labels, _ in SERIES}
    out = tmp_path / "records.jsonl"
    run("export", "-o", out, "--consumer", "hook", owing.ledger)
    assert out.read_text() == done.stdout
    run("export", "--format", "raw", "-o", tmp_path / "raw", owing.ledger)
    assert len(list((tmp_path / "raw").glob("*.frame"))) == inspect(owing.ledger)["frames"]
    run("export", "--format", "raw", owing.ledger, status=2)


def last_segment(folder):
    return sorted(folder.glob("*.segment"))[-1]


def test_a_torn_and_damaged_copy_is_repaired(owing, tmp_path):
    for series in ([], SERIES, []):
        owing.vectors["plain"] = series
        net.wait_until("evaluated", lambda: len(owing.program.alert_states("Plain")) == len(series))
    owing.program.sigkill()
    before = inspect(owing.ledger)
    copy = tmp_path / "copy"
    shutil.copytree(owing.ledger, copy)
    path = last_segment(copy)
    data = bytearray(path.read_bytes())
    first = inspect(copy, "--frames")["frames_listed"][0]
    data[128 + 60] ^= 1  # in the payload of the first frame
    path.write_bytes(data[:-20] + b"tail of a frame that was never whole")
    found = inspect(copy)
    kinds = [bad["kind"] for bad in found["damage"]]
    assert kinds == ["damaged", "torn"] and found["frames"] == before["frames"] - 2
    held = path.read_bytes()
    said = run("repair", "--dry-run", copy).stdout
    assert "copied aside and cut off" in said and "nothing was changed" in said and path.read_bytes() == held
    said = run("repair", copy).stdout
    assert f"{found['frames']} frames can be read" in said and "quarantine" in said
    assert len(list((copy / "quarantine").iterdir())) == 2
    after = inspect(copy)
    assert [bad["kind"] for bad in after["damage"]] == ["damaged"] and after["frames"] == found["frames"]
    assert consumer(after, "hook")["cursor"] == consumer(before, "hook")["cursor"]
    assert first["seq"] < after["first_seq"]


def test_what_is_dropped_is_not_delivered(owing):
    owing.program.sigterm()
    owed = consumer(inspect(owing.ledger), "hook")["owed_frames"]
    said = run("drop", "--all", "--consumer", "hook", owing.ledger, status=1)
    assert f"hook loses {owed} frames" in said.stdout
    assert consumer(inspect(owing.ledger), "hook")["owed_frames"] == owed
    run("drop", "--all", "--consumer", "hook", "--yes", owing.ledger)
    assert consumer(inspect(owing.ledger), "hook")["owed_frames"] == 0
    owing.hook.up()
    owing.program.start()
    owing.program.wait_ready()
    owing.vectors["plain"] = []
    net.wait_until("resolved", lambda: {edge["state"] for edge in owing.edges("Plain")} == {"resolved"})
    assert len(owing.edges("Plain")) == len(SERIES)


def test_a_consumer_is_retired(owing):
    owing.program.sigterm()
    assert "there is no consumer 'nobody'" in run("drop", "--consumer", "nobody", owing.ledger, status=1).stderr
    assert "no consumer any more" in run("drop", "--consumer", "hook", "--yes", owing.ledger).stdout
    assert consumer(inspect(owing.ledger), "hook")["retired"]


def test_what_is_wrong_is_said(tmp_path):
    assert "holds no log" in run("inspect", tmp_path, status=1).stderr
    assert "cannot read" in run("inspect", tmp_path / "nothing", status=1).stderr
    assert not (tmp_path / "nothing").exists()
    assert "holds no log" in run("repair", tmp_path, status=1).stderr
    assert list(tmp_path.iterdir()) == []
    run("inspect", status=2)
    run("nonsense", tmp_path, status=2)
    run("drop", tmp_path, status=2)
    run("inspect", "--format", "xml", tmp_path, status=2)


# ---- replay --------------------------------------------------------------------------------------

def config_with_file(owing, tmp_path):
    """A config that has the webhook and a file to give records to."""
    path = tmp_path / "replay.yaml"
    path.write_text(yaml.safe_dump({
        "state": {"path": str(owing.program.folder / "data")},
        "exporters": {"hook": telex.webhook_exporter(owing.hook.url), "archive": telex.file_exporter(tmp_path / "out"),
                      "samples": telex.remote_write_exporter(owing.hook.url)}}))
    return path


def test_records_are_given_to_another_exporter(owing, tmp_path):
    config = config_with_file(owing, tmp_path)
    said = run("replay", "-c", config, "--to", "archive", "--consumer", "hook", owing.ledger).stderr  # while it runs
    assert "refused" in said and consumer(inspect(owing.ledger), "hook")["owed_frames"] > 0
    records = owing.program.jsonl(tmp_path / "out")
    assert {record["labels"]["instance"] for record in records} == {labels["instance"] for labels, _ in SERIES}
    assert not list(owing.ledger.glob("replay-*"))
    assert "samples" in run("replay", "-c", config, "--to", "samples", "--consumer", "hook", owing.ledger).stderr
    assert "nothing" in run("replay", "-c", config, "--to", "nothing", owing.ledger, status=1).stderr
    assert "in use by" in run("replay", "-c", config, "--to", "archive", "--remove", owing.ledger, status=1).stderr


def test_what_is_given_leaves_with_remove(owing, tmp_path):
    config = config_with_file(owing, tmp_path)
    owing.program.sigterm()
    owed = consumer(inspect(owing.ledger), "hook")["owed_frames"]
    assert "needs --consumer" in run("replay", "-c", config, "--to", "archive", "--remove", owing.ledger, status=1).stderr
    run("replay", "-c", config, "--to", "archive", "--consumer", "hook", "--remove", owing.ledger)
    assert consumer(inspect(owing.ledger), "hook")["owed_frames"] == 0
    assert len(owing.program.jsonl(tmp_path / "out")) >= owed


def test_a_replay_goes_on_where_it_stopped(owing, tmp_path):
    config = config_with_file(owing, tmp_path)
    for series in ([], SERIES, []):
        owing.vectors["plain"] = series
        net.wait_until("evaluated", lambda: len(owing.program.alert_states("Plain")) == len(series))
    owing.program.sigterm()
    owing.hook.up()
    before = len(owing.hook.accepted())
    owing.hook.script = [200] * 7 + [401]
    run("replay", "-c", config, "--to", "hook", "--consumer", "hook", "--patience", "1s", owing.ledger, status=1)
    assert (owing.ledger / "replay-hook").exists()
    owing.hook.script = []
    said = run("replay", "-c", config, "--to", "hook", "--consumer", "hook", owing.ledger).stderr
    assert "going on behind frame" in said and not (owing.ledger / "replay-hook").exists()
    edges = [record for record in owing.hook.accepted()[before:] if telex.is_final_edge(record)]
    assert len({edge["id"] for edge in edges}) == 4 * len(SERIES)


def dead_bytes(program, name):
    exporters = program.get("/api/v1/exporters").json()["data"]["exporters"]
    return next(each for each in exporters if each["name"] == name)["dead_letters_disk_bytes"]


def test_dead_letters_are_given_again(owing, tmp_path):
    """Refused by the webhook, they are in dead/hook with the reason; some are refused again and stay."""
    config = config_with_file(owing, tmp_path)
    owing.hook.script = [400] * 100
    owing.hook.up()
    dead = owing.program.folder / "data" / "dead" / "hook"
    net.wait_until("letters", lambda: dead.exists() and list(dead.glob("*.segment")), 20)
    net.wait_until("all of them", lambda: inspect(dead, "--frames")["frames"] >= 1, 20)
    net.wait_until("their size", lambda: dead_bytes(owing.program, "hook") > 128)
    net.wait_until("nothing owed", lambda: consumer(inspect(owing.ledger), "hook")["owed_frames"] == 0, 20)
    said = run("replay", "-c", config, "--to", "hook", "--remove", dead, status=1).stderr
    assert f"in use by process {owing.program.process.pid}" in said
    owing.program.sigterm()
    found = inspect(dead, "--frames")
    assert found["dead_letters"] and "400" in found["frames_listed"][0]["reason"]
    letters = sum(frame["rows"] for frame in found["frames_listed"])
    assert letters >= len(SERIES)
    reasons = [json.loads(line) for line in run("export", "--reasons", dead).stdout.splitlines()]
    assert len(reasons) >= len(SERIES) and all("400" in each["reason"] for each in reasons)
    owing.hook.script = [422] + [200] * 100
    said = run("replay", "-c", config, "--to", "hook", "--remove", dead).stderr
    assert "1 refused" in said
    left = inspect(dead, "--frames", "--consumer", "kept")["frames_listed"]
    assert sum(frame["rows"] for frame in left) == 1 and "422" in left[0]["reason"]
    owing.program.start().wait_ready()
    assert inspect(dead)["used_by"] in (0, None), "a program that made no letter since its start leaves the folder alone"
    run("replay", "-c", config, "--to", "hook", "--remove", dead)
    assert consumer(inspect(dead), "kept")["owed_frames"] == 0
    assert {edge["labels"]["instance"] for edge in owing.edges("Plain")} == {labels["instance"] for labels, _ in SERIES}
