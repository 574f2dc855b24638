/* Addresses and descriptors, as text that anyone wrote; and the other way, every script
 * that has an address. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "spv/address.h"
#include "spv/base58.h"
#include "spv/bech32.h"
#include "spv/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_then_encode(const struct network *network, const char *text,
                               size_t len)
{
    struct address_script script, again;
    struct error error;
    size_t error_at;
    char encoded[ADDRESS_TEXT_MAX];

    if (!address_decode(&script, network, text, len, &error_at, &error)) {
        assert(error_at == 0 || error_at < len);
        assert(error.text[0] != '\0');
        return;
    }
    const struct bytes view = {script.data, script.len};
    assert(script_watchable(view, &error));
    if (!address_encode(encoded, network, view))
        abort();
    assert(strlen(encoded) == len);
    if (!address_decode(&again, network, encoded, len, &error_at, &error))
        abort();
    assert(again.len == script.len && memcmp(again.data, script.data, again.len) == 0);
}

static void encode_then_decode(const struct network *network, struct bytes script)
{
    struct address_script again;
    struct error error;
    size_t error_at;
    char text[ADDRESS_TEXT_MAX];

    if (!address_encode(text, network, script))
        return;
    if (!address_decode(&again, network, text, strlen(text), &error_at, &error))
        abort();
    assert(bytes_equal(script, (struct bytes){again.data, again.len}));
}

static void parse_descriptor(const struct network *network, const char *text, size_t len)
{
    uint8_t *script;
    size_t script_len, error_at;
    struct error error;

    if (descriptor_parse(&script, &script_len, network, text, len, &error_at, &error)) {
        assert(script_watchable((struct bytes){script, script_len}, &error));
        free(script);
    } else {
        assert(error_at <= len);
    }
}

static void decode_encodings(const char *text, size_t len)
{
    uint8_t data[BASE58_DATA_MAX];
    char base58[BASE58_TEXT_MAX], bech32[BECH32_TEXT_MAX];
    struct bech32 decoded;
    size_t data_len, at;

    if (base58_decode(data, &data_len, &at, sizeof data, text, len) == BASE58_OK) {
        if (!base58_encode(base58, data, data_len))
            abort();
        assert(strlen(base58) == len && memcmp(base58, text, len) == 0);
    }
    if (bech32_decode(&decoded, &at, text, len) == BECH32_OK) {
        if (!bech32_encode(bech32, &decoded))
            abort();
        assert(strlen(bech32) == len);
    } else if (bech32_locate_error(&at, text, len, BECH32M)) {
        assert(at < len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;

    decode_encodings(text, size);
    for (const struct network *const *n = network_all(); *n != NULL; n++) {
        decode_then_encode(*n, text, size);
        encode_then_decode(*n, (struct bytes){data, size});
        parse_descriptor(*n, text, size);
    }
    return 0;
}
