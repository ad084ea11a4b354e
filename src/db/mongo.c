/* The client: connection strings, errors, who is there, values as text. */
#include "db/mongo.h"

#include "db/mongo_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "db/connection.h"

#include <string.h>

bool mongo_is_built_in(void)
{
    return true;
}

/* ---- errors ---- */

/* What the server means by codes that do not pass by themselves. */
static const struct {
    uint32_t code;
    enum mongo_answer answer;
} meanings[] = {
    {136, MONGO_GONE},      /* CappedPositionLost */
    {260, MONGO_GONE},      /* InvalidResumeToken */
    {280, MONGO_GONE},      /* ChangeStreamFatalError */
    {286, MONGO_GONE},      /* ChangeStreamHistoryLost */
    {40576, MONGO_GONE},    /* resume token not found, of servers before 4.2 */
    {50811, MONGO_GONE},    /* of another collection, or no token at all */
    {6, MONGO_AWAY},        /* HostUnreachable */
    {7, MONGO_AWAY},        /* HostNotFound */
    {50, MONGO_AWAY},       /* MaxTimeMSExpired */
    {89, MONGO_AWAY},       /* NetworkTimeout */
    {91, MONGO_AWAY},       /* ShutdownInProgress */
    {189, MONGO_AWAY},      /* PrimarySteppedDown */
    {234, MONGO_AWAY},      /* RetryChangeStream */
    {262, MONGO_AWAY},      /* ExceededTimeLimit */
    {9001, MONGO_AWAY},     /* SocketException */
    {10107, MONGO_AWAY},    /* NotWritablePrimary */
    {11600, MONGO_AWAY},    /* InterruptedAtShutdown */
    {11602, MONGO_AWAY},    /* InterruptedDueToReplStateChange */
    {13435, MONGO_AWAY},    /* NotPrimaryNoSecondaryOk */
    {13436, MONGO_AWAY},    /* NotPrimaryOrSecondary */
    {43, MONGO_AWAY},       /* CursorNotFound */
    {40573, MONGO_REFUSED}, /* no replica set */
};

enum { NO_REPLICA_SET = 40573 };

static enum mongo_answer answer_of(const bson_error_t *error)
{
    bool is_server = error->domain == MONGOC_ERROR_SERVER || error->domain == MONGOC_ERROR_QUERY ||
                     error->domain == MONGOC_ERROR_COMMAND || error->domain == MONGOC_ERROR_CURSOR;

    if (!is_server) {
        bool is_login =
            error->domain == MONGOC_ERROR_CLIENT && error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE;
        return is_login ? MONGO_REFUSED : MONGO_AWAY;
    }
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (meanings[i].code == error->code) {
            return meanings[i].answer;
        }
    }
    return MONGO_REFUSED;
}

enum mongo_answer mongo_judge(const bson_error_t *error, const char *what, struct err *e)
{
    enum mongo_answer answer = answer_of(error);

    if (error->code == NO_REPLICA_SET) {
        (void)err_set(
            e, ERR_CONFIG,
            "%s: MongoDB has change streams in replica sets only; one server is a replica set "
            "too: start mongod with --replSet rs0 and run rs.initiate() once",
            what);
    } else {
        (void)err_set(e, answer == MONGO_AWAY ? ERR_NET : ERR_CONFIG, "%s: %s", what,
                      error->message);
    }
    return answer;
}

enum mongo_answer mongo_fail(const struct mongo *m, const bson_error_t *error, const char *what,
                             struct err *e)
{
    enum mongo_answer answer = mongo_judge(error, what, e);

    (void)connection_hide(str_of(m->text), e);
    return answer;
}

/* ---- values as text ---- */

struct str mongo_json(const bson_t *b, bool is_canonical, struct arena *a)
{
    size_t len = 0;
    char *text = is_canonical ? bson_as_canonical_extended_json(b, &len)
                              : bson_as_relaxed_extended_json(b, &len);
    struct str copy = text != NULL ? arena_dup(a, str_make(text, len)) : STR("");

    bson_free(text);
    return copy;
}

bson_t *mongo_bson(struct str json)
{
    bson_error_t ignored;

    return bson_new_from_json((const uint8_t *)json.ptr, (ssize_t)json.len, &ignored);
}

