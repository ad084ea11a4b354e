/* telex events dead, replay, discard: a stream's dead letters, over the API of the running program. */
#include "cli/events.h"
#include "cli/peer.h"
#include "net/url.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

struct letter_values {
    const char *config;
    const char *url;
    bool as_json;
    bool all;
};

#define COMMON_ROWS                                                                         \
    {.name = "config",                                                                      \
     .letter = 'c',                                                                         \
     .value = "FILE",                                                                       \
     .offset = offsetof(struct letter_values, config),                                      \
     .help = "The config of the program to ask, for its address and admin token; default: " \
             "telex.yaml where you are."},                                                  \
    {                                                                                       \
        .name = "url", .value = "URL", .offset = offsetof(struct letter_values, url),       \
        .help = "Where it is, when that is not what `server.listen` says."                  \
    }

static const struct cli_option look_options[] = {
    COMMON_ROWS,
    {.name = "json",
     .offset = offsetof(struct letter_values, as_json),
     .help = "Print a JSON object for each letter."},
};
static const struct cli_option change_options[] = {
    COMMON_ROWS,
    {.name = "all", .offset = offsetof(struct letter_values, all), .help = "All letters."},
};

/* One question to the program, and its answer in the peer's arena. */
struct question {
    bool posts;
    const char *stream;
    const char *rest; /* of the path, behind /dead; or NULL */
    const char *name; /* of a parameter; or NULL */
    struct str value;
    bool all;
};

static void add_path(const struct question *q, struct buf *out)
{
    buf_add_text(out, "/api/v1/streams/");
    url_add_escaped(out, str_of(q->stream), URL_SEGMENT);
    buf_add_text(out, "/dead");
    if (q->rest != NULL) {
        buf_add_byte(out, '/');
        url_add_escaped(out, str_of(q->rest), URL_SEGMENT);
    }
    buf_add_text(out, q->all ? "?all=true" : "");
    if (q->name != NULL) {
        buf_addf(out, "%c%s=", q->all ? '&' : '?', q->name);
        url_add_escaped(out, q->value, URL_QUERY);
    }
}

static bool ask(struct peer *p, const struct question *q, const struct json_node **ret_data,
                struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf body = BUF_INIT(PEER_ANSWER_MAX);
    struct json_node *root = NULL;
    struct http_response res;

    add_path(q, &path);
    bool ok = (q->posts ? peer_post(p, buf_str(&path), STR(""), &body, &res, e)
                        : peer_get(p, buf_str(&path), &body, &res, e)) &&
              (res.status == 200 || peer_refused(p, &res, e)) &&
              json_parse(arena_dup(&p->arena, buf_str(&body)), &p->arena, &root, e);
    http_response_release(&res);
    if (ok) {
        *ret_data = json_get(root, STR("data"));
    }
    return ok;
}

static uint64_t count_of(const struct json_node *node, const char *name)
{
    const struct json_node *n = json_get(node, str_of(name));
    double value = 0;

    return n != NULL && json_node_double(n, &value) ? (uint64_t)value : 0;
}

static void print_node(const struct json_node *n)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, &text);
    json_add_node(&w, n);
    printf("%s\n", buf_text(&text));
}

/* ---- looking ---- */

static void show_letter(const struct json_node *l)
{
    const struct json_node *events = json_get(l, STR("events"));
    const struct json_node *from = json_get(l, STR("from"));
    uint64_t records = count_of(l, "records");

    printf("%.*s  %.*s", STR_FMT(json_get_str(l, STR("id"))),
           STR_FMT(json_get_str(l, STR("time"))));
    if (events != NULL && events->first != NULL) {
        printf("  event %.*s", STR_FMT(json_get_str(events->first, STR("id"))));
    } else if (from != NULL) {
        printf("  at %.*s", STR_FMT(json_get_str(from, STR("position"))));
    }
    if (records > 1) {
        printf(" and %llu more", (unsigned long long)records - 1);
    }
    printf("\n    %.*s\n", STR_FMT(json_get_str(l, STR("reason"))));
}

/* An exporter that is several has a box each, which nobody can show while they are written. */
static void show_elsewhere(const struct json_node *list)
{
    for (const struct json_node *n = list != NULL ? list->first : NULL; n != NULL; n = n->next) {
        if (count_of(n, "records") > 0) {
            fprintf(stderr,
                    "%llu refused events of exporter %.*s are in %.*s: `telex queue` works on them "
                    "while Telex does not run\n",
                    (unsigned long long)count_of(n, "records"),
                    STR_FMT(json_get_str(n, STR("exporter"))),
                    STR_FMT(json_get_str(n, STR("folder"))));
        }
    }
}

static bool show_all(struct peer *p, const struct letter_values *values, const char *stream,
                     struct err *e)
{
    struct question q = {.stream = stream};
    const struct json_node *data = NULL;

    do {
        if (!ask(p, &q, &data, e)) {
            return false;
        }
        const struct json_node *list = json_get(data, STR("letters"));
        for (const struct json_node *l = list != NULL ? list->first : NULL; l != NULL;
             l = l->next) {
            (values->as_json ? print_node : show_letter)(l);
        }
        q.name = "from";
        q.value = json_get_str(data, STR("next"));
    } while (q.value.len > 0);
    show_elsewhere(json_get(data, STR("elsewhere")));
    return true;
}

