/* telex events status, reset, skip, rewind: the API of the running program, on the command line. */
#include "cli/events.h"
#include "cli/events_offline.h"
#include "cli/events_show.h"
#include "cli/peer.h"
#include "net/url.h"

#include <stdio.h>
#include <string.h>

enum { FOLLOW_MS = 120 * 1000, LOOK_MS = 500 };

struct control_values {
    const char *config;
    const char *url;
    bool as_json;
    bool drops_source;
    bool keeps_source;
};

#define COMMON_ROWS                                                                         \
    {.name = "config",                                                                      \
     .letter = 'c',                                                                         \
     .value = "FILE",                                                                       \
     .offset = offsetof(struct control_values, config),                                     \
     .help = "The config of the program to ask, for its address and admin token; default: " \
             "telex.yaml where you are."},                                                  \
    {                                                                                       \
        .name = "url", .value = "URL", .offset = offsetof(struct control_values, url),      \
        .help = "Where it is, when that is not what `server.listen` says."                  \
    }

static const struct cli_option plain_options[] = {COMMON_ROWS};
static const struct cli_option status_options[] = {
    COMMON_ROWS,
    {.name = "json",
     .offset = offsetof(struct control_values, as_json),
     .help = "Print what the API answers."},
};
static const struct cli_option reset_options[] = {
    COMMON_ROWS,
    {.name = "drop-source",
     .offset = offsetof(struct control_values, drops_source),
     .help =
         "Have the source take back what Telex made for the stream in the datastore, such as a replication slot. So it is "
         "without this option when the stream does not run."},
    {.name = "keep-source",
     .offset = offsetof(struct control_values, keeps_source),
     .help = "Leave there what it made, though the stream is off or no more in the config."},
};

/* ---- asking ---- */

struct question {
    const struct control_values *values;
    const char *verb;     /* NULL: look only */
    const char *stream;   /* NULL: all */
    const char *position; /* or NULL */
};

static void add_path(const struct question *q, struct buf *out)
{
    buf_add_text(out, "/api/v1/streams");
    if (q->stream != NULL) {
        buf_add_byte(out, '/');
        url_add_escaped(out, str_of(q->stream), URL_SEGMENT);
    }
    if (q->verb != NULL) {
        buf_addf(out, "/%s", q->verb);
    }
    if (q->values->drops_source || q->values->keeps_source) {
        buf_addf(out, "?drop_source=%s", q->values->drops_source ? "true" : "false");
    }
}

/* A position may be longer than a URL. */
static void add_body(const struct question *q, struct buf *out)
{
    struct json_writer w;

    if (q->position != NULL) {
        json_write_init(&w, out);
        json_begin_object(&w);
        json_key(&w, STR("position"));
        json_add_text(&w, q->position);
        json_end_object(&w);
    }
}

/* One question and its answer, as JSON. *ret_status: 0 when nobody is there. */
static bool ask_once(struct peer *p, const struct question *q, struct buf *body, int *ret_status,
                     struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf sent = BUF_INIT(PEER_ANSWER_MAX);
    struct http_response res;

    add_path(q, &path);
    add_body(q, &sent);
    bool ok = (q->verb != NULL ? peer_post(p, buf_str(&path), buf_str(&sent), body, &res, e)
                               : peer_get(p, buf_str(&path), body, &res, e)) &&
              (res.status == 200 || res.status == 202 || peer_refused(p, &res, e));
    bool is_absent = res.status == 0 && res.failure == HTTP_FAILURE_CONNECT;
    *ret_status = is_absent ? 0 : res.status != 0 ? res.status : -1;
    http_response_release(&res);
    return ok;
}

/* A stream that did not run is gone when it is reset. */
static bool is_forgotten(const struct question *asked, struct buf *body, struct err *e)
{
    *e = ERR_INIT;
    buf_clear(body);
    buf_addf(body, "{\"data\":{\"name\":\"%s\",\"state\":\"forgotten\",\"ready\":true}}",
             asked->stream);
    return true;
}

static bool is_interrupted(const struct question *asked, struct err *e)
{
    return err_set(
        e, ERR_CANCELED,
        "the %s was interrupted, and nobody knows whether it was made: `telex events status %s` "
        "says how the stream is now",
        asked->verb, asked->stream);
}

