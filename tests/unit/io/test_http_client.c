#include "http_client_fixture.h"

#define OK_TEXT "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{  }"

static void test_posts_and_keeps_the_connection(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}, {.reply = OK_TEXT}};
    struct fixture fixture;
    char host[64];
    start(&fixture, acts, ARRAY_LEN(acts));
    post(&fixture, 1, LONG_MS);
    assert_int_equal(fixture.count, 0);
    const struct got *got = wait_for(&fixture, 1);
    expect_body(got, 200, "{  }");
    assert_int_equal(got->ticket, 1);
    assert_int_equal(got->retry_after, -1);
    post(&fixture, 2, LONG_MS);
    expect_body(wait_for(&fixture, 2), 200, "{  }");
    assert_int_equal(fixture.server.connections, 1);

    const char *request = fixture.server.last_request;
    snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", fixture.server.port);
    assert_ptr_equal(strstr(request, "POST /v3/key?a=b HTTP/1.1\r\n"), request);
    assert_non_null(strstr(request, host));
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\nContent-Length: 8\r\n"));
    assert_non_null(strstr(request, "\r\n\r\n{\"id\":2}"));
    end(&fixture);
}

/* RFC 7617's own example. */
static void test_credentials(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    begin(&fixture);
    fixture.settings.credentials = "Aladdin:open sesame";
    web_start(&fixture.server, NULL, acts, ARRAY_LEN(acts));
    open_client(&fixture, "http", "127.0.0.1", NULL);
    post(&fixture, 1, LONG_MS);
    expect_body(wait_for(&fixture, 1), 200, "{  }");
    assert_non_null(strstr(fixture.server.last_request,
                           "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    end(&fixture);
}

static void test_another_bound(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n",
         .filler = 2 << 20},
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2097153\r\n\r\n"},
    };
    struct fixture fixture;
    begin(&fixture);
    fixture.settings.body_max = 2 << 20;
    web_start(&fixture.server, NULL, acts, ARRAY_LEN(acts));
    open_client(&fixture, "http", "127.0.0.1", NULL);
    post(&fixture, 1, LONG_MS);
    post(&fixture, 2, LONG_MS);
    wait_for(&fixture, 2);
    assert_int_equal(fixture.got[0].body_len, 2 << 20);
    expect_failure(&fixture.got[1], "too long: over 2 MiB");
    end(&fixture);
}

struct download {
    struct fixture *fixture;
    size_t pieces, bytes, largest;
    bool other; /* something else than filler came */
};

static void on_piece(struct bytes piece, void *context)
{
    struct download *download = context;
    download->pieces++;
    download->bytes += piece.len;
    if (piece.len > download->largest)
        download->largest = piece.len;
    for (size_t i = 0; i < piece.len; i++)
        download->other |= piece.data[i] != 'a';
}

static void on_downloaded(uint64_t ticket, const struct http_answer *answer,
                          void *context)
{
    const struct download *download = context;
    on_answer(ticket, answer, download->fixture);
}

static const struct got *get(struct fixture *fixture, struct download *download,
                             int count, int64_t silence_ms)
{
    *download = (struct download){.fixture = fixture};
    assert_true(http_client_get(fixture->client, 7, silence_ms, on_piece, on_downloaded,
                                download));
    return wait_for(fixture, count);
}

/* The body passes by in pieces; only that of an answer with status 200. */
static void test_gets_in_pieces(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n",
         .filler = 2 << 20},
        {.reply = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\naaaa"},
        {.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\naaa\r\n1\r\na\r\n0\r\n\r\n"},
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\naaaa", .then = THEN_CLOSE},
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 2097153\r\n\r\n",
         .then = THEN_CLOSE},
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\naaaa", .then = THEN_HANG},
    };
    struct fixture fixture;
    struct download download;
    begin(&fixture);
    fixture.settings.body_max = 2 << 20;
    web_start(&fixture.server, NULL, acts, ARRAY_LEN(acts));
    open_client(&fixture, "http", "127.0.0.1", NULL);

    const struct got *got = get(&fixture, &download, 1, LONG_MS);
    assert_string_equal(got->failure, "");
    assert_int_equal(got->status, 200);
    assert_int_equal(got->body_len, 0);
    assert_int_equal(download.bytes, 2 << 20);
    assert_true(download.pieces > 8 && download.largest < 1 << 20);
    assert_false(download.other);
    const char *request = fixture.server.last_request;
    assert_ptr_equal(strstr(request, "GET /v3/key?a=b HTTP/1.1\r\n"), request);
    assert_null(strstr(request, "Content-"));

    got = get(&fixture, &download, 2, LONG_MS);
    assert_int_equal(got->status, 404);
    assert_int_equal(download.pieces, 0);
    got = get(&fixture, &download, 3, LONG_MS);
    assert_int_equal(got->status, 200);
    assert_int_equal(download.bytes, 4);
    expect_failure(get(&fixture, &download, 4, LONG_MS), "in the middle of the answer");
    expect_failure(get(&fixture, &download, 5, LONG_MS), "too long: over 2 MiB");
    expect_failure(get(&fixture, &download, 6, 100), "timed out");
    assert_int_equal(download.bytes, 4);
    end(&fixture);
}

