/*
 * Invariants
 *   1. Whatever waits waits in await(), for the socket or the cancel token.
 *   2. After a call that was cut short or lost, <is_lost> is set and nothing is sent any more.
 */
#include "db/postgres.h"

#include "db/postgres_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "db/connection.h"
#include "db/pg_hosts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_MS_MAX = 1000000 };

struct pg_result {
    PGresult *result;
};

bool pg_is_built_in(void)
{
    return true;
}

/* ---- what went wrong ---- */

/* libpq ends its messages in a newline and may say several lines. */
static bool fail_text(enum err_code code, const char *text, struct err *e)
{
    struct str message = str_trim(str_of(text));
    size_t line = str_find_byte(message, '\n');

    return err_set(e, code, "PostgreSQL: %.*s",
                   STR_FMT(message.len > 0 ? str_slice(message, 0, line) : STR("no answer")));
}

bool pg_fail_conn(struct pg *pg, struct pg_fault *fault, struct err *e)
{
    fault->is_lost = true;
    return fail_text(ERR_NET, PQerrorMessage(pg->conn), e);
}

bool pg_fail_result(struct pg *pg, const PGresult *r, struct pg_fault *fault, struct err *e)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);

    (void)snprintf(fault->state, sizeof(fault->state), "%s", state != NULL ? state : "");
    fault->is_lost = PQstatus(pg->conn) != CONNECTION_OK;
    if (message == NULL) {
        return pg_fail_conn(pg, fault, e);
    }
    return err_set(e, ERR_NET, "PostgreSQL: %s%s%s (%s)", message, detail != NULL ? ": " : "",
                   detail != NULL ? detail : "", fault->state);
}

/* ---- waiting ---- */

static void wake(void *arg)
{
    const struct pg *pg = arg;
    const uint64_t one = 1;

    (void)!write(pg->wake_fd, &one, sizeof(one));
}

static int timeout_ms(struct wait wait)
{
    if (wait.deadline_mono_ns == DEADLINE_NEVER) {
        return -1;
    }
    int64_t left_ns = wait.deadline_mono_ns - clock_mono_ns(clock_system());
    int64_t ms = left_ns > 0 ? left_ns / NS_PER_MS + 1 : 0;
    return ms < POLL_MS_MAX ? (int)ms : POLL_MS_MAX;
}

static bool poll_socket(struct pg *pg, short events, struct wait wait)
{
    uint64_t ignored = 0;
    struct pollfd fds[] = {{.fd = PQsocket(pg->conn), .events = events},
                           {.fd = pg->wake_fd, .events = POLLIN}};

    while (!wait_is_over(wait, clock_system())) {
        int n = poll(fds, ARRAY_LEN(fds), timeout_ms(wait));
        if (n < 0 && errno != EINTR) {
            return true; /* libpq will say what is wrong with the socket */
        }
        if (n > 0 && fds[1].revents != 0) {
            (void)!read(pg->wake_fd, &ignored, sizeof(ignored));
        }
        if (n > 0 && fds[0].revents != 0) {
            return true;
        }
    }
    return false;
}

bool pg_poll(struct pg *pg, short events, struct wait wait)
{
    struct cancel_hook hook = {.wake = wake, .arg = pg};

    if (wait.cancel != NULL) {
        cancel_hook_add(wait.cancel, &hook);
    }
    bool ready = poll_socket(pg, events, wait);
    if (wait.cancel != NULL) {
        cancel_hook_remove(wait.cancel, &hook);
    }
    return ready;
}

static bool await(struct pg *pg, short events, struct wait wait, struct pg_fault *fault,
                  struct err *e)
{
    if (!pg_poll(pg, events, wait)) {
        fault->is_lost = true;
        return wait_err(wait, e);
    }
    return true;
}

/* Has all that libpq holds on its way, reading what comes meanwhile. */
bool pg_flush(struct pg *pg, struct wait wait, struct pg_fault *fault, struct err *e)
{
    int left = PQflush(pg->conn);

    while (left == 1) {
        if (!await(pg, POLLIN | POLLOUT, wait, fault, e)) {
            return false;
        }
        if (PQconsumeInput(pg->conn) == 0) {
            return pg_fail_conn(pg, fault, e);
        }
        left = PQflush(pg->conn);
    }
    return left == 0 || pg_fail_conn(pg, fault, e);
}

/* The next result; NULL behind the last one of a statement. */
static bool next_result(struct pg *pg, struct wait wait, PGresult **ret, struct pg_fault *fault,
                        struct err *e)
{
    while (PQisBusy(pg->conn) != 0) {
        if (!await(pg, POLLIN, wait, fault, e)) {
            return false;
        }
        if (PQconsumeInput(pg->conn) == 0) {
            return pg_fail_conn(pg, fault, e);
        }
    }
    *ret = PQgetResult(pg->conn);
    return true;
}

