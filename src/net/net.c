#include "net/net.h"

#include <curl/curl.h>

enum { CURL_OLDEST = 0x075501 }; /* 7.85.1: protocols as text, lifetime of connections, wake-up */

bool net_init(struct net *n, struct err *e)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

    n->up = false;
    if (version->version_num < CURL_OLDEST) {
        return err_set(e, ERR_CONFIG, "libcurl %s is too old: 7.85.1 or newer is needed",
                       version->version);
    }
    if ((version->features & CURL_VERSION_ASYNCHDNS) == 0) {
        return err_set(e, ERR_CONFIG, "libcurl %s cannot resolve names without blocking",
                       version->version);
    }
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK) {
        return err_set(e, ERR_INTERNAL, "libcurl does not start: %s", curl_easy_strerror(code));
    }
    n->up = true;
    return true;
}

void net_release(struct net *n)
{
    if (n->up) {
        curl_global_cleanup();
        n->up = false;
    }
}