static void test_statuses_come_as_they_are(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.reply = "HTTP/1.1 429 Slow down\r\nRetry-After: 30\r\n"
                  "Content-Length: 2\r\n\r\nno"},
        {.reply = "HTTP/1.1 503 Off\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.reply = "HTTP/1.1 503 Off\r\nRetry-After: 99999999999999999999999\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.reply = "HTTP/1.1 429 Slow down\r\nRetry-After: -1\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.reply =
             "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
             "Transfer-Encoding: chunked\r\n\r\n7\r\n<html> \r\n2\r\n:)\r\n0\r\n\r\n"},
        {.reply = "HTTP/1.0 200 OK\r\n\r\nto the end", .then = THEN_CLOSE},
    };
    struct fixture fixture;
    start(&fixture, acts, ARRAY_LEN(acts));
    for (uint64_t i = 0; i < ARRAY_LEN(acts); i++)
        post(&fixture, i, LONG_MS);
    wait_for(&fixture, (int)ARRAY_LEN(acts));
    const struct got *got = fixture.got;
    expect_body(&got[0], 429, "no");
    assert_int_equal(got[0].retry_after, 30);
    expect_body(&got[1], 503, "");
    assert_int_equal(got[1].retry_after, -1);
    assert_int_equal(got[2].retry_after, INT32_MAX);
    assert_int_equal(got[3].retry_after, -1);
    expect_body(&got[4], 200, "<html> :)");
    expect_body(&got[5], 200, "to the end");
    assert_int_equal(fixture.server.connections, 1);
    end(&fixture);
}

static void expect_one_failure(const struct act *act, const char *reason)
{
    struct fixture fixture;
    const struct act acts[] = {*act, {.reply = OK_TEXT}};
    start(&fixture, acts, ARRAY_LEN(acts));
    post(&fixture, 1, LONG_MS);
    post(&fixture, 2, LONG_MS);
    wait_for(&fixture, 2);
    expect_failure(&fixture.got[0], reason);
    /* The next one isn't touched by it. */
    expect_body(&fixture.got[1], 200, "{  }");
    end(&fixture);
}

static void test_answers_that_are_none(void **state)
{
    (void)state;
    static const struct {
        struct act act;
        const char *reason;
    } cases[] = {
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", .then = THEN_CLOSE},
         "in the middle of the answer"},
        {{.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
          .then = THEN_CLOSE},
         "in the middle of the answer"},
        {{.reply = "HTTP/1.1 200 OK\r\nConte", .then = THEN_CLOSE},
         "in the middle of the answer"},
        {{.reply = NULL, .then = THEN_CLOSE}, "ended without an answer"},
        {{.reply = NULL, .then = THEN_RESET}, "ended without an answer"},
        {{.reply = "\x15\x03\x01 rubbish\r\n\r\n", .then = THEN_HANG},
         "the answer isn't HTTP"},
        {{.reply = "HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n"
                   "Content-Length: 0\r\n\r\n",
          .then = THEN_CLOSE},
         "has status 301; redirects aren't followed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_one_failure(&cases[i].act, cases[i].reason);
}

static void test_bounds(void **state)
{
    (void)state;
    /* Each ends without waiting for the rest. */
    static const struct act acts[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
         .then = THEN_HANG},
        {.reply = "HTTP/1.1 200 OK\r\n\r\n", .filler = 1100000, .then = THEN_HANG},
        {.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n",
         .then = THEN_HANG},
        {.reply = "HTTP/1.1 200 OK\r\nX-Long: ", .filler = 20000, .then = THEN_HANG},
    };
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        expect_one_failure(&acts[i], i < 3 ? "over 1 MiB" : "over 16 KiB of headers");

    static const struct act longest[] = {
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n",
         .filler = 1048576}};
    struct fixture fixture;
    start(&fixture, longest, 1);
    post(&fixture, 1, LONG_MS);
    assert_int_equal(wait_for(&fixture, 1)->body_len, 1048576);
    end(&fixture);
}