/* Of {"_id":VALUE} the value. */
static struct str inner_json(const bson_iter_t *id, struct arena *a)
{
    bson_t one = BSON_INITIALIZER;

    (void)bson_append_iter(&one, "_", 1, id);
    struct str json = mongo_json(&one, false, a);
    bson_destroy(&one);
    size_t from = str_find_byte(json, ':') + 1;
    return json.len > from + 1 ? str_trim(str_slice(json, from, json.len - 1 - from)) : json;
}

struct str mongo_id_text(const bson_iter_t *id, struct arena *a)
{
    char hex[25];
    uint32_t len = 0;

    if (BSON_ITER_HOLDS_OID(id)) {
        bson_oid_to_string(bson_iter_oid(id), hex);
        return arena_dup(a, str_of(hex));
    }
    if (BSON_ITER_HOLDS_UTF8(id)) {
        const char *text = bson_iter_utf8(id, &len);
        return arena_dup(a, str_make(text, len));
    }
    return inner_json(id, a);
}

/* ---- life ---- */

static void be_quiet(mongoc_log_level_t level, const char *domain, const char *message, void *arg)
{
    (void)level;
    (void)domain;
    (void)message;
    (void)arg;
}

static void put_default(const struct mongo_lib *lib, mongoc_uri_t *uri, const char *name,
                        int32_t ms)
{
    if (!lib->uri_has_option(uri, name)) {
        (void)lib->uri_set_option_as_int32(uri, name, ms);
    }
}

/* Fails with what is wrong in words that hold nothing of <text>. */
static bool read_uri(const char *text, struct mongo_lib *ret_lib, mongoc_uri_t **ret_uri,
                     struct err *e)
{
    struct mongo_lib lib;
    bson_error_t error = {0};

    if (!connection_check_url(str_of(text), e) || !mongo_lib_load(&lib, e)) {
        return false;
    }
    lib.init();
    lib.log_set_handler(be_quiet, NULL); /* what it has to say comes as errors too */
    mongoc_uri_t *uri = lib.uri_new_with_error(text, &error);
    if (uri == NULL) {
        return err_set(
            e, ERR_CONFIG,
            "this is no connection string of MongoDB, mongodb://user:password@host/database; "
            "in passwords, ':', '/', '?', '#', '@' and '%%' are written %%3A, %%2F and so on");
    }
    put_default(&lib, uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, MONGO_TIMEOUT_MS);
    put_default(&lib, uri, MONGOC_URI_CONNECTTIMEOUTMS, MONGO_TIMEOUT_MS / 2);
    put_default(&lib, uri, MONGOC_URI_SOCKETTIMEOUTMS, MONGO_TIMEOUT_MS);
    *ret_lib = lib;
    *ret_uri = uri;
    return true;
}

bool mongo_parse(const char *text, struct arena *a, struct str *ret_database, struct err *e)
{
    mongoc_uri_t *uri = NULL;
    struct mongo_lib lib;

    if (!read_uri(text, &lib, &uri, e)) {
        return false;
    }
    const char *database = lib.uri_get_database(uri);
    *ret_database = database != NULL ? arena_dup(a, str_of(database)) : STR("");
    lib.uri_destroy(uri);
    return true;
}

