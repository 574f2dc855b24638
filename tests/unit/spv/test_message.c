#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "spv/gcs.h"
#include "spv/message.h"

static const struct network network = {.name = "mainnet", .magic = 0xd9b4bef9};

static struct bytes written(const struct writer *writer)
{
    return (struct bytes){writer->data, writer->len};
}

static void fill(void *out, size_t len, uint64_t seed)
{
    struct random random;

    random_init(&random, seed);
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)out)[i] = (uint8_t)random_u64(&random);
    }
}

/* The verack of the protocol's documentation, byte for byte. */
static void frames_a_verack(void **state)
{
    (void)state;
    static const uint8_t verack[] = {0xf9, 0xbe, 0xb4, 0xd9, 'v',  'e',  'r',  'a',
                                     'c',  'k',  0,    0,    0,    0,    0,    0,
                                     0,    0,    0,    0,    0x5d, 0xf6, 0xe0, 0xe2};
    struct writer out = {0};
    struct frame frame;
    struct error error;

    frame_encode(&out, &network, MESSAGE_VERACK, (struct bytes){0});
    assert_int_equal(out.len, sizeof(verack));
    assert_memory_equal(out.data, verack, sizeof(verack));
    assert_true(frame_decode(&frame, &network, out.data, &error));
    assert_int_equal(frame.kind, MESSAGE_VERACK);
    assert_true(frame_checksum_ok(&frame, (struct bytes){0}));
    assert_false(frame_checksum_ok(&frame, (struct bytes){(const uint8_t *)"x", 1}));
    writer_release(&out);
}

static void frames_each_kind(void **state)
{
    (void)state;
    uint8_t payload[100];
    struct error error;

    fill(payload, sizeof(payload), 1);
    for (enum message_kind kind = 0; kind < MESSAGE_OTHER; kind++) {
        size_t max = message_payload_max(kind);
        struct bytes bytes = {payload, max < sizeof(payload) ? max : sizeof(payload)};
        struct writer out = {0};
        struct frame frame;

        frame_encode(&out, &network, kind, bytes);
        assert_true(frame_decode(&frame, &network, out.data, &error));
        assert_int_equal(frame.kind, kind);
        assert_int_equal(frame.payload_len, bytes.len);
        assert_true(frame_checksum_ok(&frame, bytes));

        /* One byte more than the kind may have. */
        put_u32le(out.data + 16, (uint32_t)max);
        assert_true(frame_decode(&frame, &network, out.data, &error));
        put_u32le(out.data + 16, (uint32_t)max + 1);
        assert_false(frame_decode(&frame, &network, out.data, &error));
        char command[13];
        snprintf(command, sizeof(command), "%.12s", (const char *)out.data + 4);
        assert_non_null(strstr(error.text, command));
        writer_release(&out);
    }
}

static void refuses_bad_frames(void **state)
{
    (void)state;
    uint8_t in[FRAME_HEADER_SIZE] = {0xf9, 0xbe, 0xb4, 0xd9, 'w', 't', 'f'};
    struct frame frame;
    struct error error;

    assert_true(frame_decode(&frame, &network, in, &error));
    assert_int_equal(frame.kind, MESSAGE_OTHER);
    in[15] = 'x'; /* text after the padding */
    assert_false(frame_decode(&frame, &network, in, &error));
    in[15] = 0;
    in[5] = 0x1f;
    assert_false(frame_decode(&frame, &network, in, &error));
    in[5] = 0xe9;
    assert_false(frame_decode(&frame, &network, in, &error));
    in[5] = 't';
    put_u32le(in + 16, FRAME_PAYLOAD_MAX);
    assert_true(frame_decode(&frame, &network, in, &error));
    put_u32le(in + 16, FRAME_PAYLOAD_MAX + 1);
    assert_false(frame_decode(&frame, &network, in, &error));
    put_u32le(in + 16, 0);
    in[0] ^= 1;
    assert_false(frame_decode(&frame, &network, in, &error));
}

/* Twelve letters need no NUL behind them. */
static void commands_may_fill_their_room(void **state)
{
    (void)state;
    uint8_t in[FRAME_HEADER_SIZE] = {0xf9, 0xbe, 0xb4, 0xd9};
    struct frame frame;
    struct error error;

    memcpy(in + 4, "getcfheaders", 12);
    assert_true(frame_decode(&frame, &network, in, &error));
    assert_int_equal(frame.kind, MESSAGE_GETCFHEADERS);
    memcpy(in + 4, "getcfheaderz", 12);
    assert_true(frame_decode(&frame, &network, in, &error));
    assert_int_equal(frame.kind, MESSAGE_OTHER);
}

