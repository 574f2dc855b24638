/* A configuration file's text. What is accepted keeps its own promises: every name that
 * stands for something else is there, and every text can be shown. */
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "app/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_feed(const struct config *config, const struct feed *feed)
{
    require(feed->list_count > 0 && feed->list_count <= FEED_LISTS_MAX);
    for (size_t i = 0; i < feed->list_count; i++)
        require(config_list_find(config, feed->lists[i]) != NULL);
    require(feed->confirmations > 0 && feed->confirmations <= FEED_CONFIRMATIONS_MAX);
    require(feed->policy.heartbeat >= 0);
    require(feed->publisher[0] == '\0' ||
            config_publisher_find(config, feed->publisher) != NULL);
}

static void check_config(const struct config *config)
{
    require(config->network != NULL && config->datadir != NULL);
    require(config->min_peers > 0 && config->sample_interval > 0);
    require(config->connect_count == 0 || config->min_peers <= config->connect_count);
    for (size_t i = 1; i < config->checkpoint_count; i++)
        require(config->checkpoints[i - 1].height < config->checkpoints[i].height);
    for (size_t i = 0; i < config->list_count; i++)
        require(config->lists[i].file != NULL &&
                config_text_printable(config->lists[i].file));
    for (size_t i = 0; i < config->feed_count; i++)
        check_feed(config, &config->feeds[i]);
    for (size_t i = 0; i < config->publisher_count; i++)
        require(config->publishers[i].file != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct faults faults = {0}, changes = {0};
    const struct config_sources sources = {
        .path = "a/b.conf", .text = (const char *)data, .len = size, .home = "/home/u"};
    bool good = config_parse(&config, &faults, &sources);
    require(good == (faults.count == 0));
    for (size_t i = 0; i < faults.count; i++)
        require(strncmp(faults.items[i].text, "a/b.conf:", 9) == 0);
    if (good) {
        check_config(&config);
        config_changes(&changes, &config, &config);
        require(changes.count == 0);
    }
    faults_release(&changes);
    faults_release(&faults);
    config_release(&config);
    return 0;
}
