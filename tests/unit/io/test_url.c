#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/url.h"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *name, *address, *target;
        bool tls, host_is_address;
    } cases[] = {
        {"https://mainnet.example/v3/KEY", "mainnet.example", "https://mainnet.example",
         "mainnet.example:443", "/v3/KEY", true, false},
        {"http://127.0.0.1:8545", "127.0.0.1", "http://127.0.0.1:8545", "127.0.0.1:8545",
         "/", false, true},
        {"http://[::1]:8545/a?b=c&d", "::1", "http://[::1]:8545", "[::1]:8545",
         "/a?b=c&d", false, true},
        {"HTTPS://A-b_c.Example:443?q", "A-b_c.Example", "https://A-b_c.Example",
         "A-b_c.Example:443", "/?q", true, false},
        {"http://localhost:443/%20", "localhost", "http://localhost:443", "localhost:443",
         "/%20", false, false},
        {"https://[2001:db8::7]/", "2001:db8::7", "https://[2001:db8::7]",
         "[2001:db8::7]:443", "/", true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url;
        struct error error;
        if (!url_parse(&url, cases[i].text, &error))
            fail_msg("%s: %s", cases[i].text, error.text);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.name, cases[i].name);
        assert_string_equal(url.address, cases[i].address);
        assert_string_equal(url.target, cases[i].target);
        assert_string_equal(url_authority(&url), strchr(cases[i].name, '/') + 2);
        assert_int_equal(url.tls, cases[i].tls);
        assert_int_equal(url.host_is_address, cases[i].host_is_address);
        url_release(&url);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "doesn't begin with"},
        {"mainnet.example/v3", "doesn't begin with"},
        {"ws://mainnet.example/", "doesn't begin with"},
        {"//mainnet.example/", "doesn't begin with"},
        {"http:/path", "no host"},
        {"http://", "no host"},
        {"https://:443/", "no host"},
        {"https://user:secret@host/", "has a user name"},
        {"https://user@host/", "has a user name"},
        {"https://host/#part", "has a fragment"},
        {"https://host:0/", "port isn't one from 1"},
        {"https://host:65536/", "isn't"},
        {"https://host:8x/", "isn't a URL"},
        {"https://ho st/", "isn't a URL"},
        {"https://host/a b", "isn't a URL"},
        {"https://host/%2", "isn't a URL"},
        {"https://host/\r\nX: y", "isn't a URL"},
        {"https://host/\xc3\xa9", "isn't a URL"},
        {" https://host/", "isn't a URL"},
        {"https://ho..st/", "neither a DNS name nor"},
        {"https://host./", "neither a DNS name nor"},
        {"https://-host/", "neither a DNS name nor"},
        {"https://1.2.3/", "neither a DNS name nor"},
        {"https://1.2.3.256/", "neither a DNS name nor"},
        {"https://h%41st/", "neither a DNS name nor"},
        {"https://[v1.a]/", "neither a DNS name nor"},
        {"https://[::1", "isn't a URL"},
        {"https://::1/", "isn't"},
        {"https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
         "neither a DNS name nor"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url;
        struct error error;
        if (url_parse(&url, cases[i].text, &error))
            fail_msg("%s is taken", cases[i].text);
        if (strstr(error.text, cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].text, error.text);
        assert_null(strstr(error.text, "secret"));
    }
}

static void test_long(void **state)
{
    (void)state;
    struct url url;
    struct error error;
    char text[URL_MAX + 2];
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://host/", 13);
    text[URL_MAX + 1] = '\0';
    assert_false(url_parse(&url, text, &error));
    assert_non_null(strstr(error.text, "longer than 2048"));
    text[URL_MAX] = '\0';
    assert_true(url_parse(&url, text, &error));
    assert_int_equal(strlen(url.target), URL_MAX - 12);
    url_release(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
