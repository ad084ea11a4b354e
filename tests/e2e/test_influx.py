"""InfluxDB 2 (a strict decoder, Debian has no server) and the seed's export rules with a scripted datasource."""

import net
from telex import alerting, file_exporter, influx_exporter, influx_v2_exporter, is_sample, recording

ODD = {"plain": "x", "spaces": "a b  c", "commas": "a,b", "equals": "a=b", "quote": 'say "hi"', "slash": r"C:\temp",
       "unicode": "größe 漢", "newline": "a\nb", "trailing": "ends\\"}


def v2(server, **options):
    return influx_v2_exporter(server.url, server.org, server.bucket, server.token, **options)


def samples_of(program, folder, name):
    return [record for record in program.jsonl(folder) if is_sample(record) and record["name"] == name]


def test_v2_rows_equal_the_archive(scene, start_influx_v2, tmp_path):
    server = start_influx_v2()
    scene.vectors["some"] = [({"instance": name}, index + 0.1) for index, name in enumerate("abc")]
    program = scene.play(
        recording("cpu_usage", "some", labels={"export_to_datastore": "true"}),
        exporters={"v2": v2(server), "archive": file_exporter(tmp_path / "out")},
        routes=[{"match": 'kind == "sample"', "to": ["v2", "archive"]}])
    scene.wait_evaluations("some", 8)
    assert program.sigterm() == 0
    archived = {(record["labels"]["instance"], net.parse_rfc3339(record["timestamp"])): record["value"]
                for record in samples_of(program, tmp_path / "out", "cpu_usage")}
    rows = {(row.tags["instance"], row.time_ns): row.fields["value"] for row in server.rows}
    assert rows == archived and len(rows) == len(server.rows) >= 3 * 8
    for row in server.rows:
        assert row.measurement == "cpu_usage" and set(row.fields) == {"value"}
        assert set(row.tags) == {"instance", "export_to_datastore"}
    assert server.violations == []


def test_v3_takes_the_same_rows(scene, start_influx_v3):
    """Its own API: another path, another word for nanoseconds, and a bearer token."""
    server = start_influx_v3()
    scene.vectors["some"] = [({**ODD, "instance": name}, index + 0.5) for index, name in enumerate("ab")]
    program = scene.play(
        recording("cpu_usage", "some"), routes=[{"match": 'kind == "sample"', "to": ["v3"]}],
        exporters={"v3": influx_exporter(server.url, "alerts_db", version="3", token=server.token)})
    scene.wait_evaluations("some", 4)
    assert program.sigterm() == 0
    assert {(row.tags["instance"], row.fields["value"]) for row in server.rows} == {("a", 0.5), ("b", 1.5)}
    assert server.violations == [] and server.token not in program.process.log()


def test_v2_odd_texts_and_values(scene, start_influx_v2):
    server = start_influx_v2()
    scene.vectors["some"] = [({**ODD, "instance": "odd"}, 1e-7), ({"instance": "nan"}, float("nan")),
                             ({"instance": "inf"}, float("-inf")), ({"instance": "big"}, 1.7976931348623157e308)]
    program = scene.play(recording("odd:metric", "some"), exporters={"v2": v2(server)},
                         routes=[{"match": 'kind == "sample"', "to": ["v2"]}])
    scene.wait_evaluations("some", 5)
    assert program.sigterm() == 0
    by_instance = {row.tags["instance"]: row for row in server.rows}
    assert set(by_instance) == {"odd", "big"}, "what the protocol cannot say is dropped, the rest arrives"
    assert by_instance["big"].fields["value"] == 1.7976931348623157e308 and by_instance["odd"].fields["value"] == 1e-7
    tags = by_instance["odd"].tags
    for name in ("plain", "spaces", "commas", "equals", "quote", "slash", "unicode"):
        assert tags[name] == ODD[name], name
    assert server.violations == []


