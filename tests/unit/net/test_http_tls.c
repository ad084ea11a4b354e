/* TLS both ways, with an authority made for the test by the openssl program. */
#include "net/http_server.h"

#include "base/clock.h"
#include "server_kit.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct tls {
    char folder[64];
    char texts[16][128];
    size_t count;
    bool made;
};

/* A path in the test's folder. */
static struct str path(struct tls *t, const char *name)
{
    struct buf AUTO(buf_release) text = BUF_INIT(BUF_SMALL);
    char *out = t->texts[t->count++ % ARRAY_LEN(t->texts)];

    buf_addf(&text, "%s/%s", t->folder, name);
    INVARIANT(text.len < sizeof(t->texts[0]));
    memcpy(out, text.ptr, text.len + 1);
    return str_of(out);
}

static bool run(char *const *arguments)
{
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status = -1;

    assert_int_equal(posix_spawn_file_actions_init(&quiet), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0), 0);
    int failed = posix_spawnp(&pid, arguments[0], &quiet, NULL, arguments, environ);
    assert_int_equal(posix_spawn_file_actions_destroy(&quiet), 0);
    return failed == 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Runs openssl with words split at spaces; "@x" is the path of x. */
static bool openssl(struct tls *t, const char *line)
{
    char words[64][128];
    char program[] = "openssl";
    char *arguments[66] = {program};
    size_t count = 1;
    struct str rest = str_of(line);
    struct str word;

    while (str_split(&rest, ' ', &word)) {
        bool is_path = word.len > 0 && word.ptr[0] == '@';
        struct str name = str_slice(word, is_path, word.len);
        (void)snprintf(words[count], sizeof(words[0]), "%s%s%.*s", is_path ? t->folder : "",
                       is_path ? "/" : "", STR_FMT(name));
        arguments[count] = words[count];
        count++;
    }
    return run(arguments);
}

static void write_extensions(struct tls *t)
{
    FILE *file = fopen(path(t, "ext").ptr, "w");

    assert_non_null(file);
    assert_true(fputs("subjectAltName=DNS:localhost,DNS:telex.test\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool make_certificates(struct tls *t)
{
    static const char *const lines[] = {
        "ecparam -name prime256v1 -genkey -noout -out @ca.key",
        "req -x509 -new -key @ca.key -subj /CN=ca -days 2 -out @ca.pem",
        "ecparam -name prime256v1 -genkey -noout -out @other.key",
        "req -x509 -new -key @other.key -subj /CN=other -days 2 -out @other.pem",
        "ecparam -name prime256v1 -genkey -noout -out @server.key",
        "req -new -key @server.key -subj /CN=server -out @server.csr",
        "x509 -req -in @server.csr -CA @ca.pem -CAkey @ca.key -CAcreateserial -days 2 -extfile @ext "
        "-out @server.pem",
        "ecparam -name prime256v1 -genkey -noout -out @client.key",
        "req -new -key @client.key -subj /CN=client -out @client.csr",
        "x509 -req -in @client.csr -CA @ca.pem -CAkey @ca.key -CAcreateserial -days 2 "
        "-out @client.pem",
    };

    write_extensions(t);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (!openssl(t, lines[i])) {
            return false;
        }
    }
    return true;
}

static int make_folder(void **state)
{
    struct tls *t = mem_new(struct tls);

    (void)snprintf(t->folder, sizeof(t->folder), "/tmp/telex-tls-XXXXXX");
    if (mkdtemp(t->folder) == NULL) {
        mem_free(t);
        return -1;
    }
    t->made = make_certificates(t);
    *state = t;
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"ca.key",     "ca.pem",     "ca.srl",     "other.key",
                                        "other.pem",  "server.key", "server.csr", "server.pem",
                                        "client.key", "client.csr", "client.pem", "ext"};
    struct tls *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)unlink(path(t, names[i]).ptr);
    }
    (void)rmdir(t->folder);
    mem_free(t);
    return 0;
}

/* A site with TLS, whose client goes to https://<host>:port and trusts the authority. */
static void start_site(struct http_site *f, struct tls *t, const char *host, bool ask_client)
{
    static const struct str names[] = {STR_INIT("telex.test")};

    if (!t->made) {
        skip();
    }
    http_site_init(f);
    f->config.allowed_hosts = (struct option_list){names, 1};
    f->config.tls.cert_file = path(t, "server.pem");
    f->config.tls.key_file = path(t, "server.key");
    if (ask_client) {
        f->config.tls.client_ca_file = path(t, "ca.pem");
    }
    start_server(f);
    buf_clear(&f->kit.url);
    buf_addf(&f->kit.url, "https://%s:%u", host, http_server_port(f->server));
    f->kit.config.url = buf_str(&f->kit.url);
    f->kit.config.tls.ca_file = path(t, "ca.pem");
}

static void must_fail(struct http_site *f, enum http_failure failure)
{
    http_kit_client(&f->kit);
    if (http_kit_get(&f->kit, "/text")) {
        fail_msg("it was answered");
    }
    if (f->kit.response.failure != failure) {
        fail_msg("%s: %s", http_failure_name(f->kit.response.failure), f->kit.err.message);
    }
    assert_false(f->kit.response.request_sent);
}

