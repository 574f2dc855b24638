/* Headers and filter headers from files into the ledger. */
#ifndef APP_IMPORT_H
#define APP_IMPORT_H

#include "app/config.h"
#include "app/header_source.h"
#include "store/store.h"

struct import {
    const struct config *config;
    const struct header_source *headers;
    const struct header_source *filter_headers; /* NULL: none */
    struct wall_time now;
    /* Told before each piece of work: what is being done, and the height reached of how
     * many. False: stop. */
    bool (*go_on)(void *context, const char *what, uint32_t done, uint32_t total);
    void *context;
};

struct import_outcome {
    uint32_t from;         /* height of the first header that is new; 0: none is */
    uint32_t height;       /* of the newest */
    struct block_hash tip; /* its hash */
    struct block_time time;
    uint32_t filter_from, filter_count; /* filter headers: the first new one; all */
};

enum import_result {
    IMPORT_DONE,
    IMPORT_REFUSED, /* nothing was stored; *error names the file and what is wrong */
    IMPORT_STOPPED, /* go_on() said so; what is stored is sound, and goes on from there */
    IMPORT_FAILED,  /* *result and *error have the store's reason */
};

/* Judge the whole of both files, then store what the ledger lacks, in transactions of
 * some thousand headers. The ledger, open for writing, keeps what it has: a file that
 * ends before it or leaves its chain is refused. */
NODISCARD enum import_result import_headers(const struct import *import,
                                            struct store *store,
                                            struct import_outcome *outcome,
                                            enum store_result *result,
                                            struct error *error);

#endif
