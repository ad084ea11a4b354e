#include "app/variables.h"

#include "base/mem.h"

enum { SHOWN_MAX = 100 };

/* What begins so is meant for us; what to say of one that is near to nothing. The first that fits counts. */
struct family {
    struct str prefix;
    const char *expected;
};

static const struct family families[] = {
    {STR_INIT("TELEX_EXPORTER_"),
     "TELEX_EXPORTER_NAME_OPTION changes an option of an exporter NAME that stands in the config"},
    {STR_INIT("TELEX_"), "expected TELEX_SECTION_OPTION, as `telex help config` lists them"},
    {STR_INIT("PROFILING_"),
     "PROFILING_KIND_OPTION makes an exporter of that kind where the config has none of its name; "
     "`telex exporters KIND` lists its options"},
};

void variables_init(struct variables *v, const struct config_environment *environment)
{
    *v = (struct variables){.environment = environment};
    arena_init(&v->arena, ARENA_UNLIMITED);
    map_init(&v->asked, 0);
}

void variables_release(struct variables *v)
{
    map_release(&v->asked);
    vec_release(&v->names);
    arena_release(&v->arena);
}

static const char *ask(void *arg, const char *name)
{
    struct variables *v = arg;

    if (map_get(&v->asked, str_of(name)) == NULL) {
        char *own = arena_text(&v->arena, str_of(name));
        vec_push(&v->names, own);
        (void)map_put(&v->asked, str_of(own), own);
    }
    return v->environment->lookup(v->environment->arg, name);
}

void variables_watch(struct variables *v, struct config_environment *environment)
{
    if (environment->lookup != NULL) {
        environment->lookup = ask;
        environment->arg = v;
    }
}

/* TELEX_SERVICE_HOST, TELEX_PORT=tcp://..., TELEX_PORT_8420_TCP_ADDR: of a service that is called telex. */
static bool is_of_a_service(struct str name, struct str value)
{
    size_t port = str_find(name, STR("_PORT_"));
    bool is_address = str_starts(value, STR("tcp://")) || str_starts(value, STR("udp://"));
    struct str behind = str_slice(name, port + strlen("_PORT_"), name.len);

    return str_ends(name, STR("_SERVICE_HOST")) || str_ends(name, STR("_SERVICE_PORT")) ||
           str_find(name, STR("_SERVICE_PORT_")) < name.len ||
           (str_ends(name, STR("_PORT")) && is_address) ||
           (behind.len > 0 && behind.ptr[0] >= '0' && behind.ptr[0] <= '9');
}

/* The one nearest to <name> of those with its prefix that were asked for. */
static const char *nearest(const struct variables *v, struct str name, struct str prefix)
{
    AUTO(mem_autofree)
    const char **rests = mem_alloc((v->names.len + 1) * sizeof(*rests));
    size_t count = 0;

    for (size_t i = 0; i < v->names.len; i++) {
        if (str_starts(str_of(v->names.items[i]), prefix)) {
            rests[count++] = v->names.items[i] + prefix.len;
        }
    }
    const char *near = str_nearest(str_slice(name, prefix.len, name.len), rests, count);
    return near != NULL ? near - prefix.len : NULL;
}

static void tell(const struct variables *v, struct str name, const struct family *family,
                 struct problems *problems)
{
    const char *near = nearest(v, name, family->prefix);
    struct err e = ERR_INIT;
    struct str shown = str_slice(name, 0, SHOWN_MAX);

    (void)(near != NULL
               ? err_set(&e, ERR_CONFIG, "nothing reads the variable %.*s: did you mean %s?",
                         STR_FMT(shown), near)
               : err_set(&e, ERR_CONFIG, "nothing reads the variable %.*s: %s", STR_FMT(shown),
                         family->expected));
    (void)err_in_file(&e, STR("environment"));
    problems_warning(problems, &e);
}

static void look_at(const struct variables *v, struct str entry, struct problems *problems)
{
    size_t equals = str_find_byte(entry, '=');
    struct str name = str_slice(entry, 0, equals);

    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (str_starts(name, families[i].prefix)) {
            if (map_get(&v->asked, name) == NULL &&
                !is_of_a_service(name, str_slice(entry, equals + 1, entry.len))) {
                tell(v, name, &families[i], problems);
            }
            return;
        }
    }
}

void variables_tell(const struct variables *v, struct problems *problems)
{
    for (const char *const *entry = v->environment->all; entry != NULL && *entry != NULL; entry++) {
        look_at(v, str_of(*entry), problems);
    }
}
