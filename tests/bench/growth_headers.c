#include <stdlib.h>

#include "base/mem.h"
#include "growth.h"
#include "header_chain.h"

static void *open_chain(uint64_t largest)
{
    struct header_chain *chain = mem_zalloc(1, sizeof(*chain));
    header_chain_open(chain, NULL, (uint32_t)largest + 1);
    return chain;
}

static void grow_chain(void *context, uint64_t size)
{
    header_chain_cut(context, (uint32_t)size + 1);
}

static void close_chain(void *context)
{
    header_chain_close(context);
    free(context);
}

const struct growth_axis growth_headers = {
    .name = "headers",
    .from = 1000,
    .small = 10000,
    .full = 1000000,
    .open = open_chain,
    .grow = grow_chain,
    .close = close_chain,
    .steps = {{"import them", header_chain_import, NULL},
              {"start with them", header_chain_start, NULL}},
};
