#include "cli/events_rejects.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

bool rejects_open(struct rejects *r, const char *path, struct err *e)
{
    *r = (struct rejects){.path = path, .fd = -1};
    if (path == NULL) {
        return true;
    }
    /* What was no event may hold anything: nobody else reads it. */
    r->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return r->fd >= 0 || err_set_errno(e, ERR_IO, errno, "--rejects %s", path);
}

static bool write_all(int fd, struct str text)
{
    while (text.len > 0) {
        ssize_t written = write(fd, text.ptr, text.len);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text = str_slice(text, written > 0 ? (size_t)written : 0, text.len);
    }
    return true;
}

static bool keep(const struct rejects *r, struct str line, struct err *e)
{
    bool is_whole = line.len > 0 && line.ptr[line.len - 1] == '\n';

    return r->fd < 0 || (write_all(r->fd, line) && (is_whole || write_all(r->fd, STR("\n")))) ||
           err_set_errno(e, ERR_IO, errno, "--rejects %s", r->path);
}

bool rejects_add(struct rejects *r, struct str line, const struct err *why, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (!keep(r, line, e)) {
        return false;
    }
    r->count++;
    if (r->count <= SHOWN_REJECTS) {
        err_print_line(why, &text);
        fprintf(stderr, "skipped: %s\n", buf_text(&text));
    }
    return true;
}

bool rejects_end(struct rejects *r, struct err *e)
{
    bool ok = r->fd < 0 || fsync(r->fd) == 0 || errno == EINVAL || errno == EROFS;

    ok = ok || err_set_errno(e, ERR_IO, errno, "--rejects %s", r->path);
    if (r->count > SHOWN_REJECTS) {
        fprintf(stderr, "skipped: %" PRIu64 " more\n", r->count - SHOWN_REJECTS);
    }
    if (r->fd >= 0) {
        (void)close(r->fd);
        r->fd = -1;
    }
    return ok;
}
