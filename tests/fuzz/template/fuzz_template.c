/*
 * The text before the first NUL is a template file, what follows calls it. Any text compiles or is refused with a place in it; what compiles renders, or fails with an error
 * text, the same way twice, whatever the data.
 */
#include "template/template.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 16 };

static bool answer(void *arg, struct str expr, struct arena *a,
                   const struct template_sample **ret_samples, size_t *ret_count, struct err *e)
{
    struct template_sample *samples = arena_array(a, struct template_sample, 2);

    if (str_eq(expr, STR("broken"))) {
        return err_set(e, ERR_NET, "connection refused");
    }
    samples[0] = (struct template_sample){arg, 1.5};
    samples[1] = (struct template_sample){labels_empty(), -2};
    *ret_samples = samples;
    *ret_count = 2;
    return true;
}

static struct labels *some_labels(void)
{
    struct labels_builder b;
    struct labels *labels = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_set(&b, STR("__name__"), STR("up"));
    labels_builder_set(&b, STR("instance"), STR("web-1:9100"));
    INVARIANT(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

static bool render(const struct template *t, struct labels *labels, struct buf *out)
{
    struct template_world world = {.query = answer,
                                   .arg = labels,
                                   .external_labels = labels,
                                   .external_url = STR("http://telex.example.org:8420/base"),
                                   .dialect = TEMPLATE_PROMETHEUS};
    struct template_data about = {.labels = labels,
                                  .value = 0.25,
                                  .now_ns = INT64_C(1700000000000000000),
                                  .active_at_ns = INT64_C(1699999940000000000),
                                  .for_ns = INT64_C(60000000000),
                                  .interval_ns = INT64_C(15000000000),
                                  .expr = STR("up == 0"),
                                  .type = STR("prometheus")};
    struct err e = ERR_INIT;

    bool ok = template_render(t, &about, &world, out, &e);
    INVARIANT(ok || (e.code != ERR_NONE && e.message[0] != '\0'));
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_release) struct buf out = BUF_INIT(OUT_MAX);
    AUTO(buf_release) struct buf again = BUF_INIT(OUT_MAX);
    AUTO(template_library_autofree) struct template_library *library = template_library_new();
    struct str text = str_make((const char *)data, size);
    size_t nul = str_find_byte(text, '\0');
    struct str file = nul < size ? str_slice(text, 0, nul) : STR("");
    struct str name = STR_NONE;
    struct template *t = NULL;
    struct err e = ERR_INIT;

    text = nul < size ? str_slice(text, nul + 1, size) : text;
    if (!template_library_add(library, STR("file.tpl"), file, &e) ||
        !template_library_finish(library, &name, &e) ||
        !template_compile(STR("fuzzed"), text, library, &t, &e)) {
        INVARIANT(e.code != ERR_NONE && e.message[0] != '\0');
        return 0;
    }
    struct labels *labels = some_labels();
    bool ok = render(t, labels, &out);
    INVARIANT(render(t, labels, &again) == ok);
    INVARIANT(str_eq(buf_str(&out), buf_str(&again)));
    labels_unref(labels);
    template_free(t);
    return 0;
}
