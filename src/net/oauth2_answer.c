#include "net/oauth2.h"

#include "base/clock.h"
#include "wire/json.h"

enum { TOKEN_LIFE_MAX_S = 10 * 365 * 24 * 3600 };

/* Whole seconds of 3600, 3599.5 or, as some servers write it, the text "3600"; -1 for anything else. */
static int64_t seconds_of(struct str text)
{
    int64_t seconds = 0;
    size_t i = 0;

    while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9') {
        seconds = seconds * 10 + (text.ptr[i] - '0');
        seconds = seconds < TOKEN_LIFE_MAX_S ? seconds : TOKEN_LIFE_MAX_S;
        i++;
    }
    bool whole = i == text.len || text.ptr[i] == '.';
    return whole && seconds > 0 ? seconds : -1;
}

bool oauth2_parse_answer(struct str json, struct arena *a, struct oauth2_answer *ret_answer)
{
    struct err ignored = ERR_INIT;
    struct json_node *root;

    if (!json_parse(json, a, &root, &ignored) || root->kind != JSON_OBJECT) {
        return false;
    }
    const struct json_node *expires = json_get(root, STR("expires_in"));
    int64_t seconds = expires != NULL ? seconds_of(expires->text) : -1;
    struct str error = json_get_str(root, STR("error"));
    struct str description = json_get_str(root, STR("error_description"));
    if (error.len > 0 && description.len > 0) {
        error = arena_printf(a, "%.*s: %.*s", STR_FMT(error), STR_FMT(description));
    }
    *ret_answer = (struct oauth2_answer){.token = json_get_str(root, STR("access_token")),
                                         .expires_in_ns = seconds > 0 ? seconds * NS_PER_S : -1,
                                         .error = error};
    return true;
}
