/* Documents in the order of their _id. */
#include "db/mongo_int.h"

#include "base/clock.h"

#include <string.h>

/* Of {"_id":VALUE} the value, as <operator> of <out>. */
static bool add_bound(bson_t *out, const char *operator, struct str json)
{
    bson_t *bound = json.len > 0 ? mongo_bson(json) : NULL;
    bson_iter_t found;
    bool fine = bound != NULL && bson_iter_init_find(&found, bound, "_id") &&
                bson_append_iter(out, operator, - 1, &found);

    bson_destroy(bound);
    return fine;
}

/* Is the _id in <json> an ObjectId, which says when it was made? */
static bool is_oid(struct str json)
{
    bson_t *b = json.len > 0 ? mongo_bson(json) : NULL;
    bson_iter_t found;
    bool is = b != NULL && bson_iter_init_find(&found, b, "_id") && BSON_ITER_HOLDS_OID(&found);

    bson_destroy(b);
    return is;
}

/* The first ObjectId of a second. */
static void add_oid_bound(bson_t *out, const char *operator, int64_t from_ns)
{
    uint32_t seconds = (uint32_t)(from_ns / NS_PER_S);
    bson_oid_t oid = {{0}};

    for (unsigned i = 0; i < 4; i++) {
        oid.bytes[i] = (uint8_t)(seconds >> (24 - 8 * i));
    }
    (void)bson_append_oid(out, operator, - 1, &oid);
}

static void add_filter(const struct mongo_query *q, bson_t *filter)
{
    char field[256];
    bson_t id = BSON_INITIALIZER;
    bson_t time = BSON_INITIALIZER;
    bool by_field = q->from_ns > 0 && q->time_field.len > 0 && q->time_field.len < sizeof(field);

    bool has_after = add_bound(&id, "$gt", q->after);
    bool has_until = add_bound(&id, "$lte", q->until);
    bool by_id = q->from_ns > 0 && !by_field && is_oid(q->until);
    if (by_id) {
        add_oid_bound(&id, "$gte", q->from_ns);
    }
    if (has_after || has_until || by_id) {
        (void)BSON_APPEND_DOCUMENT(filter, "_id", &id);
    }
    if (by_field) {
        memcpy(field, q->time_field.ptr, q->time_field.len);
        field[q->time_field.len] = '\0';
        (void)bson_append_date_time(&time, "$gte", -1, q->from_ns / NS_PER_MS);
        (void)BSON_APPEND_DOCUMENT(filter, field, &time);
    }
    bson_destroy(&id);
    bson_destroy(&time);
}

static void add_options(const struct mongo_query *q, bson_t *options)
{
    bson_t sort = BSON_INITIALIZER;

    (void)BSON_APPEND_INT32(&sort, "_id", q->backwards ? -1 : 1);
    (void)BSON_APPEND_DOCUMENT(options, "sort", &sort);
    if (q->limit > 0) {
        (void)BSON_APPEND_INT64(options, "limit", (int64_t)q->limit);
    }
    if (q->skip > 0) {
        (void)BSON_APPEND_INT64(options, "skip", (int64_t)q->skip);
    }
    bson_destroy(&sort);
}

static void read_document(const bson_t *b, struct arena *a, struct mongo_document *ret)
{
    bson_t id = BSON_INITIALIZER;
    bson_iter_t found;

    *ret = (struct mongo_document){.document = mongo_json(b, false, a)};
    if (ret->document.len == 0) {
        ret->fault = STR("it cannot be written as JSON");
    }
    if (bson_iter_init_find(&found, b, "_id")) {
        (void)bson_append_iter(&id, "_id", -1, &found);
        ret->id = mongo_id_text(&found, a);
        ret->id_json = mongo_json(&id, true, a);
        if (BSON_ITER_HOLDS_OID(&found)) {
            ret->time_ns = (int64_t)bson_oid_get_time_t(bson_iter_oid(&found)) * NS_PER_S;
        }
    }
    bson_destroy(&id);
}

enum mongo_answer mongo_find(struct mongo *m, const struct mongo_query *q, struct arena *a,
                             bool (*visit)(void *arg, const struct mongo_document *d), void *arg,
                             struct err *e)
{
    bson_t filter = BSON_INITIALIZER;
    bson_t options = BSON_INITIALIZER;
    bson_error_t error = {0};
    const bson_t *b = NULL;
    bool goes_on = true;

    add_filter(q, &filter);
    add_options(q, &options);
    mongoc_cursor_t *cursor =
        m->lib.collection_find_with_opts(m->collection, &filter, &options, NULL);
    while (goes_on && m->lib.cursor_next(cursor, &b)) {
        struct mongo_document d;
        read_document(b, a, &d);
        goes_on = visit(arg, &d);
    }
    bool failed = goes_on && m->lib.cursor_error(cursor, &error);
    m->lib.cursor_destroy(cursor);
    bson_destroy(&filter);
    bson_destroy(&options);
    return failed ? mongo_fail(m, &error, "the collection", e) : MONGO_OK;
}

int64_t mongo_count(struct mongo *m, const struct mongo_query *q)
{
    bson_t filter = BSON_INITIALIZER;
    bson_error_t ignored;

    add_filter(q, &filter);
    int64_t count =
        m->lib.collection_count_documents(m->collection, &filter, NULL, NULL, NULL, &ignored);
    bson_destroy(&filter);
    return count;
}