static void test_time_out(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.then = THEN_HANG},
        {.reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", .then = THEN_HANG},
        {.reply = OK_TEXT},
    };
    struct fixture fixture;
    start(&fixture, acts, ARRAY_LEN(acts));
    post(&fixture, 1, 60);
    /* Overtakes: its time is up while it waits for its turn. */
    post(&fixture, 2, 20);
    wait_for(&fixture, 2);
    assert_int_equal(fixture.got[0].ticket, 2);
    expect_failure(&fixture.got[0], "timed out: other posts kept its turn within 20 ms");
    expect_failure(&fixture.got[1], "timed out: it didn't answer within 60 ms");
    DRIVE_UNTIL(fixture.loop, fixture.server.done == 1);
    post(&fixture, 3, 60);
    expect_failure(wait_for(&fixture, 3), "timed out: it didn't answer");
    post(&fixture, 4, LONG_MS);
    expect_body(wait_for(&fixture, 4), 200, "{  }");
    end(&fixture);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const schemes[] = {"http", "https"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct fixture fixture;
        begin(&fixture);
        /* A port that nobody listens on: bound, and no more. */
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
        getsockname(fd, (struct sockaddr *)&address, &len);
        fixture.server.port = ntohs(address.sin_port);
        open_client(&fixture, schemes[i], "127.0.0.1", NULL);
        post(&fixture, 1, LONG_MS);
        post(&fixture, 2, LONG_MS);
        wait_for(&fixture, 2);
        expect_failure(&fixture.got[0], "can't be connected to: Connection refused");
        expect_failure(&fixture.got[1], http_client_name(fixture.client));
        end(&fixture);
        close(fd);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    begin(&fixture);
    web_start(&fixture.server, NULL, acts, 1);
    /* Of its two addresses only the second one answers. */
    open_client(&fixture, "http", "two.test", NULL);
    post(&fixture, 1, LONG_MS);
    expect_body(wait_for(&fixture, 1), 200, "{  }");
    http_client_free(fixture.client);
    open_client(&fixture, "http", "absent.test", NULL);
    post(&fixture, 2, LONG_MS);
    expect_failure(wait_for(&fixture, 2), "can't be resolved");
    http_client_free(fixture.client);
    open_client(&fixture, "http", "silent.test", NULL);
    post(&fixture, 3, 50);
    expect_failure(wait_for(&fixture, 3), "timed out: its name wasn't resolved");
    end(&fixture);
}

/* The server closes what it said it would keep. */
static void test_closed_between_posts(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT, .then = THEN_CLOSE},
                                      {.reply = OK_TEXT, .then = THEN_CLOSE},
                                      {.reply = OK_TEXT}};
    struct fixture fixture;
    start(&fixture, acts, ARRAY_LEN(acts));
    for (int i = 0; i < 3; i++) {
        post(&fixture, (uint64_t)i, LONG_MS);
        expect_body(wait_for(&fixture, i + 1), 200, "{  }");
        DRIVE_UNTIL(fixture.loop, fixture.server.done == i + 1);
    }
    assert_int_equal(fixture.server.connections, 3);
    end(&fixture);
}

/* It closes when the next request has come: sent once more, but only once. */
static void test_stale_connection(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT},   {.then = THEN_CLOSE},
                                      {.reply = OK_TEXT},   {.then = THEN_RESET},
                                      {.then = THEN_CLOSE}, {.reply = OK_TEXT}};
    struct fixture fixture;
    start(&fixture, acts, ARRAY_LEN(acts));
    for (int i = 0; i < 4; i++) {
        post(&fixture, (uint64_t)i, LONG_MS);
        wait_for(&fixture, i + 1);
    }
    expect_body(&fixture.got[1], 200, "{  }");
    expect_failure(&fixture.got[2], "ended without an answer");
    expect_body(&fixture.got[3], 200, "{  }");
    assert_int_equal(fixture.server.requests, 6);
    assert_int_equal(fixture.server.connections, 4);
    end(&fixture);
}

/* What comes after an answer isn't the next one's. */
static void test_unasked_for(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.reply = OK_TEXT "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
         .then = THEN_HANG},
        {.reply = OK_TEXT}};
    struct fixture fixture;
    start(&fixture, acts, ARRAY_LEN(acts));
    post(&fixture, 1, LONG_MS);
    post(&fixture, 2, LONG_MS);
    wait_for(&fixture, 2);
    expect_body(&fixture.got[0], 200, "{  }");
    expect_body(&fixture.got[1], 200, "{  }");
    assert_int_equal(fixture.server.connections, 2);
    end(&fixture);
}

