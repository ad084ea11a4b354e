"""libtelex as others have it: installed, found by pkg-config, linked, and run from C and from Python."""

import ctypes
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

import fakes
import otlp
import telex

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The sanitized program has no shared library beside it: that of the plain build is what others get.
BUILD = next((folder for folder in (pathlib.Path(telex.BINARY).parent, ROOT / "build")
              if (folder / "libtelex.so.0").exists()), None)
EXAMPLES = ROOT / "examples" / "lib"
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


class Installed:
    """What `meson install` leaves in a folder of its own."""

    def __init__(self, folder):
        self.root = folder / "root"
        subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir", str(self.root)],
                       check=True, capture_output=True, timeout=120)
        self.pc = next(self.root.rglob("telex.pc"))
        self.lib = self.pc.parent.parent
        self.library = self.lib / "libtelex.so.0"
        self.env = {**os.environ, "PKG_CONFIG_PATH": str(self.pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(self.root),
                    "LD_LIBRARY_PATH": str(self.lib)}
        self.folder = folder

    def flags(self, *args, package="telex"):
        return subprocess.run(["pkg-config", *args, package], env=self.env, check=True, capture_output=True,
                              text=True).stdout.split()

    def compile(self, source, *args):
        program = self.folder / source.stem
        subprocess.run(["cc", *WARNINGS, *args, str(source), "-o", str(program), *self.flags("--cflags", "--libs")],
                       env=self.env, check=True, timeout=60)
        return program

    def run(self, program, *args, **variables):
        return subprocess.run([str(program), *map(str, args)], env={**self.env, **variables}, capture_output=True,
                              text=True, timeout=60)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    if BUILD is None:
        pytest.skip("no shared library was built: make build")
    return Installed(tmp_path_factory.mktemp("libtelex"))


@pytest.fixture
def example(installed):
    """example(name, args...) -> what the program did, compiled against the installed library."""
    return lambda name, *args, **variables: installed.run(installed.compile(EXAMPLES / (name + ".c")), *args,
                                                          **variables)


def profiles(webhook):
    return [record for body in webhook.accepted() for record in (body if isinstance(body, list) else [body])]


# ---- the programs ----

def test_hello(example, tmp_path):
    done = example("hello", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "out" / "archive.jsonl").read_text().splitlines()]
    assert records[0]["messages_per_second"] == 14000 and records[0]["labels"] == {"service": "api-server"}


def test_traces(example, webhook):
    done = example("traces", webhook.url + "/v1/traces")
    assert done.returncode == 0, done.stderr
    spans = {span["name"]: span for request in webhook.requests
             for span, *_ in otlp.check_traces(otlp.decode("TracesRequest", request.body()))}
    assert {r.path for r in webhook.requests} == {"/v1/traces"} and set(spans) == {"query", "request"}
    assert spans["query"]["parentSpanId"] == spans["request"]["spanId"]


def test_custom(example):
    done = example("custom")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "screen: colour is none\nmessages_per_second 14000\n"


