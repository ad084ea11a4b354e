/* Change streams. */
#include "db/mongo_int.h"

#include "base/clock.h"

static const char *const op_names[MONGO_OPS] = {"insert", "update", "delete"};

/* ---- beginning ---- */

static void add_wanted(const struct mongo_watch *watch, bson_t *list)
{
    static const char *const always[] = {"invalidate", "drop", "rename", "dropDatabase"};
    uint32_t n = 0;
    char room[16];
    const char *key = NULL;

    for (size_t i = 0; i < MONGO_OPS; i++) {
        if (watch->ops[i]) {
            (void)bson_uint32_to_string(n++, &key, room, sizeof(room));
            (void)BSON_APPEND_UTF8(list, key, op_names[i]);
        }
    }
    if (watch->ops[MONGO_UPDATE]) {
        (void)bson_uint32_to_string(n++, &key, room, sizeof(room));
        (void)BSON_APPEND_UTF8(list, key, "replace");
    }
    for (size_t i = 0; i < ARRAY_LEN(always); i++) {
        (void)bson_uint32_to_string(n++, &key, room, sizeof(room));
        (void)BSON_APPEND_UTF8(list, key, always[i]);
    }
}

/* Where to begin, and that updates bring their document. */
static bool add_stream(const struct mongo_watch *watch, bson_t *options, struct err *e)
{
    const struct mongo_place *from = &watch->from;

    if (watch->ops[MONGO_UPDATE]) {
        (void)BSON_APPEND_UTF8(options, "fullDocument", "updateLookup");
    }
    if (from->token.len > 0) {
        bson_t *token = mongo_bson(from->token);
        if (token == NULL) {
            return err_set(e, ERR_CONFLICT, "'%.*s' is no resume token",
                           STR_FMT(str_slice(from->token, 0, 200)));
        }
        (void)bson_append_document(options, from->is_invalidated ? "startAfter" : "resumeAfter", -1,
                                   token);
        bson_destroy(token);
    } else if (from->seconds > 0) {
        (void)bson_append_timestamp(options, "startAtOperationTime", -1, from->seconds,
                                    from->ordinal);
    }
    return true;
}

/* What is not wanted does not travel. NULL when the place is none. */
static bson_t *make_command(struct mongo *m, const struct mongo_watch *watch, struct err *e)
{
    bson_t options = BSON_INITIALIZER;
    bson_t wanted = BSON_INITIALIZER;
    bson_t *command = NULL;

    if (add_stream(watch, &options, e)) {
        add_wanted(watch, &wanted);
        command = BCON_NEW("aggregate", BCON_UTF8(m->lib.collection_get_name(m->collection)),
                           "pipeline", "[", "{", "$changeStream", BCON_DOCUMENT(&options), "}", "{",
                           "$match", "{", "operationType", "{", "$in", BCON_ARRAY(&wanted), "}",
                           "}", "}", "]", "cursor", "{", "}");
    }
    bson_destroy(&wanted);
    bson_destroy(&options);
    return command;
}

/* ---- batches ---- */

static void let_batch_go(struct mongo *m)
{
    bson_destroy(m->batch);
    m->batch = NULL;
    m->has_more = false;
}

static void set_token(struct mongo *m, const bson_t *token)
{
    bson_destroy(m->token);
    m->token = token != NULL && !bson_empty(token) ? bson_copy(token) : NULL;
}

/* The document <name> of another. */
static bool inner(const bson_t *b, const char *name, bson_t *ret)
{
    bson_iter_t found;
    const uint8_t *bytes = NULL;
    uint32_t len = 0;

    if (!bson_iter_init_find(&found, b, name) || !BSON_ITER_HOLDS_DOCUMENT(&found)) {
        return false;
    }
    bson_iter_document(&found, &len, &bytes);
    return bson_init_static(ret, bytes, len);
}

