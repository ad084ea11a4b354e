#include "datasource/datasource.h"

const struct datasource_kind *const datasource_kinds[] = {
    &datasource_prometheus, &datasource_graphite, &datasource_self, NULL};

const struct datasource_kind *datasource_kind_find(struct str name)
{
    for (const struct datasource_kind *const *kind = datasource_kinds; *kind != NULL; kind++) {
        if (str_eq(name, str_of((*kind)->name))) {
            return *kind;
        }
    }
    return NULL;
}

bool datasource_query(struct datasource *d, const struct query *q, const struct answer_sink *sink,
                      struct answer_info *ret_info, struct err *e)
{
    if (q->step_ns > 0 && !d->kind->has_ranges) {
        return err_set(e, ERR_CONFIG, "a datasource of kind '%s' cannot be asked for ranges",
                       d->kind->name);
    }
    return d->ops->query(d, q, sink, ret_info, e);
}

bool datasource_parse_labels(struct datasource *d, struct str raw_labels, struct arena *a,
                             struct labels_builder *b, struct err *e)
{
    return d->ops->parse_labels(d, raw_labels, a, b, e);
}

bool datasource_probe(struct datasource *d, struct wait wait, struct err *e)
{
    return d->ops->probe(d, wait, e);
}

bool datasource_print_request(struct datasource *d, const struct query *q, struct buf *out)
{
    if (d->ops->print_request == NULL) {
        return false;
    }
    d->ops->print_request(d, q, out);
    return true;
}

void datasource_close(struct datasource *d)
{
    if (d != NULL) {
        d->ops->close(d);
    }
}
