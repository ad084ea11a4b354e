/* telex events dead, replay, discard: a stream's dead letters, over the API of the running program. */
#include "cli/events.h"
#include "cli/events_offline.h"
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
    if (!ok && res.status == 0 && res.failure == HTTP_FAILURE_CONNECT) {
        events_offline_point(p, str_of(q->stream), e);
    }
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

/* Letters, and the events in them; a change that could not become an event counts as one. */
struct sum {
    uint64_t letters;
    uint64_t records;
};

static void show_events(const struct sum *sum)
{
    printf("%llu event%s", (unsigned long long)sum->records, sum->records == 1 ? "" : "s");
}

static void show_total(const struct sum *sum)
{
    if (sum->letters == 0) {
        printf("no dead letters\n");
        return;
    }
    printf("%llu letter%s, ", (unsigned long long)sum->letters, sum->letters == 1 ? "" : "s");
    show_events(sum);
    printf("\n");
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
    struct sum all = {0};

    do {
        if (!ask(p, &q, &data, e)) {
            return false;
        }
        const struct json_node *list = json_get(data, STR("letters"));
        for (const struct json_node *l = list != NULL ? list->first : NULL; l != NULL;
             l = l->next) {
            (values->as_json ? print_node : show_letter)(l);
            all.letters++;
            all.records += count_of(l, "records");
        }
        q.name = "from";
        q.value = json_get_str(data, STR("next"));
    } while (q.value.len > 0);
    if (!values->as_json) {
        show_total(&all);
    }
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

enum letter_fate { DELIVERED, LEFT_OUT, REFUSED, DISCARDED, FATES };

static const char *const fate_names[FATES] = {[DELIVERED] = "delivered",
                                              [LEFT_OUT] = "left_out",
                                              [REFUSED] = "refused",
                                              [DISCARDED] = "discarded"};

/* What became of letters, over all answers. */
struct result {
    struct sum of[FATES];
    struct sum kept; /* after the last answer */
    uint64_t asked;  /* answers */
};

static void add_up(struct result *result, const struct json_node *data)
{
    const struct json_node *refusals = json_get(data, STR("refusals"));
    const struct json_node *records = json_get(data, STR("records"));
    const struct json_node *kept = json_get(data, STR("kept"));

    for (int i = 0; i < FATES; i++) {
        result->of[i].letters += count_of(data, fate_names[i]);
        result->of[i].records += count_of(records, fate_names[i]);
    }
    result->kept = (struct sum){count_of(kept, "letters"), count_of(kept, "records")};
    result->asked++;
    for (const struct json_node *r = refusals != NULL ? refusals->first : NULL; r != NULL;
         r = r->next) {
        fprintf(stderr, "%.*s stays: %.*s\n", STR_FMT(json_get_str(r, STR("id"))),
                STR_FMT(json_get_str(r, STR("reason"))));
    }
}

/* Asks as often as it takes; false with the reason when it does not go on. */
static bool change_all(struct peer *p, struct question *q, struct result *result, struct err *e)
{
    const struct json_node *data = NULL;

    do {
        if (!ask(p, q, &data, e)) {
            return false;
        }
        add_up(result, data);
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

/* "2 letters delivered (35 events)" */
static void tell_fate(const struct sum *sum, const char *what)
{
    printf("%llu letter%s %s", (unsigned long long)sum->letters, sum->letters == 1 ? "" : "s",
           what);
    if (sum->letters > 0) {
        printf(" (");
        show_events(sum);
        printf(")");
    }
}

/* <named>: letters that were; 0: all. Nothing when nobody answered. */
static void tell(const struct result *result, bool replays, uint64_t named)
{
    uint64_t gone = result->of[DELIVERED].letters + result->of[LEFT_OUT].letters;
    uint64_t stay = named > 0 ? named - gone : result->kept.letters;

    if (result->asked == 0) {
        return;
    }
    tell_fate(&result->of[replays ? DELIVERED : DISCARDED], replays ? "delivered" : "discarded");
    if (result->of[LEFT_OUT].letters > 0) {
        printf(", %llu left out by `match`", (unsigned long long)result->of[LEFT_OUT].letters);
    }
    if (replays) {
        printf(", %llu stay%s", (unsigned long long)stay, stay == 1 ? "s" : "");
    }
    if (replays && named == 0 && stay > 0) {
        printf(" (");
        show_events(&result->kept);
        printf(")");
    }
    printf("\n");
}

/* The verb is the command's name without "events ". */
static int change(const struct cli_command *command, int argc, char **argv)
{
    struct letter_values values = {0};
    struct result result = {0};
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
        ok = change_all(&p, &q, &result, &e);
    }
    for (int i = first + 1; ok && i < argc; i++) {
        q.name = "id";
        q.value = str_of(argv[i]);
        ok = change_all(&p, &q, &result, &e);
    }
    tell(&result, command == &command_events_replay, (uint64_t)(argc - first - 1) * !values.all);
    status = !ok ? cli_fail(&p.place, &e) : result.of[REFUSED].letters > 0 ? CLI_FAILED : CLI_OK;
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