static void test_verified(void **state)
{
    struct http_site f;
    struct str body = STR("payload");

    start_site(&f, *state, "localhost", false);
    must_get(&f, "/text", 200);
    assert_int_equal(f.kit.response.new_connections, 1);
    post(&f, "/echo", body, 200);
    assert_contains(&f.kit.body, "b=payload");
    assert_int_equal(f.kit.response.new_connections, 0);
    must_get(&f, "/stream", 200);
    assert_int_equal(f.kit.body.len, 500 * 10000);
    http_site_release(&f);
}

static void test_not_verified(void **state)
{
    struct tls *t = *state;
    struct http_site f;

    start_site(&f, t, "localhost", false);
    f.kit.config.tls.ca_file = path(t, "other.pem");
    must_fail(&f, HTTP_FAILURE_TLS);
    f.kit.config.tls.ca_file = STR_NONE; /* the system's */
    must_fail(&f, HTTP_FAILURE_TLS);
    f.kit.config.tls.insecure_skip_verify = true;
    http_kit_client(&f.kit);
    must_get(&f, "/text", 200);
    http_site_release(&f);
}

/* The certificate names localhost and telex.test, not 127.0.0.1. */
static void test_names(void **state)
{
    struct http_site f;

    start_site(&f, *state, "127.0.0.1", false);
    must_fail(&f, HTTP_FAILURE_TLS);
    f.kit.config.tls.server_name = STR("telex.test");
    http_kit_client(&f.kit);
    must_get(&f, "/files/x?q=1", 200);
    assert_contains(&f.kit.body, "GET /files/x q=1");
    f.kit.config.tls.server_name = STR("evil.test");
    must_fail(&f, HTTP_FAILURE_TLS);
    http_site_release(&f);
}

static void test_plain_and_tls_do_not_mix(void **state)
{
    struct http_site f;
    struct http_site plain;

    start_site(&f, *state, "localhost", false);
    buf_clear(&f.kit.url);
    buf_addf(&f.kit.url, "http://localhost:%u", http_server_port(f.server));
    f.kit.config.url = buf_str(&f.kit.url);
    assert_false(http_kit_get(&f.kit, "/text"));
    assert_int_equal(f.kit.response.failure, HTTP_FAILURE_BROKEN);
    http_site_init(&plain);
    start_server(&plain);
    buf_clear(&f.kit.url);
    buf_addf(&f.kit.url, "https://localhost:%u", http_server_port(plain.server));
    f.kit.config.url = buf_str(&f.kit.url);
    must_fail(&f, HTTP_FAILURE_TLS);
    http_site_release(&plain);
    http_site_release(&f);
}

static void ask_client(struct http_site *f, int status)
{
    http_kit_client(&f->kit);
    post(f, "/client", STR(""), status);
    must_get(f, "/text", 200); /* only receivers and reload ask */
}

static void test_client_certificates(void **state)
{
    struct tls *t = *state;
    struct http_site f;

    start_site(&f, t, "localhost", true);
    ask_client(&f, 401);
    f.kit.config.tls.cert_file = path(t, "client.pem");
    f.kit.config.tls.key_file = path(t, "client.key");
    ask_client(&f, 200);
    f.kit.config.tls.cert_file = path(t, "other.pem");
    f.kit.config.tls.key_file = path(t, "other.key");
    ask_client(&f, 401);
    http_site_release(&f);
}

/* A handshake that is never finished is cut like any slow head. */
static void test_slow_handshake(void **state)
{
    struct http_site f;

    if (!((struct tls *)*state)->made) {
        skip();
    }
    start_site(&f, *state, "localhost", false);
    http_server_free(f.server);
    f.config.idle_timeout_ns = NS_PER_S;
    start_server(&f);
    int fd = raw_connect(http_server_port(f.server));
    assert_true(http_peer_text(fd, "\x16\x03\x01\x02"));
    assert_true(http_peer_wait_close(fd));
    (void)close(fd);
    http_site_release(&f);
}

static void test_bad_files(void **state)
{
    struct tls *t = *state;
    const struct {
        const char *cert;
        const char *key;
        const char *client_ca;
    } cases[] = {
        {"server.pem", NULL, NULL},
        {NULL, "server.key", NULL},
        {NULL, NULL, "ca.pem"},
        {"server.pem", "client.key", NULL},
        {"server.pem", "nonexistent", NULL},
        {"ext", "server.key", NULL},
        {"server.pem", "server.key", "ext"},
    };

    if (!t->made) {
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_site f;
        struct err e = ERR_INIT;
        http_site_init(&f);
        f.config.tls.cert_file = cases[i].cert != NULL ? path(t, cases[i].cert) : STR_NONE;
        f.config.tls.key_file = cases[i].key != NULL ? path(t, cases[i].key) : STR_NONE;
        f.config.tls.client_ca_file =
            cases[i].client_ca != NULL ? path(t, cases[i].client_ca) : STR_NONE;
        if (http_site_try_start(&f, &e)) {
            fail_msg("case %zu was taken", i);
        }
        assert_true(e.message[0] != '\0');
        http_site_release(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verified),
        cmocka_unit_test(test_not_verified),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_plain_and_tls_do_not_mix),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_slow_handshake),
        cmocka_unit_test(test_bad_files),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
