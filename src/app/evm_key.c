#include "app/evm_key.h"

#include <stdlib.h>

#include "base/secret.h"
#include "feeds/evm/keystore.h"
#include "io/entropy.h"
#include "io/file.h"

struct evm_signer *evm_key_open_with(const char *key_file,
                                     const struct secret_text *password,
                                     struct error *error)
{
    char *text = NULL;
    size_t len = 0;
    if (!file_read_secret(&text, &len, key_file, KEYSTORE_FILE_MAX, error))
        return NULL;
    uint8_t seed[32];
    entropy_fill(seed, sizeof seed);
    struct evm_signer *signer =
        keystore_open(text, len, secret_text_bytes(password), seed, error);
    secret_wipe(seed, sizeof seed);
    free(text);
    if (!signer)
        error_prefix(error, "%s", key_file);
    return signer;
}

struct evm_signer *evm_key_open(const char *key_file, const char *password_file,
                                struct error *error)
{
    struct secret_text password;
    if (!secret_text_read(&password, password_file, error))
        return NULL;
    struct evm_signer *signer = evm_key_open_with(key_file, &password, error);
    secret_text_release(&password);
    return signer;
}