/* As change streams do: what a new primary may take back is not read. */
static void read_what_stays(struct mongo *m)
{
    mongoc_read_concern_t *concern = m->lib.read_concern_new();

    (void)m->lib.read_concern_set_level(concern, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    m->lib.collection_set_read_concern(m->collection, concern);
    m->lib.read_concern_destroy(concern);
}

bool mongo_open(const char *text, struct str database, struct str collection,
                struct mongo **ret_mongo, struct err *e)
{
    mongoc_uri_t *uri = NULL;
    struct mongo_lib lib;
    bson_error_t error = {0};

    if (!read_uri(text, &lib, &uri, e)) {
        return false;
    }
    mongoc_client_t *client = lib.client_new_from_uri_with_error(uri, &error);
    lib.uri_destroy(uri);
    if (client == NULL) {
        return err_set(e, ERR_CONFIG, "%s", error.message) || connection_hide(str_of(text), e);
    }
    char *AUTO(mem_autofree) database_name = mem_dup_text(database.ptr, database.len);
    char *AUTO(mem_autofree) name = mem_dup_text(collection.ptr, collection.len);
    struct mongo *m = BSON_ALIGNED_ALLOC0(struct mongo); /* iterators want 128 bytes */
    m->lib = lib;
    m->text = mem_dup_text(text, strlen(text));
    m->client = client;
    (void)m->lib.client_set_appname(client, "telex");
    (void)m->lib.client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    m->database = m->lib.client_get_database(client, database_name);
    m->collection = m->lib.client_get_collection(client, database_name, name);
    read_what_stays(m);
    *ret_mongo = m;
    return true;
}

void mongo_close(struct mongo *m)
{
    if (m == NULL) {
        return;
    }
    mongo_unwatch(m);
    m->lib.collection_destroy(m->collection);
    m->lib.database_destroy(m->database);
    m->lib.client_destroy(m->client);
    explicit_bzero(m->text, strlen(m->text));
    mem_free(m->text);
    bson_free(m);
}

/* ---- who is there ---- */

static bool ask(struct mongo *m, const char *command, bson_t *reply, bson_error_t *error)
{
    bson_t text = BSON_INITIALIZER;

    (void)BSON_APPEND_INT32(&text, command, 1);
    bool fine = m->lib.client_command_simple(m->client, "admin", &text, NULL, reply, error);
    bson_destroy(&text);
    return fine;
}

/* The replica set's own id, for who may see it: names such as rs0 are everywhere the same. */
static struct str find_set_id(struct mongo *m, struct arena *a)
{
    bson_t reply = BSON_INITIALIZER;
    bson_error_t ignored;
    bson_iter_t top;
    bson_iter_t found;
    struct str id = STR("");

    bson_destroy(&reply);
    if (ask(m, "replSetGetConfig", &reply, &ignored) && bson_iter_init(&top, &reply) &&
        bson_iter_find_descendant(&top, "config.settings.replicaSetId", &found)) {
        id = mongo_id_text(&found, a);
    }
    bson_destroy(&reply);
    return id;
}

/* The time of the cluster, as an answer carries it. */
static void find_time(const bson_t *reply, struct mongo_place *ret)
{
    static const char *const names[] = {"operationTime", "$clusterTime.clusterTime",
                                        "lastWrite.opTime.ts"};
    bson_iter_t top;
    bson_iter_t found;

    for (size_t i = 0; ret->seconds == 0 && i < ARRAY_LEN(names); i++) {
        if (bson_iter_init(&top, reply) && bson_iter_find_descendant(&top, names[i], &found) &&
            BSON_ITER_HOLDS_TIMESTAMP(&found)) {
            bson_iter_timestamp(&found, &ret->seconds, &ret->ordinal);
        }
    }
    if (ret->seconds == 0 && bson_iter_init_find(&found, reply, "localTime") &&
        BSON_ITER_HOLDS_DATE_TIME(&found)) {
        ret->seconds = (uint32_t)(bson_iter_date_time(&found) / 1000); /* from the second's start */
    }
}

enum mongo_answer mongo_look(struct mongo *m, struct arena *a, struct str *ret_name,
                             struct mongo_place *ret_now, struct err *e)
{
    bson_t reply = BSON_INITIALIZER;
    bson_error_t error = {0};
    bson_iter_t found;
    struct str set = STR("");
    bool is_router = false;

    bson_destroy(&reply);
    if (!ask(m, "hello", &reply, &error) &&
        (bson_destroy(&reply), !ask(m, "isMaster", &reply, &error))) {
        bson_destroy(&reply);
        return mongo_fail(m, &error, "MongoDB", e);
    }
    if (bson_iter_init_find(&found, &reply, "setName") && BSON_ITER_HOLDS_UTF8(&found)) {
        set = arena_dup(a, str_of(bson_iter_utf8(&found, NULL)));
    }
    is_router = bson_iter_init_find(&found, &reply, "msg");
    *ret_now = (struct mongo_place){.token = STR("")};
    find_time(&reply, ret_now);
    bson_destroy(&reply);
    struct str id = set.len > 0 ? find_set_id(m, a) : STR("");
    *ret_name = arena_printf(a, "%.*s%s%.*s",
                             STR_FMT(set.len > 0 ? set
                                     : is_router ? STR("mongos")
                                                 : STR("alone")),
                             id.len > 0 ? " " : "", STR_FMT(id));
    return MONGO_OK;
}
