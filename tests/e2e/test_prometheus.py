"""The kinds `prometheus` and `pushgateway` against Debian's Pushgateway, Prometheus and promtool."""

import json
import subprocess

import yaml

import net
import telex
from telex import FAST_RETRY

PROFILE = {"messages_per_second": 14000, "avg_latency_ms": 120.5, "emoji_overhead_percent": 2,
           "labels": {"service": "api"}}
MAPPING = {
    "messages_per_second": {"name": "foundation_log_messages_per_second", "type": "gauge",
                            "help": "Rate of log messages processed per second"},
    "avg_latency_ms": {"name": "foundation_log_processing_latency_milliseconds", "type": "gauge",
                       "help": 'Average "latency"\nin ms'},
    "total_messages": {"name": "foundation_messages_total", "type": "counter", "help": "Messages"},
}
RATE = "foundation_log_messages_per_second"


def seed(url, **options):
    return {"type": "prometheus", "pushgateway_url": url, "job_name": "foundation_profiling",
            "metrics_mapping": MAPPING, **FAST_RETRY, **options}


def start(start_telex, exporter):
    return start_telex({"receive": {"profiles": True}, "exporters": {"out": exporter}})


def push(program, *profiles):
    answer = net.post(program.url + "/api/v1/profile", json.dumps(list(profiles)).encode(),
                      headers={"Content-Type": "application/json"})
    assert answer.status == 204, answer.body


def test_the_seeds_form_comes_to_a_pushgateway(start_pushgateway, start_telex):
    gateway = start_pushgateway()
    program = start(start_telex, seed(gateway.url, instance_label="web-server-01",
                                      additional_labels={"environment": "production", "version": "1.2.3"}))
    push(program, PROFILE)
    net.wait_until("the group", gateway.groups)
    (group, metrics), = gateway.groups().items()
    assert group == (("instance", "web-server-01"), ("job", "foundation_profiling"))
    assert metrics[RATE]["type"] == "GAUGE" and metrics[RATE]["help"] == MAPPING["messages_per_second"]["help"]
    labels = (("environment", "production"), ("service", "api"), ("version", "1.2.3"))
    assert metrics[RATE]["series"] == {labels: "14000"}
    latency = metrics["foundation_log_processing_latency_milliseconds"]
    assert latency["help"] == MAPPING["avg_latency_ms"]["help"] and latency["series"] == {labels: "120.5"}
    assert metrics["profiling_emoji_overhead_percent"]["series"] == {labels: "2"}


def test_series_of_one_name_do_not_push_each_other_out(start_pushgateway, start_telex):
    gateway = start_pushgateway()
    program = start(start_telex, seed(gateway.url))
    for service in "abc":
        push(program, {**PROFILE, "labels": {"service": service, "job": "own"}})
    job = (("job", "foundation_profiling"),)
    net.wait_until("all three", lambda: len(gateway.groups().get(job, {}).get(RATE, {"series": {}})["series"]) == 3)
    series = gateway.groups()[job][RATE]["series"]
    assert set(series) == {(("exported_job", "own"), ("service", service)) for service in "abc"}


def test_groups_and_odd_values(start_pushgateway, start_telex):
    gateway = start_pushgateway()
    program = start(start_telex, seed(gateway.url, grouping_key={"path": "/var/tmp", "dot": ".."},
                                      grouping_labels=["service"], method="PUT"))
    values = ["a/b", "größe 漢", "..", "100% sure?", "x=1&y#z", "+"]
    push(program, *({**PROFILE, "labels": {"service": value}} for value in values), {**PROFILE, "labels": {}})
    net.wait_until("all groups", lambda: len(gateway.groups()) == len(values) + 1)
    static = (("dot", ".."), ("job", "foundation_profiling"), ("path", "/var/tmp"))
    assert set(gateway.groups()) == {(*static, ("service", value)) for value in values} | {static}


def test_what_it_refuses_does_not_keep_the_rest(start_pushgateway, start_telex):
    """A type that another group says otherwise is refused with 400: that metric alone is a dead letter."""
    gateway = start_pushgateway()
    body = b"# TYPE foundation_log_messages_per_second counter\nfoundation_log_messages_per_second 1\n"
    assert net.post(gateway.url + "/metrics/job/other", body).status == 200
    program = start(start_telex, seed(gateway.url))
    push(program, {**PROFILE, "nan": "NaN"})
    job = (("job", "foundation_profiling"),)
    net.wait_until("the others", lambda: "profiling_emoji_overhead_percent" in gateway.groups().get(job, {}))
    assert RATE not in gateway.groups()[job]
    net.wait_until("the letter", lambda: program.metrics().get("telex_exporter_rejected_total")
                   or program.metrics().get("telex_exporter_dead_letters_total"))


