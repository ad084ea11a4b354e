/* One table with a row of each type, and what becomes of mappings, variables and defaults. */
#include "base/options.h"

#include "base/secret.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct tls {
    struct str ca_file;
    struct secret *key;
    bool verify;
};

struct config {
    struct str url;
    struct str database;
    bool gzip;
    int64_t batch_size;
    int64_t offset;
    double ratio;
    int64_t timeout_ns;
    int64_t max_bytes;
    int precision;
    struct secret *api_key;
    struct option_list tags;
    struct option_map headers;
    struct option_ints codes;
    struct tls tls;
    struct option_tables sites;
    const struct yaml_node *extra;
};

static const char *const alias_url[] = {"endpoint", NULL};
static const char *const alias_timeout[] = {"timeout_ms", "timeoutSeconds", "timeout_seconds",
                                            NULL};
static const char *const alias_max[] = {"max_mb", NULL};
static const char *const precisions[] = {"ns", "us", "ms", "s", NULL};

static const struct option tls_rows[] = {
    {.name = "ca_file",
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct tls, ca_file),
     .help = "Authorities."},
    {.name = "key",
     .type = OPTION_SECRET,
     .offset = offsetof(struct tls, key),
     .help = "Private key."},
    {.name = "verify",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct tls, verify),
     .fallback = "true",
     .help = "Verify."},
};

static const struct option_table tls_table = {.name = "tls",
                                              .help = "TLS.",
                                              .options = tls_rows,
                                              .count = ARRAY_LEN(tls_rows),
                                              .config_size = sizeof(struct tls)};

#define AT(member) .offset = offsetof(struct config, member)