def test_v2_errors(scene, start_influx_v2):
    """503 is waited out; nothing is lost; the token does not show."""
    server = start_influx_v2()
    server.script = [503, 503]
    scene.vectors["some"] = [({"instance": "a"}, 1.0)]
    program = scene.play(recording("out", "some"), exporters={"v2": v2(server)},
                         routes=[{"match": 'kind == "sample"', "to": ["v2"]}])
    scene.wait_evaluations("some", 8)
    assert program.sigterm() == 0
    assert scene.accounted("some", [row.time_ns // 10**6 for row in server.rows])
    assert server.token not in program.process.log() and server.token not in program.config_path.name


EXPORT = {"export_query": "details", "export_datastore": "influxdb", "export_database": "alerts_db",
          "export_measurement": "cpu_alerts", "threshold_value": "80", "metric_type": "cpu_usage"}


def play_export(scene, influx, *rules):
    exporters = {"hook": scene.config()["exporters"]["hook"], "store": influx_exporter(influx.url, "other")}
    return scene.play(*rules, exporters=exporters)


def wait_firing(scene, rule, count):
    net.wait_until(f"{count} firing", lambda: scene.program.alert_states(rule) == ["firing"] * count)


def test_alert_export_runs_the_export_query_when_it_fires(scene, start_influx):
    influx = start_influx(databases=("alerts_db", "other"))
    scene.vectors["cpu"] = [({"instance": "a"}, 85.0), ({"instance": "b"}, 95.0)]
    scene.vectors["details"] = [({"instance": "a"}, 11.5), ({"instance": "b"}, 22.5), ({"instance": "c"}, 33.5)]
    play_export(scene, influx, alerting("HighCPUUsage", "cpu", annotations=EXPORT,
                                        labels={"export_to_datastore": "true", "severity": "warning"}))
    rows = net.wait_until("rows", lambda: len(influx.rows("cpu_alerts")) >= 2 and influx.rows("cpu_alerts"))
    assert {(row["instance"], row["value"]) for row in rows} == {("a", 11.5), ("b", 22.5)}
    first_true = next(query.time_ns for query in scene.prom.queries if query.vector)
    assert {row["time"] // 10**6 for row in rows} == {first_true // 10**6}
    assert {"instance", "export_to_datastore", "severity"} <= influx.tag_keys("cpu_alerts")
    asked = len(scene.slots("details"))
    scene.wait_evaluations("cpu", 5)
    assert len(scene.slots("details")) == asked, "the export query runs on a transition only"
    assert len(influx.rows("cpu_alerts")) == 2
    assert influx.rows("cpu_alerts", "other") == []
    scene.vectors["cpu"] = []
    wait_firing(scene, "HighCPUUsage", 0)
    scene.vectors["cpu"] = [({"instance": "a"}, 85.0)]
    net.wait_until("the third row", lambda: len(influx.rows("cpu_alerts")) == 3)


def test_measurement_defaults_to_the_rule(scene, start_influx):
    influx = start_influx(databases=("alerts_db", "other"))
    scene.vectors["cpu"] = scene.vectors["details"] = [({"instance": "a"}, 85.0)]
    annotations = {name: text for name, text in EXPORT.items() if name != "export_measurement"}
    play_export(scene, influx, alerting("HighCPUUsage", "cpu", labels={"export_to_datastore": "true"},
                                        annotations=annotations))
    net.wait_until("a row", lambda: influx.rows("HighCPUUsage"))


def test_nothing_is_exported_without_the_label(scene, start_influx):
    influx = start_influx(databases=("alerts_db", "other"))
    scene.vectors["cpu"] = scene.vectors["details"] = [({"instance": "a"}, 85.0)]
    play_export(scene, influx, alerting("HighCPUUsage", "cpu", annotations=EXPORT))
    wait_firing(scene, "HighCPUUsage", 1)
    scene.wait_evaluations("cpu", 3)
    assert influx.rows("cpu_alerts") == [] and scene.slots("details") == []


def test_recording_rule_export_interval(scene, start_influx):
    influx = start_influx(databases=("alerts_db", "other"))
    scene.vectors["some"] = [({"instance": "a"}, 85.0)]
    play_export(scene, influx, recording(
        "cpu_percent", "some", labels={"export_to_datastore": "true"},
        annotations={"export_interval": "1s", "export_datastore": "store", "export_database": "alerts_db"}))
    rows = net.wait_until("rows", lambda: len(influx.rows("cpu_percent")) >= 4 and influx.rows("cpu_percent"))
    times = [row["time"] for row in rows]
    assert all(later - earlier >= 990 * 10**6 for earlier, later in zip(times, times[1:])), times
    assert len(scene.slots("some")) >= 3 * len(rows), "it is evaluated at each interval all the same"
    assert {(row["instance"], row["export_to_datastore"], row["value"]) for row in rows} == {("a", "true", 85)}


def test_influx_v1_down_and_up(scene, start_influx, tmp_path):
    influx = start_influx()
    scene.vectors["some"] = [({"instance": "a"}, 1.0)]
    program = scene.play(recording("out", "some"), exporters={
        "store": influx_exporter(influx.url), "archive": file_exporter(tmp_path / "out")},
        routes=[{"match": 'kind == "sample"', "to": ["store", "archive"]}])
    net.wait_until("rows", lambda: influx.rows("out"))
    influx.stop()
    scene.wait_evaluations("some", 10)
    influx.restart()
    scene.wait_evaluations("some", 3)
    assert program.sigterm() == 0
    stored = sorted(row["time"] for row in influx.rows("out"))
    archived = sorted(net.parse_rfc3339(record["timestamp"]) for record in samples_of(program, tmp_path / "out", "out"))
    assert stored == archived


def test_influx_v1_database_is_made(scene, start_influx):
    influx = start_influx(databases=())
    scene.vectors["some"] = [({"instance": "a"}, 1.0)]
    program = scene.play(recording("out", "some"), exporters={"store": influx_exporter(influx.url, 'odd "name"')},
                         routes=[{"match": 'kind == "sample"', "to": ["store"]}])
    net.wait_until("the database", lambda: {"name": 'odd "name"'} in influx.query("SHOW DATABASES"))
    net.wait_until("rows", lambda: influx.rows("out", 'odd "name"'))
    scene.wait_evaluations("some", 3)
    assert program.sigterm() == 0
    assert scene.accounted("some", [row["time"] // 10**6 for row in influx.rows("out", 'odd "name"')])
