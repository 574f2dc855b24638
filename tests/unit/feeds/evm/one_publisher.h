/* The rig of a test program that plays one publisher after another. */
#ifndef TESTS_ONE_PUBLISHER_H
#define TESTS_ONE_PUBLISHER_H

#include "publisher_rig.h"

static struct fake_chain *chain;
static struct rig rig;

static inline int setup(void **state)
{
    (void)state;
    chain = rig_chain();
    rig_init(&rig, chain, 0);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    rig_release(&rig);
    free(chain);
    return 0;
}

static inline void again(void)
{
    teardown(NULL);
    setup(NULL);
}

static inline void assert_condition(enum evm_condition condition, const char *word)
{
    struct evm_status status = rig_status(&rig);
    assert_string_equal(evm_condition_name(status.condition),
                        evm_condition_name(condition));
    assert_non_null(strstr(status.detail, word));
}

#endif
