/* Parses configurations that tests hold in memory, and expects what is said of them. */
#ifndef TESTS_UNIT_APP_CONFIG_CASES_H
#define TESTS_UNIT_APP_CONFIG_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/config.h"
#include "base/mem.h"

#define LISTS "[list a]\nfile=a.csv\n[list b]\nfile=b.csv\n"

static inline bool parse_sources(struct config *config, struct faults *faults,
                                 const struct config_sources *sources)
{
    /* On the heap and of exactly that size, so that a sanitizer sees a byte too far. */
    struct config_sources copy = *sources;
    char *text = mem_alloc(copy.len);
    memcpy(text, copy.text, copy.len);
    copy.text = text;
    bool good = config_parse(config, faults, &copy);
    free(text);
    return good;
}

static inline struct config_sources sources_of(const char *text)
{
    return (struct config_sources){
        .path = "dir/x.conf", .text = text, .len = strlen(text), .home = "/home/u"};
}

static inline void parse_good_sources(struct config *config,
                                      const struct config_sources *sources)
{
    struct faults faults = {0};
    if (!parse_sources(config, &faults, sources))
        fail_msg("%s\n%s", sources->text, faults.items[0].text);
    assert_int_equal(faults.count, 0);
}

static inline void parse_good(struct config *config, const char *text)
{
    struct config_sources sources = sources_of(text);
    parse_good_sources(config, &sources);
}

/* The only fault's whole text. */
static inline void expect_fault_of(const struct config_sources *sources,
                                   const char *expected)
{
    struct config config;
    struct faults faults = {0};
    assert_false(parse_sources(&config, &faults, sources));
    if (faults.count != 1 || strcmp(faults.items[0].text, expected) != 0)
        fail_msg("%s\nis (%zu): %s\nnot: %s", sources->text, faults.count,
                 faults.count > 0 ? faults.items[0].text : "", expected);
    faults_release(&faults);
    config_release(&config);
}

static inline void expect_fault(const char *text, const char *expected)
{
    struct config_sources sources = sources_of(text);
    expect_fault_of(&sources, expected);
}

#endif