static bool is_good(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN ||
           status == PGRES_COPY_BOTH || status == PGRES_PIPELINE_SYNC;
}

/* Takes what was asked to its end: the last result is kept where somebody wants it, and the first error counts. */
bool pg_finish(struct pg *pg, struct wait wait, PGresult **ret_last, struct pg_fault *fault,
               struct err *e)
{
    PGresult *r = NULL;
    PGresult *last = NULL;
    bool ok = true;

    while (next_result(pg, wait, &r, fault, e) && r != NULL) {
        if (ok && !is_good(r)) {
            ok = pg_fail_result(pg, r, fault, e);
        }
        PQclear(last);
        last = r;
        if (PQresultStatus(r) == PGRES_COPY_IN || PQresultStatus(r) == PGRES_COPY_BOTH ||
            fault->is_lost) {
            break;
        }
    }
    ok = ok && !fault->is_lost;
    if (ok && ret_last != NULL) {
        *ret_last = last;
    } else {
        PQclear(last);
    }
    return ok;
}

/* ---- connection strings ---- */

/* Did libpq take a piece of a password for a host or a port? */
static bool check_places(const char *text, const PQconninfoOption *options, struct err *e)
{
    struct str hosts = STR("");
    struct str ports = STR("");

    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        struct str value = o->val != NULL ? str_of(o->val) : STR("");
        hosts = strcmp(o->keyword, "host") == 0 ? value : hosts;
        ports = strcmp(o->keyword, "port") == 0 ? value : ports;
    }
    return connection_check_url(str_of(text), e) && connection_check_hosts(hosts, ports, e);
}

bool pg_parse(const char *text, pg_visit_setting *visit, void *arg, struct err *e)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(text, &message);

    PQfreemem(message); /* it may show the password */
    if (options == NULL) {
        return err_set(e, ERR_CONFIG,
                       "not a connection string of PostgreSQL; expected "
                       "postgresql://user:password@host/database or 'host=... dbname=...'");
    }
    bool ok = check_places(text, options, e);
    for (const PQconninfoOption *o = options; ok && o->keyword != NULL; o++) {
        if (o->val != NULL) {
            visit(arg, o->keyword, o->val);
        }
    }
    PQconninfoFree(options);
    return ok;
}

/* ---- life ---- */

static void ignore_notice(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

static bool poll_connect(struct pg *pg, struct wait wait, struct pg_fault *fault, struct err *e)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED) {
            return pg_fail_conn(pg, fault, e);
        }
        if (!await(pg, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, wait, fault, e)) {
            return false;
        }
        status = PQconnectPoll(pg->conn);
    }
    return true;
}

static void look_for_service(void *arg, const char *name, const char *value)
{
    bool *has_service = arg;

    (void)value;
    *has_service = *has_service || strcmp(name, "service") == 0;
}

/* What the string says of hosts, or else what libpq's variables say. */
static bool take_hosts(const char *text, struct pg_hosts *ret, struct err *e)
{
    bool has_service = false;

    if (!pg_parse(text, pg_hosts_take, ret, e) ||
        !pg_parse(text, look_for_service, &has_service, e)) {
        return false;
    }
    PQconninfoOption *defaults =
        ret->host.len > 0 || ret->hostaddr.len > 0 || has_service ? NULL : PQconndefaults();
    for (const PQconninfoOption *o = defaults; o != NULL && o->keyword != NULL; o++) {
        bool is_port = strcmp(o->keyword, "port") == 0;
        if (o->val != NULL && o->val[0] != '\0' && !(is_port && ret->port.len > 0)) {
            pg_hosts_take(ret, o->keyword, o->val);
        }
    }
    PQconninfoFree(defaults);
    pg_hosts_expand(ret, pg_resolve_name);
    return true;
}

static bool connect_to(struct pg *pg, const char *text, const char *application,
                       struct pg_hosts *hosts, struct wait wait, struct pg_fault *fault,
                       struct err *e)
{
    const char *const words[] = {
        "dbname",          "host", "hostaddr", "port", "replication", "fallback_application_name",
        "client_encoding", NULL};
    const char *const values[] = {text,
                                  buf_text(&hosts->host),
                                  buf_text(&hosts->hostaddr),
                                  buf_text(&hosts->port),
                                  pg->replication,
                                  application,
                                  "UTF8",
                                  NULL};

    pg->conn = PQconnectStartParams(words, values, 1);
    if (pg->conn == NULL || PQstatus(pg->conn) == CONNECTION_BAD) {
        fault->is_lost = true;
        return pg->conn != NULL ? pg_fail_conn(pg, fault, e)
                                : err_set(e, ERR_LIMIT, "no memory for a connection");
    }
    (void)PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
    return poll_connect(pg, wait, fault, e) &&
           (PQsetnonblocking(pg->conn, 1) == 0 || pg_fail_conn(pg, fault, e));
}

