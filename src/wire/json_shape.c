#include "wire/json_shape.h"

#include "base/number.h"

#include <string.h>

void json_shapes_init(struct json_shapes *s)
{
    *s = (struct json_shapes){.bytes_max = JSON_SHAPES_BYTES};
    arena_init(&s->arena, ARENA_UNLIMITED);
    map_init(&s->by_middle, 0);
}

void json_shapes_release(struct json_shapes *s)
{
    arena_release(&s->arena);
    map_release(&s->by_middle);
}

static const char *pass_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

/* Is all of it a number of JSON? */
static bool is_number(const char *p, const char *end)
{
    p += p < end && *p == '-';
    const char *digits = pass_digits(p, end);
    if (digits == p || (*p == '0' && digits > p + 1)) {
        return false;
    }
    p = digits;
    if (p < end && *p == '.') {
        digits = pass_digits(p + 1, end);
        if (digits == p + 1) {
            return false;
        }
        p = digits;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        p += p < end && (*p == '-' || *p == '+');
        digits = pass_digits(p, end);
        if (digits == p) {
            return false;
        }
        p = digits;
    }
    return p == end;
}

/* Does the line, of which <rest> begins behind the time's text, go on as the shape does? */
static bool fits(const struct json_shape *shape, struct str rest, struct str *ret_value)
{
    size_t at = shape->middle.len;

    if (rest.len < at + shape->tail.len ||
        memcmp(rest.ptr, shape->middle.ptr, shape->middle.len) != 0) {
        return false;
    }
    size_t end = rest.len - shape->tail.len;
    *ret_value = str_make(rest.ptr + at, end - at);
    return memcmp(rest.ptr + end, shape->tail.ptr, shape->tail.len) == 0 &&
           is_number(rest.ptr + at, rest.ptr + end);
}

/* By what nearly always ends the middle of a sample. */
static struct json_shape *look_up(const struct json_shapes *s, struct str rest)
{
    static const struct str end = STR_INIT("},\"value\":");
    const char *found = memmem(rest.ptr, rest.len, end.ptr, end.len);

    return found == NULL
               ? NULL
               : map_get(&s->by_middle, str_make(rest.ptr, (size_t)(found - rest.ptr) + end.len));
}

struct json_shape *json_shape_find(struct json_shapes *s, struct str line, struct json_gaps *ret)
{
    struct json_shape *guess = s->last != NULL ? s->last->next : NULL;

    if (s->last == NULL || !str_starts(line, s->last->head)) {
        return NULL;
    }
    size_t at = s->last->head.len;
    const char *quote = memchr(line.ptr + at, '"', line.len - at);
    if (quote == NULL || memchr(line.ptr + at, '\\', (size_t)(quote - line.ptr) - at) != NULL) {
        return NULL;
    }
    struct str rest = str_make(quote, line.len - (size_t)(quote - line.ptr));
    if (guess == NULL || !str_eq(guess->head, s->last->head) || !fits(guess, rest, &ret->value)) {
        guess = look_up(s, rest);
        if (guess == NULL || !str_eq(guess->head, s->last->head) ||
            !fits(guess, rest, &ret->value)) {
            return NULL;
        }
        s->last->next = guess;
    }
    ret->time = str_make(line.ptr + at, (size_t)(quote - line.ptr) - at);
    s->last = guess;
    return guess;
}

bool json_gaps_of(struct str line, const struct json_node *root, struct json_gaps *ret)
{
    const struct json_node *t = json_get(root, STR("timestamp"));
    const struct json_node *v = json_get(root, STR("value"));

    if (t == NULL || v == NULL || t->kind != JSON_STRING || v->kind != JSON_NUMBER ||
        t->offset >= v->offset || t->offset + t->text.len + 2 > line.len) {
        return false;
    }
    ret->time = str_make(line.ptr + t->offset + 1, t->text.len);
    ret->value = str_make(line.ptr + v->offset, v->text.len);
    return str_eq(ret->time, t->text) && str_eq(ret->value, v->text);
}

struct json_shape *json_shape_add(struct json_shapes *s, struct str line,
                                  const struct json_gaps *gaps, size_t more)
{
    size_t bytes = line.len + sizeof(struct json_shape) + more;
    size_t head = (size_t)(gaps->time.ptr - line.ptr);
    size_t middle = head + gaps->time.len;
    size_t value = (size_t)(gaps->value.ptr - line.ptr);

    if (s->bytes + bytes > s->bytes_max) {
        return NULL;
    }
    struct json_shape *shape = arena_new(&s->arena, struct json_shape);
    struct str own = arena_dup(&s->arena, line);
    *shape = (struct json_shape){
        .head = str_slice(own, 0, head),
        .middle = str_slice(own, middle, value - middle),
        .tail = str_slice(own, value + gaps->value.len, own.len),
        .number = s->count++,
    };
    s->bytes += bytes;
    return shape;
}

struct json_shape *json_shape_learn(struct json_shapes *s, struct str line,
                                    const struct json_gaps *gaps, size_t more)
{
    const char *time_end = gaps->time.ptr + gaps->time.len;
    struct str middle = str_make(time_end, (size_t)(gaps->value.ptr - time_end));

    if (map_get(&s->by_middle, middle) != NULL) { /* one of another head or tail */
        return NULL;
    }
    struct json_shape *shape = json_shape_add(s, line, gaps, more);
    if (shape == NULL) {
        return NULL;
    }
    (void)map_put(&s->by_middle, shape->middle, shape);
    if (s->last != NULL) {
        s->last->next = shape;
    }
    s->last = shape;
    return shape;
}