enum followed { FOLLOW_ON, FOLLOWED, FOLLOW_FAILED };

/* What the stream says of the change. */
static enum followed weigh(const struct question *asked, const struct json_node *root,
                           struct err *e)
{
    const struct json_node *change = json_get(json_get(root, STR("data")), STR("change"));
    struct str phase = json_get_str(change, STR("phase"));

    if (!str_eq(json_get_str(change, STR("what")), str_of(asked->verb))) {
        return is_interrupted(asked, e) ? FOLLOWED : FOLLOW_FAILED;
    }
    if (str_eq(phase, STR("failed"))) {
        (void)err_set(e, ERR_CONFLICT, "%.*s", STR_FMT(json_get_str(change, STR("problem"))));
        return FOLLOW_FAILED;
    }
    return str_eq(phase, STR("done")) ? FOLLOWED : FOLLOW_ON;
}

/* One look. Of a stream that is not there any more a reset is made; of all else nobody knows. */
static enum followed look_once(struct peer *p, const struct question *asked, struct buf *body,
                               struct err *e)
{
    const struct question q = {.values = asked->values, .stream = asked->stream};
    struct json_node *root = NULL;
    int status = 0;

    if (ask_once(p, &q, body, &status, e)) {
        return json_parse(buf_str(body), &p->arena, &root, e) ? weigh(asked, root, e)
                                                              : FOLLOW_FAILED;
    }
    if (status == 503) {
        *e = ERR_INIT; /* it takes over another config */
        return FOLLOW_ON;
    }
    if (status != 404) {
        return FOLLOW_FAILED;
    }
    bool ok =
        strcmp(asked->verb, "reset") == 0 ? is_forgotten(asked, body, e) : is_interrupted(asked, e);
    return ok ? FOLLOWED : FOLLOW_FAILED;
}

/* Looks until a change that takes long is made. */
static bool follow(struct peer *p, const struct question *asked, struct buf *body, struct err *e)
{
    const int64_t until_ns = clock_deadline_ms(p->env.clock, FOLLOW_MS);
    enum followed followed = FOLLOW_ON;

    while (followed == FOLLOW_ON && clock_mono_ns(p->env.clock) < until_ns) {
        (void)wait_sleep((struct wait){clock_deadline_ms(p->env.clock, LOOK_MS), NULL});
        followed = look_once(p, asked, body, e);
    }
    if (followed == FOLLOW_ON) {
        return err_set(e, ERR_TIMEOUT,
                       "the change goes on: `telex events status %s` says what becomes of it",
                       asked->stream);
    }
    return followed == FOLLOWED;
}

static bool ask(struct peer *p, const struct question *q, bool *ret_ready, bool *ret_absent,
                struct err *e)
{
    AUTO(buf_release) struct buf body = BUF_INIT(PEER_ANSWER_MAX);
    struct json_node *root = NULL;
    int status = 0;

    bool ok = ask_once(p, q, &body, &status, e);
    *ret_absent = !ok && status == 0;
    if (ok && status == 202) {
        ok = follow(p, q, &body, e);
    }
    ok = ok && json_parse(buf_str(&body), &p->arena, &root, e);
    if (ok && q->values->as_json) {
        printf("%.*s\n", STR_FMT(str_trim(buf_str(&body))));
    }
    if (ok && q->verb != NULL) {
        events_show_outcome(json_get(root, STR("data")));
    }
    if (ok) {
        *ret_ready = events_show(json_get(root, STR("data")), q->values->as_json);
    }
    return ok;
}

/* Nobody runs: what can be done without is done on the state folder. */
static bool do_without(struct peer *p, const struct question *q, bool *ret_ready, struct err *e)
{
    struct err why = ERR_INIT;

    if (q->values->url != NULL || !events_offline_is_apt(p->config)) {
        return false;
    }
    if (q->verb == NULL && !q->values->as_json) {
        *ret_ready = false;
        *e = ERR_INIT;
        return events_offline_show(p, q->stream, e);
    }
    if (q->verb == NULL) {
        return false;
    }
    if (strcmp(q->verb, "reset") != 0) {
        return err_set(
            e, ERR_CONFIG,
            "Telex does not run (nothing answers at %.*s), and a %s needs it; `reset` does not",
            STR_FMT(p->http.url), q->verb);
    }
    const enum stream_source_fate fate = q->values->drops_source   ? STREAM_SOURCE_DROPPED
                                         : q->values->keeps_source ? STREAM_SOURCE_KEPT
                                                                   : STREAM_SOURCE_AS_USUAL;
    bool ok = events_offline_reset(p, str_of(q->stream), fate, &why);
    if (!ok) {
        *e = why;
    }
    return ok;
}

