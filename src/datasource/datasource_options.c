#include "datasource/datasource_options.h"

const char *const datasource_dialects[] = {"prometheus", "metricsql", NULL};
