#include "header_chain.h"

#include "app/import.h"
#include "app/start.h"
#include "base/mem.h"
#include "spv/pow.h"

/* One on the other, ten minutes apart where the clock allows, solved. */
static void mine(struct header_chain *chain)
{
    struct block_header header = chain->network->genesis;
    struct block_hash hash = chain->network->genesis_hash;
    chain->records = mem_zalloc(chain->count, BLOCK_HEADER_SIZE);
    block_header_encode(chain->records, &header);
    header.version = 4;
    for (uint32_t height = 1; height < chain->count; height++) {
        header.previous = hash;
        header.time.s += 600;
        put_u32le(header.merkle_root, height);
        uint8_t *record = chain->records + (size_t)height * BLOCK_HEADER_SIZE;
        header.nonce = 0;
        do {
            header.nonce++;
            block_header_encode(record, &header);
            block_header_hash_bytes(&hash, record);
        } while (!pow_check(chain->network, &hash, header.bits));
    }
}

static void write_file(const struct header_chain *chain)
{
    FILE *file = fopen(chain->file, "wb");
    require(file != NULL, "no file can be made");
    require(fwrite(chain->records, BLOCK_HEADER_SIZE, chain->count, file) == chain->count,
            "the file can't be written");
    require(fclose(file) == 0, "the file can't be written");
}

void header_chain_open(struct header_chain *chain, const char *folder, uint32_t count)
{
    *chain = (struct header_chain){.network = network_find("regtest"), .count = count};
    place_make(chain->folder, folder);
    snprintf(chain->file, sizeof(chain->file), "%s/headers.bin", chain->folder);
    snprintf(chain->ledger, sizeof(chain->ledger), "%s/ledger", chain->folder);
    mine(chain);
    write_file(chain);
}

void header_chain_cut(struct header_chain *chain, uint32_t count)
{
    place_delete_ledger(chain->ledger);
    chain->count = count;
    write_file(chain);
}

void header_chain_close(struct header_chain *chain)
{
    place_delete_ledger(chain->ledger);
    (void)unlink(chain->file);
    (void)rmdir(chain->folder);
    free(chain->records);
}

static bool go_on(void *context, const char *what, uint32_t done, uint32_t total)
{
    (void)context;
    (void)what;
    (void)done;
    (void)total;
    return true;
}

void header_chain_import(void *context)
{
    const struct header_chain *chain = context;
    const struct config config = {.network = chain->network};
    struct header_source source;
    struct import_outcome outcome;
    enum store_result result;
    struct store *store;
    struct error error;
    require(header_source_open(&source, HEADER_FILE_BLOCKS, chain->file, chain->folder,
                               chain->network, HEADER_CHAIN_NOW, &error),
            error.text);
    place_delete_ledger(chain->ledger);
    require(store_open(&store, chain->ledger, STORE_WRITE, chain->network, &error) ==
                STORE_OK,
            error.text);
    const struct import import = {
        .config = &config, .headers = &source, .now = HEADER_CHAIN_NOW, .go_on = go_on};
    require(import_headers(&import, store, &outcome, &result, &error) == IMPORT_DONE,
            "the import failed");
    require(outcome.height + 1 == chain->count, "the import isn't whole");
    store_close(store);
    header_source_close(&source);
}

void header_chain_start(void *context)
{
    static const uint64_t seed[2] = {1, 2};
    const struct header_chain *chain = context;
    const struct spv_settings settings = {
        .network = chain->network, .seed = 1, .map_seed = {1, 2}, .agent = "/bench:0/"};
    const struct spv_now now = {{0}, HEADER_CHAIN_NOW};
    struct store *store;
    struct ledger *ledger;
    struct start start;
    struct spv_summary summary;
    struct error error;
    require(store_open(&store, chain->ledger, STORE_WRITE, chain->network, &error) ==
                STORE_OK,
            error.text);
    require(ledger_open(&ledger, store, seed, &error) == STORE_OK, error.text);
    require(start_read(&start, store, ledger, seed, &error) == STORE_OK, error.text);
    struct spv *spv = spv_new(&settings, &start.spv, now);
    start_release(&start);
    spv_summary(spv, &summary, now);
    require(summary.header_height + 1 == chain->count, "it starts from another height");
    spv_free(spv);
    ledger_close(ledger);
    store_close(store);
}
