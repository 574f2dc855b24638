#include "drive.h"
#include "nameserver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "io/resolver.h"

struct answer {
    int count;
    struct lookup_result result;
};

static void on_done(const struct lookup_result *result, void *context)
{
    struct answer *answer = context;
    answer->count++;
    answer->result = *result;
}

static const struct lookup_result *look_up(struct loop *loop, struct resolver *resolver,
                                           const char *address)
{
    static struct answer answer;
    answer = (struct answer){0};
    lookup_start(resolver, address, on_done, &answer);
    assert_int_equal(answer.count, 0);
    DRIVE_UNTIL(loop, answer.count > 0);
    assert_int_equal(answer.count, 1);
    return &answer.result;
}

static const char *address_text(const struct sockaddr_storage *address)
{
    static char text[80];
    char host[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(text, sizeof(text), "%s:%u", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(text, sizeof(text), "[%s]:%u", host, ntohs(v6->sin6_port));
    }
    return text;
}

static void test_numeric(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1:8333", "10.1.2.3:1", "[::1]:65535",
                                            "[2001:db8::7]:18444"};
    struct loop *loop = loop_new();
    struct resolver *resolver = resolver_new(loop, NULL);
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        const struct lookup_result *result = look_up(loop, resolver, addresses[i]);
        assert_int_equal(result->count, 1);
        assert_string_equal(address_text(&result->addresses[0]), addresses[i]);
    }
    resolver_free(resolver);
    loop_free(loop);
}

static void test_unusable(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "",        "127.0.0.1",  ":8333",           "127.0.0.1:",       "127.0.0.1:0",
        "host:+1", "host:65536", "[::1]",           "[::1]8333",        "::1:8333",
        "a:b:1",   "[::1:8333",  "127.0.0.1:8333x", "127.0.0.1:000001",
    };
    struct loop *loop = loop_new();
    struct resolver *resolver = resolver_new(loop, NULL);
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        const struct lookup_result *result = look_up(loop, resolver, addresses[i]);
        assert_int_equal(result->count, 0);
        if (strstr(result->error.text, "isn't ") == NULL)
            fail_msg("%s: %s", addresses[i], result->error.text);
    }
    resolver_free(resolver);
    loop_free(loop);
}

static void test_names(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct nameserver nameserver;
    nameserver_start(&nameserver, loop);
    struct resolver *resolver = resolver_new(loop, nameserver.address);
    const struct lookup_result *result = look_up(loop, resolver, "two.test:8333");
    assert_int_equal(result->count, 2);
    assert_string_equal(address_text(&result->addresses[0]), "127.0.0.2:8333");
    assert_string_equal(address_text(&result->addresses[1]), "127.0.0.1:8333");
    result = look_up(loop, resolver, "absent.test:8333");
    assert_int_equal(result->count, 0);
    assert_non_null(strstr(result->error.text, "can't be resolved"));
    resolver_free(resolver);
    nameserver_stop(&nameserver);
    loop_free(loop);
}

/* In each of its stages: not yet begun to be reported, asked, and when all ends. */
static void test_cancel(void **state)
{
    (void)state;
    struct answer answer = {0};
    struct loop *loop = loop_new();
    struct nameserver nameserver;
    nameserver_start(&nameserver, loop);
    struct resolver *resolver = resolver_new(loop, nameserver.address);
    lookup_cancel(NULL);
    lookup_cancel(lookup_start(resolver, "127.0.0.1:8333", on_done, &answer));
    struct lookup *lookup = lookup_start(resolver, "silent.test:1", on_done, &answer);
    DRIVE_UNTIL(loop, nameserver.unanswered_count > 0);
    lookup_cancel(lookup);
    look_up(loop, resolver, "two.test:1");
    size_t before = nameserver.unanswered_count;
    lookup = lookup_start(resolver, "silent.test:2", on_done, &answer);
    DRIVE_UNTIL(loop, nameserver.unanswered_count > before);
    lookup_cancel(lookup);
    resolver_free(resolver);
    nameserver_stop(&nameserver);
    loop_free(loop);
    assert_int_equal(answer.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numeric),
        cmocka_unit_test(test_unusable),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
