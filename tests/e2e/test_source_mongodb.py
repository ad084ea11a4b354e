"""A change stream of MongoDB's protocol as an event source, over mongo-java-server."""

import datetime
import json
import re
import subprocess
import time

import pytest
import yaml

import mongo_servers
import telex
from source_tap import Tap


@pytest.fixture(scope="module")
def mongo(tmp_path_factory):
    server = mongo_servers.Mongo(tmp_path_factory.mktemp("mongo"))
    try:
        yield server.start()
    finally:
        server.stop()


def section(server, collection, **options):
    return {"type": "mongodb", "connection_string": server.url, "collection": collection, **options}


def numbers(tap):
    return [document["n"] for document in tap.documents()]


def test_a_stream_goes_on_where_it_was(mongo, tmp_path):
    rows = mongo.collection("orders")
    tap = Tap(tmp_path, section(mongo, "orders"))
    begun = tap.run("start", "", "")[0]
    assert begun["result"] == "ok" and begun["oldest"] == "" and begun["identity"].endswith(" telex.orders")
    ids = [str(rows.insert_one({"n": number}).inserted_id) for number in range(250)]
    tap.run("start", begun["position"], begun["identity"], "next", 100, 10)
    first, middle = tap.changes, tap.last["position"]
    assert len(first) == 100
    tap.run("start", middle, begun["identity"], "next", 150, 10, "next", 1, 1, "measure")
    both = first + tap.changes
    assert [change["id"] for change in both] == ids, "all, once, in order"
    assert [json.loads(change["document"])["_id"]["$oid"] for change in both] == ids
    assert [change["sequence"] for change in both] == sorted({change["sequence"] for change in both})
    assert all(abs(change["time_ns"] / 1e9 - time.time()) < 120 for change in both)
    assert {(change["op"], change["key"], change["name"]) for change in both} == {("insert", "", "orders")}
    assert tap.last["behind"] == 0


def test_the_same_read_again_has_the_same_ids(mongo, tmp_path):
    rows = mongo.collection("again")
    tap = Tap(tmp_path, section(mongo, "again"))
    begun = tap.run("start", "", "")[0]
    rows.insert_many([{"n": number} for number in range(20)])
    tap.run("start", begun["position"], "", "next", 20, 10)
    first = tap.changes
    tap.run("start", begun["position"], "", "next", 20, 10)
    assert first == tap.changes and len(first) == 20


def test_documents_as_json(mongo, tmp_path):
    rows = mongo.collection("documents")
    tap = Tap(tmp_path, section(mongo, "documents"))
    begun = tap.run("start", "", "")[0]
    when = datetime.datetime(2025, 11, 27, 10, 30, 0, 123000)
    event = {"version": "v1", "agent": "gpu-health-monitor", "isFatal": True, "recommendedAction": 2, "errorCode": ["XID_79"],
             "entitiesImpacted": [{"entityType": "GPU", "entityValue": "GPU-abc123"}], "ratio": 0.25, "none": None}
    rows.insert_one({"_id": "a/ü", "createdAt": when, "healthevent": event})
    rows.insert_one({"_id": 17, "n": 2**40})
    rows.insert_one({"_id": {"a": 1, "b": "x"}})
    tap.run("start", begun["position"], "", "next", 3, 10)
    assert [change["id"] for change in tap.changes] == ["a/ü", "17", '{ "a" : 1, "b" : "x" }']
    one, two, _ = tap.documents()
    assert one == {"_id": "a/ü", "createdAt": {"$date": "2025-11-27T10:30:00.123Z"}, "healthevent": event}
    assert two == {"_id": 17, "n": 2**40}


def test_updates_and_deletions(mongo, tmp_path):
    """Of an update mongo-java-server does not say which document it is of, as MongoDB does: only its kind is looked at."""
    rows = mongo.collection("changed")
    tap = Tap(tmp_path, section(mongo, "changed", operations=["insert", "update", "delete"]))
    begun = tap.run("start", "", "")[0]
    rows.insert_one({"_id": "x", "n": 1})
    rows.update_one({"_id": "x"}, {"$set": {"n": 2}})
    rows.delete_one({"_id": "x"})
    tap.run("start", begun["position"], "", "next", 3, 10)
    assert [change["op"] for change in tap.changes] == ["insert", "update", "delete"]
    one, _, three = tap.changes
    assert (one["id"], one["key"], three["key"]) == ("x", "x", "x")
    assert three["id"].startswith("x/") and json.loads(three["document"]) == {"_id": "x"}


def test_only_what_is_asked_for(mongo, tmp_path):
    rows = mongo.collection("some")
    tap = Tap(tmp_path, section(mongo, "some"))
    begun = tap.run("start", "", "")[0]
    for number in range(5):
        rows.insert_one({"_id": number, "n": number})
        rows.update_one({"_id": number}, {"$set": {"x": 1}})
        rows.delete_one({"_id": number})
    tap.run("start", begun["position"], "", "next", 6, 4)
    assert numbers(tap) == list(range(5))