static const struct option rows[] = {
    {.name = "url",
     .aliases = alias_url,
     .type = OPTION_URL,
     .flags = OPTION_REQUIRED,
     AT(url),
     .help = "Where it is."},
    {.name = "database",
     .type = OPTION_TEXT,
     AT(database),
     .fallback = "telex",
     .help = "Its database."},
    {.name = "gzip", .type = OPTION_BOOL, AT(gzip), .help = "Compress."},
    {.name = "batch_size",
     .type = OPTION_INT,
     AT(batch_size),
     .fallback = "500",
     .min = 1,
     .max = 10000,
     .help = "Records | batch."},
    {.name = "offset",
     .type = OPTION_INT,
     .flags = OPTION_SIGNED | OPTION_HIDDEN,
     AT(offset),
     .help = "Shift."},
    {.name = "ratio", .type = OPTION_DOUBLE, AT(ratio), .unit = "%", .help = "How much."},
    {.name = "timeout",
     .aliases = alias_timeout,
     .type = OPTION_DURATION,
     AT(timeout_ns),
     .fallback = "30s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "How long."},
    {.name = "max_bytes",
     .aliases = alias_max,
     .type = OPTION_BYTES,
     AT(max_bytes),
     .fallback = "16MB",
     .min = 1000,
     .max = 1e9,
     .help = "How large."},
    {.name = "precision",
     .type = OPTION_ENUM,
     AT(precision),
     .fallback = "ms",
     .choices = precisions,
     .help = "Of times."},
    {.name = "api_key", .type = OPTION_SECRET, AT(api_key), .help = "Who we are."},
    {.name = "tags", .type = OPTION_LIST, AT(tags), .fallback = "[a, b]", .help = "Tags."},
    {.name = "headers", .type = OPTION_MAP, AT(headers), .help = "Headers."},
    {.name = "codes",
     .type = OPTION_INT_LIST,
     AT(codes),
     .fallback = "200, 204",
     .help = "Statuses."},
    {.name = "tls", .type = OPTION_TABLE, .table = &tls_table, AT(tls), .help = "TLS."},
    {.name = "sites", .type = OPTION_TABLES, .table = &tls_table, AT(sites), .help = "Sites."},
    {.name = "extra",
     .type = OPTION_NODE,
     .flags = OPTION_ADVANCED,
     AT(extra),
     .help = "Anything."},
};

static const struct option_table table = {.name = "exporter test",
                                          .help = "For tests.",
                                          .options = rows,
                                          .count = ARRAY_LEN(rows),
                                          .config_size = sizeof(struct config)};

/* A lookup in pairs of names and values. */
static const char *lookup(void *arg, const char *name)
{
    const char *const *pairs = arg;

    for (size_t i = 0; pairs != NULL && pairs[i] != NULL; i += 2) {
        if (strcmp(pairs[i], name) == 0) {
            return pairs[i + 1];
        }
    }
    return NULL;
}

static void add_secret(struct buf *out, struct secret *s)
{
    AUTO(buf_release) struct buf revealed = BUF_INIT(1000);

    secret_reveal(s, &revealed);
    buf_add_text(out, s == NULL ? "-" : buf_text(&revealed));
}

/* What differs from the defaults, in the order of the table. */
static void show(const struct config *c, struct buf *out)
{
    buf_addf(out, "%.*s", STR_FMT(c->url));
    if (!str_eq(c->database, STR("telex"))) {
        buf_addf(out, " db=%.*s", STR_FMT(c->database));
    }
    buf_add_text(out, c->gzip ? " gzip" : "");
    if (c->batch_size != 500 || c->offset != 0 || c->ratio != 0) {
        buf_addf(out, " batch=%lld offset=%lld ratio=%g", (long long)c->batch_size,
                 (long long)c->offset, c->ratio);
    }
    if (c->timeout_ns != 30000000000 || c->max_bytes != 16000000 || c->precision != 2) {
        buf_addf(out, " timeout=%lldms max=%lld precision=%d", (long long)c->timeout_ns / 1000000,
                 (long long)c->max_bytes, c->precision);
    }
    if (c->api_key != NULL) {
        buf_add_text(out, " key=");
        add_secret(out, c->api_key);
    }
    buf_add_text(out, " tags=");
    for (size_t i = 0; i < c->tags.count; i++) {
        buf_addf(out, "%.*s,", STR_FMT(c->tags.items[i]));
    }
    for (size_t i = 0; i < c->headers.count; i++) {
        buf_addf(out, " %.*s=%.*s", STR_FMT(c->headers.items[i].name),
                 STR_FMT(c->headers.items[i].value));
    }
    buf_add_text(out, " codes=");
    for (size_t i = 0; i < c->codes.count; i++) {
        buf_addf(out, "%lld,", (long long)c->codes.items[i]);
    }
    if (c->tls.ca_file.len > 0 || !c->tls.verify || c->tls.key != NULL) {
        buf_addf(out, " ca=%.*s verify=%d tlskey=", STR_FMT(c->tls.ca_file), c->tls.verify);
        add_secret(out, c->tls.key);
    }
    if (c->extra != NULL) {
        buf_addf(out, " extra=%d", (int)c->extra->kind);
    }
}

struct case_row {
    const char *yaml;
    const char *want;       /* as show() has it, or the error on one line */
    const char *const *env; /* name, value, ..., NULL; or NULL */
};

#define DEFAULTS " tags=a,b, codes=200,204,"

static const char *const env_url[] = {"T_URL", "http://e", NULL};
static const char *const env_all[] = {"T_URL",
                                      "https://e:1/x",
                                      "T_DATABASE",
                                      "d",
                                      "T_GZIP",
                                      "yes",
                                      "T_BATCH_SIZE",
                                      "7",
                                      "T_TIMEOUT",
                                      "90",
                                      "T_MAX_BYTES",
                                      "2MB",
                                      "T_PRECISION",
                                      "S",
                                      "T_API_KEY",
                                      "k",
                                      "T_TAGS",
                                      "x, y",
                                      "T_HEADERS",
                                      "A=1, B=2=3",
                                      "T_CODES",
                                      "201",
                                      "T_TLS_CA_FILE",
                                      "ca",
                                      "T_TLS_VERIFY",
                                      "off",
                                      "T_TLS_KEY",
                                      "tk",
                                      NULL};
static const char *const env_yaml[] = {"T_URL",        "http://e",  "T_TAGS",
                                       "[\"x,y\", z]", "T_HEADERS", "{A: '1'}",
                                       "T_CODES",      "[1, 2]",    NULL};
static const char *const env_empty[] = {"T_URL", "http://e", "T_TAGS", "", NULL};
static const char *const env_alias[] = {"T_ENDPOINT", "http://e", "T_TIMEOUT_MS", "90", NULL};
static const char *const env_both[] = {"T_TIMEOUT_MS", "90",       "T_TIMEOUT", "2",
                                       "T_URL",        "http://e", NULL};
static const char *const env_vars[] = {"HOST", "h",      "PORT",   "80", "ON",
                                       "true", "MY_KEY", "s3cret", NULL};
static const char *const env_bad[] = {"T_TIMEOUT", "soon", NULL};
static const char *const env_bad_map[] = {"T_HEADERS", "A", NULL};
static const char *const env_tls_key[] = {"T_URL", "http://e", "T_TLS_KEY", "k", NULL};

static const struct case_row cases[] = {
    {"url: http://h", "http://h" DEFAULTS, NULL},
    {"endpoint: https://h:1/p?q", "https://h:1/p?q" DEFAULTS, NULL},
    {"", "http://e" DEFAULTS, env_url},
    {"", "http://e timeout=90ms max=16000000 precision=2 tags=a,b, codes=200,204,", env_alias},
    {"", "http://e timeout=2000ms max=16000000 precision=2 tags=a,b, codes=200,204,", env_both},
    {"{url: http://h, database: '', gzip: on, batch_size: 10000, offset: -5, ratio: 2.5}",
     "http://h db= gzip batch=10000 offset=-5 ratio=2.5" DEFAULTS, NULL},
    {"{url: http://h, ratio: 80%}", "http://h batch=500 offset=0 ratio=80" DEFAULTS, NULL},
    {"{url: http://h, timeout: 1h, max_bytes: 1MiB, precision: us}",
     "http://h timeout=3600000ms max=1048576 precision=1" DEFAULTS, NULL},
    {"{url: http://h, timeout: 1.5}", "http://h timeout=1500ms max=16000000 precision=2" DEFAULTS,
     NULL},
    {"{url: http://h, timeout_ms: 250, max_mb: 5}",
     "http://h timeout=250ms max=5000000 precision=2" DEFAULTS, NULL},
    {"{url: http://h, timeout_seconds: 5}",
     "http://h timeout=5000ms max=16000000 precision=2" DEFAULTS, NULL},
    {"{url: http://h, timeout_ms: 5s}", "http://h timeout=5000ms max=16000000 precision=2" DEFAULTS,
     NULL},
    {"{url: http://h, tags: one, codes: 500}", "http://h tags=one, codes=500,", NULL},
    {"{url: http://h, tags: [], codes: [], headers: {A: x, B: 2}}",
     "http://h tags= A=x B=2 codes=", NULL},
    {"{url: http://h, database: ~, tags: , extra: [1]}", "http://h" DEFAULTS " extra=1", NULL},
    {"{url: http://h, tls: {ca_file: c}}", "http://h" DEFAULTS " ca=c verify=1 tlskey=-", NULL},
    {"{url: http://h, tls: }", "http://h" DEFAULTS, NULL},
    {"{url: http://h, type: test, name: n}", "http://h" DEFAULTS, NULL},
    {"{url: http://h, gzip: true, timeout: 5s}",
     "https://e:1/x db=d gzip batch=7 offset=0 ratio=0 timeout=90000ms max=2000000 precision=3 key=k tags=x,y, A=1 "
     "B=2=3 codes=201, ca=ca verify=0 tlskey=tk",
     env_all},
    {"", "http://e tags=x,y,z, A=1 codes=1,2,", env_yaml},
    {"", "http://e tags= codes=200,204,", env_empty},

    {"url: http://${HOST}:${PORT}/${NONE:-p}", "http://h:80/p" DEFAULTS, env_vars},
    {"{url: http://h, batch_size: \"${PORT}\", gzip: \"${ON}\", database: '$${HOST} $HOST ${1} $'}",
     "http://h db=${HOST} $HOST ${1} $ gzip batch=80 offset=0 ratio=0" DEFAULTS, env_vars},
    {"{url: http://h, tags: ['${HOST}'], headers: {A: '${HOST}'}}",
     "http://h tags=h, A=h codes=200,204,", env_vars},
    {"{url: http://h, api_key: '${MY_KEY}'}", "http://h key=s3cret" DEFAULTS, env_vars},
    {"{url: http://h, api_key: {env: MY_KEY}}", "http://h key=s3cret" DEFAULTS, env_vars},
    {"{url: http://h, api_key_secret: my-key}", "http://h key=s3cret" DEFAULTS, env_vars},
    {"{url: http://h, api_key_secret: MY_KEY}", "http://h key=s3cret" DEFAULTS, env_vars},

    {"{}", "f.yaml:1:1: exporter test needs 'url' (or 'endpoint'): add it here, or set T_URL",
     NULL},
    {"", "exporter test needs 'url' (or 'endpoint'): add it, or set T_URL", NULL},
    {"url: ''", "f.yaml:1:1: exporter test needs 'url' (or 'endpoint'): add it here, or set T_URL",
     NULL},
    {"url:", "f.yaml:1:1: exporter test needs 'url' (or 'endpoint'): add it here, or set T_URL",
     NULL},
    {"[]", "f.yaml:1:1: expected the options of exporter test, found a list", NULL},
    {"url: http://h\ntimout: 5",
     "f.yaml:2:1: unknown option 'timout' of exporter test: did you mean 'timeout'?", NULL},
    {"endpont: http://h",
     "f.yaml:1:1: unknown option 'endpont' of exporter test: did you mean 'endpoint'?", NULL},
    {"zzzzzz: 1", "f.yaml:1:1: unknown option 'zzzzzz' of exporter test", NULL},
    {"tls: {zzzzzz: 1}", "f.yaml:1:7: unknown option 'zzzzzz' of tls; it has ca_file, key, verify",
     NULL},
    {"tls: {type: 1}", "f.yaml:1:7: unknown option 'type' of tls; it has ca_file, key, verify",
     NULL},
    {"url: http://h\ntls: {verify: no}",
     "f.yaml:2:1: tls needs 'ca_file': add it here, or set T_TLS_CA_FILE", NULL},
    {"", "tls needs 'ca_file': add it, or set T_TLS_CA_FILE", env_tls_key},
    {"url: http://h\nendpoint: http://i",
     "f.yaml:2:1: 'endpoint' means the same as 'url' in line 1: remove one of them", NULL},
    {"api_key: x\napi_key_secret: y",
     "f.yaml:2:1: 'api_key_secret' means the same as 'api_key' in line 1: remove one of them",
     NULL},
    {"gzip: maybe", "f.yaml:1:7: gzip: expected true or false, found 'maybe'", NULL},
    {"gzip: 'true'",
     "f.yaml:1:7: gzip: expected true or false, found the text 'true' (it is in quotes)", NULL},
    {"batch_size: many", "f.yaml:1:13: batch_size: expected a whole number, found 'many'", NULL},
    {"batch_size: 1.5", "f.yaml:1:13: batch_size: expected a whole number, found '1.5'", NULL},
    {"batch_size: []", "f.yaml:1:13: batch_size: expected a whole number, found a list", NULL},
    {"batch_size: 0", "f.yaml:1:13: batch_size: must be at least 1", NULL},
    {"batch_size: 10001", "f.yaml:1:13: batch_size: must be at most 10000", NULL},
    {"batch_size: -1", "f.yaml:1:13: batch_size: must not be negative", NULL},
    {"ratio: nan", "f.yaml:1:8: ratio: expected a number, found 'nan'", NULL},
    {"timeout: soon",
     "f.yaml:1:10: timeout: 'soon' is no duration: expected a number and a unit, like 30s, 5m or "
     "1h30m, or seconds",
     NULL},
    {"timeout: 2h", "f.yaml:1:10: timeout: must be at most 1h", NULL},
    {"timeout_ms: 0", "f.yaml:1:13: timeout_ms: must be at least 1ms", NULL},
    {"max_bytes: 1", "f.yaml:1:12: max_bytes: must be at least 1KB", NULL},
    {"max_bytes: 2GB", "f.yaml:1:12: max_bytes: must be at most 1GB", NULL},
    {"max_bytes: big",
     "f.yaml:1:12: max_bytes: expected a size like 64KB, 10MB or 1GiB, found 'big'", NULL},
    {"precision: nss",
     "f.yaml:1:12: precision: expected ns, us, ms or s, found 'nss': did you mean 'ns'?", NULL},
    {"precision: hours", "f.yaml:1:12: precision: expected ns, us, ms or s, found 'hours'", NULL},
    {"url: ftp://h", "f.yaml:1:6: url: expected a URL that begins with http:// or https://", NULL},
    {"url: http://", "f.yaml:1:6: url: expected a host after http:// or https://", NULL},
    {"url: http://:80", "f.yaml:1:6: url: expected a host after http:// or https://", NULL},
    {"url: http://h/a b",
     "f.yaml:1:6: url: a URL cannot hold white space or control characters: write a space as %20",
     NULL},
    {"url: http://u:p@h/",
     "f.yaml:1:6: url: a URL cannot hold a user or password, since URLs are logged: use the "
     "options for credentials",
     NULL},
    {"url: http://h/a@b", "http://h/a@b" DEFAULTS, NULL},
    {"tags: {a: b}", "f.yaml:1:7: tags: expected a list of texts, found a mapping", NULL},
    {"tags: [a, [b]]", "f.yaml:1:11: tags: expected a text, found a list", NULL},
    {"headers: [a]", "f.yaml:1:10: headers: expected a mapping of names to texts, found a list",
     NULL},
    {"headers: {a: {}}", "f.yaml:1:14: headers: expected a text, found a mapping", NULL},
    {"codes: [200, x]", "f.yaml:1:14: codes: expected a whole number, found 'x'", NULL},
    {"tls: 5", "f.yaml:1:6: expected the options of tls, found a text", NULL},
    {"url: http://${NONE}",
     "f.yaml:1:13: environment variable NONE is not set: set it, or write ${NONE:-default}", NULL},
    {"database: |\n  a\n  b ${NONE}\n",
     "f.yaml:3:5: environment variable NONE is not set: set it, or write ${NONE:-default}", NULL},
    {"database: ${HOST",
     "f.yaml:1:11: a variable is written ${NAME} or ${NAME:-default}; for the text '${' itself "
     "write $${",
     env_vars},
    {"database: ${HOST-x}",
     "f.yaml:1:11: a variable is written ${NAME} or ${NAME:-default}; for the text '${' itself "
     "write $${",
     env_vars},
    {"api_key: [a]",
     "f.yaml:1:10: api_key: expected a text, {file: path} or {env: NAME}, found a list", NULL},
    {"api_key: {a: b}", "f.yaml:1:10: api_key: expected a text, {file: path} or {env: NAME}", NULL},
    {"api_key: {env: NONE}", "f.yaml:1:16: api_key: environment variable NONE is not set", NULL},
    {"api_key: {file: /nonexistent}",
     "f.yaml:1:17: api_key: cannot read the secret in /nonexistent: No such file or directory",
     NULL},
    {"api_key_file: /nonexistent",
     "f.yaml:1:15: api_key_file: cannot read the secret in /nonexistent: No such file or directory",
     NULL},
    {"api_key_secret: ../x",
     "f.yaml:1:17: api_key_secret: expected the name of a secret, without a folder", NULL},
    {"api_key_secret: no-key",
     "f.yaml:1:17: api_key_secret: there is no secret 'no-key': expected the file "
     "/nonexistent/no-key or the environment variable NO_KEY",
     NULL},
    {"url: http://h",
     "environment variable T_TIMEOUT:1:1: timeout: 'soon' is no duration: expected a number and a "
     "unit, like 30s, 5m or 1h30m, or seconds",
     env_bad},
    {"url: http://h", "environment variable T_HEADERS:1:1: headers: expected name=value, found 'A'",
     env_bad_map},
};

struct parsed {
    struct arena arena;
    struct yaml_source source;
    struct config config;
    struct err e;
    bool ok;
};

static void parse(struct parsed *p, const char *yaml, const char *const *env, const char *secrets)
{
    static const char *const others[] = {"type", "name", NULL};
    const struct yaml_node *documents;
    union {
        const char *const *pairs;
        void *arg;
    } env_arg = {.pairs = env};
    struct option_source source = {.lookup = lookup,
                                   .arg = env_arg.arg,
                                   .prefix = "T_",
                                   .secrets_path = str_of(secrets),
                                   .others = others};

    *p = (struct parsed){.source = {.file = STR("f.yaml"), .text = str_of(yaml)}};
    arena_init(&p->arena, ARENA_UNLIMITED);
    assert_true(yaml_parse(&p->arena, &p->source, &documents, &p->e));
    p->ok = options_parse(&table, documents->first, &source, &p->arena, &p->config, &p->e);
}

static void parsed_release(struct parsed *p)
{
    options_release(&table, &p->config);
    arena_release(&p->arena);
}

static void mappings_become_configs_or_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(parsed_release) struct parsed p;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        parse(&p, cases[i].yaml, cases[i].env, "/nonexistent");
        if (p.ok) {
            show(&p.config, &out);
        } else {
            err_print_line(&p.e, &out);
            assert_null(p.config.api_key);
            assert_null(p.config.tls.key);
        }
        if (strcmp(buf_text(&out), cases[i].want) != 0) {
            fail_msg("%s:\n  got  %s\n  want %s", cases[i].yaml, buf_text(&out), cases[i].want);
        }
    }
}

