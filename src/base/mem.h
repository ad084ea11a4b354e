/*
 * mem.h - heap allocation with one policy for exhaustion.
 *
 * Sizes that the program chooses go through mem_alloc() and friends, which do not return NULL: when
 * the system has no memory they end the program with a message (docs/adr/0001). Sizes that an
 * outsider chooses go through mem_try_*(), which return NULL, and are taken from the budget
 * (base/budget.h) first.
 *
 * Ownership: the caller owns what it gets and gives it back with mem_free(). Threads: any. Limits:
 * a request whose size overflows is exhaustion.
 */
#ifndef TELEX_BASE_MEM_H
#define TELEX_BASE_MEM_H

#include "base/attr.h"

#include <stddef.h>

/* <size> bytes, not cleared; size 0 gives a unique pointer. Never NULL. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));

/* <count> * <size> bytes, cleared. Never NULL. */
void *mem_alloc0(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Resizes <ptr> (may be NULL) to <count> * <size> bytes. Never NULL. */
void *mem_resize(void *ptr, size_t count, size_t size) __attribute__((returns_nonnull));

/* As mem_alloc(), but NULL when there is no memory. */
MUST_USE void *mem_try_alloc(size_t size) __attribute__((malloc));

/* As mem_resize(), but NULL (and <ptr> left as it was) when there is no memory. */
MUST_USE void *mem_try_resize(void *ptr, size_t count, size_t size);

/* A copy of <size> bytes. Never NULL. */
void *mem_dup(const void *src, size_t size) __attribute__((returns_nonnull));

/* A NUL-terminated copy of <len> bytes of <src>. Never NULL. */
char *mem_dup_text(const char *src, size_t len) __attribute__((returns_nonnull));

/* Frees what the functions above gave; NULL is fine. */
void mem_free(const void *ptr);

/*
 * Sets the allocator up for a program that runs for months: blocks from MEM_LARGE_BYTES on go back
 * to the system when they are freed, whatever was freed before, and threads share a few arenas.
 * Called once by main, before threads.
 */
enum { MEM_LARGE_BYTES = 256 * 1024, MEM_ARENAS = 4 };
void mem_tune(void);

/* Gives free pages back to the system: after work that needed far more than what stays. Takes
 * milliseconds. */
void mem_trim(void);

/* A cleared heap object of type T. */
#define mem_new(T) ((T *)mem_alloc0(1, sizeof(T)))

/* For AUTO(mem_autofree) on a local pointer of any type. */
static inline UNUSED void mem_autofree(void *pointer_variable)
{
    mem_free(*(void **)pointer_variable);
}

#endif
