/* MongoDB in a build that was made without libmongoc: everything fails, and says so. */
#include "db/mongo.h"

bool mongo_is_built_in(void)
{
    return false;
}

static bool is_absent(struct err *e)
{
    return err_set(e, ERR_CONFIG,
                   "this telex was built without libmongoc and cannot speak to MongoDB; install "
                   "libmongoc-dev and build it again with -Dmongodb=enabled");
}

bool mongo_parse(const char *text, struct arena *a, struct str *ret_database, struct err *e)
{
    (void)text;
    (void)a;
    (void)ret_database;
    return is_absent(e);
}

bool mongo_open(const char *text, struct str database, struct str collection,
                struct mongo **ret_mongo, struct err *e)
{
    (void)text;
    (void)database;
    (void)collection;
    (void)ret_mongo;
    return is_absent(e);
}

void mongo_close(struct mongo *m)
{
    (void)m;
}

enum mongo_answer mongo_look(struct mongo *m, struct arena *a, struct str *ret_name,
                             struct mongo_place *ret_now, struct err *e)
{
    (void)m;
    (void)a;
    (void)ret_name;
    (void)ret_now;
    (void)is_absent(e);
    return MONGO_REFUSED;
}

enum mongo_answer mongo_watch(struct mongo *m, const struct mongo_watch *watch, struct err *e)
{
    (void)watch;
    return mongo_look(m, NULL, NULL, NULL, e);
}

enum mongo_answer mongo_next(struct mongo *m, struct arena *a, struct mongo_change *ret,
                             struct err *e)
{
    (void)ret;
    return mongo_look(m, a, NULL, NULL, e);
}

bool mongo_has_more(const struct mongo *m)
{
    (void)m;
    return false;
}

bool mongo_token(struct mongo *m, struct arena *a, struct str *ret_token)
{
    (void)m;
    (void)a;
    (void)ret_token;
    return false;
}

enum mongo_answer mongo_find(struct mongo *m, const struct mongo_query *q, struct arena *a,
                             bool (*visit)(void *arg, const struct mongo_document *d), void *arg,
                             struct err *e)
{
    (void)q;
    (void)visit;
    (void)arg;
    return mongo_look(m, a, NULL, NULL, e);
}

int64_t mongo_count(struct mongo *m, const struct mongo_query *q)
{
    (void)m;
    (void)q;
    return -1;
}