static void a_url_with_password_is_not_shown(void **state)
{
    AUTO(parsed_release) struct parsed p;

    (void)state;
    parse(&p, "url: http://u:hunter2@h/", NULL, "");
    assert_false(p.ok);
    assert_string_equal(p.e.source, "");
    assert_null(strstr(p.e.message, "hunter2"));
}

static void a_failure_frees_the_secrets_before_it(void **state)
{
    static const char *const env[] = {"T_API_KEY",    "again", "T_TLS_KEY", "k",
                                      "T_TLS_VERIFY", "?",     NULL};
    AUTO(parsed_release) struct parsed p;

    (void)state;
    parse(&p, "{url: http://h, api_key: a, tls: {ca_file: c, key: b}}", env, "");
    assert_false(p.ok); /* the leak checker watches the rest */
}

static void secrets_come_from_files(void **state)
{
    char folder[] = "/tmp/telex-options-XXXXXX";
    char path[64];
    char yaml[128];
    AUTO(parsed_release) struct parsed by_name;
    AUTO(parsed_release) struct parsed by_file;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/my-key", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "fromfile\n", 9), 9);
    assert_int_equal(close(fd), 0);
    parse(&by_name, "{url: http://h, api_key_secret: my-key}", env_vars, folder);
    assert_true(by_name.ok);
    (void)snprintf(yaml, sizeof(yaml), "{url: http://h, tls: {ca_file: x, key_file: %s}}", path);
    parse(&by_file, yaml, NULL, "");
    assert_true(by_file.ok);
    add_secret(&out, by_name.config.api_key);
    add_secret(&out, by_file.config.tls.key);
    assert_string_equal(buf_text(&out), "fromfilefromfile");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void map_values_know_their_place(void **state)
{
    AUTO(parsed_release) struct parsed p;

    (void)state;
    parse(&p, "url: http://h\nheaders:\n  A: x\n", NULL, "");
    assert_true(p.ok);
    assert_int_equal(p.config.headers.items[0].node->pos.line, 3);
}

static void camel_case_has_its_variable(void **state)
{
    static const struct option camel[] = {{.name = "maxAge", .type = OPTION_DURATION}};
    static const struct option_table camel_table = {
        .name = "backfill", .options = camel, .count = 1, .config_size = sizeof(int64_t)};
    static const char *pairs[] = {"X_MAX_AGE", "1h", NULL};
    struct option_source source = {.lookup = lookup, .arg = pairs, .prefix = "X_"};
    struct err e = ERR_INIT;
    int64_t ns = 0;
    struct arena a;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(options_parse(&camel_table, NULL, &source, &a, &ns, &e));
    assert_true(ns == INT64_C(3600000000000));
    arena_release(&a);
}

static void a_list_of_mappings(void **state)
{
    AUTO(parsed_release) struct parsed p;
    static const char *const set[] = {"CA", "/ca", NULL};

    (void)state;
    parse(&p, "url: http://h\nsites: [{ca_file: '${CA}', key: k}, {ca_file: b}]\n", set, "");
    assert_true(p.ok);
    assert_int_equal(p.config.sites.count, 2);
    const struct tls *first = options_table_at(&p.config.sites, &tls_table, 0);
    const struct tls *second = options_table_at(&p.config.sites, &tls_table, 1);
    assert_true(str_eq(first->ca_file, STR("/ca")) && first->verify);
    assert_true(secret_equals(first->key, STR("k")));
    assert_true(str_eq(second->ca_file, STR("b")) && second->key == NULL);
}

/* Each with what is said of it. */
static void broken_lists_of_mappings(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } lists[] = {
        {"url: http://h\nsites: {ca_file: a}\n", "expected a list of mappings, found a mapping"},
        {"url: http://h\nsites: [{ca_file: a, key: k}, b]\n", "expected a mapping in this list"},
        {"url: http://h\nsites: [{ca_file: a, key: k}, {}]\n", "tls needs 'ca_file'"},
        {"url: http://h\nsites: [{ca_file: a, key: k}, {cafile: x}]\n", "did you mean 'ca_file'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        AUTO(parsed_release) struct parsed p;
        parse(&p, lists[i].text, NULL, "");
        if (p.ok || strstr(p.e.message, lists[i].want) == NULL) {
            fail_msg("%s: %s", lists[i].text, p.e.message);
        }
    }
}

static void help_is_for_a_terminal(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    options_print_help(&table, &out);
    const char *start = "exporter test: For tests.\n\n"
                        "  url (URL, required)\n      Where it is. Also called `endpoint`.\n"
                        "  database (text, default telex)\n      Its database.\n";
    assert_true(str_starts(buf_str(&out), str_of(start)));
    assert_non_null(strstr(buf_text(&out), "  timeout (duration, 1ms to 1h, default 30s)\n"));
    assert_non_null(strstr(buf_text(&out), "  max_bytes (size, 1KB to 1GB, default 16MB)\n"));
    assert_non_null(strstr(buf_text(&out), "  precision (ns or us or ms or s, default ms)\n"));
    assert_non_null(strstr(buf_text(&out), "  tls.key (secret)\n"));
    assert_non_null(
        strstr(buf_text(&out), "\nAdvanced:\n\n  tls.verify (true or false, default true)\n"));
    assert_null(strstr(buf_text(&out), "offset"));
}

static void the_page_has_every_row(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    options_print_markdown(&table, &out);
    assert_non_null(strstr(
        buf_text(&out), "| `url` | URL | *required* | Where it is. Also called `endpoint`. |\n"));
    assert_non_null(
        strstr(buf_text(&out),
               "| `batch_size` | whole number, 1 to 10000 | `500` | Records \\| batch. |\n"));
    assert_non_null(
        strstr(buf_text(&out), "| `tls.ca_file` | text | *required* | Authorities. |\n"));
    assert_non_null(strstr(buf_text(&out), "| `sites` | list of mappings |  | Sites. |\n"));
    assert_non_null(
        strstr(buf_text(&out), "| `sites[].ca_file` | text | *required* | Authorities. |\n"));
    assert_non_null(strstr(buf_text(&out), "\nAccepted for compatibility:\n\n| option "));
    assert_non_null(strstr(buf_text(&out), "| `offset` | whole number |  | Shift. |\n"));
}

static void the_schema_is_json(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    AUTO(parsed_release) struct parsed p = {0};
    const struct yaml_node *documents;

    (void)state;
    options_print_schema(&table, &out);
    p.source = (struct yaml_source){.file = STR("schema"), .text = buf_str(&out)};
    arena_init(&p.arena, ARENA_UNLIMITED);
    if (!yaml_parse(&p.arena, &p.source, &documents, &p.e)) { /* JSON is YAML */
        fail_msg("%s in %s", p.e.message, buf_text(&out));
    }
    const struct yaml_node *properties = yaml_get(documents->first, STR("properties"));
    assert_int_equal(properties->count, ARRAY_LEN(rows) + 5 + 2); /* aliases; _secret and _file */
    assert_non_null(yaml_get(properties, STR("api_key_secret")));
    const struct yaml_node *batch = yaml_get(properties, STR("batch_size"));
    assert_true(str_eq(yaml_get(batch, STR("maximum"))->text, STR("10000")));
    const struct yaml_node *tls = yaml_get(properties, STR("tls"));
    assert_true(str_eq(yaml_get(tls, STR("required"))->first->text, STR("ca_file")));
    assert_int_equal(yaml_get(yaml_get(properties, STR("precision")), STR("enum"))->count, 4);
    const struct yaml_node *sites = yaml_get(properties, STR("sites"));
    assert_non_null(yaml_get(yaml_get(sites, STR("items")), STR("properties")));
}

/* ---- overrides ---- */

static const char *const env_over[] = {"T_BATCH_SIZE", "7", "T_TLS_CA_FILE", "env", NULL};

static const struct {
    const char *over;
    const char *want;
} overrides[] = {
    {"batch_size: 9", "http://h batch=9 offset=0 ratio=0" DEFAULTS " ca=env verify=1 tlskey=-"},
    {"{timeout_ms: 20}",
     "http://h batch=7 offset=0 ratio=0 timeout=20ms max=16000000 precision=2" DEFAULTS
     " ca=env verify=1 tlskey=-"},
    {"{tls: {verify: off}}",
     "http://h batch=7 offset=0 ratio=0" DEFAULTS " ca=env verify=0 tlskey=-"},
    {"{tls: {ca_file: o, key_secret: T_BATCH_SIZE}}",
     "http://h batch=7 offset=0 ratio=0" DEFAULTS " ca=o verify=1 tlskey=7"},
    {"{api_key: {env: T_BATCH_SIZE}}",
     "http://h batch=7 offset=0 ratio=0 key=7" DEFAULTS " ca=env verify=1 tlskey=-"},
    {"sites: [{ca_file: o, key_file: k}]",
     "f.yaml:1:32: key_file: cannot read the secret in k: No such file or directory"},
    {"sites: [{ca_file: o}, {ca_file: p, key: abc}]",
     "f.yaml:1:36: key: a secret cannot be overridden by its value, which would be kept and shown: say where it is, "
     "with key_file, key_secret or {env: NAME}"},
    {"sites: [{ca: o}]", "f.yaml:1:10: unknown option 'ca' of tls; it has ca_file, key, verify"},
    {"batchsize: 9",
     "f.yaml:1:1: unknown option 'batchsize' of exporter test: did you mean 'batch_size'?"},
    {"batch_size: 0", "f.yaml:1:13: batch_size: must be at least 1"},
    {"name: other", "f.yaml:1:1: 'name' cannot be overridden: change the config"},
    {"{tls: {key: abc}}",
     "f.yaml:1:8: key: a secret cannot be overridden by its value, which would be kept and shown: say where it is, "
     "with key_file, key_secret or {env: NAME}"},
};

/* A key that is not known may be a secret's, misspelt. */
static void values_of_unknown_keys_are_hidden(void **state)
{
    static const struct {
        const char *text;
        const char *source;
    } hidden[] = {
        {"{url: http://h, timout: s3 cret}", "{url: http://h, timout: ** *****"},
        {"'timout' : s3cret # x", "'timout' : ****** * *"},
        {"timout:\n  s3cret", "timout:"},
        {"tls: {zzzzzz: s3cret}", "tls: {zzzzzz: *******"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
        AUTO(parsed_release) struct parsed p = {0};
        const struct option_source source = {.lookup = lookup, .prefix = "T_"};
        const struct yaml_node *documents = NULL;
        struct config c;

        p.source = (struct yaml_source){.file = STR("f.yaml"), .text = str_of(hidden[i].text)};
        arena_init(&p.arena, ARENA_UNLIMITED);
        assert_true(yaml_parse(&p.arena, &p.source, &documents, &p.e));
        assert_false(options_parse(&table, documents->first, &source, &p.arena, &c, &p.e));
        assert_string_equal(p.e.source, hidden[i].source);
    }
}

static void overrides_go_before_all_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(overrides); i++) {
        AUTO(parsed_release) struct parsed p = {0};
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        static const struct yaml_source below = {.file = STR_INIT("b.yaml"),
                                                 .text = STR_INIT("{url: http://h, timeout: 30}")};
        const struct yaml_node *documents = NULL;
        const struct yaml_node *over = NULL;
        static const char *const names[] = {"type", "name", NULL};
        struct config c;

        p.source = (struct yaml_source){.file = STR("f.yaml"), .text = str_of(overrides[i].over)};
        arena_init(&p.arena, ARENA_UNLIMITED);
        assert_true(yaml_parse(&p.arena, &below, &documents, &p.e));
        assert_true(yaml_parse(&p.arena, &p.source, &over, &p.e));
        const struct option_source source = {.lookup = lookup,
                                             .arg = (void *)(uintptr_t)env_over,
                                             .prefix = "T_",
                                             .others = names,
                                             .overrides = over->first};
        if (options_parse(&table, documents->first, &source, &p.arena, &c, &p.e)) {
            show(&c, &got);
            options_release(&table, &c);
        } else {
            err_print_line(&p.e, &got);
        }
        assert_string_equal(buf_text(&got), overrides[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_become_configs_or_errors),
        cmocka_unit_test(a_url_with_password_is_not_shown),
        cmocka_unit_test(a_failure_frees_the_secrets_before_it),
        cmocka_unit_test(secrets_come_from_files),
        cmocka_unit_test(map_values_know_their_place),
        cmocka_unit_test(overrides_go_before_all_else),
        cmocka_unit_test(values_of_unknown_keys_are_hidden),
        cmocka_unit_test(camel_case_has_its_variable),
        cmocka_unit_test(a_list_of_mappings),
        cmocka_unit_test(broken_lists_of_mappings),
        cmocka_unit_test(help_is_for_a_terminal),
        cmocka_unit_test(the_page_has_every_row),
        cmocka_unit_test(the_schema_is_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
