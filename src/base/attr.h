/*
 * attr.h - the few compiler attributes and macros that the whole house uses.
 *
 * Ownership: AUTO(S) on a local calls S_autofree() or S_release() when the scope ends; TAKE(p)
 * moves a pointer out of such a local. Threads: nothing here has state. Limits: macros never hide
 * control flow and never lock.
 */
#ifndef TELEX_BASE_ATTR_H
#define TELEX_BASE_ATTR_H

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define UNUSED __attribute__((unused))
#define NO_RETURN __attribute__((noreturn))
#define COLD __attribute__((cold))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that contains <member>, given a pointer to that member. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Run <fn>(&local) at scope end. A cleanup function takes a pointer to the variable. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* Moves a pointer out of a variable and leaves NULL behind. */
#define TAKE(p)                    \
    __extension__({                \
        __typeof__(p) take_ = (p); \
        (p) = NULL;                \
        take_;                     \
    })

/*
 * Defines S_autofree(struct S **), for AUTO(S_autofree) on a local pointer to a heap object freed
 * with S_free(). Free functions accept NULL.
 */
#define DEFINE_AUTOFREE(S)                                    \
    static inline UNUSED void S##_autofree(struct S **object) \
    {                                                         \
        S##_free(*object);                                    \
    }

/* What must hold if the program is right. Kept in release; bad input never reaches one. */
#define INVARIANT(cond) (likely(cond) ? (void)0 : invariant_failed(#cond, __FILE__, __LINE__))
NO_RETURN COLD void invariant_failed(const char *condition, const char *file, int line);

/* clang's thread-safety analysis; nothing under gcc. */
#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif
/* For the reader only: in C, clang 14 cannot name a field of the same struct. REQUIRES is checked. */
#define GUARDED_BY(lock)
#define REQUIRES(lock) TSA(requires_capability(lock))

#endif
