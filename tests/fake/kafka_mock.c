/*
 * kafka-mock: brokers of librdkafka's mock cluster for other processes, until SIGTERM or the end of stdin.
 * Prints "BROKERS\n". Arguments are topics, "NAME:PARTITIONS".
 */
#include "fake/kafka_cluster.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct kafka_cluster *c = kafka_cluster_start(1);

    for (int i = 1; i < argc; i++) {
        struct str rest = str_of(argv[i]);
        struct str name;
        (void)str_split(&rest, ':', &name);
        unsigned partitions = rest.len > 0 ? (unsigned)strtoul(rest.ptr, NULL, 10) : 1;
        argv[i][name.len] = '\0';
        if (!kafka_cluster_create(c, argv[i], partitions)) {
            (void)fprintf(stderr, "kafka-mock: no topic %s\n", argv[i]);
            return 1;
        }
    }
    (void)printf("%s\n", kafka_cluster_brokers(c));
    (void)fflush(stdout);
    while (getchar() != EOF) {
    }
    kafka_cluster_stop(c);
    return 0;
}
