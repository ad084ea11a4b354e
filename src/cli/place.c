#include "cli/place.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "telex.yaml"

static char *copy_text(const char *text)
{
    return mem_dup_text(text, strlen(text));
}

/* The folder of an absolute path. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL || slash == path ? 1 : (size_t)(slash - path);

    return mem_dup_text(path, len);
}

bool place_stay(struct place *ret_place, struct err *e)
{
    char start[PATH_MAX];

    if (getcwd(start, sizeof(start)) == NULL) {
        return err_set_errno(e, ERR_IO, errno, "the current folder");
    }
    *ret_place = (struct place){
        .config = copy_text(""), .folder = copy_text(start), .start = copy_text(start)};
    return true;
}

bool place_enter(const char *config, struct place *ret_place, struct err *e)
{
    char resolved[PATH_MAX];
    struct place p = {0};

    if (!place_stay(&p, e)) {
        return false;
    }
    if (config == NULL && access(DEFAULT_CONFIG, F_OK) == 0) {
        config = DEFAULT_CONFIG;
    }
    *ret_place = p;
    if (config == NULL) {
        return true;
    }
    if (realpath(config, resolved) == NULL) {
        return err_set_errno(e, ERR_IO, errno, "%s", config);
    }
    mem_free(p.config);
    mem_free(p.folder);
    p.config = copy_text(resolved);
    p.folder = folder_of(resolved);
    *ret_place = p;
    return chdir(p.folder) == 0 || err_set_errno(e, ERR_IO, errno, "%s", p.folder);
}

void place_release(struct place *p)
{
    mem_free(p->config);
    mem_free(p->folder);
    mem_free(p->start);
    *p = (struct place){0};
}

struct str place_shown(const struct place *p, struct str path)
{
    struct str start = str_of(p->start);

    if (path.len > start.len + 1 && str_starts(path, start) && path.ptr[start.len] == '/') {
        return str_slice(path, start.len + 1, path.len);
    }
    return path;
}

/* ---- problems ---- */

static void print_error(const struct place *place, const char *severity, const struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    AUTO(mem_autofree) struct err *shown = mem_dup(e, sizeof(*e));

    if (place != NULL && place->start != NULL) {
        struct str file = place_shown(place, str_of(e->file));
        (void)snprintf(shown->file, sizeof(shown->file), "%.*s", STR_FMT(file));
    }
    (void)err_wrap(shown, "%s", severity);
    err_print(shown, &text);
    fprintf(stderr, "%.*s\n", STR_FMT(str_trim(buf_str(&text))));
}

static void report(void *arg, bool is_warning, const struct err *e)
{
    const struct printer *p = arg;

    print_error(p->place, is_warning ? "warning" : "error", e);
}

struct problems printer_problems(struct printer *p)
{
    return (struct problems){.report = report, .arg = p};
}

int cli_fail(const struct place *place, const struct err *e)
{
    print_error(place, "error", e);
    return CLI_FAILED;
}
