#include "app/unverified.h"

static bool is_switch(struct str key)
{
    return str_eq(key, STR("insecure_skip_verify")) || str_eq(key, STR("insecureSkipVerify"));
}

void check_unverified(const struct yaml_node *node, struct problems *problems)
{
    struct err e = ERR_INIT;
    struct err ignored = ERR_INIT;
    bool is_on = false;

    for (const struct yaml_node *n = node != NULL ? node->first : NULL; n != NULL; n = n->next) {
        if (!is_switch(n->key)) {
            check_unverified(n, problems);
        } else if (yaml_bool(n, &is_on, &ignored) && is_on) {
            (void)yaml_key_err(
                n, &e, ERR_CONFIG,
                "certificates are not verified here: anyone on the way can read and "
                "change what is sent, credentials too; ca_file trusts a private authority");
            problems_warning(problems, &e);
        }
    }
}
