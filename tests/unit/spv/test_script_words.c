#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/siphash.h"
#include "spv/script_words.h"

#define LENS 300

static uint64_t hash_lane(const struct script_groups *groups, size_t words, size_t script)
{
    const uint64_t *lane = groups->words + script / SCRIPT_LANES * SCRIPT_LANES * words +
                           script % SCRIPT_LANES;
    struct sip_state state = sip_start(1, 2);
    for (size_t i = 0; i < words; i++)
        sip_absorb(&state, lane[i * SCRIPT_LANES]);
    return sip_finish(&state);
}

/* Scripts of 0 to 299 bytes, three of each length: found in their order, group by group.
 */
static void words_hash_to_what_the_script_does(void **state)
{
    (void)state;
    static uint8_t rooms[3 * LENS][LENS];
    struct bytes scripts[3 * LENS];
    struct script_words words;
    size_t seen[SCRIPT_WORDS_MAX + 1] = {0}, rest = 0;

    for (size_t i = 0; i < 3 * LENS; i++) {
        memset(rooms[i], (int)(i % 251), LENS);
        scripts[i] = (struct bytes){rooms[i], i % LENS};
    }
    script_words_init(&words, scripts, 3 * LENS);
    for (size_t i = 0; i < 3 * LENS; i++) {
        size_t w = scripts[i].len / 8 + 1;
        if (w > SCRIPT_WORDS_MAX) {
            assert_true(rest < words.rest_count);
            assert_int_equal(words.rest[rest++], i);
            continue;
        }
        assert_true(seen[w] < words.groups[w].count * SCRIPT_LANES);
        assert_int_equal(hash_lane(&words.groups[w], w, seen[w]++),
                         siphash(1, 2, scripts[i].data, scripts[i].len));
    }
    assert_int_equal(rest, words.rest_count);
    for (size_t w = 1; w <= SCRIPT_WORDS_MAX; w++) {
        size_t lanes = words.groups[w].count * SCRIPT_LANES;
        assert_true(lanes - seen[w] < SCRIPT_LANES);
        for (size_t i = seen[w]; i < lanes; i++)
            assert_int_equal(hash_lane(&words.groups[w], w, i),
                             hash_lane(&words.groups[w], w, seen[w] - 1));
    }
    script_words_release(&words);
}

static void no_scripts(void **state)
{
    (void)state;
    struct script_words words;

    script_words_init(&words, NULL, 0);
    for (size_t w = 1; w <= SCRIPT_WORDS_MAX; w++)
        assert_int_equal(words.groups[w].count, 0);
    assert_int_equal(words.rest_count, 0);
    script_words_release(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_hash_to_what_the_script_does),
        cmocka_unit_test(no_scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
