#include "net/oauth2.h"

#include "base/clock.h"
#include "net/url.h"
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
    struct str code = json_get_str(root, STR("error"));
    struct str error = code;
    struct str description = json_get_str(root, STR("error_description"));
    if (error.len > 0 && description.len > 0) {
        error = arena_printf(a, "%.*s: %.*s", STR_FMT(error), STR_FMT(description));
    }
    *ret_answer = (struct oauth2_answer){.token = json_get_str(root, STR("access_token")),
                                         .type = json_get_str(root, STR("token_type")),
                                         .expires_in_ns = seconds > 0 ? seconds * NS_PER_S : -1,
                                         .code = code,
                                         .error = error};
    return true;
}

/* --- discovery --- */

static void read_methods(const struct json_node *list, struct arena *a, struct oauth2_metadata *ret)
{
    const struct {
        struct str name;
        bool *takes;
    } known[] = {
        {STR("client_secret_basic"), &ret->takes_basic},
        {STR("client_secret_post"), &ret->takes_post},
        {STR("private_key_jwt"), &ret->takes_jwt},
    };

    for (const struct json_node *n = list->first; n != NULL; n = n->next) {
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            *known[i].takes = *known[i].takes || str_eq(n->text, known[i].name);
        }
        ret->methods =
            arena_printf(a, "%.*s%s%.*s", STR_FMT(str_slice(ret->methods, 0, 256)),
                         ret->methods.len > 0 ? ", " : "", STR_FMT(str_slice(n->text, 0, 64)));
    }
}

static bool check_endpoint(struct str issuer, struct str endpoint, struct err *e)
{
    struct url from;
    struct url to;

    if (!url_parse(endpoint, &to, e)) {
        return err_wrap(e, "token_endpoint");
    }
    return !url_parse(issuer, &from, e) || !from.secure || to.secure ||
           err_set(e, ERR_AUTH, "its token_endpoint is not https, as the issuer is");
}

bool oauth2_parse_metadata(struct str json, struct str issuer, struct arena *a,
                           struct oauth2_metadata *ret_metadata, struct err *e)
{
    struct err ignored = ERR_INIT;
    struct json_node *root;

    if (!json_parse(json, a, &root, &ignored) || root->kind != JSON_OBJECT) {
        return err_set(e, ERR_AUTH, "what is there is not a JSON object");
    }
    struct oauth2_metadata found = {.issuer = json_get_str(root, STR("issuer")),
                                    .token_endpoint = json_get_str(root, STR("token_endpoint"))};
    const struct json_node *methods = json_get(root, STR("token_endpoint_auth_methods_supported"));
    if (!str_eq(found.issuer, issuer)) {
        return err_set(e, ERR_AUTH,
                       "it calls itself '%.*s': if that is the same, write 'issuer' exactly so",
                       STR_FMT(str_slice(found.issuer, 0, 256)));
    }
    if (found.token_endpoint.len == 0) {
        return err_set(e, ERR_AUTH, "it names no token_endpoint");
    }
    if (methods != NULL && methods->kind == JSON_ARRAY) {
        read_methods(methods, a, &found);
    } else {
        found.takes_basic = true;
    }
    if (!check_endpoint(issuer, found.token_endpoint, e)) {
        return false;
    }
    *ret_metadata = found;
    return true;
}
