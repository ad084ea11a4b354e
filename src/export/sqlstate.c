#include "export/sqlstate.h"

#include <string.h>

static const struct sqlstate codes[] = {
    {"25006", VERDICT_RETRY, true,
     "this server is a standby; name the primary, or several hosts "
     "and target_session_attrs=read-write"},
    {"40003", VERDICT_UNKNOWN, true, NULL},
    {"42501", VERDICT_HALT, false,
     "GRANT INSERT on the tables of records and SELECT, INSERT, UPDATE on positions_table "
     "(telex_positions) to the user of connection_string, and CREATE on the schema unless the tables "
     "are made by hand"},
    {"42703", VERDICT_HALT, false, "add the column to the table or change column_mapping"},
    {"42P01", VERDICT_HALT, false, "make the table or say `create_table: true`"},
    {"57014", VERDICT_RETRY, false, NULL},
    {"57P01", VERDICT_RETRY, true, NULL},
    {"57P02", VERDICT_RETRY, true, NULL},
    {"57P03", VERDICT_RETRY, true, NULL},
    {"57P05", VERDICT_RETRY, true, NULL},
    {"P0001", VERDICT_REJECTED, false, NULL},
    /* classes */
    {"08", VERDICT_RETRY, true, NULL},
    {"0A", VERDICT_HALT, false, "the server cannot do this with the table; look at its kind"},
    {"22", VERDICT_REJECTED, false, NULL},
    {"23", VERDICT_REJECTED, false, NULL},
    {"25", VERDICT_RETRY, true, NULL},
    {"28", VERDICT_HALT, true, "look at user and password in connection_string, and pg_hba.conf"},
    {"3D", VERDICT_HALT, true, "make the database or name another in connection_string"},
    {"3F", VERDICT_HALT, false, "make the schema or name another in table_name"},
    {"40", VERDICT_RETRY, false, NULL},
    {"42", VERDICT_HALT, false, "compare the table with the exporter's column_mapping"},
    {"44", VERDICT_REJECTED, false, NULL},
    {"53", VERDICT_RETRY, true, NULL},
    {"54", VERDICT_REJECTED, false, NULL},
    {"55", VERDICT_RETRY, false, NULL},
    {"57", VERDICT_RETRY, true, NULL},
    {"58", VERDICT_RETRY, true, NULL},
    {"XX", VERDICT_RETRY, true, NULL},
};

const struct sqlstate *sqlstate_find(const char *code)
{
    static const struct sqlstate unknown = {"", VERDICT_RETRY, true, NULL};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (code[0] != '\0' && strncmp(code, codes[i].code, strlen(codes[i].code)) == 0) {
            return &codes[i];
        }
    }
    return &unknown;
}
