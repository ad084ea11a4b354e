/*
 * curl_text.h - a request as the curl command that a person can run to see the same answer.
 *
 * What is named like a credential is left out: userinfo and parameters of the URL, headers such as
 * Authorization, parameters of the form.
 *
 * Ownership: all is borrowed for the call. Threads: any. Limits: the caller's buffer.
 */
#ifndef TELEX_DATASOURCE_CURL_TEXT_H
#define TELEX_DATASOURCE_CURL_TEXT_H

#include "base/buf.h"
#include "datasource/datasource.h"

/* A request to <url>, a POST of <form> when that is not empty, with the headers of the query. */
void curl_text_add(struct buf *out, struct str url, struct str form, const struct query *q);

#endif
