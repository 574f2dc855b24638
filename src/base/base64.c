#include "base/base64.h"

#include <openssl/evp.h>

void base64_encode(char *out, struct bytes data)
{
    EVP_EncodeBlock((unsigned char *)out, data.data, (int)data.len);
}
