#include "db/postgres_stream.h"

#include "base/clock.h"
#include "db/postgres_int.h"

#include <poll.h>

bool pg_stream_open(const char *text, const char *application, struct wait wait, struct pg **ret_pg,
                    struct pg_fault *fault, struct err *e)
{
    return pg_open_as(text, application, "database", wait, ret_pg, fault, e);
}

bool pg_stream_start(struct pg *pg, const char *command, struct wait wait, struct pg_fault *fault,
                     struct err *e)
{
    PGresult *r = NULL;

    *fault = (struct pg_fault){.is_lost = false};
    if (!pg_sent(pg, PQsendQuery(pg->conn, command), wait, fault, e) ||
        !pg_finish(pg, wait, &r, fault, e)) {
        return false;
    }
    bool ok = PQresultStatus(r) == PGRES_COPY_BOTH;
    PQclear(r);
    return ok || err_set(e, ERR_NET, "PostgreSQL: no stream was started");
}

/* Behind the last message: why. Always false. */
static bool end(struct pg *pg, struct wait wait, struct pg_fault *fault, struct err *e)
{
    if (pg_finish(pg, wait, NULL, fault, e)) {
        (void)err_set(e, ERR_NET, "PostgreSQL: the server ended the stream");
    }
    fault->is_lost = true;
    return false;
}

/* Takes a message that is there, or what there is to read now: is there one? */
static int take(struct pg *pg)
{
    int len = PQgetCopyData(pg->conn, &pg->message, 1);

    if (len == 0 && PQconsumeInput(pg->conn) == 1) {
        len = PQgetCopyData(pg->conn, &pg->message, 1);
    }
    return len;
}

/* Lets more come, once; false when that was done. */
static bool rest(int64_t *rest_ns, struct wait wait)
{
    int64_t until_ns = clock_mono_ns(clock_system()) + *rest_ns;

    if (*rest_ns == 0) {
        return false;
    }
    *rest_ns = 0;
    (void)wait_sleep((struct wait){until_ns, wait.cancel});
    return true;
}

bool pg_stream_next(struct pg *pg, int64_t rest_ns, struct wait wait, struct str *ret_message,
                    struct pg_fault *fault, struct err *e)
{
    int len = 0;

    *fault = (struct pg_fault){.is_lost = false};
    PQfreemem(TAKE(pg->message));
    while ((len = take(pg)) == 0) {
        int left = PQflush(pg->conn);
        if (left < 0 || PQstatus(pg->conn) != CONNECTION_OK) {
            return pg_fail_conn(pg, fault, e);
        }
        if (rest(&rest_ns, wait)) {
            continue;
        }
        if (!pg_poll(pg, left == 1 ? POLLIN | POLLOUT : POLLIN, wait)) {
            *ret_message = STR_NONE;
            return true;
        }
    }
    if (len == -1) {
        return end(pg, wait, fault, e);
    }
    if (len < 0) {
        return pg_fail_conn(pg, fault, e);
    }
    *ret_message = str_make(pg->message, (size_t)len);
    return true;
}

bool pg_stream_send(struct pg *pg, struct str message, struct pg_fault *fault, struct err *e)
{
    *fault = (struct pg_fault){.is_lost = false};
    return (PQputCopyData(pg->conn, message.ptr, (int)message.len) >= 0 &&
            PQflush(pg->conn) >= 0) ||
           pg_fail_conn(pg, fault, e);
}

static bool take_notices(struct pg *pg)
{
    bool came = false;
    PGnotify *notice = NULL;

    while ((notice = PQnotifies(pg->conn)) != NULL) {
        PQfreemem(notice);
        came = true;
    }
    return came;
}

bool pg_await_notice(struct pg *pg, struct wait wait, bool *ret_came, struct pg_fault *fault,
                     struct err *e)
{
    *fault = (struct pg_fault){.is_lost = false};
    *ret_came = take_notices(pg);
    while (!*ret_came && pg_poll(pg, POLLIN, wait)) {
        if (PQconsumeInput(pg->conn) == 0) {
            return pg_fail_conn(pg, fault, e);
        }
        *ret_came = take_notices(pg);
    }
    return true;
}
