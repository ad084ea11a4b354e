/* What token servers and issuers say: anything, and what is accepted keeps its promises. */
#include "net/oauth2.h"

#include "net/url.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct arena AUTO(arena_release) a = {0};
    struct oauth2_answer answer;
    struct oauth2_metadata m;
    struct err e = ERR_INIT;
    struct url url;

    arena_init(&a, ARENA_UNLIMITED);
    if (oauth2_parse_answer(text, &a, &answer)) {
        INVARIANT(answer.expires_in_ns == -1 || answer.expires_in_ns > 0);
    }
    if (oauth2_parse_metadata(text, STR("https://i"), &a, &m, &e)) {
        INVARIANT(str_eq(m.issuer, STR("https://i")));
        INVARIANT(url_parse(m.token_endpoint, &url, &e) && url.secure);
    } else {
        INVARIANT(e.code != ERR_NONE && e.message[0] != '\0');
    }
    return 0;
}
