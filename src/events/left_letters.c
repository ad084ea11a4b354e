#include "events/left_letters.h"

#include "base/fs.h"
#include "events/stream_config.h"
#include "export/exporter_options.h"
#include "export/kept_letters.h"

#include <inttypes.h>

/* Below the state folder, before the stream's name. */
static const char *const folders[LETTER_BOXES] = {
    [LETTERS_REFUSED] = "dead/events-", [LETTERS_UNREADABLE] = "dead/stream-"};
static const char box_prefix[] = "stream-"; /* each stream that has letters may have these */

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
    VEC(struct str) list;
};

static void take_name(void *arg, const char *folder)
{
    struct names *n = arg;
    struct str name = str_of(folder);

    if (str_starts(name, str_of(box_prefix)) && name.len + 1 > sizeof(box_prefix)) {
        vec_push(&n->list, arena_dup(n->arena, str_slice(name, sizeof(box_prefix) - 1, name.len)));
    }
}

static size_t find_names(struct str state_path, struct arena *a, struct str **ret_names)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);
    const struct fs *fs = fs_system();
    struct names n = {.arena = a};

    buf_addf(&path, "%.*s/dead", STR_FMT(state_path));
    (void)fs->ops->list(fs, buf_text(&path), take_name, &n); /* no such folder: there are none */
    size_t count = n.list.len;
    *ret_names = arena_array(a, struct str, count + 1);
    for (size_t i = 0; i < count; i++) {
        (*ret_names)[i] = n.list.items[i];
    }
    vec_release(&n.list);
    return count;
}

size_t left_letters_find(struct str state_path, const struct streams_config *config,
                         struct arena *a, struct str **ret_names)
{
    size_t all = find_names(state_path, a, ret_names);
    size_t count = 0;

    for (size_t i = 0; i < all; i++) {
        struct str name = (*ret_names)[i];
        const struct stream_config *c = streams_config_find(config, name);
        if (c == NULL || !c->options.enabled) {
            const struct left_letters l = left_letters_count(state_path, name);
            (*ret_names)[count] = name;
            count += left_letters_is_any(&l);
        }
    }
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
