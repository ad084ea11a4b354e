/*
 * The file: a line "TLXRULES 1", then "<ns> <files>", then for the place and for each part of each
 * file a netstring ("5:hello,"), and the CRC-32C of all that as eight hex digits. It is replaced as a
 * whole; one that is cut or of another place is as good as none.
 */
#include "app/rule_bundle.h"

#include "base/crc32c.h"
#include "base/fs.h"
#include "base/number.h"
#include "rules/rule.h"

#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { CRC_DIGITS = 8 };

static const struct str magic = STR_INIT("TLXRULES 1\n");

void rule_bundle_init(struct rule_bundle *b)
{
    *b = (struct rule_bundle){.fetched_ns = 0};
    arena_init(&b->arena, ARENA_UNLIMITED);
}

void rule_bundle_release(struct rule_bundle *b)
{
    vec_release(&b->files);
    arena_release(&b->arena);
}

void rule_bundle_add(struct rule_bundle *b, const struct bundle_file *file)
{
    struct bundle_file kept = {.name = arena_dup(&b->arena, file->name),
                               .etag = arena_dup(&b->arena, file->etag),
                               .modified = arena_dup(&b->arena, file->modified),
                               .text = arena_dup(&b->arena, file->text)};

    vec_push(&b->files, kept);
}

const struct bundle_file *rule_bundle_find(const struct rule_bundle *b, struct str name)
{
    for (size_t i = 0; i < b->files.len; i++) {
        if (str_eq(b->files.items[i].name, name)) {
            return &b->files.items[i];
        }
    }
    return NULL;
}

uint64_t rule_bundle_hash(const struct rule_bundle *b)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < b->files.len; i++) {
        hash = str_hash(b->files.items[i].name, hash);
        hash = str_hash(b->files.items[i].text, hash);
    }
    return hash;
}

/* ---- bytes ---- */

static void add_part(struct buf *out, struct str part)
{
    buf_addf(out, "%zu:", part.len);
    buf_add_str(out, part);
    buf_add_byte(out, ',');
}

void rule_bundle_print(const struct rule_bundle *b, struct str place, struct buf *out)
{
    size_t start = out->len;

    buf_add_str(out, magic);
    buf_addf(out, "%lld %zu\n", (long long)b->fetched_ns, b->files.len);
    add_part(out, place);
    for (size_t i = 0; i < b->files.len; i++) {
        const struct bundle_file *f = &b->files.items[i];
        add_part(out, f->name);
        add_part(out, f->etag);
        add_part(out, f->modified);
        add_part(out, f->text);
    }
    buf_addf(out, "%08x", crc32c(0, out->ptr + start, out->len - start));
}

static bool take_part(struct str *rest, struct str *ret)
{
    struct str digits;
    int64_t len = 0;

    if (!str_split(rest, ':', &digits) || digits.len > 12 || !number_parse_i64(digits, &len) ||
        len < 0 || rest->ptr == NULL || (size_t)len >= rest->len || rest->ptr[len] != ',') {
        return false;
    }
    *ret = str_slice(*rest, 0, (size_t)len);
    *rest = str_slice(*rest, (size_t)len + 1, rest->len);
    return true;
}

static bool take_number(struct str *rest, char end, int64_t *ret)
{
    struct str digits;

    return str_split(rest, end, &digits) && number_parse_i64(digits, ret) && *ret >= 0;
}

static bool parse_files(struct rule_bundle *b, struct str place, struct str rest)
{
    struct str named = STR_NONE;
    int64_t count = 0;

    if (!take_number(&rest, ' ', &b->fetched_ns) || !take_number(&rest, '\n', &count) ||
        count > RULE_FILES_MAX || !take_part(&rest, &named) || !str_eq(named, place)) {
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        struct bundle_file f;
        if (!take_part(&rest, &f.name) || !take_part(&rest, &f.etag) ||
            !take_part(&rest, &f.modified) || !take_part(&rest, &f.text)) {
            return false;
        }
        rule_bundle_add(b, &f);
    }
    return rest.len == 0;
}

bool rule_bundle_parse(struct rule_bundle *b, struct str place, struct str bytes, struct err *e)
{
    char crc[CRC_DIGITS + 1] = "";
    size_t body = bytes.len > CRC_DIGITS ? bytes.len - CRC_DIGITS : 0;

    (void)snprintf(crc, sizeof(crc), "%08x", crc32c(0, bytes.ptr, body));
    if (!str_starts(bytes, magic) ||
        !str_eq(str_slice(bytes, body, CRC_DIGITS), str_make(crc, CRC_DIGITS))) {
        return err_set(e, ERR_PARSE, "the kept rules are no such file, or damaged");
    }
    struct str rest = str_slice(bytes, magic.len, body - magic.len);
    return parse_files(b, place, rest) ||
           err_set(e, ERR_PARSE, "the kept rules are damaged, or of another place");
}

/* ---- files ---- */

static void add_path(struct buf *out, struct str folder, struct str place)
{
    uint64_t hash = XXH3_64bits(place.ptr, place.len);

    buf_add_str(out, folder);
    buf_addf(out, "/%016llx.rules", (unsigned long long)hash);
}

bool rule_bundle_load(struct rule_bundle *b, struct str folder, struct str place, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUNDLE_BYTES_MAX);

    add_path(&path, folder, place);
    return fs_read_file(fs_system(), buf_str(&path), BUNDLE_BYTES_MAX, &bytes, e) &&
           rule_bundle_parse(b, place, buf_str(&bytes), e);
}

bool rule_bundle_save(const struct rule_bundle *b, struct str folder, struct str place,
                      struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUNDLE_BYTES_MAX);

    add_path(&path, folder, place);
    rule_bundle_print(b, place, &bytes);
    if (!buf_ok(&bytes)) {
        return err_set(e, ERR_LIMIT, "the rules have more than %d bytes", BUNDLE_BYTES_MAX);
    }
    return fs_make_path(fs_system(), folder, e) &&
           fs_replace_file(fs_system(), buf_str(&path), buf_str(&bytes), e);
}