/* Takes over an answer with a cursor. */
static bool take_batch(struct mongo *m, bson_t *reply, const char *name)
{
    bson_t cursor;
    bson_t token;
    bson_iter_t found;

    let_batch_go(m);
    m->batch = reply;
    m->cursor = 0;
    if (!inner(reply, "cursor", &cursor)) {
        return false;
    }
    if (bson_iter_init_find(&found, &cursor, "id")) {
        m->cursor = bson_iter_as_int64(&found);
    }
    if (inner(&cursor, "postBatchResumeToken", &token)) {
        set_token(m, &token);
    }
    if (!bson_iter_init_find(&found, &cursor, name) || !bson_iter_recurse(&found, &m->at)) {
        return false;
    }
    m->has_more = bson_iter_next(&m->at);
    return true;
}

/* Runs a command whose answer is a batch. */
static enum mongo_answer run(struct mongo *m, const bson_t *command, const char *batch,
                             struct err *e)
{
    bson_error_t error = {0};
    bson_t answer;

    bool fine = m->lib.client_command_simple_with_server_id(
        m->client, m->lib.database_get_name(m->database), command,
        m->lib.client_get_read_prefs(m->client), m->server, &answer, &error);
    bson_t *reply = fine ? bson_copy(&answer) : NULL;
    bson_destroy(&answer);
    if (!fine) {
        return mongo_fail(m, &error, "the change stream", e);
    }
    if (!take_batch(m, reply, batch)) {
        (void)err_set(e, ERR_NET, "the change stream: an answer without a cursor");
        return MONGO_AWAY;
    }
    return MONGO_OK;
}

void mongo_unwatch(struct mongo *m)
{
    bson_error_t ignored;

    if (m->cursor != 0) {
        bson_t *command =
            BCON_NEW("killCursors", BCON_UTF8(m->lib.collection_get_name(m->collection)), "cursors",
                     "[", BCON_INT64(m->cursor), "]");
        (void)m->lib.client_command_simple_with_server_id(m->client,
                                                          m->lib.database_get_name(m->database),
                                                          command, NULL, m->server, NULL, &ignored);
        bson_destroy(command);
    }
    m->cursor = 0;
    m->is_invalidated = false;
    let_batch_go(m);
    set_token(m, NULL);
}

enum mongo_answer mongo_watch(struct mongo *m, const struct mongo_watch *watch, struct err *e)
{
    bson_error_t error = {0};

    mongo_unwatch(m);
    mongoc_server_description_t *server = m->lib.client_select_server(
        m->client, false, m->lib.client_get_read_prefs(m->client), &error);
    if (server == NULL) {
        return mongo_fail(m, &error, "MongoDB", e);
    }
    m->server = m->lib.server_description_id(server);
    m->lib.server_description_destroy(server);
    bson_t *command = make_command(m, watch, e);
    if (command == NULL) {
        return MONGO_GONE;
    }
    enum mongo_answer answer = run(m, command, "firstBatch", e);
    bson_destroy(command);
    return answer;
}

static enum mongo_answer fetch_more(struct mongo *m, struct err *e)
{
    if (m->cursor == 0) {
        (void)err_set(e, ERR_NET, "the change stream: the server ended it");
        return MONGO_AWAY;
    }
    bson_t *command = BCON_NEW("getMore", BCON_INT64(m->cursor), "collection",
                               BCON_UTF8(m->lib.collection_get_name(m->collection)), "maxTimeMS",
                               BCON_INT64(MONGO_AWAIT_MS));
    enum mongo_answer answer = run(m, command, "nextBatch", e);
    bson_destroy(command);
    return answer;
}

bool mongo_has_more(const struct mongo *m)
{
    return m->has_more;
}

bool mongo_token(struct mongo *m, struct arena *a, struct str *ret_token)
{
    if (m->token == NULL || m->has_more) {
        return false;
    }
    *ret_token = mongo_json(m->token, true, a);
    return true;
}

/* ---- changes ---- */

static struct str text_of(const bson_t *b, const char *name)
{
    bson_iter_t found;

    return bson_iter_init_find(&found, b, name) && BSON_ITER_HOLDS_UTF8(&found)
               ? str_of(bson_iter_utf8(&found, NULL))
               : STR("");
}

