#include "events/left_letters.h"

#include "base/fs.h"
#include "events/stream_config.h"
#include "export/exporter_options.h"
#include "export/kept_letters.h"

#include <inttypes.h>

/* Below the state folder, before the stream's name. */
static const char *const folders[LETTER_BOXES] = {
    [LETTERS_REFUSED] = "dead/events-", [LETTERS_UNREADABLE] = "dead/stream-"};

static void add_folder(struct buf *out, struct str state_path, struct str name, size_t box)
{
    buf_addf(out, "%.*s/%s%.*s", STR_FMT(state_path), folders[box], STR_FMT(name));
}

struct left_letters left_letters_count(struct str state_path, struct str name)
{
    struct left_letters l = {0};

    for (size_t box = 0; box < LETTER_BOXES; box++) {
        AUTO(buf_release) struct buf folder = BUF_INIT(BUF_UNLIMITED);
        struct kept_letters kept = {0};
        add_folder(&folder, state_path, name, box);
        kept_letters_read(&kept, fs_system(), buf_str(&folder));
        l.sums[box] = kept.sum;
        kept_letters_release(&kept);
    }
    return l;
}

bool left_letters_is_any(const struct left_letters *l)
{
    return l->sums[LETTERS_REFUSED].letters > 0 || l->sums[LETTERS_UNREADABLE].letters > 0;
}

void left_letters_say(const struct left_letters *l, struct str state_path, struct str name,
                      struct buf *out)
{
    static const char *const whats[LETTER_BOXES] = {
        [LETTERS_REFUSED] = "refused events", [LETTERS_UNREADABLE] = "unreadable changes"};

    for (size_t box = 0; box < LETTER_BOXES; box++) {
        if (l->sums[box].letters > 0) {
            buf_addf(out, "%s%" PRIu64 " %s are in ", out->len > 0 ? "; " : "",
                     l->sums[box].records, whats[box]);
            add_folder(out, state_path, name, box);
        }
    }
    if (left_letters_is_any(l)) {
        buf_addf(out,
                 ": a reset leaves these dead letters there; `telex events dead %.*s` lists them, "
                 "and `telex events discard %.*s --all` throws them away",
                 STR_FMT(name), STR_FMT(name));
    }
}

/* ---- who has some ---- */

struct names {
    struct arena *arena;
    VEC(struct str) list; /* each once */
};

static bool has_name(const struct names *n, struct str name)
{
    for (size_t i = 0; i < n->list.len; i++) {
        if (str_eq(n->list.items[i], name)) {
            return true;
        }
    }
    return false;
}

static void take_name(void *arg, const char *folder)
{
    struct names *n = arg;
    struct str text = str_of(folder);

    for (size_t box = 0; box < LETTER_BOXES; box++) {
        struct str prefix = str_of(folders[box] + sizeof("dead/") - 1);
        struct str name = str_slice(text, prefix.len, text.len);
        if (str_starts(text, prefix) && name.len > 0 && !has_name(n, name)) {
            vec_push(&n->list, arena_dup(n->arena, name));
        }
    }
}

/* Somebody may have an exporter called events-SOMETHING: letters of others are no stream's. */
static bool has_letters(struct str state_path, struct str name)
{
    bool has = false;

    for (size_t box = 0; box < LETTER_BOXES; box++) {
        AUTO(buf_release) struct buf folder = BUF_INIT(BUF_UNLIMITED);
        struct kept_letters kept = {0};
        add_folder(&folder, state_path, name, box);
        kept_letters_read(&kept, fs_system(), buf_str(&folder));
        has = has || (box == LETTERS_UNREADABLE ? kept.sum.letters
                                                : kept_letters_sum_of(&kept, name).letters) > 0;
        kept_letters_release(&kept);
    }
    return has;
}

size_t left_letters_find(struct str state_path, const struct streams_config *config,
                         struct arena *a, struct str **ret_names)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);
    const struct fs *fs = fs_system();
    struct names n = {.arena = a};
    size_t count = 0;

    buf_addf(&path, "%.*s/dead", STR_FMT(state_path));
    (void)fs->ops->list(fs, buf_text(&path), take_name, &n); /* no such folder: there are none */
    *ret_names = arena_array(a, struct str, n.list.len + 1);
    for (size_t i = 0; i < n.list.len; i++) {
        struct str name = n.list.items[i];
        const struct stream_config *c = streams_config_find(config, name);
        bool runs = c != NULL && c->options.enabled;
        if (!runs && has_letters(state_path, name)) {
            (*ret_names)[count++] = name;
        }
    }
    vec_release(&n.list);
    return count;
}

struct dead_letters *left_letters_open(const struct env *env, struct str state_path,
                                       struct str name, enum letter_box box)
{
    static const struct exporter_dead_letters no_quota; /* nothing is added */
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_UNLIMITED);

    add_folder(&folder, state_path, name, box);
    return dead_letters_new(env, buf_str(&folder), name, &no_quota, NULL, NULL);
}