static void test_closes_what_nobody_uses(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT}};
    struct fixture fixture;
    begin(&fixture);
    web_start(&fixture.server, NULL, acts, 1);
    fixture.settings.idle_ms = 10;
    open_client(&fixture, "http", "127.0.0.1", NULL);
    post(&fixture, 1, LONG_MS);
    expect_body(wait_for(&fixture, 1), 200, "{  }");
    DRIVE_UNTIL(fixture.loop, fixture.server.left);
    end(&fixture);
}

static void test_many_queued(void **state)
{
    (void)state;
    static struct act acts[HTTP_CLIENT_POSTS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        acts[i].reply = OK_TEXT;
    struct fixture fixture;
    start(&fixture, acts, ARRAY_LEN(acts));
    for (uint64_t i = 0; i < HTTP_CLIENT_POSTS_MAX; i++)
        post(&fixture, i, LONG_MS);
    assert_false(http_client_post(fixture.client, 64, (struct bytes){0}, LONG_MS,
                                  on_answer, &fixture));
    wait_for(&fixture, HTTP_CLIENT_POSTS_MAX);
    for (uint64_t i = 0; i < HTTP_CLIENT_POSTS_MAX; i++) {
        assert_int_equal(fixture.got[i].ticket, i);
        expect_body(&fixture.got[i], 200, "{  }");
    }
    assert_int_equal(fixture.server.connections, 1);
    post(&fixture, 64, LONG_MS);
    wait_for(&fixture, HTTP_CLIENT_POSTS_MAX + 1);
    end(&fixture);
}

static void test_posts_from_the_callback(void **state)
{
    (void)state;
    static const struct act acts[] = {{.reply = OK_TEXT},
                                      {.then = THEN_CLOSE},
                                      {.then = THEN_CLOSE},
                                      {.reply = OK_TEXT}};
    struct fixture fixture;
    start(&fixture, acts, ARRAY_LEN(acts));
    fixture.post_again = 2;
    post(&fixture, 1, LONG_MS);
    assert_int_equal(wait_for(&fixture, 3)->ticket, 3);
    expect_body(&fixture.got[0], 200, "{  }");
    expect_failure(&fixture.got[1], "ended without an answer");
    expect_body(&fixture.got[2], 200, "{  }");
    end(&fixture);
}

/* In each state: nothing is called, nothing is lost. */
static void test_freed_at_any_time(void **state)
{
    (void)state;
    static const struct act acts[] = {{.then = THEN_HANG, .any_bytes = true}};
    struct fixture fixture;
    start(&fixture, acts, 1);
    post(&fixture, 1, LONG_MS);
    http_client_free(fixture.client);

    open_client(&fixture, "http", "silent.test", NULL);
    post(&fixture, 2, LONG_MS);
    DRIVE_UNTIL(fixture.loop, fixture.nameserver.unanswered_count > 0);
    http_client_free(fixture.client);

    open_client(&fixture, "http", "127.0.0.1", NULL);
    post(&fixture, 3, LONG_MS);
    post(&fixture, 4, LONG_MS);
    DRIVE_UNTIL(fixture.loop, fixture.server.connections > 0);
    end(&fixture);
    assert_int_equal(fixture.count, 0);
    http_client_free(NULL);
}

static void test_unusable_settings(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error error;
    begin(&fixture);
    struct http_client_settings settings = {.url = "ftp://host/",
                                            .resolver = fixture.resolver};
    assert_null(http_client_new(fixture.loop, &settings, &error));
    assert_non_null(strstr(error.text, "doesn't begin with http"));
    settings.url = "https://host/";
    settings.ca_file = "/dev/null";
    assert_null(http_client_new(fixture.loop, &settings, &error));
    assert_non_null(strstr(error.text, "/dev/null: no certificate authorities"));
    settings.ca_file = "/nonexistent.pem";
    assert_null(http_client_new(fixture.loop, &settings, &error));
    assert_non_null(strstr(error.text, "/nonexistent.pem: "));
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts_and_keeps_the_connection),
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_another_bound),
        cmocka_unit_test(test_gets_in_pieces),
        cmocka_unit_test(test_statuses_come_as_they_are),
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_time_out),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_closed_between_posts),
        cmocka_unit_test(test_stale_connection),
        cmocka_unit_test(test_unasked_for),
        cmocka_unit_test(test_closes_what_nobody_uses),
        cmocka_unit_test(test_many_queued),
        cmocka_unit_test(test_posts_from_the_callback),
        cmocka_unit_test(test_freed_at_any_time),
        cmocka_unit_test(test_unusable_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