static void read_place(const bson_t *change, struct arena *a, struct mongo_place *ret)
{
    bson_iter_t found;
    bson_t token;

    *ret = (struct mongo_place){.token = STR("")};
    if (inner(change, "_id", &token)) {
        ret->token = mongo_json(&token, true, a);
    }
    if (bson_iter_init_find(&found, change, "clusterTime") && BSON_ITER_HOLDS_TIMESTAMP(&found)) {
        bson_iter_timestamp(&found, &ret->seconds, &ret->ordinal);
    }
}

static int64_t read_time(const bson_t *change, const struct mongo_place *place)
{
    bson_iter_t found;

    if (bson_iter_init_find(&found, change, "wallTime") && BSON_ITER_HOLDS_DATE_TIME(&found)) {
        return bson_iter_date_time(&found) * NS_PER_MS;
    }
    return (int64_t)place->seconds * NS_PER_S;
}

static void read_change(const bson_t *change, enum mongo_op op, struct arena *a,
                        struct mongo_change *ret)
{
    bson_iter_t id;
    bson_t document;
    bson_t key;
    bool has_key = inner(change, "documentKey", &key);
    bool has_document = inner(change, "fullDocument", &document);

    *ret = (struct mongo_change){.op = op, .document = STR("null")};
    read_place(change, a, &ret->place);
    ret->time_ns = read_time(change, &ret->place);
    if ((has_key && bson_iter_init_find(&id, &key, "_id")) ||
        (has_document && bson_iter_init_find(&id, &document, "_id"))) {
        ret->id = mongo_id_text(&id, a);
    }
    if (has_document || has_key) {
        ret->document = mongo_json(has_document ? &document : &key, false, a);
    }
    if (ret->document.len == 0) {
        ret->fault = STR("its document cannot be written as JSON");
    }
}

static bool find_op(struct str name, enum mongo_op *ret)
{
    for (size_t i = 0; i < MONGO_OPS; i++) {
        if (str_eq(name, str_of(op_names[i]))) {
            *ret = (enum mongo_op)i;
            return true;
        }
    }
    *ret = MONGO_UPDATE;
    return str_eq(name, STR("replace"));
}

/* Only startAfter leads past its token. */
static enum mongo_answer invalidate(struct mongo *m, const bson_t *change, struct arena *a,
                                    struct mongo_change *ret)
{
    bson_t token;

    *ret = (struct mongo_change){.document = STR("null")};
    read_place(change, a, &ret->place);
    ret->place.is_invalidated = true;
    if (inner(change, "_id", &token)) {
        set_token(m, &token);
    }
    return MONGO_INVALIDATED;
}

/* The change that <at> stands before, and past it. */
static enum mongo_answer take_change(struct mongo *m, struct arena *a, struct mongo_change *ret)
{
    const uint8_t *bytes = NULL;
    uint32_t len = 0;
    bson_t change;
    enum mongo_op op = MONGO_INSERT;
    enum mongo_answer answer = MONGO_NONE; /* a drop or rename, of which the invalidation tells */

    if (BSON_ITER_HOLDS_DOCUMENT(&m->at)) {
        bson_iter_document(&m->at, &len, &bytes);
        INVARIANT(bson_init_static(&change, bytes, len));
        struct str name = text_of(&change, "operationType");
        if (str_eq(name, STR("invalidate"))) {
            answer = invalidate(m, &change, a, ret);
        } else if (find_op(name, &op)) {
            read_change(&change, op, a, ret);
            answer = MONGO_OK;
        }
    }
    m->has_more = bson_iter_next(&m->at);
    return answer;
}

enum mongo_answer mongo_next(struct mongo *m, struct arena *a, struct mongo_change *ret,
                             struct err *e)
{
    if (!m->has_more) {
        enum mongo_answer answer = fetch_more(m, e);
        if (answer != MONGO_OK) {
            return answer;
        }
    }
    return m->has_more ? take_change(m, a, ret) : MONGO_NONE;
}
