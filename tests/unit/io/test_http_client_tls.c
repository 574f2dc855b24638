#include "certificates.h"
#include "http_client_fixture.h"

#include "io/tls.h"

#define OK_TEXT "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{  }"

static struct identity authority;
static char ca_file[] = "/tmp/reservewatch-ca-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    authority = identity_new("Test Authority", NULL, NULL, -1, 30);
    identity_write(&authority, ca_file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    identity_release(&authority);
    unlink(ca_file);
    return 0;
}

/* A server with this certificate, and a client that trusts the authority. */
static void start_tls(struct fixture *fixture, struct identity identity,
                      const struct act *acts, size_t count, const char *host)
{
    begin(fixture);
    SSL_CTX *context = identity_context(&identity);
    identity_release(&identity);
    web_start(&fixture->server, context, acts, count);
    open_client(fixture, "https", host, ca_file);
}

static void end_tls(struct fixture *fixture)
{
    SSL_CTX *context = fixture->server.tls;
    end(fixture);
    SSL_CTX_free(context);
}

static struct identity issue(const char *alternatives)
{
    return identity_new("two.test", alternatives, &authority, -1, 30);
}

static void test_good(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT},
                                      {.reply = OK_TEXT, .then = THEN_CLOSE},
                                      {.reply = OK_TEXT, .then = THEN_DROP},
                                      {.reply = OK_TEXT}};
    struct fixture fixture;
    start_tls(&fixture, issue("DNS:two.test"), acts, ARRAY_LEN(acts), "two.test");
    for (int i = 0; i < 4; i++) {
        post(&fixture, (uint64_t)i, LONG_MS);
        expect_body(wait_for(&fixture, i + 1), 200, "{  }");
        DRIVE_UNTIL(fixture.loop, fixture.server.done == i + 1);
    }
    assert_int_equal(fixture.server.connections, 3);
    assert_string_equal(fixture.server.server_name, "two.test");
    end_tls(&fixture);
}

static void test_address(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    start_tls(&fixture, issue("IP:127.0.0.1"), acts, 1, "127.0.0.1");
    post(&fixture, 1, LONG_MS);
    expect_body(wait_for(&fixture, 1), 200, "{  }");
    assert_string_equal(fixture.server.server_name, "");
    end_tls(&fixture);
}

/* Nothing of the request reaches a server that isn't the right one. */
static void expect_refused(struct identity identity, const char *host, const char *reason)
{
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    start_tls(&fixture, identity, acts, 1, host);
    post(&fixture, 1, LONG_MS);
    expect_failure(wait_for(&fixture, 1), reason);
    end_tls(&fixture);
    assert_int_equal(fixture.server.requests, 0);
}

static void test_wrong_certificates(void **state)
{
    (void)state;
    expect_refused(issue("DNS:three.test"), "two.test", "isn't for two.test");
    expect_refused(issue("DNS:*.two.test,DNS:t*.test"), "two.test", "isn't for two.test");
    /* The subject's common name is two.test: it doesn't count. */
    expect_refused(issue("IP:127.0.0.1"), "two.test", "isn't for two.test");
    expect_refused(issue("IP:127.0.0.2"), "127.0.0.1", "isn't for 127.0.0.1");
    expect_refused(issue("DNS:127.0.0.1"), "127.0.0.1", "isn't for 127.0.0.1");
    expect_refused(identity_new("two.test", "DNS:two.test", &authority, -30, -1),
                   "two.test", "has expired");
    expect_refused(identity_new("two.test", "DNS:two.test", &authority, 1, 30),
                   "two.test", "isn't valid yet");
    expect_refused(identity_new("two.test", "DNS:two.test", NULL, -1, 30), "two.test",
                   "isn't trusted: self-signed certificate");
    struct identity other = identity_new("Other Authority", NULL, NULL, -1, 30);
    expect_refused(identity_new("two.test", "DNS:two.test", &other, -1, 30), "two.test",
                   "isn't trusted: unable to get local issuer certificate");
    identity_release(&other);
}