static int answer(const struct question *q)
{
    const struct peer_access access = {q->values->config, q->values->url, false};
    struct err e = ERR_INIT;
    struct peer p;
    bool is_ready = true;
    bool is_absent = false;
    bool ok = peer_open(&p, &access, &e) && ask(&p, q, &is_ready, &is_absent, &e);
    if (!ok && is_absent) {
        ok = do_without(&p, q, &is_ready, &e);
    }
    int status = !ok ? cli_fail(&p.place, &e) : is_ready || q->verb != NULL ? CLI_OK : CLI_FAILED;

    peer_release(&p);
    return status;
}

static int look(const struct cli_command *command, int argc, char **argv)
{
    struct control_values values = {0};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (argc - first > 1) {
        return cli_usage_error(command, "'%s' is not expected", argv[first + 1]);
    }
    return answer(&(struct question){&values, NULL, first < argc ? argv[first] : NULL, NULL});
}

/* The verb is the command's name without "events ". */
static int change(const struct cli_command *command, int argc, char **argv)
{
    struct control_values values = {0};
    const char *verb = command->name + sizeof("events ") - 1;
    int expected = command == &command_events_rewind ? 2 : 1;
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (values.drops_source && values.keeps_source) {
        return cli_usage_error(command, "--drop-source and --keep-source exclude each other");
    }
    if (argc - first != expected) {
        return cli_usage_error(command, expected == 2 ? "a stream and a position are needed"
                                                      : "a stream is needed");
    }
    return answer(
        &(struct question){&values, verb, argv[first], expected == 2 ? argv[first + 1] : NULL});
}

const struct cli_command command_events_status = {
    .name = "events status",
    .usage = "[OPTION...] [STREAM]",
    .help = "say how streams are",
    .details =
        "A line for each stream: state, how far behind, changes done, sink, what is wrong. Of one that is named: position, "
        "backfill, source and sink as well. Ends with status 1 when one is lost, halted, refused or else not ready, or "
        "when Telex does not run: then it is shown where its streams stopped. A stream that is off or in no config and of "
        "which something is left is shown, and is no failure.",
    .options = status_options,
    .option_count = ARRAY_LEN(status_options),
    .run = look,
};

const struct cli_command command_events_reset = {
    .name = "events reset",
    .usage = "[OPTION...] STREAM",
    .help = "start a stream as for the first time",
    .details =
        "Forgets where the stream is: it begins anew, with its backfill if the config wants one. Events that the "
        "backfill delivers again have the ids that they had. A stream that is off, or no more in the config, is forgotten "
        "altogether: its position, what it needs of the event table, and the replication slot and publication that Telex "
        "made for it, unless another stream has them too. That works while Telex does not run, too.",
    .options = reset_options,
    .option_count = ARRAY_LEN(reset_options),
    .run = change,
};

const struct cli_command command_events_skip = {
    .name = "events skip",
    .usage = "[OPTION...] STREAM",
    .help = "give up what a stream cannot have",
    .details =
        "A stream whose position is lost goes on with what comes now, without a backfill; one that is halted by a change "
        "that cannot become an event makes a dead letter of it and goes on.",
    .options = plain_options,
    .option_count = ARRAY_LEN(plain_options),
    .run = change,
};

const struct cli_command command_events_rewind = {
    .name = "events rewind",
    .usage = "[OPTION...] STREAM POSITION",
    .help = "have a stream go on behind another position",
    .details =
        "The position is in the source's words, as `status` shows them. What lies behind it is delivered again, with "
        "the same ids.",
    .options = plain_options,
    .option_count = ARRAY_LEN(plain_options),
    .run = change,
};
