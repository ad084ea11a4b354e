#include "export/ends.h"

#include "base/mem.h"
#include "base/thread.h"

struct ends {
    struct lock lock;
    struct end_listener listener GUARDED_BY(lock);
};

struct ends *ends_new(void)
{
    struct ends *ends = mem_new(struct ends);

    lock_init(&ends->lock);
    return ends;
}

void ends_free(struct ends *ends)
{
    if (ends != NULL) {
        lock_release(&ends->lock);
        mem_free(ends);
    }
}

void ends_listen(struct ends *ends, const struct end_listener *listener)
{
    lock_take(&ends->lock);
    ends->listener = listener != NULL ? *listener : (struct end_listener){0};
    lock_give(&ends->lock);
}

bool ends_wants(struct ends *ends, struct view view)
{
    return ends != NULL && batch_info(view.batch)->kind == RECORD_ALERT;
}

void ends_tell(struct ends *ends, struct str exporter, struct view view, const char *result,
               struct str reason)
{
    if (!ends_wants(ends, view)) {
        return;
    }
    lock_take(&ends->lock);
    if (ends->listener.ended != NULL) {
        ends->listener.ended(ends->listener.arg, exporter, view, result, reason);
    }
    lock_give(&ends->lock);
}
