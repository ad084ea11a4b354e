#include "export/table_dry.h"

#include "base/mem.h"
#include "export/dry_run.h"

struct table_dry {
    struct table_db super;
    const struct dry_run *dry;
    const struct table_script *script;
    bool create_table;
    struct str name;
    const struct table_layout *used;
    bool has_shown[RECORD_KINDS]; /* the table's making */
    struct buf rows;              /* in hand */
    VEC(size_t) starts;           /* of each in <rows> */
    struct buf text;
};

static struct table_dry *dry_of(struct table_db *db)
{
    return container_of(db, struct table_dry, super);
}

static bool connect_db(struct table_db *base, struct wait wait, bool *ret_fresh,
                       struct table_fault *fault, struct err *e)
{
    (void)base;
    (void)wait;
    (void)fault;
    (void)e;
    *ret_fresh = false;
    return true;
}

static bool use(struct table_db *base, const struct table_layout *l, struct wait wait,
                struct table_fault *fault, struct err *e)
{
    (void)wait;
    (void)fault;
    (void)e;
    dry_of(base)->used = l;
    return true;
}

/* There are no positions to know of: whoever shows has no lane. */
static bool load(struct table_db *base, struct wait wait, struct positions *ret,
                 struct table_fault *fault, struct err *e)
{
    (void)ret;
    return use(base, dry_of(base)->used, wait, fault, e);
}

static bool take(struct table_db *base, struct cell_reader *r, uint32_t i, struct err *e)
{
    struct table_dry *db = dry_of(base);

    (void)e;
    vec_push(&db->starts, db->rows.len);
    db->script->row(db->used, r, i, &db->rows);
    return true;
}

static size_t bytes(struct table_db *base)
{
    return dry_of(base)->rows.len;
}

static void drop(struct table_db *base)
{
    struct table_dry *db = dry_of(base);

    buf_clear(&db->rows);
    vec_clear(&db->starts);
}

static void add_making(struct table_dry *db)
{
    if (db->create_table && !db->has_shown[db->used->kind]) {
        table_layout_add_create(db->used, db->script->types, &db->text);
        buf_add_text(&db->text, ";\n");
    }
    db->has_shown[db->used->kind] = true;
}

static bool write_rows(struct table_db *base, uint32_t from, uint32_t end,
                       const struct table_move *move, struct wait wait, struct table_fault *fault,
                       struct err *e)
{
    struct table_dry *db = dry_of(base);
    size_t start = db->starts.items[from];
    size_t stop = end < db->starts.len ? db->starts.items[end] : db->rows.len;
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);

    (void)move;
    (void)wait;
    (void)fault;
    (void)e;
    buf_clear(&db->text);
    add_making(db);
    buf_add_text(&db->text, db->script->begin);
    db->script->rows_begin(db->used, &db->text);
    buf_add_str(&db->text, str_slice(buf_str(&db->rows), start, stop - start));
    buf_add_text(&db->text, db->script->rows_end);
    buf_add_text(&db->text, db->script->end);
    buf_addf(&head, "%u row%s in one transaction, %s\n", end - from, end - from == 1 ? "" : "s",
             db->script->says);
    db->dry->take(db->dry->arg, db->name, buf_str(&head), buf_str(&db->text));
    return true;
}

static void rest(struct table_db *base)
{
    (void)base;
}

static void close_db(struct table_db *base)
{
    struct table_dry *db = dry_of(base);

    buf_release(&db->rows);
    buf_release(&db->text);
    vec_release(&db->starts);
    mem_free(db->name.ptr);
    mem_free(db);
}

static const struct table_ops ops = {
    .connect = connect_db,
    .use = use,
    .load = load,
    .take = take,
    .bytes = bytes,
    .drop = drop,
    .write = write_rows,
    .rest = rest,
    .close = close_db,
};

struct table_db *table_dry_open(const struct exporter_place *place,
                                const struct table_script *script, bool create_table)
{
    struct table_dry *db = mem_new(struct table_dry);

    db->super.ops = &ops;
    db->dry = place->dry;
    db->script = script;
    db->create_table = create_table;
    db->name = str_make(mem_dup_text(place->name.ptr, place->name.len), place->name.len);
    buf_init(&db->rows, BUF_UNLIMITED);
    buf_init(&db->text, BUF_UNLIMITED);
    return &db->super;
}
