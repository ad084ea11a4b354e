/*
 * connection.h - connection strings whose password nobody escaped, and errors that quote pieces of it.
 *
 * A library takes "postgresql://bob:one@two@host" for a host "two@host" and says so in its errors, which go to logs and pages.
 * Such strings are refused; and what an error quotes of a password is hidden, whatever its string looks like.
 *
 * Ownership: none, views. Threads: any. Limits: what is cut within a word is not found.
 */
#ifndef TELEX_DB_CONNECTION_H
#define TELEX_DB_CONNECTION_H

#include "base/err.h"
#include "base/str.h"

/* Can <text>, if it is a URL, be read in one way only? The error shows nothing of it. */
MUST_USE bool connection_check_url(struct str text, struct err *e);

/* Is each of the <hosts> one, and each of the <ports> a number? Both are lists with commas, as libpq has them. */
MUST_USE bool connection_check_hosts(struct str hosts, struct str ports, struct err *e);

/* Puts '*' over what the error's message and context quote of the password in <text>, a URL or words. Always false. */
bool connection_hide(struct str text, struct err *e) COLD;

#endif
