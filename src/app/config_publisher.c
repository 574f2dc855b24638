/* [publisher NAME]: where a feed's reports go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config_build.h"
#include "base/decimal.h"
#include "base/mem.h"
#include "feeds/evm/evm_publisher.h"
#include "io/url.h"

/* Which keys each kind has; each may be given once. */
static const char *const file_keys[] = {"type", "file"};
static const char *const evm_keys[] = {"type",     "rpc",      "chain_id",
                                       "contract", "key_file", "password_file",
                                       "finality", "max_fee"};
#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof(*(ARRAY)))

/* Deeper than any chain reorganises. */
#define FINALITY_BLOCKS_MAX 100000

bool config_publisher_has_key(const char *key)
{
    return config_is_one_of(key, file_keys, COUNT(file_keys)) ||
           config_is_one_of(key, evm_keys, COUNT(evm_keys));
}

/* ---- type=file ---- */

static void default_file(struct config_build *build, struct config_publisher *publisher)
{
    if (build->config->datadir == NULL)
        return;
    char name[FEED_NAME_MAX + sizeof(".jsonl")];
    snprintf(name, sizeof(name), "%s.jsonl", publisher->name);
    publisher->file = path_join(build->config->datadir, name);
}

static void build_file(struct config_build *build, struct config_publisher *publisher,
                       const struct config_section *section)
{
    const struct config *config = build->config;
    const struct config_entry *file = config_entry_of(section, "file");
    config_check_keys(build, section, file_keys, COUNT(file_keys));
    publisher->kind = PUBLISHER_FILE;
    if (file != NULL)
        publisher->file = config_path_of(build, file);
    else
        default_file(build, publisher);
    for (size_t i = 0; i < config->publisher_count && publisher->file != NULL; i++) {
        const struct config_publisher *other = &config->publishers[i];
        if (other->file != NULL && strcmp(other->file, publisher->file) == 0)
            config_fault(
                build, section->place,
                "[publisher %s] writes to the same file as [publisher %s] at %s; "
                "give each its own",
                publisher->name, other->name, other->place);
    }
}

/* ---- type=evm ---- */

/* The entry, or a fault that says what to write. */
static const struct config_entry *needed(struct config_build *build,
                                         const struct config_section *section,
                                         const char *key, const char *example)
{
    const struct config_entry *entry = config_entry_of(section, key);
    if (entry == NULL)
        config_fault(build, section->place, "[publisher %s] has no %s=; write %s=%s",
                     section->name, key, key, example);
    return entry;
}

static void set_rpc(struct config_build *build, struct config_publisher *publisher,
                    const struct config_section *section)
{
    const struct config_entry *entry =
        needed(build, section, "rpc", "http://127.0.0.1:8545");
    struct url url;
    struct error error;
    if (entry == NULL)
        return;
    if (!url_parse(&url, entry->value, &error)) {
        config_fault(build, entry->place, "rpc: %s", error.text);
        return;
    }
    url_release(&url);
    publisher->evm.rpc = mem_strdup(entry->value);
}

static void set_chain(struct config_build *build, struct config_publisher *publisher,
                      const struct config_section *section)
{
    const struct config_entry *entry = needed(build, section, "chain_id", "1");
    if (entry != NULL && (!decimal_parse(&publisher->evm.chain_id, entry->value,
                                         strlen(entry->value), INT64_MAX) ||
                          publisher->evm.chain_id == 0))
        config_fault(build, entry->place, "chain_id '%.40s': write a number such as 1",
                     entry->value);
    entry = needed(build, section, "contract", "0x... (the ReserveFeed's address)");
    struct error error;
    if (entry != NULL && !evm_address_parse(&publisher->evm.contract, entry->value,
                                            strlen(entry->value), &error))
        config_fault(build, entry->place, "contract: %s", error.text);
    entry = config_entry_of(section, "finality");
    uint64_t blocks;
    if (entry == NULL || strcmp(entry->value, "finalized") == 0)
        publisher->evm.finality = EVM_FINALITY_TAG;
    else if (decimal_parse(&blocks, entry->value, strlen(entry->value),
                           FINALITY_BLOCKS_MAX) &&
             blocks > 0)
        publisher->evm.finality = (uint32_t)blocks;
    else
        config_fault(build, entry->place,
                     "finality '%.40s': write `finalized`, or a number of blocks",
                     entry->value);
}

static void set_max_fee(struct config_build *build, struct config_publisher *publisher,
                        const struct config_section *section)
{
    const struct config_entry *entry = config_entry_of(section, "max_fee");
    struct wei *fee = &publisher->evm.max_fee;
    *fee = wei_from_u64(EVM_MAX_FEE_DEFAULT);
    if (entry != NULL &&
        (!wei_parse(fee, entry->value, strlen(entry->value)) || wei_is_zero(*fee)))
        config_fault(build, entry->place,
                     "max_fee '%.40s': write what a gas may cost, such as 50 gwei",
                     entry->value);
}

/* Secrets are files, and stay there until the watcher runs. */
static void set_key(struct config_build *build, struct config_publisher *publisher,
                    const struct config_section *section)
{
    const struct config_entry *key = needed(build, section, "key_file", "operator.json");
    const struct config_entry *password =
        needed(build, section, "password_file", "operator.pass");
    if (key != NULL)
        publisher->evm.key_file = config_path_of(build, key);
    if (password != NULL)
        publisher->evm.password_file = config_path_of(build, password);
}

static void build_evm(struct config_build *build, struct config_publisher *publisher,
                      const struct config_section *section)
{
    const struct config *config = build->config;
    config_check_keys(build, section, evm_keys, COUNT(evm_keys));
    publisher->kind = PUBLISHER_EVM;
    set_rpc(build, publisher, section);
    set_chain(build, publisher, section);
    set_max_fee(build, publisher, section);
    set_key(build, publisher, section);
    for (size_t i = 0; i < config->publisher_count; i++) {
        const struct config_publisher *other = &config->publishers[i];
        if (other->kind == PUBLISHER_EVM &&
            other->evm.chain_id == publisher->evm.chain_id &&
            evm_address_equal(&other->evm.contract, &publisher->evm.contract))
            config_fault(
                build, section->place,
                "[publisher %s] has the contract of [publisher %s] at %s; a contract "
                "holds one feed",
                publisher->name, other->name, other->place);
    }
}

void config_build_publisher(struct config_build *build,
                            const struct config_section *section)
{
    struct config *config = build->config;
    struct config_publisher *publisher = &config->publishers[config->publisher_count];
    const struct config_entry *type = config_entry_of(section, "type");
    config_note_section(build, section);
    config_copy_name(publisher->name, section->name, strlen(section->name));
    publisher->place = mem_strdup(section->place);
    if (type != NULL && strcmp(type->value, "evm") == 0) {
        build_evm(build, publisher, section);
    } else {
        if (type != NULL && strcmp(type->value, "file") != 0)
            config_fault(build, type->place, "type '%.40s': write file or evm",
                         type->value);
        build_file(build, publisher, section);
    }
    config->publisher_count++;
}