static void version_there_and_back(void **state)
{
    (void)state;
    struct message_version in = {
        .version = PROTOCOL_VERSION,
        .services = NODE_NETWORK | NODE_WITNESS,
        .time = 1700000000,
        .nonce = 0x1122334455667788,
        .agent = "/reservewatch:0.1/",
        .start_height = 800000,
    };
    struct message_version back;
    struct writer out = {0};

    version_encode(&out, &in);
    assert_true(version_decode(&back, written(&out)));
    assert_memory_equal(&back, &in, sizeof(in));
    for (size_t len = 0; len + 1 < out.len; len++) {
        assert_false(version_decode(&back, (struct bytes){out.data, len}));
    }
    /* BIP 37: without the flag, transactions are wanted. */
    assert_true(version_decode(&back, (struct bytes){out.data, out.len - 1}));
    assert_true(back.relay);
    /* A later protocol's field. */
    write_u64le(&out, 5);
    assert_true(version_decode(&back, written(&out)));
    assert_false(back.relay);
    writer_release(&out);
}

static void agents_are_made_harmless(void **state)
{
    (void)state;
    struct message_version in = {.agent = "/a\n\x1b[31m\xc3\xa9/b\x7f"}, back;
    struct writer out = {0};

    version_encode(&out, &in);
    assert_true(version_decode(&back, written(&out)));
    assert_string_equal(back.agent, "/a?"
                                    "?[31m?"
                                    "?/b?");
    writer_release(&out);

    memset(in.agent, 'x', AGENT_MAX);
    version_encode(&out, &in);
    assert_true(version_decode(&back, written(&out)));
    assert_int_equal(strlen(back.agent), AGENT_MAX);
    /* The agent's length lies 80 bytes in; 257 is too many. */
    out.data[81] = 1;
    assert_false(version_decode(&back, written(&out)));
    writer_release(&out);
}

static void nonces(void **state)
{
    (void)state;
    static const uint8_t in[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    uint64_t nonce;

    assert_true(nonce_decode(&nonce, (struct bytes){in, 8}));
    assert_int_equal(nonce, 0x0807060504030201);
    assert_false(nonce_decode(&nonce, (struct bytes){in, 7}));
    assert_false(nonce_decode(&nonce, (struct bytes){in, 9}));
}

static void inv_there_and_back(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 300, INV_MAX};
    static struct inv_item in[INV_MAX];

    fill(in, sizeof(in), 2);
    for (size_t c = 0; c < 4; c++) {
        struct writer out = {0};
        struct inv_item *back;
        size_t count;

        inv_encode(&out, in, counts[c]);
        assert_true(out.len <= message_payload_max(MESSAGE_INV));
        assert_true(inv_decode(&back, &count, written(&out)));
        assert_int_equal(count, counts[c]);
        if (count == 0) {
            assert_null(back);
        } else {
            assert_memory_equal(back, in, count * sizeof(*in));
        }
        free(back);
        assert_false(inv_decode(&back, &count, (struct bytes){out.data, out.len - 1}));
        assert_null(back);
        write_u8(&out, 0);
        assert_false(inv_decode(&back, &count, written(&out)));
        writer_release(&out);
    }
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct inv_item *back;
    size_t count;
    assert_false(inv_decode(&back, &count, (struct bytes){huge, sizeof(huge)}));
}

static void locators_have_no_stop_hash(void **state)
{
    (void)state;
    struct block_hash locator[LOCATOR_MAX];
    struct writer out = {0};
    static const uint8_t zero[32];

    fill(locator, sizeof(locator), 3);
    getheaders_encode(&out, locator, LOCATOR_MAX);
    assert_int_equal(out.len, message_payload_max(MESSAGE_GETHEADERS));
    assert_int_equal(get_u32le(out.data), PROTOCOL_VERSION);
    assert_int_equal(out.data[4], LOCATOR_MAX);
    assert_memory_equal(out.data + 5, locator, sizeof(locator));
    assert_memory_equal(out.data + out.len - 32, zero, 32);
    writer_release(&out);
}

