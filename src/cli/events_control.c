/* telex events status, reset, skip, rewind: the API of the running program, on the command line. */
#include "cli/events.h"
#include "cli/peer.h"
#include "net/url.h"
#include "wire/json.h"

#include <stdio.h>

struct control_values {
    const char *config;
    const char *url;
    bool as_json;
    bool drops_source;
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
         "Have the source take back what the stream made in the datastore, such as a replication slot."},
};

/* ---- showing ---- */

static double number_of(const struct json_node *node, const char *name)
{
    double value = -1;
    const struct json_node *n = json_get(node, str_of(name));

    return n != NULL && json_node_double(n, &value) ? value : -1;
}

static void show_number(const char *label, double value)
{
    if (value >= 0) {
        printf("  %-12s %.0f\n", label, value);
    }
}

static void show_text(const char *label, struct str text)
{
    if (text.len > 0) {
        printf("  %-12s %.*s\n", label, STR_FMT(text));
    }
}

static void show_backfill(const struct json_node *b)
{
    double left = number_of(b, "left");
    double eta = number_of(b, "eta_seconds");

    if (str_eq(json_get_str(b, STR("phase")), STR("running"))) {
        printf("  %-12s %.0f done", "backfill", number_of(b, "done"));
        if (left >= 0) {
            printf(", %.0f left", left);
        }
        if (eta >= 0) {
            printf(", some %.0f s more", eta);
        }
        printf("\n");
    }
}

/* "200: 17, 503: 2" */
static void show_attempts(const struct json_node *attempts)
{
    const char *between = "";

    if (attempts == NULL || attempts->count == 0) {
        return;
    }
    printf("  %-12s ", "attempts");
    for (const struct json_node *n = attempts->first; n != NULL; n = n->next) {
        double count = 0;
        printf("%s%.*s: %.0f", between, STR_FMT(n->key), json_node_double(n, &count) ? count : 0);
        between = ", ";
    }
    printf("\n");
}

static void show_sink(const struct json_node *sink)
{
    printf("  %-12s %.*s, %.*s\n", "sink", STR_FMT(json_get_str(sink, STR("exporter"))),
           STR_FMT(json_get_str(sink, STR("state"))));
    bool is_well = str_eq(json_get_str(sink, STR("state")), STR("ok")) ||
                   str_eq(json_get_str(sink, STR("state")), STR("idle"));
    show_text("", is_well ? STR("") : json_get_str(sink, STR("last_error")));
    show_attempts(json_get(sink, STR("attempts")));
    if (number_of(sink, "token_age_seconds") >= 0) {
        printf("  %-12s %.0f s old\n", "token", number_of(sink, "token_age_seconds"));
    }
    if (number_of(sink, "refused") > 0) {
        printf("  %-12s %.0f refused events: `telex queue` on dead/%.*s in the state folder\n",
               "dead letters", number_of(sink, "refused"),
               STR_FMT(json_get_str(sink, STR("exporter"))));
    }
}

static void show_stream(const struct json_node *s)
{
    const struct json_node *source = json_get(s, STR("source"));

    printf("%.*s: %.*s%s\n", STR_FMT(json_get_str(s, STR("name"))),
           STR_FMT(json_get_str(s, STR("state"))),
           json_get(s, STR("ready"))->kind == JSON_TRUE ? "" : ", not ready");
    show_text("reason", json_get_str(s, STR("reason")));
    show_text("source", json_get_str(source, STR("kind")));
    show_text("identity", json_get_str(source, STR("identity")));
    show_text("position", json_get_str(s, STR("position")));
    show_text("saved", json_get_str(s, STR("position_saved")));
    show_number("done", number_of(s, "done"));
    show_number("in flight", number_of(s, "in_flight"));
    if (number_of(s, "filtered") > 0) {
        show_number("filtered", number_of(s, "filtered"));
    }
    if (number_of(s, "broken") > 0) {
        show_number("broken", number_of(s, "broken"));
    }
    printf("  %-12s %.3f s", "behind", number_of(s, "lag_seconds"));
    if (number_of(s, "lag_events") >= 0) {
        printf(", %.0f changes", number_of(s, "lag_events"));
    }
    printf("\n");
    show_number("retained", number_of(source, "retained_bytes"));
    show_backfill(json_get(s, STR("backfill")));
    show_sink(json_get(s, STR("sink")));
}

/* False when one of them is not ready. */
static bool show_all(const struct json_node *data)
{
    const struct json_node *list = json_get(data, STR("streams"));
    const struct json_node *first = list != NULL ? list->first : data;
    bool all_ready = true;

    if (list != NULL && list->count == 0) {
        printf("no stream runs\n");
    }
    for (const struct json_node *s = first; s != NULL; s = list != NULL ? s->next : NULL) {
        const struct json_node *ready = json_get(s, STR("ready"));
        if (ready != NULL) {
            show_stream(s);
            all_ready = all_ready && ready->kind == JSON_TRUE;
        }
    }
    return all_ready;
}

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
    if (q->position != NULL) {
        buf_add_text(out, "?position=");
        url_add_escaped(out, str_of(q->position), URL_QUERY);
    } else if (q->values->drops_source) {
        buf_add_text(out, "?drop_source=true");
    }
}

static bool ask(struct peer *p, const struct question *q, bool *ret_ready, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf body = BUF_INIT(PEER_ANSWER_MAX);
    struct json_node *root = NULL;
    struct http_response res;

    add_path(q, &path);
    bool ok = (q->verb != NULL ? peer_post(p, buf_str(&path), &body, &res, e)
                               : peer_get(p, buf_str(&path), &body, &res, e)) &&
              (res.status == 200 || peer_refused(p, &res, e)) &&
              json_parse(buf_str(&body), &p->arena, &root, e);
    if (ok && q->values->as_json) {
        printf("%.*s\n", STR_FMT(str_trim(buf_str(&body))));
    } else if (ok) {
        *ret_ready = show_all(json_get(root, STR("data")));
    }
    http_response_release(&res);
    return ok;
}

static int answer(const struct question *q)
{
    const struct peer_access access = {q->values->config, q->values->url, false};
    struct err e = ERR_INIT;
    struct peer p;
    bool is_ready = true;
    bool ok = peer_open(&p, &access, &e) && ask(&p, q, &is_ready, &e);
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
        "State, position, how far behind, backfill, source and sink of one stream or all. Ends with status 1 when one "
        "is not ready.",
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
        "backfill delivers again have the ids that they had.",
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