/* The test's authority isn't among the system's. */
static void test_system_authorities(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    start_tls(&fixture, issue("DNS:two.test"), acts, 1, "two.test");
    http_client_free(fixture.client);
    open_client(&fixture, "https", "two.test", NULL);
    post(&fixture, 1, LONG_MS);
    expect_failure(wait_for(&fixture, 1), "isn't trusted: unable to get local issuer");
    end_tls(&fixture);
    assert_int_equal(fixture.server.requests, 0);
}

static void test_old_protocol(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    begin(&fixture);
    struct identity identity = issue("DNS:two.test");
    SSL_CTX *context = identity_context(&identity);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    web_start(&fixture.server, context, acts, 1);
    open_client(&fixture, "https", "two.test", ca_file);
    post(&fixture, 1, LONG_MS);
    expect_failure(wait_for(&fixture, 1), "the TLS handshake failed: ");
    identity_release(&identity);
    end_tls(&fixture);
}

static void test_no_tls_at_https(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.reply = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
         .any_bytes = true,
         .then = THEN_CLOSE},
        {.any_bytes = true, .then = THEN_CLOSE},
        {.any_bytes = true, .then = THEN_HANG},
    };
    struct fixture fixture;
    begin(&fixture);
    web_start(&fixture.server, NULL, acts, ARRAY_LEN(acts));
    open_client(&fixture, "https", "127.0.0.1", ca_file);
    post(&fixture, 1, LONG_MS);
    expect_failure(wait_for(&fixture, 1), "doesn't speak TLS at this port");
    post(&fixture, 2, LONG_MS);
    expect_failure(wait_for(&fixture, 2), "can't be connected to: ");
    post(&fixture, 3, 50);
    expect_failure(wait_for(&fixture, 3), "timed out: it couldn't be connected to");
    end(&fixture);
}

static void test_http_at_a_tls_port(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    start_tls(&fixture, issue("IP:127.0.0.1"), acts, 1, "127.0.0.1");
    http_client_free(fixture.client);
    open_client(&fixture, "http", "127.0.0.1", NULL);
    post(&fixture, 1, LONG_MS);
    expect_failure(wait_for(&fixture, 1), "http://127.0.0.1");
    end_tls(&fixture);
}

/* RFC 8446, 6.1: an end without close_notify may be an attacker's. */
static void test_truncated(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.reply = "HTTP/1.1 200 OK\r\n\r\nup to the end", .then = THEN_DROP}};
    struct fixture fixture;
    start_tls(&fixture, issue("IP:127.0.0.1"), acts, 1, "127.0.0.1");
    post(&fixture, 1, LONG_MS);
    expect_failure(wait_for(&fixture, 1), "ended in the middle of the answer");
    end_tls(&fixture);
}

/* A server that accepts and is silent, at the first of two addresses. */
static void test_silent_address(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    begin(&fixture);
    struct identity identity = issue("DNS:two.test");
    web_start(&fixture.server, identity_context(&identity), acts, 1);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(fixture.server.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(silent, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(silent, 1), 0);
    fixture.settings.attempt_ms = 20;
    fixture.settings.idle_ms = 10;
    open_client(&fixture, "https", "two.test", ca_file);
    post(&fixture, 1, LONG_MS);
    expect_body(wait_for(&fixture, 1), 200, "{  }");
    DRIVE_UNTIL(fixture.loop, fixture.server.left);
    assert_true(fixture.server.polite);
    close(silent);
    identity_release(&identity);
    end_tls(&fixture);
}

static void test_free_while_shaking_hands(void **state)
{
    (void)state;
    static const struct act acts[] = {{.any_bytes = true, .then = THEN_HANG}};
    struct fixture fixture;
    begin(&fixture);
    web_start(&fixture.server, NULL, acts, 1);
    open_client(&fixture, "https", "127.0.0.1", ca_file);
    post(&fixture, 1, LONG_MS);
    DRIVE_UNTIL(fixture.loop, fixture.server.connections > 0);
    end(&fixture);
    assert_int_equal(fixture.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_wrong_certificates),
        cmocka_unit_test(test_system_authorities),
        cmocka_unit_test(test_old_protocol),
        cmocka_unit_test(test_no_tls_at_https),
        cmocka_unit_test(test_http_at_a_tls_port),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_silent_address),
        cmocka_unit_test(test_free_while_shaking_hands),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
