#include "cli/export_show.h"

#include <errno.h>

enum { HEX_BYTES = 32 };

static bool is_text(struct str body)
{
    for (size_t i = 0; i < body.len; i++) {
        unsigned char c = (unsigned char)body.ptr[i];
        if (c < 0x20 && c != '\n' && c != '\r' && c != '\t') {
            return false;
        }
    }
    return str_is_utf8(body);
}

static void print_hex(struct str body)
{
    for (size_t i = 0; i < body.len; i++) {
        printf("%02x%s", (unsigned)(unsigned char)body.ptr[i],
               i % HEX_BYTES == HEX_BYTES - 1 || i + 1 == body.len ? "\n" : " ");
    }
}

static void take(void *arg, struct str exporter, struct str head, struct str body)
{
    struct export_show *s = arg;

    printf("--- exporter %.*s\n%.*s", STR_FMT(exporter), STR_FMT(head));
    if (s->raw != NULL) {
        s->failed = s->failed || fwrite(body.ptr, 1, body.len, s->raw) != body.len;
        printf("\n(%zu bytes)\n", body.len);
    } else if (is_text(body)) {
        printf("\n%.*s\n", STR_FMT(body));
    } else {
        printf("\n");
        print_hex(body);
    }
}

bool export_show_begin(struct export_show *s, const char *raw_path, struct err *e)
{
    *s = (struct export_show){.dry = {take, s}};
    if (raw_path != NULL) {
        s->raw = fopen(raw_path, "we");
    }
    return raw_path == NULL || s->raw != NULL ||
           err_set_errno(e, ERR_IO, errno, "cannot make %s", raw_path);
}

bool export_show_end(struct export_show *s, struct err *e)
{
    bool ok = s->raw == NULL || (fclose(s->raw) == 0 && !s->failed);

    s->raw = NULL;
    return ok || err_set(e, ERR_IO, "the file of --raw could not be written");
}
