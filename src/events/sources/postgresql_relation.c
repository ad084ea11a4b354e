/* What the stream says of tables: each description is kept until the next one of its table. */
#include "events/sources/postgresql_int.h"

#include "base/mem.h"

static void relation_free(struct pg_relation *r)
{
    pg_layout_release(&r->layout);
    mem_free(r);
}

void postgresql_forget_relations(struct postgresql_source *s)
{
    for (size_t i = 0; i < s->relations.len; i++) {
        relation_free(s->relations.items[i]);
    }
    vec_clear(&s->relations);
    s->last = NULL;
}

struct pg_relation *postgresql_find_relation(struct postgresql_source *s, uint32_t id)
{
    if (s->last != NULL && s->last->id == id) {
        return s->last;
    }
    for (size_t i = 0; i < s->relations.len; i++) {
        if (s->relations.items[i]->id == id) {
            s->last = s->relations.items[i];
            return s->last;
        }
    }
    return NULL;
}

/* ---- a description ---- */

static const struct pg_table *find_table(const struct postgresql_source *s,
                                         const struct pgoutput_message *m)
{
    for (size_t i = 0; i < s->table_count; i++) {
        const struct pg_table *t = &s->tables[i];
        if (t->oid == m->id || (str_eq(t->name, m->name) && str_eq(t->schema, m->schema))) {
            return t;
        }
    }
    return NULL;
}

/* The columns that the log calls the primary key, where the config names none: they were when this was written. */
static size_t find_ids(const struct postgresql_source *s, const struct pg_table *t,
                       const struct pgoutput_message *m, struct str *ids)
{
    size_t count = 0;

    if (s->config->id_column.count > 0 || m->identity != 'd') {
        for (size_t i = 0; i < t->id_count; i++) {
            ids[i] = t->ids[i];
        }
        return t->id_count;
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->columns[i].is_key && count < PG_IDS_MAX) {
            ids[count++] = m->columns[i].name;
        }
    }
    return count;
}

static void lay_out(struct postgresql_source *s, struct pg_relation *r, const struct pg_table *t,
                    const struct pgoutput_message *m)
{
    struct str ids[PG_IDS_MAX];
    struct pg_wishes wishes = {.ids = ids,
                               .key_column = s->config->key_column,
                               .time_column = s->config->time_column,
                               .prefix = s->table_count > 1 ? t->full : STR(""),
                               .is_primary_key = s->config->id_column.count == 0};

    wishes.id_count = find_ids(s, t, m, ids);
    r->is_key = arena_array(&r->layout.arena, uint32_t, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        r->is_key[i] = m->columns[i].is_key;
    }
    pg_layout_end(&r->layout, &wishes);
}

static void replace(struct postgresql_source *s, struct pg_relation *r)
{
    struct pg_relation *old = postgresql_find_relation(s, r->id);

    for (size_t i = 0; i < s->relations.len; i++) {
        if (s->relations.items[i] == old) {
            s->relations.items[i] = r;
        }
    }
    if (old != NULL) {
        relation_free(old);
    } else {
        vec_push(&s->relations, r);
    }
    s->last = r;
}

enum sourced postgresql_relation(struct postgresql_source *s, const struct pgoutput_message *m,
                                 struct wait wait, struct err *e)
{
    struct pg_relation *r = mem_new(struct pg_relation);
    const struct pg_table *t = find_table(s, m);
    enum sourced done = SOURCED_OK;

    r->id = m->id;
    r->is_wanted = t != NULL;
    pg_layout_init(&r->layout, m->name);
    pg_layout_begin(&r->layout, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        pg_layout_column(&r->layout, i, m->columns[i].name, m->columns[i].type);
    }
    if (t != NULL) {
        done = pg_server_find_types(&s->server, &r->layout, wait, e);
        lay_out(s, r, t, m);
    }
    if (done != SOURCED_OK) {
        relation_free(r);
        return done;
    }
    replace(s, r);
    return SOURCED_OK;
}
