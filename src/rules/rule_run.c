/*
 * The life of a rule's runtime: made for a rule or for restored state, kept over reloads by the
 * rule's id.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "rules/restore_remote.h"

struct rule_run *rule_run_new(struct engine *en, struct str id, enum rule_kind kind)
{
    struct rule_run *run = mem_new(struct rule_run);

    run->id = str_make(mem_dup_text(id.ptr, id.len), id.len);
    run->engine = en;
    run->kind = kind;
    lock_init(&run->lock);
    run->memory.guard = &run->lock;
    series_table_init(&run->table, sizeof(struct alert_item));
    return run;
}

static void replace_text(struct str *text, struct str value)
{
    struct str old = *text;

    *text = str_make(mem_dup_text(value.ptr, value.len), value.len);
    mem_free(old.ptr);
}

void rule_run_name(struct rule_run *run, struct str name, struct str group)
{
    replace_text(&run->name, name);
    replace_text(&run->group, group);
}

void rule_run_rename(struct rule_run *run, struct str id)
{
    replace_text(&run->id, id);
}

void rule_run_free(struct rule_run *run)
{
    if (run == NULL) {
        return;
    }
    for (uint32_t i = 0; i < run->table.count; i++) {
        labels_unref(((struct alert_item *)(void *)series_at(&run->table, i))->series);
    }
    series_table_release(&run->table);
    vec_release(&run->owed);
    farewell_drop(run);
    run->home = NULL; /* it may be gone already */
    budget_hold(run, 0);
    record_memory_release(&run->memory);
    remote_release(run);
    updates_release(&run->updates, &run->engine->error_texts);
    error_text_unref(&run->engine->error_texts, run->outcome.error);
    lock_release(&run->lock);
    mem_free(run->id.ptr);
    mem_free(run->name.ptr);
    mem_free(run->group.ptr);
    mem_free(run);
}

struct alert_item *alert_item_for(struct rule_run *run, struct labels *labels)
{
    uint32_t id = series_find(&run->table, labels);

    if (id == HINDEX_NONE) {
        id = series_add(&run->table, labels);
    } else {
        labels_unref(labels);
    }
    return (struct alert_item *)(void *)series_at(&run->table, id);
}

struct alert_item alert_item_copy(const struct alert_item *item)
{
    return (struct alert_item){
        .head = {.labels = labels_ref(item->head.labels)},
        .series = item->series != NULL ? labels_ref(item->series) : NULL,
        .status = item->status,
    };
}
