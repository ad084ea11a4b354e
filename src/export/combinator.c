#include "export/combinator.h"

const char *const combinator_alias_child[] = {"base_exporter", NULL};
