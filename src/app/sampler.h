/* Samples, when they are taken, and publications to files; and what the gates say
 * meanwhile. */
#ifndef APP_SAMPLER_H
#define APP_SAMPLER_H

#include "app/client.h"
#include "app/config.h"
#include "app/node_checker.h"
#include "feeds/gate.h"
#include "feeds/publication.h"

struct sampler;

/* What is known of a feed. */
struct sampler_feed {
    const struct feed *feed; /* of the configuration */
    bool sampled;            /* `newest` is there */
    struct sample newest;
    bool evaluated; /* `evaluation` is there */
    struct evaluation evaluation;
    struct error publish_fault; /* empty if the last writing went well */
};

struct sampler_settings {
    struct loop *loop;
    struct store_thread *store;
    const struct client *client;
    const struct config *config;
    const struct node_checker *node; /* NULL: no second opinion */
    struct wall_time newest_taken;   /* of the samples that are there; 0: none */
    /* On the loop: samples were taken. */
    void (*sampled)(void *context);
    /* On the loop: something that is shown has changed. */
    void (*changed)(void *context);
    void (*failed)(void *context, const struct error *error);
    void *context;
};

struct sampler *sampler_new(const struct sampler_settings *settings);
/* Take no further samples; then free it when the store's thread has ended. */
void sampler_stop(struct sampler *sampler);
void sampler_free(struct sampler *sampler);

/* Take a sample of every feed soon, besides those that the clock asks for. */
void sampler_request(struct sampler *sampler);
/* What became of reading the lists: `fault` (NULL for none) fails the gate `list`. */
void sampler_lists(struct sampler *sampler, const char *fault);

/* Every gate over all feeds, as of now. */
void sampler_gates(const struct sampler *sampler, struct gate_report *out);
const struct sampler_feed *sampler_feeds(const struct sampler *sampler, size_t *count);

#endif