def test_several(example, webhook, tmp_path):
    done = example("several", webhook.url + "/metrics", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "api: ok, 1 records\narchive: ok, 1 records\n"
    assert [p["error_rate"] for p in profiles(webhook)] == [0.05]
    assert "0.05" in (tmp_path / "out" / "archive.jsonl").read_text()


def test_environment(example, webhook):
    missing = example("environment", PROFILING_EXPORTER_ENDPOINT=webhook.url)
    assert missing.returncode == 1 and "PROFILING_EXPORTER_API_KEY" in missing.stderr
    done = example("environment", PROFILING_EXPORTER_ENDPOINT=webhook.url + "/in", PROFILING_EXPORTER_API_KEY="k3y")
    assert done.returncode == 0, done.stderr
    assert webhook.requests[0].path == "/in" and webhook.requests[0].headers["X-API-Key"] == "k3y"
    assert [p["total_messages"] for p in profiles(webhook)] == [1000]


def test_health(example, webhook):
    done = example("health", webhook.url)
    assert done.returncode == 0, done.stdout
    assert "healthy: yes" in done.stdout and "taken 1, delivered 1, dropped 0, filtered 0" in done.stdout
    webhook.stop()
    done = example("health", webhook.url)
    assert done.returncode == 1 and "healthy: yes" not in done.stdout and "delivered 0" in done.stdout


def test_update(example, webhook):
    done = example("update", webhook.url + "/old", webhook.url + "/new")
    assert done.returncode == 0, done.stderr
    assert [r.path for r in webhook.requests] == ["/old", "/new"]


def test_debug(example, webhook):
    done = example("debug", webhook.url)
    assert done.returncode == 0, done.stderr
    assert "messages_per_second" in done.stderr      # the payload


def test_every_example_is_run():
    tests = set(re.findall(r'example\("(\w+)"', pathlib.Path(__file__).read_text()))
    assert {p.stem for p in EXAMPLES.glob("*.c")} == tests


# ---- the library ----

def test_symbols_are_those_of_the_header(installed):
    header = (ROOT / "include" / "telex" / "telex.h").read_text()
    declared = set(re.findall(r"TELEX_API[^;]*?(telex_\w+)\s*\(", header))
    listed = subprocess.run(["nm", "-D", "--defined-only", str(installed.library)], check=True, capture_output=True,
                            text=True).stdout
    exported = {line.split()[2] for line in listed.splitlines()}
    assert exported == {name + "@@TELEX_0" for name in declared} | {"TELEX_0"}
    listed = subprocess.run(["nm", "-g", "--defined-only", str(installed.lib / "libtelex.a")], check=True,
                            capture_output=True, text=True).stdout
    assert {line.split()[2] for line in listed.splitlines() if len(line.split()) == 3} == declared
    dynamic = subprocess.run(["readelf", "-d", str(installed.library)], check=True, capture_output=True,
                             text=True).stdout
    assert "[libtelex.so.0]" in dynamic


def test_the_header_is_cxx_too(installed):
    source = installed.folder / "cxx.cpp"
    source.write_text('#include <telex/telex.h>\nint main() { return telex_version() == nullptr; }\n')
    program = installed.folder / "cxx"
    subprocess.run(["g++", "-Wall", "-Wextra", "-Werror", str(source), "-o", str(program),
                    *installed.flags("--cflags", "--libs")], env=installed.env, check=True, timeout=60)
    assert installed.run(program).returncode == 0


def test_it_links_statically(installed, tmp_path):
    program = installed.folder / "hello-static"
    subprocess.run(["cc", str(EXAMPLES / "hello.c"), "-o", str(program),
                    *installed.flags("--cflags", "--libs", package="telex-static")], check=True, timeout=120)
    done = subprocess.run([str(program), str(tmp_path / "out")], capture_output=True, text=True, timeout=60)
    assert "libtelex" not in subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "archive.jsonl").exists()


