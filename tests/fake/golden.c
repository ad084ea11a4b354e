#include "fake/golden.h"

#include "base/fs.h"

#include <stdlib.h>

static void add_path(struct buf *out, const char *name)
{
    const char *root = getenv("TELEX_SOURCE_ROOT");

    buf_addf(out, "%s/tests/golden/%s", root != NULL ? root : ".", name);
}

/* The 1-based line of the first difference, and that line of <s>. */
static unsigned first_difference(struct str a, struct str b)
{
    unsigned line = 1;

    for (size_t i = 0; i < a.len && i < b.len && a.ptr[i] == b.ptr[i]; i++) {
        line += a.ptr[i] == '\n';
    }
    return line;
}

static struct str line_of(struct str text, unsigned line)
{
    struct str found = STR("");

    while (line > 0 && str_split(&text, '\n', &found)) {
        line--;
    }
    return line == 0 ? str_slice(found, 0, 300) : STR("(the end)");
}

const char *golden_differs(const char *name, struct str got, struct buf *why)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf want = BUF_INIT(GOLDEN_MAX);
    struct err e = ERR_INIT;

    add_path(&path, name);
    if (getenv("TELEX_GOLDEN_UPDATE") != NULL) {
        if (!fs_replace_file(fs_system(), buf_str(&path), got, &e)) {
            buf_add_text(why, e.message);
            return buf_text(why);
        }
        return NULL;
    }
    bool there = fs_read_file(fs_system(), buf_str(&path), GOLDEN_MAX, &want, &e);
    if (there && str_eq(buf_str(&want), got)) {
        return NULL;
    }
    unsigned line = first_difference(buf_str(&want), got);
    buf_addf(why, "%s:%u: want '%.*s', got '%.*s'; TELEX_GOLDEN_UPDATE=1 takes what was got",
             buf_text(&path), line, STR_FMT(line_of(buf_str(&want), line)),
             STR_FMT(line_of(got, line)));
    return buf_text(why);
}