def test_delete_removes_groups(start_pushgateway, start_telex):
    gateway = start_pushgateway()
    for service in "ab":
        assert net.post(f"{gateway.url}/metrics/job/foundation_profiling/service/{service}", b"m 1\n").status == 200
    program = start(start_telex, seed(gateway.url, method="DELETE", grouping_labels=["service"]))
    push(program, {**PROFILE, "labels": {"service": "a"}})
    net.wait_until("one group", lambda: len(gateway.groups()) == 1)
    assert (("job", "foundation_profiling"), ("service", "b")) in gateway.groups()


def test_an_outage_is_waited_out(start_pushgateway, start_telex):
    gateway = start_pushgateway()
    gateway.stop()
    program = start(start_telex, seed(gateway.url))
    push(program, PROFILE)
    push(program, {**PROFILE, "messages_per_second": 7})
    gateway.restart()
    net.wait_until("the last value", lambda: [m.get(RATE, m)["series"] for m in gateway.groups().values()]
                   == [{(("service", "api"),): "7"}])


# ---- pull ----

def pull(**options):
    return {"type": "prometheus", "mode": "pull", "metrics_port": net.free_port(), "metrics_mapping": MAPPING, **options}


def page(exporter, **headers):
    return net.get(f"http://127.0.0.1:{exporter['metrics_port']}{exporter.get('metrics_path', '/metrics')}", headers=headers)


def values(exporter):
    lines = page(exporter).body.decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_prometheus_scrapes_the_page(start_prometheus, start_telex):
    exporter = pull(labels={"environment": "production"})
    program = start(start_telex, exporter)
    push(program, {**PROFILE, "total_messages": 5}, {**PROFILE, "labels": {"service": "web"}})
    net.wait_until("the page", lambda: len(values(exporter)) == 7)
    store = start_prometheus(targets={"page": [f"127.0.0.1:{exporter['metrics_port']}"]})
    net.wait_until("the scrape", lambda: len(store.query(RATE)) == 2)
    assert {row["metric"]["service"] for row in store.query(RATE + '{environment="production"}')} == {"api", "web"}
    assert store.query("foundation_messages_total")[0]["value"][1] == "5"
    meta = json.loads(net.get(store.url + "/api/v1/metadata?metric=" + RATE).body)["data"]
    assert meta[RATE][0]["help"] == MAPPING["messages_per_second"]["help"]


def test_the_page_is_what_two_parsers_read(start_telex):
    exporter = pull(metrics_path="/own/metrics")
    program = start(start_telex, exporter)
    push(program, {**PROFILE, "total_messages": 5, "labels": {"service": 'odd "quotes" \\ and\nlines ü'}})
    net.wait_until("the page", lambda: len(values(exporter)) == 4)
    plain = page(exporter)
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    checked = subprocess.run(["promtool", "check", "metrics"], input=plain.body, capture_output=True, timeout=30,
                             check=False)
    assert checked.returncode in (0, 3) and b"error while linting" not in checked.stderr, checked.stderr
    for accept in ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text"):
        strict = page(exporter, Accept=accept)
        assert strict.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        text = strict.body.decode()
        assert text.endswith("# EOF\n") and "# TYPE foundation_messages counter\n" in text
        assert "\nfoundation_messages_total{" in text and '# HELP foundation_log_processing_latency_milliseconds ' \
            'Average \\"latency\\"\\nin ms\n' in text
    assert page(exporter, Accept="application/openmetrics-text;q=0.1,*/*").headers["Content-Type"].startswith("text/plain")
    assert page(exporter, **{"Accept-Encoding": "gzip"}).status == 200
    assert page({**exporter, "metrics_path": "/metrics"}).status == 404


def test_a_reload_keeps_the_page(start_telex):
    exporter = pull()
    config = {"receive": {"profiles": True}, "exporters": {"out": exporter}}
    program = start_telex(config)
    push(program, PROFILE)
    net.wait_until("the page", lambda: len(values(exporter)) == 3)
    before = values(exporter)
    program.write_config({**config, "exporters": {"out": {**exporter, "labels": {"more": "1"}}}})
    program.reload()
    assert values(exporter) == before
    push(program, {**PROFILE, "labels": {"service": "later"}})
    net.wait_until("more of it", lambda: len(values(exporter)) == 6)


def test_what_is_not_heard_of_leaves(start_telex):
    exporter = pull(stale_after="2s", max_series=4)
    program = start(start_telex, exporter)
    push(program, PROFILE)
    net.wait_until("the page", lambda: len(values(exporter)) == 3)
    push(program, {**PROFILE, "labels": {"service": "too many"}})
    net.wait_until("no more than max_series", lambda: len(values(exporter)) == 4)
    net.wait_until("an empty page", lambda: values(exporter) == {})