def test_backfill(mongo, tmp_path):
    """What stood there is the backfill's, wherever it is broken off, and what comes is the stream's."""
    rows = mongo.collection("past")
    rows.insert_many([{"n": number} for number in range(250)])
    tap = Tap(tmp_path, section(mongo, "past"))
    begun = tap.run("start", "", "")[0]
    rows.insert_many([{"n": number} for number in range(250, 270)])
    found, cursor, done = [], "", False
    while not done:
        tap.run("start", begun["position"], "", "backfill", begun["oldest"], cursor, 70)
        found += numbers(tap)
        cursor, done = tap.last["position"], tap.last["done"]
    assert found == list(range(250))
    tap.run("start", begun["position"], "", "next", 300, 3)
    streamed = numbers(tap)
    assert streamed[-20:] == list(range(250, 270))
    assert streamed == list(range(270 - len(streamed), 270)), "what is in both came from the second of the start"


def test_the_newest_of_a_backfill(mongo, tmp_path):
    rows = mongo.collection("newest")
    rows.insert_many([{"n": number} for number in range(100)])
    tap = Tap(tmp_path, section(mongo, "newest"))
    begun = tap.run("start", "", "")[0]
    tap.run("start", begun["position"], "", "newest", 30, "backfill", begun["oldest"], "", 1000)
    assert numbers(tap) == list(range(70, 100)) and tap.last["done"]
    tap.run("start", begun["position"], "", "newest", 100, "backfill", begun["oldest"], "", 1000)
    assert numbers(tap) == list(range(100))


def test_the_age_of_a_backfill(mongo, tmp_path):
    """By the time in ObjectIds, or by a date."""
    bson = pytest.importorskip("bson")
    now = datetime.datetime.utcnow()
    old, young = now - datetime.timedelta(hours=2), now - datetime.timedelta(minutes=1)
    by_id, by_date = mongo.collection("by_id"), mongo.collection("by_date")
    for number in range(20):
        when = old if number < 10 else young
        id_of = bytes.fromhex(str(bson.ObjectId.from_datetime(when))[:8]) + number.to_bytes(8, "big")
        by_id.insert_one({"_id": bson.ObjectId(id_of), "n": number})
        by_date.insert_one({"_id": f"{number:02}", "createdAt": when, "n": number})
    since = int((time.time() - 3600) * 1e9)
    tap = Tap(tmp_path, section(mongo, "by_id"))
    begun = tap.run("start", "", "")[0]
    tap.run("start", begun["position"], "", "from", since, "backfill", begun["oldest"], "", 100)
    assert numbers(tap) == list(range(10, 20))
    tap = Tap(tmp_path, section(mongo, "by_date", time_field="createdAt"))
    begun = tap.run("start", "", "")[0]
    tap.run("start", begun["position"], "", "from", since, "backfill", begun["oldest"], "", 100)
    assert numbers(tap) == list(range(10, 20))
    tap = Tap(tmp_path, section(mongo, "by_date"))
    tap.run("start", begun["position"], "", "from", since, "backfill", begun["oldest"], "", 100)
    assert len(numbers(tap)) == 20 and "how old documents are is not known" in tap.log


def test_a_collection_is_dropped(mongo, tmp_path):
    """Behind a drop the stream is invalid, and goes on with what comes under the name; the place says that it is behind it."""
    rows = mongo.collection("dropped")
    tap = Tap(tmp_path, section(mongo, "dropped"))
    begun = tap.run("start", "", "")[0]
    rows.insert_one({"n": 0})
    tap.run("start", begun["position"], "", "next", 1, 6)
    assert numbers(tap) == [0]
    place = tap.last["position"]
    rows.drop()
    # This server tells of the invalidity only who resumes at the drop, whose token is the next.
    token = re.search(r'"_data" : "([0-9a-f]+)"', place)[1]
    at_drop = place.replace(token, f"{int(token, 16) + 1:016x}")
    tap.run("start", at_drop, "", "next", 1, 2)
    assert tap.changes == [] and "dropped or renamed" in tap.log
    behind = tap.last["position"]
    assert " !{" in behind
    rows.insert_one({"n": 1})
    tap.run("start", behind, "", "next", 1, 6)
    assert numbers(tap) == [1] and "!" not in tap.last["position"]


def test_a_server_without_a_log(tmp_path):
    server = mongo_servers.Mongo(tmp_path, alone=True)
    try:
        server.start()
        server.collection("t").insert_one({"n": 0})
        tap = Tap(tmp_path, section(server, "t"))
        tap.run("start", "", "")
        assert tap.last["result"] == "refused" and "change stream" in tap.last["error"]
    finally:
        server.stop()


def test_a_server_that_goes_away(tmp_path):
    server = mongo_servers.Mongo(tmp_path)
    try:
        server.start()
        tap = Tap(tmp_path, section(server, "t"))
        begun = tap.run("start", "", "")[0]
        server.kill()
        tap.run("start", begun["position"], "")
        assert tap.last["result"] == "again" and tap.last["error"]
    finally:
        server.stop()


def test_passwords_are_not_told(tmp_path):
    tap = Tap(tmp_path, {"type": "mongodb", "connection_string": "mongo://u:geheim@h/db", "collection": "c"})
    with pytest.raises(AssertionError) as caught:
        tap.run("start", "", "")
    assert "geheim" not in str(caught.value) and "no connection string of MongoDB" in str(caught.value)


def test_check_asks(mongo, tmp_path):
    config = {"events": {"s": {"source": section(mongo, "asked"), "metadata": {"cluster": "c"},
                               "sink": {"endpoint": "http://127.0.0.1:9"}}}}
    (tmp_path / "telex.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run([telex.BINARY, "check", "--connect"], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0 and "stream 's': mongodb answers\n" in done.stdout, done.stdout + done.stderr
