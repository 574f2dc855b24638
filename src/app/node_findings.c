#include "app/node_findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "base/mem.h"

/* In the ledger: {feed: text}. */
#define VALUE_NAME "node_check"

static struct node_finding *find(const struct node_findings *findings, const char *feed)
{
    for (size_t i = 0; i < findings->config->feed_count; i++)
        if (strcmp(findings->config->feeds[i].name, feed) == 0)
            return &findings->at[i];
    return NULL;
}

static void restore(struct node_findings *findings, const uint8_t *text, size_t len)
{
    json_error_t where;
    json_t *document =
        json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, &where);
    const char *feed;
    json_t *value;
    json_object_foreach(document, feed, value)
    {
        struct node_finding *finding = find(findings, feed);
        if (!finding || !json_is_string(value))
            continue;
        finding->differences = 1;
        snprintf(finding->feed, sizeof finding->feed, "%s", feed);
        snprintf(finding->text, sizeof finding->text, "%s", json_string_value(value));
    }
    json_decref(document);
}

bool node_findings_init(struct node_findings *findings, const struct config *config,
                        struct store *store, struct error *error)
{
    struct store_txn *txn;
    uint8_t *text = NULL;
    size_t len = 0;
    *findings = (struct node_findings){.config = config};
    findings->at = mem_zalloc(config->feed_count, sizeof *findings->at);
    findings->seen = mem_zalloc(config->feed_count, sizeof *findings->seen);
    enum store_result result = store_begin(store, &txn, STORE_READ, error);
    if (result != STORE_OK)
        return false;
    result = store_get_value(txn, VALUE_NAME, &text, &len, error);
    store_abort(txn);
    if (result == STORE_OK)
        restore(findings, text, len);
    free(text);
    return result == STORE_OK || result == STORE_NOT_FOUND;
}

void node_findings_release(struct node_findings *findings)
{
    free(findings->at);
    free(findings->seen);
    *findings = (struct node_findings){0};
}

void node_findings_begin(struct node_findings *findings)
{
    memset(findings->seen, 0, findings->config->feed_count * sizeof *findings->seen);
    findings->differences = 0;
}

void node_findings_add(struct node_findings *findings, const struct node_finding *found)
{
    struct node_finding *known = find(findings, found->feed);
    if (!known)
        return;
    bool *seen = &findings->seen[known - findings->at];
    findings->differences += found->differences;
    if (*seen)
        return;
    *seen = true;
    if (strcmp(known->text, found->text) != 0)
        log_line(LOG_FEED, LOG_ERROR, "%s (of %llu differences)", found->text,
                 (unsigned long long)found->differences);
    *known = *found;
}

bool node_findings_end(struct node_findings *findings)
{
    bool changed = false;
    for (size_t i = 0; i < findings->config->feed_count; i++) {
        if (findings->seen[i] || !findings->at[i].differences)
            continue;
        log_line(LOG_FEED, LOG_INFO, "feed %s: one's own node agrees again",
                 findings->at[i].feed);
        findings->at[i] = (struct node_finding){0};
        changed = true;
    }
    return changed;
}

struct saving {
    char *text;
    void (*failed)(void *context, const struct error *error);
    void *context;
};

static enum store_result save_change(void *context, struct store_txn *txn,
                                     struct error *error)
{
    const struct saving *saving = context;
    struct bytes text = {(const uint8_t *)saving->text, strlen(saving->text)};
    return store_put_value(txn, VALUE_NAME, text, error);
}

static enum store_result save_work(void *context, struct store *store,
                                   struct ledger *ledger, struct error *error)
{
    (void)ledger;
    return store_update(store, save_change, context, error);
}

static void save_done(void *context, enum store_result result, const struct error *error)
{
    struct saving *saving = context;
    /* FULL: the watcher stops, and nobody hears of it any more. */
    if (result != STORE_OK && result != STORE_FULL)
        saving->failed(saving->context, error);
    free(saving->text);
    free(saving);
}

void node_findings_save(const struct node_findings *findings,
                        struct store_thread *store_thread,
                        void (*failed)(void *context, const struct error *error),
                        void *context)
{
    struct saving *saving = mem_zalloc(1, sizeof *saving);
    json_t *document = json_object();
    for (size_t i = 0; i < findings->config->feed_count; i++)
        if (findings->at[i].differences)
            json_object_set_new(document, findings->at[i].feed,
                                json_string(findings->at[i].text));
    *saving = (struct saving){json_dumps(document, JSON_COMPACT), failed, context};
    json_decref(document);
    store_thread_submit(store_thread, save_work, save_done, saving);
}

const char *node_findings_against(const struct node_findings *findings, const char *feed)
{
    const struct node_finding *finding = find(findings, feed);
    return finding && finding->differences ? finding->text : NULL;
}