/* An equal part of what is left, for one of <count>. */
static struct wait part_of(struct wait wait, size_t count)
{
    int64_t left_ns = wait.deadline_mono_ns - clock_mono_ns(clock_system());

    if (wait.deadline_mono_ns == DEADLINE_NEVER || count < 2) {
        return wait;
    }
    return wait_limit_ms(wait, clock_system(), left_ns / NS_PER_MS / (int64_t)count);
}

/* libpq goes to the next address when one refuses. One that says nothing would keep it for the whole wait: so
 * each is the first for a part of it. */
static bool connect_to_some(struct pg *pg, const char *text, const char *application,
                            struct pg_hosts *hosts, struct wait wait, struct pg_fault *fault,
                            struct err *e)
{
    for (size_t left = pg_hosts_count(hosts);; left--) {
        struct wait part = part_of(wait, left);
        bool ok = connect_to(pg, text, application, hosts, part, fault, e);
        if (ok || left <= 1 || !wait_is_over(part, clock_system()) ||
            wait_is_over(wait, clock_system())) {
            return ok;
        }
        PQfinish(TAKE(pg->conn));
        pg_hosts_turn(hosts);
    }
}

bool pg_open_as(const char *text, const char *application, const char *replication,
                struct wait wait, struct pg **ret_pg, struct pg_fault *fault, struct err *e)
{
    struct pg *pg = mem_new(struct pg);
    struct pg_hosts hosts;

    *fault = (struct pg_fault){.is_lost = false};
    pg_hosts_init(&hosts);
    pg->replication = replication;
    pg->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = (pg->wake_fd >= 0 || err_set_errno(e, ERR_IO, errno, "cannot make an eventfd")) &&
              take_hosts(text, &hosts, e) &&
              connect_to_some(pg, text, application, &hosts, wait, fault, e);
    pg_hosts_release(&hosts);
    if (!ok) {
        (void)connection_hide(str_of(text), e);
        fault->is_lost = true;
        pg_close(pg);
        return false;
    }
    *ret_pg = pg;
    return true;
}

bool pg_open(const char *text, const char *application, struct wait wait, struct pg **ret_pg,
             struct pg_fault *fault, struct err *e)
{
    return pg_open_as(text, application, NULL, wait, ret_pg, fault, e);
}

void pg_close(struct pg *pg)
{
    if (pg != NULL) {
        PQfreemem(pg->message);
        PQfinish(pg->conn);
        if (pg->wake_fd >= 0) {
            (void)close(pg->wake_fd);
        }
        mem_free(pg);
    }
}

/* ---- statements ---- */

bool pg_sent(struct pg *pg, int ok, struct wait wait, struct pg_fault *fault, struct err *e)
{
    return (ok == 1 || pg_fail_conn(pg, fault, e)) && pg_flush(pg, wait, fault, e);
}

bool pg_run(struct pg *pg, const char *sql, struct wait wait, struct pg_fault *fault, struct err *e)
{
    *fault = (struct pg_fault){.is_lost = false};
    return pg_sent(pg, PQsendQuery(pg->conn, sql), wait, fault, e) &&
           pg_finish(pg, wait, NULL, fault, e);
}

static struct pg_result *result_of(PGresult *result)
{
    struct pg_result *r = mem_new(struct pg_result);

    r->result = result;
    return r;
}

bool pg_ask(struct pg *pg, const char *sql, const char *const *params, size_t count,
            struct wait wait, struct pg_result **ret_result, struct pg_fault *fault, struct err *e)
{
    PGresult *result = NULL;

    *fault = (struct pg_fault){.is_lost = false};
    if (!pg_sent(pg, PQsendQueryParams(pg->conn, sql, (int)count, NULL, params, NULL, NULL, 0),
                 wait, fault, e) ||
        !pg_finish(pg, wait, &result, fault, e)) {
        return false;
    }
    *ret_result = result_of(result);
    return true;
}

bool pg_query(struct pg *pg, const char *sql, struct wait wait, struct pg_result **ret_result,
              struct pg_fault *fault, struct err *e)
{
    PGresult *result = NULL;

    *fault = (struct pg_fault){.is_lost = false};
    if (!pg_sent(pg, PQsendQuery(pg->conn, sql), wait, fault, e) ||
        !pg_finish(pg, wait, &result, fault, e)) {
        return false;
    }
    *ret_result = result_of(result);
    return true;
}

bool pg_prepare(struct pg *pg, const char *name, const char *sql, struct wait wait,
                struct pg_fault *fault, struct err *e)
{
    *fault = (struct pg_fault){.is_lost = false};
    return pg_sent(pg, PQsendPrepare(pg->conn, name, sql, 0, NULL), wait, fault, e) &&
           pg_finish(pg, wait, NULL, fault, e);
}

