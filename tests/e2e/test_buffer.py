"""How an exporter's `buffer` holds records: sent together, bounded by a quota, said to be left at a stop."""

import net
from telex import recording, remote_write_exporter

SOME = [({"instance": f"i{number}"}, 1.0) for number in range(20)]
TO_SINK = [{"match": 'kind == "sample"', "to": ["sink"]}, {"to": ["hook"]}]


def play(scene, sink, **buffer):
    scene.vectors["some"] = SOME
    exporters = {"hook": scene.config()["exporters"]["hook"],
                 "sink": remote_write_exporter(sink.url + "/api/v1/write", buffer=buffer)}
    return scene.play(recording("out", "some"), exporters=exporters, routes=TO_SINK)


def times(sink):
    """Of the first series, in order of arrival."""
    return [sample.time_ms for sample in next(iter(sink.named("out").values()), [])]


def metric(program, name, **labels):
    wanted = {f"{label}={value}" for label, value in labels.items()}
    return sum(value for pairs, value in program.metrics().get(name, {}).items() if wanted <= set(pairs))


def test_samples_are_sent_together(scene, start_rw_sink):
    sink = start_rw_sink()
    program = play(scene, sink, flush_interval="1s")
    scene.wait_evaluations("some", 15)
    assert program.sigterm() == 0
    assert scene.accounted("some", times(sink))
    assert len(sink.requests) < 10, "fewer requests than slots"
    assert sink.duplicates == 0 and sink.violations == []


def test_a_full_output_refuses_and_goes_on(scene, start_rw_sink):
    sink = start_rw_sink()
    sink.down()
    program = play(scene, sink, max_disk_bytes=3000)
    net.wait_until("missed slots", lambda: metric(program, "telex_rule_group_iterations_missed_total") > 0)
    assert metric(program, "telex_exporter_dropped_total") == 0
    assert metric(program, "telex_exporter_pending_bytes", exporter="sink") >= 3000
    sink.up()
    before = len(scene.slots("some"))
    net.wait_until("room again", lambda: times(sink) and times(sink)[-1] >= scene.slots("some")[before - 1] // 10**6)
    assert times(sink)[0] == scene.slots("some")[0] // 10**6, "the oldest is not lost"
    assert sink.violations == []


def test_a_full_output_drops_the_oldest_when_told_to(scene, start_rw_sink):
    sink = start_rw_sink()
    sink.down()
    program = play(scene, sink, max_disk_bytes=3000, overflow="drop_oldest")
    dropped = lambda: metric(program, "telex_exporter_dropped_total", reason="overflow_oldest")  # noqa: E731
    net.wait_until("drops", lambda: dropped() > 0)
    assert metric(program, "telex_rule_group_iterations_missed_total") == 0
    sink.up()
    net.wait_until("samples", lambda: times(sink))
    assert times(sink)[0] > scene.slots("some")[0] // 10**6
    lost = dropped()
    net.wait_until("the newest", lambda: metric(program, "telex_exporter_pending_frames", exporter="sink") == 0)
    assert dropped() == lost and lost % len(SOME) == 0
    assert "the oldest records were dropped" in program.process.log()
    assert sink.violations == []


def test_what_is_left_at_a_stop_is_said(scene, start_rw_sink):
    sink = start_rw_sink()
    program = play(scene, sink, flush_interval="1h", flush_on_shutdown=False)
    scene.wait_evaluations("some", 5)
    assert program.sigterm() == 0
    assert "records are left on disk for the next start" in program.process.log()
    assert sink.requests == []
