#include "app/evm_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "feeds/evm/keystore.h"
#include "io/entropy.h"
#include "io/file.h"

#define PASSWORD_MAX 4096
#define KEYSTORE_MAX (64 * 1024)

/* systemd.exec(5): credentials are files in a folder that only the service reads. */
static bool is_credential(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t len = folder ? strlen(folder) : 0;
    return len && strncmp(path, folder, len) == 0 && path[len] == '/' &&
           strchr(path + len + 1, '/') == NULL;
}

static bool read_secret(char **data, size_t *len, const char *path, size_t max,
                        struct error *error)
{
    return is_credential(path) ? file_read(data, len, path, max, error)
                               : file_read_secret(data, len, path, max, error);
}

static void wipe(char *data, size_t len)
{
    if (data)
        secret_wipe(data, len);
    free(data);
}

struct evm_signer *evm_key_open(const char *key_file, const char *password_file,
                                struct error *error)
{
    char *key = NULL, *password = NULL;
    size_t key_len = 0, password_len = 0;
    struct evm_signer *signer = NULL;
    if (!read_secret(&key, &key_len, key_file, KEYSTORE_MAX, error) ||
        !read_secret(&password, &password_len, password_file, PASSWORD_MAX, error))
        goto out;
    /* An editor ends the line. */
    size_t used = password_len;
    while (used && (password[used - 1] == '\n' || password[used - 1] == '\r'))
        used--;
    uint8_t seed[32];
    entropy_fill(seed, sizeof seed);
    signer = keystore_open(key, key_len, (struct bytes){(const uint8_t *)password, used},
                           seed, error);
    secret_wipe(seed, sizeof seed);
    if (!signer)
        error_prefix(error, "%s", key_file);
out:
    wipe(key, key_len);
    wipe(password, password_len);
    return signer;
}