def test_every_function_has_a_manual_page(installed):
    header = (ROOT / "include" / "telex" / "telex.h").read_text()
    declared = set(re.findall(r"TELEX_API[^;]*?(telex_\w+)\s*\(", header))
    pages = {p.stem: p for p in installed.root.rglob("man3/*.3")}
    assert set(pages) == declared | {"telex"}
    for name in pages:      # also where a page only names another one
        shown = subprocess.run(["man", "--warnings", "-M", str(pages[name].parent.parent), "3", name], check=True,
                               capture_output=True, text=True, env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
        assert name in shown.stdout and not shown.stderr, (name, shown.stderr)
    assert [p.name for p in installed.root.rglob("man1/*")] == ["telex.1"]
    assert [p.name for p in installed.root.rglob("man5/*")] == ["telex.yaml.5"]


LOADED = """
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <telex/telex.h>
int main(int argc, char **argv)
{
    (void)argc;
    for (int i = 0; i < 12; i++) {
        void *lib = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (lib == NULL) { puts(dlerror()); return 1; }
        struct telex_config *(*config_new)(void);
        int (*set)(struct telex_config *, const char *, const char *, struct telex_error *);
        int (*open_hub)(const struct telex_config *, struct telex_hub **, struct telex_error *);
        int (*metrics)(struct telex_hub *, const struct telex_metrics *);
        int (*close_hub)(struct telex_hub *, int64_t, struct telex_left *, struct telex_error *);
        void (*config_free)(struct telex_config *);
        *(void **)&config_new = dlsym(lib, "telex_config_new");
        *(void **)&set = dlsym(lib, "telex_config_set");
        *(void **)&open_hub = dlsym(lib, "telex_open");
        *(void **)&metrics = dlsym(lib, "telex_metrics");
        *(void **)&close_hub = dlsym(lib, "telex_close");
        *(void **)&config_free = dlsym(lib, "telex_config_free");
        struct telex_config *c = config_new();
        struct telex_hub *hub = NULL;
        struct telex_field f = {"a", TELEX_NUMBER, 0, {.number = 1}};
        struct telex_metrics m = {.struct_size = sizeof m, .fields = &f, .field_count = 1};
        set(c, "exporters.a.type", "file", NULL);
        set(c, "exporters.a.output_directory", argv[2], NULL);
        if (open_hub(c, &hub, NULL) != 0 || metrics(hub, &m) != 0 || close_hub(hub, 5000, NULL, NULL) != 0) return 2;
        config_free(c);
        dlclose(lib);
        int threads = 0;
        char line[256];
        FILE *status = fopen("/proc/self/status", "r");
        while (fgets(line, sizeof line, status)) sscanf(line, "Threads: %d", &threads);
        fclose(status);
        printf("%d %zu\\n", threads, mallinfo2().uordblks + mallinfo2().hblkhd);
    }
    return 0;
}
"""


def test_dlclose_leaves_no_thread_and_no_memory(installed, tmp_path):
    source = tmp_path / "loaded.c"
    source.write_text("#define _GNU_SOURCE\n" + LOADED)
    program = tmp_path / "loaded"
    subprocess.run(["cc", str(source), "-o", str(program), *installed.flags("--cflags")], env=installed.env, check=True)
    exact = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1:glibc.malloc.mxfast=0"
    done = installed.run(program, installed.library, tmp_path / "out", GLIBC_TUNABLES=exact)
    assert done.returncode == 0, done.stdout
    rounds = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert {threads for threads, _ in rounds} == {1}
    held = [memory for _, memory in rounds]
    assert held[-1] - held[3] < 1024, held       # what other libraries keep, they keep once


NO_MEMORY = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <telex/telex.h>
int main(int argc, char **argv)
{
    (void)argc;
    struct telex_config *c = telex_config_new();
    struct telex_hub *hub = NULL;
    struct telex_error e = {0};
    struct telex_field f = {"a", TELEX_NUMBER, 0, {.number = 1}};
    struct telex_metrics m = {.struct_size = sizeof m, .fields = &f, .field_count = 1};
    telex_config_set(c, "exporters.a.type", "file", NULL);
    telex_config_set(c, "exporters.a.output_directory", argv[1], NULL);
    if (telex_open(c, &hub, &e) != TELEX_OK) { puts(e.message); return 1; }
    struct rlimit limit = {0, RLIM_INFINITY}, before;
    getrlimit(RLIMIT_AS, &before);
    limit.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_AS, &limit);
    void *all[4096];
    size_t n = 0;
    for (size_t size = 1 << 20; size >= 16 && n < 4096; size = n < 4096 && (all[n] = malloc(size)) ? (n++, size) : size / 2) {}
    struct telex_hub *other = NULL;
    int opened = telex_open(c, &other, &e);
    int set = telex_config_set(c, "exporters.a.type", "file", &e);
    int given = 0;
    for (int i = 0; i < 1000; i++) given += telex_metrics(hub, &m) == TELEX_OK;
    int late = telex_flush(hub, 200, NULL);
    setrlimit(RLIMIT_AS, &before);
    while (n > 0) free(all[--n]);
    printf("%s %s %d %s\\n", telex_code_name(opened), telex_code_name(set), given, late == 0 || late == TELEX_TIMEOUT ? "fine" : "no");
    int code = telex_close(hub, 20000, NULL, &e);
    if (code) puts(e.message);
    telex_config_free(c);
    return code;
}
"""


def test_without_memory_calls_say_so_and_nothing_is_lost(installed, tmp_path):
    source = tmp_path / "no_memory.c"
    source.write_text(NO_MEMORY)
    program = tmp_path / "no_memory"
    subprocess.run(["cc", str(source), "-o", str(program), *installed.flags("--cflags", "--libs")],
                   env=installed.env, check=True)
    done = installed.run(program, tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "no_memory no_memory 1000 fine\n"), done.stderr
    assert len((tmp_path / "out" / "a.jsonl").read_text().splitlines()) == 1000


# ---- Python ----

@pytest.fixture
def python_telex(installed, monkeypatch):
    monkeypatch.setenv("TELEX_LIBRARY", str(installed.library))
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "python"))
    ours = sys.modules.pop("telex")
    import telex as module
    yield module
    sys.modules["telex"] = ours


def test_structs_are_as_in_the_header(python_telex, installed, tmp_path):
    names = {"Error": "telex_error", "Field": "telex_field", "Label": "telex_label", "Metrics": "telex_metrics",
             "Span": "telex_span", "Health": "telex_health", "Result": "telex_result",
             "BufferStats": "telex_buffer_stats"}
    source = tmp_path / "sizes.c"
    source.write_text("#include <stdio.h>\n#include <telex/telex.h>\nint main(void) {\n" + "".join(
        'printf("%%zu\\n", sizeof(struct %s));\n' % name for name in names.values()) + "}\n")
    program = tmp_path / "sizes"
    subprocess.run(["cc", str(source), "-o", str(program), *installed.flags("--cflags")], check=True)
    sizes = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.split()
    assert list(map(int, sizes)) == [ctypes.sizeof(getattr(python_telex, name)) for name in names]


def test_python_exports_metrics_and_traces(python_telex, webhook, tmp_path):
    hub = python_telex.Hub()
    api = python_telex.ProfilingExporter(name="api", url=webhook.url, headers={"X-Source": "foundation"})
    archive = python_telex.FileExporter(name="archive", output_directory=str(tmp_path))
    python_telex.register_profiling(hub, exporters=[api, archive])
    python_telex.enable_debug_mode(hub, measure_performance=True)
    result = hub.export_metrics({"messages_per_second": 14000.0, "total_messages": 7, "mode": "a", "warm": True},
                                labels={"service": "api"}, wait_ms=10000, exporter="api")
    assert result.success and result.exported_count == 1 and result.response_time_ms > 0, result
    parent = python_telex.ProfileTrace("request", 12.5, memory_usage_mb=8)
    child = python_telex.ProfileTrace("query", 2, parent=parent)
    assert hub.export_traces([child, parent], wait_ms=10000, exporter="api").success
    got = profiles(webhook)
    assert got[0]["messages_per_second"] == 14000 and got[0]["warm"] is True and got[0]["labels"] == {"service": "api"}
    query, request = got[1:]
    assert query["parent_id"] == request["span_id"] and query["trace_id"] == request["trace_id"]
    assert request["execution_time_ms"] == 12.5 and request["memory_usage_mb"] == 8
    assert webhook.requests[0].headers["X-Source"] == "foundation"
    assert api.health_check().is_healthy() and api.get_filtered_metrics_count() == 0
    assert api.buffer_stats().delivered_records == 3 and api.get_last_export_result().success
    api.update_config(url=webhook.url + "/other")
    with pytest.raises(python_telex.TelexError):
        api.update_config(nonsense=1)
    assert hub.export_metrics({"error_rate": 0.5}, wait_ms=10000).success
    assert webhook.requests[-1].path == "/other"
    hub.close()
    assert len((tmp_path / "archive.jsonl").read_text().splitlines()) == 4


def test_python_from_the_environment_with_a_failing_backend(python_telex, webhook, monkeypatch):
    config = python_telex.ExporterConfig.from_env("PROFILING_EXPORTER", ["endpoint", "api_key"])
    with pytest.raises(python_telex.TelexError, match="PROFILING_EXPORTER_ENDPOINT, PROFILING_EXPORTER_API_KEY"):
        python_telex.ProfilingExporter(config).export_metrics({"a": 1.0})
    monkeypatch.setenv("PROFILING_EXPORTER_ENDPOINT", webhook.url)
    monkeypatch.setenv("PROFILING_EXPORTER_API_KEY", "k3y")
    webhook.script = [fakes.Answer(503)]
    exporter = python_telex.ProfilingExporter(config)
    assert exporter.export_metrics({"a": 1.0}, wait_ms=20000).success      # after a retry
    assert webhook.requests[-1].headers["X-API-Key"] == "k3y"
    exporter.close()
