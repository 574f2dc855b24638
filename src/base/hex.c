#include "base/hex.h"

static const char digits[] = "0123456789abcdef";

void hex_encode(char *out, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

void hex_encode_reversed(char *out, const uint8_t *data, size_t len)
{
    for (size_t i = len; i-- > 0;) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

/* The digit's value, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(uint8_t *out, size_t len, const char *text, size_t text_len,
                size_t *error_at)
{
    size_t i = 0;
    while (i < text_len && i / 2 < len) {
        int value = digit_value(text[i]);
        if (value < 0)
            break;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : out[i / 2] | value);
        i++;
    }
    if (i == text_len && i % 2 == 0 && i / 2 == len)
        return true;
    if (error_at != NULL)
        *error_at = i;
    return false;
}

bool hex_decode_reversed(uint8_t *out, size_t len, const char *text, size_t text_len)
{
    if (!hex_decode(out, len, text, text_len, NULL))
        return false;
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t byte = out[i];
        out[i] = out[len - 1 - i];
        out[len - 1 - i] = byte;
    }
    return true;
}
