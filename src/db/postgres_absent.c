/* PostgreSQL in a build that was made without libpq: everything fails, and says so. */
#include "db/postgres_stream.h"

bool pg_is_built_in(void)
{
    return false;
}

static bool is_absent(struct err *e)
{
    return err_set(e, ERR_CONFIG,
                   "this telex was built without libpq and cannot speak to PostgreSQL; install "
                   "libpq-dev and build it again with -Dlibpq=enabled");
}

bool pg_parse(const char *text, pg_visit_setting *visit, void *arg, struct err *e)
{
    (void)text;
    (void)visit;
    (void)arg;
    return is_absent(e);
}

bool pg_open(const char *text, const char *application, struct wait wait, struct pg **ret_pg,
             struct pg_fault *fault, struct err *e)
{
    (void)text;
    (void)application;
    (void)wait;
    (void)ret_pg;
    *fault = (struct pg_fault){.is_lost = true};
    return is_absent(e);
}

void pg_close(struct pg *pg)
{
    (void)pg;
}

bool pg_run(struct pg *pg, const char *sql, struct wait wait, struct pg_fault *fault, struct err *e)
{
    return pg_copy_start(pg, sql, wait, fault, e);
}

bool pg_ask(struct pg *pg, const char *sql, const char *const *params, size_t count,
            struct wait wait, struct pg_result **ret_result, struct pg_fault *fault, struct err *e)
{
    (void)params;
    (void)count;
    (void)ret_result;
    return pg_copy_start(pg, sql, wait, fault, e);
}

bool pg_query(struct pg *pg, const char *sql, struct wait wait, struct pg_result **ret_result,
              struct pg_fault *fault, struct err *e)
{
    (void)ret_result;
    return pg_copy_start(pg, sql, wait, fault, e);
}

bool pg_prepare(struct pg *pg, const char *name, const char *sql, struct wait wait,
                struct pg_fault *fault, struct err *e)
{
    (void)name;
    return pg_copy_start(pg, sql, wait, fault, e);
}

bool pg_begin_with(struct pg *pg, const char *name, const char *const *params, size_t count,
                   struct wait wait, size_t *ret_changed, struct pg_fault *fault, struct err *e)
{
    (void)params;
    (void)count;
    (void)ret_changed;
    return pg_copy_start(pg, name, wait, fault, e);
}

bool pg_copy_start(struct pg *pg, const char *sql, struct wait wait, struct pg_fault *fault,
                   struct err *e)
{
    (void)pg;
    (void)sql;
    (void)wait;
    *fault = (struct pg_fault){.is_lost = true};
    return is_absent(e);
}

bool pg_copy_put(struct pg *pg, struct str bytes, struct wait wait, struct pg_fault *fault,
                 struct err *e)
{
    return pg_copy_start(pg, bytes.ptr, wait, fault, e);
}

bool pg_copy_finish(struct pg *pg, struct wait wait, struct pg_fault *fault, struct err *e)
{
    return pg_copy_start(pg, NULL, wait, fault, e);
}

void pg_result_free(struct pg_result *r)
{
    (void)r;
}

size_t pg_rows(const struct pg_result *r)
{
    (void)r;
    return 0;
}

struct str pg_value(const struct pg_result *r, size_t row, size_t column)
{
    (void)r;
    (void)row;
    (void)column;
    return STR("");
}

bool pg_is_null(const struct pg_result *r, size_t row, size_t column)
{
    (void)r;
    (void)row;
    (void)column;
    return true;
}

size_t pg_columns(const struct pg_result *r)
{
    (void)r;
    return 0;
}

struct str pg_column_name(const struct pg_result *r, size_t column)
{
    (void)r;
    (void)column;
    return STR("");
}

uint32_t pg_column_type(const struct pg_result *r, size_t column)
{
    (void)r;
    (void)column;
    return 0;
}

bool pg_stream_open(const char *text, const char *application, struct wait wait, struct pg **ret_pg,
                    struct pg_fault *fault, struct err *e)
{
    return pg_open(text, application, wait, ret_pg, fault, e);
}

bool pg_stream_start(struct pg *pg, const char *command, struct wait wait, struct pg_fault *fault,
                     struct err *e)
{
    return pg_copy_start(pg, command, wait, fault, e);
}

bool pg_stream_next(struct pg *pg, int64_t rest_ns, struct wait wait, struct str *ret_message,
                    struct pg_fault *fault, struct err *e)
{
    (void)rest_ns;
    (void)ret_message;
    return pg_copy_start(pg, NULL, wait, fault, e);
}

bool pg_stream_send(struct pg *pg, struct str message, struct pg_fault *fault, struct err *e)
{
    (void)pg;
    (void)message;
    *fault = (struct pg_fault){.is_lost = true};
    return is_absent(e);
}

bool pg_await_notice(struct pg *pg, struct wait wait, bool *ret_came, struct pg_fault *fault,
                     struct err *e)
{
    (void)ret_came;
    return pg_copy_start(pg, NULL, wait, fault, e);
}
