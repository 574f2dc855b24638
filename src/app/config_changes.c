#include <string.h>

#include "app/config.h"

/* The value of this key given for the `nth` time; NULL if it wasn't. */
static const char *given_value(const struct config *config, const char *key, size_t nth)
{
    for (size_t i = 0; i < config->given_count; i++) {
        if (strcmp(config->given[i].key, key) == 0 && nth-- == 0)
            return config->given[i].value;
    }
    return NULL;
}

static bool same_values(const struct config *a, const struct config *b, const char *key)
{
    for (size_t nth = 0;; nth++) {
        const char *one = given_value(a, key, nth), *other = given_value(b, key, nth);
        if (one == NULL || other == NULL)
            return one == other;
        if (strcmp(one, other) != 0)
            return false;
    }
}

/* Whether an earlier entry has the same key. */
static bool seen_before(const struct config *config, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(config->given[i].key, config->given[index].key) == 0)
            return true;
    }
    return false;
}

void config_changes(struct faults *changes, const struct config *now,
                    const struct config *then)
{
    for (size_t i = 0; i < now->given_count; i++) {
        const char *key = now->given[i].key;
        if (seen_before(now, i) || same_values(now, then, key))
            continue;
        faults_add(changes, "%s: %s; restart to apply it", key,
                   given_value(then, key, 0) != NULL ? "has changed" : "is gone");
    }
    for (size_t i = 0; i < then->given_count; i++) {
        const char *key = then->given[i].key;
        if (!seen_before(then, i) && given_value(now, key, 0) == NULL)
            faults_add(changes, "%s: is new; restart to apply it", key);
    }
}