def test_two_exporters_share_a_page_and_a_taken_port_is_said(start_telex):
    exporter = pull()
    program = start_telex({"receive": {"profiles": True}, "exporters": {
        "a": {**exporter, "labels": {"by": "a"}}, "b": {**exporter, "labels": {"by": "b"}, "metric_prefix": "b_"}}})
    push(program, PROFILE)
    net.wait_until("both", lambda: len(values(exporter)) == 6)


def test_the_page_asks_for_credentials_over_tls(start_prometheus, start_telex, tmp_path):
    """Prometheus scrapes it as people do who let nobody else: with a password, and a certificate that it knows."""
    key, cert = tmp_path / "page.key", tmp_path / "page.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=page", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True, timeout=30)
    exporter = pull(metrics_tls={"cert_file": str(cert), "key_file": str(key)},
                    metrics_auth={"username": "scraper", "password": "of-the-page"})
    config = {"receive": {"profiles": True}, "exporters": {"out": exporter}}
    program = start_telex(config)
    push(program, PROFILE)
    target = f"127.0.0.1:{exporter['metrics_port']}"
    way = {"scheme": "https", "tls_config": {"ca_file": str(cert)}}
    store = start_prometheus(targets={"page": [target], "nobody": [target]}, scrape={
        "page": {**way, "basic_auth": {"username": "scraper", "password": "of-the-page"}}, "nobody": way})

    def up():
        return {row["metric"]["job"]: row["value"][1] for row in store.query("up")}

    net.wait_until("the scrapes", lambda: up() == {"page": "1", "nobody": "0"})
    net.wait_until("the page", lambda: len(store.query(RATE)) == 1)

    changed = {**exporter, "metrics_auth": {"username": "scraper", "password": "another"}}
    program.write_config({**config, "exporters": {"out": changed}})
    program.reload()
    net.wait_until("the new password", lambda: up() == {"page": "0", "nobody": "0"})
    del changed["metrics_tls"]
    program.write_config({**config, "exporters": {"out": changed}})
    refused = program.reload()
    assert refused.status >= 400 and b"served with other certificates" in refused.body


def test_labels_of_profiles_get_names_that_prometheus_takes(start_telex):
    exporter = pull()
    program = start(start_telex, exporter)
    push(program, {"messages_per_second": 5, "http.rate": 7, "labels": {"service.name": "shop", "9": "x", "a_b": "1", "a.b": "2"}})
    labels = '{_="x",a_b="1",service_name="shop"}'
    net.wait_until("the page", lambda: values(exporter) == {RATE + labels: "5", "profiling_http_rate" + labels: "7"})


def test_pages_of_a_port_ask_for_the_same(tmp_path):
    """Otherwise the last of them would decide who sees all of them."""
    exporter = pull(metrics_auth={"bearer_token": "of-both"})

    def check(**other):
        path = tmp_path / "telex.yaml"
        path.write_text(yaml.safe_dump({"exporters": {
            "a": exporter, "b": {**exporter, "metrics_path": "/b", **other}}}))
        return subprocess.run([telex.BINARY, "check", "-c", path], capture_output=True, text=True, timeout=20)

    assert check().returncode == 0 and check(metrics_port=net.free_port(), metrics_auth={}).returncode == 0
    for other in ({"metrics_auth": {}}, {"metrics_auth": {"bearer_token": "another"}}, {"allowed_hosts": ["b.example.org"]}):
        done = check(**other)
        assert done.returncode == 1 and "exporters 'a' and 'b': pages of one address and port" in done.stderr


# ---- VictoriaMetrics ----

def test_victoriametrics_has_each_sample(start_victoria, start_telex):
    store = start_victoria()
    program = start(start_telex, {"type": "victoriametrics", "url": store.url, "metrics_mapping": MAPPING, **FAST_RETRY})
    # Of near magnitudes: the store keeps the values of a block with one decimal exponent.
    values_sent = [1, -2.5, 0.125, 1700.75]
    for value in values_sent:
        push(program, {"messages_per_second": value, "labels": {"service": 'odd "q" \\ größe'}})

    def rows():
        net.get(store.url + "/internal/force_flush")
        lines = net.get(store.url + "/api/v1/export?match[]=" + RATE).body.decode().splitlines()
        return [json.loads(line) for line in lines]
    net.wait_until("all samples", lambda: sum(len(row["values"]) for row in rows()) == len(values_sent))
    (row,) = rows()
    assert sorted(row["values"]) == sorted(values_sent)
    assert row["metric"] == {"__name__": RATE, "service": 'odd "q" \\ größe'}
