#include "base/mem.h"
#include "base/yaml_int.h"

enum { CHARS_PER_ROW = 64 };

/* Does a character begin at this byte? */
static bool starts_char(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

struct str yaml_source_text(const struct yaml_source *source)
{
    bool has_mark = str_starts(source->text, STR("\xEF\xBB\xBF"));

    return str_slice(source->text, has_mark ? 3 : 0, source->text.len);
}

static void count(struct str text, size_t *ret_lines, size_t *ret_chars)
{
    size_t lines = 1;
    size_t chars = 0;

    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n';
        chars += starts_char(text.ptr[i]);
    }
    *ret_lines = lines;
    *ret_chars = chars;
}

static void fill_lines(struct yaml_places *p)
{
    size_t at = 0;

    p->lines[at++] = 0;
    for (size_t i = 0; i < p->text.len; i++) {
        if (p->text.ptr[i] == '\n') {
            p->lines[at++] = (uint32_t)i + 1;
        }
    }
}

static void fill_chars(struct yaml_places *p)
{
    size_t chars = 0;

    for (size_t i = 0; i < p->text.len; i++) {
        if (starts_char(p->text.ptr[i])) {
            if (chars % CHARS_PER_ROW == 0) {
                p->chars[chars / CHARS_PER_ROW] = (uint32_t)i;
            }
            chars++;
        }
    }
    if (chars % CHARS_PER_ROW == 0) {
        p->chars[chars / CHARS_PER_ROW] = (uint32_t)p->text.len;
    }
}

bool yaml_places_init(struct yaml_places *p, struct str text, struct err *e)
{
    size_t chars;

    *p = (struct yaml_places){.text = text};
    if (text.len > INT32_MAX) {
        return err_set(e, ERR_LIMIT, "the YAML text has %zu bytes: at most %d can be read",
                       text.len, INT32_MAX);
    }
    count(text, &p->lines_count, &chars);
    p->lines = mem_try_resize(NULL, p->lines_count, sizeof(*p->lines));
    if (chars != text.len) {
        p->chars_count = chars / CHARS_PER_ROW + 1;
        p->chars = mem_try_resize(NULL, p->chars_count, sizeof(*p->chars));
    }
    if (p->lines == NULL || (p->chars_count != 0 && p->chars == NULL)) {
        yaml_places_release(p);
        return err_set(e, ERR_LIMIT, "no memory to read %zu bytes of YAML", text.len);
    }
    fill_lines(p);
    if (p->chars != NULL) {
        fill_chars(p);
    }
    return true;
}

void yaml_places_release(struct yaml_places *p)
{
    mem_free(p->lines);
    mem_free(p->chars);
    *p = (struct yaml_places){0};
}

size_t yaml_places_offset(const struct yaml_places *p, size_t index)
{
    if (p->chars == NULL) {
        return index < p->text.len ? index : p->text.len;
    }
    size_t row = index / CHARS_PER_ROW;
    if (row >= p->chars_count) {
        return p->text.len;
    }
    size_t at = p->chars[row];
    for (size_t left = index % CHARS_PER_ROW; left > 0 && at < p->text.len; left--) {
        do {
            at++;
        } while (at < p->text.len && !starts_char(p->text.ptr[at]));
    }
    return at;
}

struct pos yaml_places_pos(const struct yaml_places *p, size_t offset)
{
    size_t low = 0;
    size_t high = p->lines_count; /* lines[low] <= offset < lines[high] */

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (p->lines[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (struct pos){(uint32_t)low + 1, (uint32_t)(offset - p->lines[low]) + 1};
}