/* What is in one letter is JSON, whatever was asked for. */
static bool show_one(struct peer *p, const char *stream, const char *id, struct err *e)
{
    const struct question q = {.stream = stream, .rest = id};
    const struct json_node *data = NULL;

    if (!ask(p, &q, &data, e)) {
        return false;
    }
    print_node(data);
    return true;
}

static int look(const struct cli_command *command, int argc, char **argv)
{
    struct letter_values values = {0};
    struct err e = ERR_INIT;
    struct peer p;
    int first = 0;
    int status = CLI_OK;
    bool ok = true;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first == argc) {
        return cli_usage_error(command, "a stream is needed");
    }
    const struct peer_access access = {values.config, values.url, false};
    ok = peer_open(&p, &access, &e);
    if (ok && first + 1 == argc) {
        ok = show_all(&p, &values, argv[first], &e);
    }
    for (int i = first + 1; ok && i < argc; i++) {
        ok = show_one(&p, argv[first], argv[i], &e);
    }
    status = ok ? CLI_OK : cli_fail(&p.place, &e);
    peer_release(&p);
    return status;
}

/* ---- changing ---- */

struct sum {
    uint64_t delivered;
    uint64_t left_out;
    uint64_t refused;
    uint64_t discarded;
};

static void add_up(struct sum *sum, const struct json_node *data)
{
    const struct json_node *refusals = json_get(data, STR("refusals"));

    sum->delivered += count_of(data, "delivered");
    sum->left_out += count_of(data, "left_out");
    sum->refused += count_of(data, "refused");
    sum->discarded += count_of(data, "discarded");
    for (const struct json_node *r = refusals != NULL ? refusals->first : NULL; r != NULL;
         r = r->next) {
        fprintf(stderr, "%.*s stays: %.*s\n", STR_FMT(json_get_str(r, STR("id"))),
                STR_FMT(json_get_str(r, STR("reason"))));
    }
}

/* Asks as often as it takes; false with the reason when it does not go on. */
static bool change_all(struct peer *p, struct question *q, struct sum *sum, struct err *e)
{
    const struct json_node *data = NULL;

    do {
        if (!ask(p, q, &data, e)) {
            return false;
        }
        add_up(sum, data);
        struct str stopped = json_get_str(data, STR("stopped"));
        if (stopped.len > 0) {
            return err_set(e, ERR_NET, "%.*s", STR_FMT(stopped)) ||
                   err_wrap(e, "the rest stays where it is");
        }
        q->name = "from";
        q->value = json_get_str(data, STR("next"));
    } while (q->all && q->value.len > 0);
    return true;
}

static void tell(const struct sum *sum, bool replays)
{
    if (!replays) {
        printf("%llu discarded\n", (unsigned long long)sum->discarded);
        return;
    }
    printf("%llu delivered", (unsigned long long)sum->delivered);
    if (sum->left_out > 0) {
        printf(", %llu left out by `match`", (unsigned long long)sum->left_out);
    }
    printf(", %llu stay\n", (unsigned long long)sum->refused);
}

/* The verb is the command's name without "events ". */
static int change(const struct cli_command *command, int argc, char **argv)
{
    struct letter_values values = {0};
    struct sum sum = {0};
    struct err e = ERR_INIT;
    struct peer p;
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first == argc || values.all != (first + 1 == argc)) {
        return cli_usage_error(command, "expected a stream, and letters of it or --all");
    }
    const struct peer_access access = {values.config, values.url, false};
    struct question q = {.posts = true,
                         .stream = argv[first],
                         .rest = command->name + sizeof("events ") - 1,
                         .all = values.all};
    bool ok = peer_open(&p, &access, &e);
    if (ok && q.all) {
        ok = change_all(&p, &q, &sum, &e);
    }
    for (int i = first + 1; ok && i < argc; i++) {
        q.name = "id";
        q.value = str_of(argv[i]);
        ok = change_all(&p, &q, &sum, &e);
    }
    tell(&sum, command == &command_events_replay);
    status = ok ? (sum.refused > 0 ? CLI_FAILED : CLI_OK) : cli_fail(&p.place, &e);
    peer_release(&p);
    return status;
}

const struct cli_command command_events_dead = {
    .name = "events dead",
    .usage = "[OPTION...] STREAM [LETTER...]",
    .help = "list or show the dead letters of a stream",
    .details =
        "Lists what the stream could not deliver: events that the sink refused (`refused-N`), changes that could not become "
        "events (`unreadable-N`), each with the reason. With letters, shows these whole, as JSON.",
    .options = look_options,
    .option_count = ARRAY_LEN(look_options),
    .run = look,
};

const struct cli_command command_events_replay = {
    .name = "events replay",
    .usage = "[OPTION...] STREAM LETTER...|--all",
    .help = "give dead letters to the stream's sink again",
    .details =
        "Delivers dead letters through the stream's sink, beside what the stream does; unreadable changes through the transform as the "
        "config has it now. A letter leaves when the sink has taken it. Ends with status 1 when some are refused again and "
        "stay, or when the sink takes nothing now.",
    .options = change_options,
    .option_count = ARRAY_LEN(change_options),
    .run = change,
};

const struct cli_command command_events_discard = {
    .name = "events discard",
    .usage = "[OPTION...] STREAM LETTER...|--all",
    .help = "throw dead letters of a stream away",
    .details = "They are gone for good.",
    .options = change_options,
    .option_count = ARRAY_LEN(change_options),
    .run = change,
};
