#include "fake/shared_data.h"

#include <stdio.h>
#include <stdlib.h>

void shared_data_path(const char *name, struct buf *out)
{
    const char *folder = getenv("TELEX_SHARED_DATA");
    const char *root = getenv("TELEX_SOURCE_ROOT");

    if (folder != NULL) {
        buf_addf(out, "%s/%s", folder, name);
    } else {
        buf_addf(out, "%s/../shared/data/%s", root != NULL ? root : ".", name);
    }
}

bool shared_data_read(const char *name, struct buf *out)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    char piece[4096];
    size_t got;

    shared_data_path(name, &path);
    FILE *file = fopen(buf_text(&path), "rb");
    if (file == NULL) {
        return false;
    }
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0) {
        buf_add(out, piece, got);
    }
    bool ok = ferror(file) == 0;
    (void)fclose(file);
    return ok;
}
