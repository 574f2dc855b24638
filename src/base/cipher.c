#include "base/cipher.h"

#include <limits.h>

#include <openssl/evp.h>

bool pbkdf2_sha256(uint8_t *out, size_t out_len, struct bytes password, struct bytes salt,
                   uint32_t rounds)
{
    /* A NULL password counts as one of unknown length. */
    const char *text = password.len > 0 ? (const char *)password.data : "";
    if (rounds == 0 || rounds > INT_MAX || password.len > INT_MAX || salt.len > INT_MAX ||
        out_len > INT_MAX)
        return false;
    return PKCS5_PBKDF2_HMAC(text, (int)password.len, salt.data, (int)salt.len,
                             (int)rounds, EVP_sha256(), (int)out_len, out) == 1;
}

bool aes128_ctr(uint8_t *out, const uint8_t *in, size_t len, const uint8_t key[static 16],
                const uint8_t iv[static 16])
{
    int written = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && len <= INT_MAX &&
              EVP_EncryptInit_ex(ctx, EVP_aes_128_ctr(), NULL, key, iv) == 1 &&
              EVP_EncryptUpdate(ctx, out, &written, in, (int)len) == 1 &&
              EVP_EncryptFinal_ex(ctx, out + written, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}