/* Behind a pipeline's statements comes its end; whatever else comes before that is of one that was skipped. */
static bool end_pipeline(struct pg *pg, struct wait wait, struct pg_fault *fault, struct err *e)
{
    bool is_ended = false;

    while (!is_ended) {
        PGresult *r = NULL;
        if (!next_result(pg, wait, &r, fault, e)) {
            return false;
        }
        is_ended = r != NULL && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
        PQclear(r);
        if (!is_ended && PQstatus(pg->conn) != CONNECTION_OK) {
            return pg_fail_conn(pg, fault, e);
        }
    }
    return PQexitPipelineMode(pg->conn) == 1 || pg_fail_conn(pg, fault, e);
}

static bool send_both(struct pg *pg, const char *name, const char *const *params, size_t count)
{
    return PQenterPipelineMode(pg->conn) == 1 &&
           PQsendQueryParams(pg->conn, "BEGIN", 0, NULL, NULL, NULL, NULL, 0) == 1 &&
           PQsendQueryPrepared(pg->conn, name, (int)count, params, NULL, NULL, 0) == 1 &&
           PQpipelineSync(pg->conn) == 1;
}

bool pg_begin_with(struct pg *pg, const char *name, const char *const *params, size_t count,
                   struct wait wait, size_t *ret_changed, struct pg_fault *fault, struct err *e)
{
    PGresult *result = NULL;
    struct err later = ERR_INIT;
    struct pg_fault ignored;

    *fault = (struct pg_fault){.is_lost = false};
    ignored = *fault;
    if (!pg_sent(pg, send_both(pg, name, params, count), wait, fault, e)) {
        return false;
    }
    bool ok = pg_finish(pg, wait, NULL, fault, e) && pg_finish(pg, wait, &result, fault, e);
    if (ok) {
        const char *changed = PQcmdTuples(result);
        *ret_changed = changed[0] != '\0' && changed[0] != '0';
    }
    PQclear(result);
    if (fault->is_lost) {
        return false;
    }
    if (!end_pipeline(pg, wait, ok ? fault : &ignored, ok ? e : &later)) {
        fault->is_lost = true;
        return false;
    }
    return ok;
}

/* ---- COPY ---- */

bool pg_copy_start(struct pg *pg, const char *sql, struct wait wait, struct pg_fault *fault,
                   struct err *e)
{
    *fault = (struct pg_fault){.is_lost = false};
    return pg_sent(pg, PQsendQuery(pg->conn, sql), wait, fault, e) &&
           pg_finish(pg, wait, NULL, fault, e);
}

bool pg_copy_put(struct pg *pg, struct str bytes, struct wait wait, struct pg_fault *fault,
                 struct err *e)
{
    enum { PART = 1024 * 1024 };

    *fault = (struct pg_fault){.is_lost = false};
    while (bytes.len > 0) {
        struct str part = str_slice(bytes, 0, PART);
        int ok = PQputCopyData(pg->conn, part.ptr, (int)part.len);
        if (ok < 0) {
            return pg_fail_conn(pg, fault, e);
        }
        if (!pg_flush(pg, wait, fault, e)) {
            return false;
        }
        if (ok == 1) {
            bytes = str_slice(bytes, part.len, bytes.len);
        }
    }
    return true;
}

bool pg_copy_finish(struct pg *pg, struct wait wait, struct pg_fault *fault, struct err *e)
{
    int ok = 0;

    *fault = (struct pg_fault){.is_lost = false};
    while (ok == 0) {
        ok = PQputCopyEnd(pg->conn, NULL);
        if (ok < 0) {
            return pg_fail_conn(pg, fault, e);
        }
        if (!pg_flush(pg, wait, fault, e)) {
            return false;
        }
    }
    return pg_finish(pg, wait, NULL, fault, e);
}

/* ---- results ---- */

void pg_result_free(struct pg_result *r)
{
    if (r != NULL) {
        PQclear(r->result);
        mem_free(r);
    }
}

size_t pg_rows(const struct pg_result *r)
{
    return (size_t)PQntuples(r->result);
}

struct str pg_value(const struct pg_result *r, size_t row, size_t column)
{
    return str_make(PQgetvalue(r->result, (int)row, (int)column),
                    (size_t)PQgetlength(r->result, (int)row, (int)column));
}

bool pg_is_null(const struct pg_result *r, size_t row, size_t column)
{
    return PQgetisnull(r->result, (int)row, (int)column) == 1;
}

size_t pg_columns(const struct pg_result *r)
{
    return (size_t)PQnfields(r->result);
}

struct str pg_column_name(const struct pg_result *r, size_t column)
{
    return str_of(PQfname(r->result, (int)column));
}

uint32_t pg_column_type(const struct pg_result *r, size_t column)
{
    return PQftype(r->result, (int)column);
}
