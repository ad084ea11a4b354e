/*
 * secret.h - a text that the logger, the API and dumps refuse to show.
 *
 * Only secret_reveal() gives the bytes, at the point where they go onto the wire or into a crypto
 * call. A secret comes from a literal, an environment variable or a file; a file is read again when
 * its mtime, size or inode change. Ownership: reference counted; bytes are cleared when the last holder frees. Threads:
 * reveal may be called from any thread; it copies under a lock. Limits: SECRET_MAX bytes; trailing
 * newlines of a file are cut.
 */
#ifndef TELEX_BASE_SECRET_H
#define TELEX_BASE_SECRET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { SECRET_MAX = 64 * 1024 };

struct secret;

struct secret *secret_from_text(struct str text);
MUST_USE bool secret_from_file(struct str path, struct secret **ret_secret, struct err *e);
/* One more hold, which secret_free() gives back; NULL is fine. */
struct secret *secret_ref(struct secret *s);
void secret_free(struct secret *s);
DEFINE_AUTOFREE(secret)

/* Appends the current bytes to <out>; re-reads a changed file first, keeps the old bytes if that
 * fails. */
void secret_reveal(struct secret *s, struct buf *out);

/* Reads a file again, whatever it looks like from outside: somebody says that the bytes are wrong. Keeps the old
 * bytes if that fails; nothing happens to a secret that is no file's, or NULL. */
void secret_reread(struct secret *s);

/* The file that it is read from; empty when it is no file's. Lives as long as the secret. */
struct str secret_path(const struct secret *s);

/* Is it empty? NULL counts as empty. */
bool secret_is_empty(struct secret *s);

/* Do both say the same now and whenever they change: one file, or texts that are equal? NULL is like NULL only. */
bool secret_is_same(struct secret *a, struct secret *b);

/* Compares in constant time. */
bool secret_equals(struct secret *s, struct str candidate);

/* Does it begin with <prefix>? For what a key says openly of itself (its region, its kind). */
bool secret_starts(struct secret *s, struct str prefix);

#endif