/* `plain` headers of 80 bytes, then `longer` of `size`. */
static void write_headers(struct writer *out, size_t plain, size_t longer, size_t size)
{
    uint8_t header[400];

    write_compact_size(out, plain + longer);
    for (size_t i = 0; i < plain + longer; i++) {
        fill(header, sizeof(header), i);
        write_bytes(out, header, i < plain ? BLOCK_HEADER_SIZE : size);
        write_u8(out, 0);
    }
}

static enum headers_form headers_form_of(const struct writer *out)
{
    struct block_header *headers;
    size_t count;
    enum headers_form form = headers_decode(&headers, &count, written(out));

    assert_true((headers != NULL) == (count > 0));
    if (form != HEADERS_PLAIN) {
        assert_int_equal(count, 0);
    }
    free(headers);
    return form;
}

static void headers_there_and_back(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 252, 253, HEADERS_MAX};

    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        struct writer out = {0}, again = {0};
        struct block_header *headers;
        size_t count;

        write_headers(&out, counts[c], 0, 0);
        assert_int_equal(headers_decode(&headers, &count, written(&out)), HEADERS_PLAIN);
        assert_int_equal(count, counts[c]);
        write_compact_size(&again, count);
        for (size_t i = 0; i < count; i++) {
            uint8_t header[BLOCK_HEADER_SIZE];
            block_header_encode(header, &headers[i]);
            write_bytes(&again, header, sizeof(header));
            write_u8(&again, 0);
        }
        assert_true(bytes_equal(written(&out), written(&again)));
        free(headers);
        out.len--;
        assert_int_equal(headers_form_of(&out), HEADERS_MALFORMED);
        writer_release(&out);
        writer_release(&again);
    }
}

static void headers_of_another_chain(void **state)
{
    (void)state;
    static const struct {
        size_t plain, longer, size;
    } cases[] = {{0, 1, 164},    {0, HEADERS_MAX, 164},
                 {1999, 1, 164}, {360, 1640, 164},
                 {1, 1999, 164}, {0, 5, 81},
                 {0, 3, 112},    {7, 2, 255}};

    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct writer out = {0};
        write_headers(&out, cases[c].plain, cases[c].longer, cases[c].size);
        assert_true(out.len <= message_payload_max(MESSAGE_HEADERS));
        assert_int_equal(headers_form_of(&out), HEADERS_OTHER_CHAIN);
        write_u8(&out, 1);
        assert_int_equal(headers_form_of(&out), HEADERS_MALFORMED);
        writer_release(&out);
    }
}

static void malformed_headers(void **state)
{
    (void)state;
    struct writer out = {0};

    assert_int_equal(headers_form_of(&out), HEADERS_MALFORMED);
    write_headers(&out, HEADERS_MAX + 1, 0, 0);
    assert_int_equal(headers_form_of(&out), HEADERS_MALFORMED);
    writer_release(&out);
    write_headers(&out, 3, 0, 0);
    out.data[81] = 1; /* the first header's count of transactions */
    assert_int_equal(headers_form_of(&out), HEADERS_MALFORMED);
    writer_release(&out);
    write_headers(&out, 0, 3, 79);
    assert_int_equal(headers_form_of(&out), HEADERS_MALFORMED);
    writer_release(&out);
}

static void filter_requests(void **state)
{
    (void)state;
    struct writer out = {0};
    struct block_hash hash;

    fill(&hash, sizeof(hash), 4);
    getcfilters_encode(&out, 0x01020304, &hash);
    assert_int_equal(out.len, 37);
    assert_memory_equal(out.data, "\x00\x04\x03\x02\x01", 5);
    assert_memory_equal(out.data + 5, hash.b, 32);
    writer_release(&out);
    getcfheaders_encode(&out, 5, &hash);
    assert_int_equal(out.len, 37);
    writer_release(&out);
    getcfcheckpt_encode(&out, &hash);
    assert_int_equal(out.len, 33);
    assert_int_equal(out.data[0], 0);
    assert_memory_equal(out.data + 1, hash.b, 32);
    writer_release(&out);
}

