/*
 * vec.h - a growing array of any type, typed by its declaration: VEC(struct rule) rules = {0};
 *
 * Ownership: the vector owns the array, not what elements point to. Threads: confined. Limits: none
 * of its own; a count that an outsider chooses is checked by the caller before it pushes.
 */
#ifndef TELEX_BASE_VEC_H
#define TELEX_BASE_VEC_H

#include "base/mem.h"

#include <stddef.h>
#include <string.h>

#define VEC(T)      \
    struct {        \
        T *items;   \
        size_t len; \
        size_t cap; \
    }

/* The array moved to hold one more than <len> elements of <size> bytes; updates <cap>. */
void *vec_grow(void *items, size_t len, size_t *cap, size_t size) __attribute__((returns_nonnull));

/* The type, not the expression: clang-tidy suspects sizeof of a pointer, but pointers are stored too. */
#define VEC_ITEM_BYTES(v) sizeof(__typeof__((v)->items[0]))

/* Appends a copy of <item>. Evaluates <v> more than once. */
#define vec_push(v, item)                                                             \
    ((v)->items = (v)->len < (v)->cap                                                 \
                      ? (v)->items                                                    \
                      : vec_grow((v)->items, (v)->len, &(v)->cap, VEC_ITEM_BYTES(v)), \
     (v)->items[(v)->len++] = (item))

/* Appends a cleared element and gives its address. */
#define vec_add(v)                                                                    \
    ((v)->items = (v)->len < (v)->cap                                                 \
                      ? (v)->items                                                    \
                      : vec_grow((v)->items, (v)->len, &(v)->cap, VEC_ITEM_BYTES(v)), \
     memset(&(v)->items[(v)->len], 0, VEC_ITEM_BYTES(v)), &(v)->items[(v)->len++])

#define vec_last(v) (&(v)->items[(v)->len - 1])
#define vec_pop(v) ((v)->items[--(v)->len])
#define vec_clear(v) ((v)->len = 0)
#define vec_release(v) (mem_free((v)->items), (v)->items = NULL, (v)->len = 0, (v)->cap = 0)

#endif