static void filters(void **state)
{
    (void)state;
    static uint8_t body[GCS_FILTER_MAX + 1];
    static const size_t lens[] = {0, 1, 252, 70000, GCS_FILTER_MAX, GCS_FILTER_MAX + 1};
    uint8_t hash[32];

    fill(body, sizeof(body), 5);
    fill(hash, sizeof(hash), 6);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct writer out = {0};
        struct message_cfilter filter;

        write_u8(&out, 0);
        write_bytes(&out, hash, 32);
        write_var_bytes(&out, (struct bytes){body, lens[i]});
        bool fits = lens[i] <= GCS_FILTER_MAX;
        assert_int_equal(out.len <= message_payload_max(MESSAGE_CFILTER), fits);
        assert_int_equal(cfilter_decode(&filter, written(&out)), fits);
        if (fits) {
            assert_memory_equal(filter.block.b, hash, 32);
            assert_true(bytes_equal(filter.filter, (struct bytes){body, lens[i]}));
        }
        write_u8(&out, 0);
        assert_false(cfilter_decode(&filter, written(&out)));
        out.len -= 2;
        assert_false(cfilter_decode(&filter, written(&out)));
        out.len++;
        out.data[0] = 1; /* another filter type */
        assert_false(cfilter_decode(&filter, written(&out)));
        writer_release(&out);
    }
}

static void filter_header_ranges(void **state)
{
    (void)state;
    static uint8_t hashes[(CFHEADERS_MAX + 1) * 32];
    static const size_t counts[] = {0, 1, CFHEADERS_MAX, CFHEADERS_MAX + 1};
    uint8_t front[64];

    fill(hashes, sizeof(hashes), 7);
    fill(front, sizeof(front), 8);
    for (size_t i = 0; i < 4; i++) {
        struct writer out = {0};
        struct message_cfheaders message;

        write_u8(&out, 0);
        write_bytes(&out, front, sizeof(front));
        write_compact_size(&out, counts[i]);
        write_bytes(&out, hashes, counts[i] * 32);
        bool fits = counts[i] <= CFHEADERS_MAX;
        assert_int_equal(cfheaders_decode(&message, written(&out)), fits);
        if (fits) {
            assert_int_equal(message.count, counts[i]);
            assert_memory_equal(message.stop_hash.b, front, 32);
            assert_memory_equal(message.previous.b, front + 32, 32);
            assert_memory_equal(message.hashes, hashes, counts[i] * 32);
        }
        out.len--;
        assert_false(cfheaders_decode(&message, written(&out)));
        writer_release(&out);
    }
}

static void filter_checkpoints(void **state)
{
    (void)state;
    static uint8_t headers[(CFCHECKPT_MAX + 1) * 32];
    static const size_t counts[] = {0, 958, CFCHECKPT_MAX, CFCHECKPT_MAX + 1};
    uint8_t hash[32];

    fill(headers, sizeof(headers), 9);
    fill(hash, sizeof(hash), 10);
    for (size_t i = 0; i < 4; i++) {
        struct writer out = {0};
        struct message_cfcheckpt message;

        write_u8(&out, 0);
        write_bytes(&out, hash, 32);
        write_compact_size(&out, counts[i]);
        write_bytes(&out, headers, counts[i] * 32);
        bool fits = counts[i] <= CFCHECKPT_MAX;
        assert_int_equal(cfcheckpt_decode(&message, written(&out)), fits);
        if (fits) {
            assert_int_equal(message.count, counts[i]);
            assert_memory_equal(message.stop_hash.b, hash, 32);
            assert_memory_equal(message.headers, headers, counts[i] * 32);
        }
        write_u8(&out, 0);
        assert_false(cfcheckpt_decode(&message, written(&out)));
        writer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_a_verack),
        cmocka_unit_test(frames_each_kind),
        cmocka_unit_test(refuses_bad_frames),
        cmocka_unit_test(commands_may_fill_their_room),
        cmocka_unit_test(version_there_and_back),
        cmocka_unit_test(agents_are_made_harmless),
        cmocka_unit_test(nonces),
        cmocka_unit_test(inv_there_and_back),
        cmocka_unit_test(locators_have_no_stop_hash),
        cmocka_unit_test(headers_there_and_back),
        cmocka_unit_test(headers_of_another_chain),
        cmocka_unit_test(malformed_headers),
        cmocka_unit_test(filter_requests),
        cmocka_unit_test(filters),
        cmocka_unit_test(filter_header_ranges),
        cmocka_unit_test(filter_checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
