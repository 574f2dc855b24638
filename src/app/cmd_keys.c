#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/evm_key.h"
#include "app/output.h"
#include "app/secrets.h"
#include "base/hex.h"
#include "base/secret.h"
#include "feeds/evm/keystore.h"
#include "io/entropy.h"
#include "io/file.h"

static enum exit_status failed(const struct error *error)
{
    complain("%s", error->text);
    return EXIT_FAILED;
}

static enum exit_status print_key(const struct invocation *invocation,
                                  const struct evm_address *address, const char *file,
                                  bool opened)
{
    char text[EVM_ADDRESS_TEXT_MAX];
    evm_address_text(text, address);
    if (invocation->json)
        output_json(json_pack("{s:s, s:s, s:b}", "address", text, "file", file, "opened",
                              (int)opened));
    else
        printf("%s\n", text);
    return EXIT_DONE;
}

/* ---- making a file ---- */

static bool new_password(struct secret_text *out, const char *path, struct error *error)
{
    static const char remedy[] = "give --password-file=FILE";
    struct secret_text again;
    if (path != NULL)
        return secret_text_read(out, path, error);
    if (!secret_text_ask(out, "New password: ", remedy, error))
        return false;
    bool same = secret_text_ask(&again, "The same again: ", remedy, error);
    if (same) {
        same = out->len == again.len && secret_equal(out->text, again.text, out->len);
        if (!same)
            error_set(error, "the two passwords differ; nothing was made, start again");
        secret_text_release(&again);
    }
    if (!same)
        secret_text_release(out);
    return same;
}

static bool write_file(const char *path, const uint8_t key[static EVM_KEY_SIZE],
                       const struct evm_address *address, struct bytes password,
                       struct error *error)
{
    struct keystore_entropy entropy;
    struct writer text;
    writer_init(&text);
    entropy_fill(&entropy, sizeof(entropy));
    bool ok = keystore_make(&text, key, address, password, &entropy,
                            KEYSTORE_COST_DEFAULT, error) &&
              file_create_private(path, (struct bytes){text.data, text.len}, error);
    writer_release(&text);
    return ok;
}

/* What is on the disk opens and holds the key of this address. */
static bool check_file(const char *path, const struct evm_address *address,
                       const struct secret_text *password, struct error *error)
{
    struct evm_signer *signer = evm_key_open_with(path, password, error);
    bool ok = signer != NULL && evm_address_equal(evm_signer_address(signer), address);
    if (!ok)
        error_set(error,
                  "%s: was written but doesn't open again; remove it and check the "
                  "disk and the memory",
                  path);
    evm_signer_free(signer);
    return ok;
}

/* Seal the key, and open what is on the disk again before calling it made. */
static enum exit_status seal(const struct invocation *invocation, const char *path,
                             const uint8_t key[static EVM_KEY_SIZE])
{
    uint8_t seed[32];
    struct secret_text password;
    struct error error;
    enum exit_status status = EXIT_FAILED;
    entropy_fill(seed, sizeof(seed));
    struct evm_signer *signer = evm_signer_new(key, seed);
    if (signer == NULL) {
        complain("%s: what was given isn't a private key of secp256k1; nothing was made",
                 path);
    } else if (!new_password(&password, invocation->password_file, &error)) {
        failed(&error);
    } else {
        const struct evm_address *address = evm_signer_address(signer);
        if (write_file(path, key, address, secret_text_bytes(&password), &error) &&
            check_file(path, address, &password, &error))
            status = print_key(invocation, address, path, true);
        else
            failed(&error);
        secret_text_release(&password);
    }
    evm_signer_free(signer);
    secret_wipe(seed, sizeof(seed));
    return status;
}

/* Said before a password is asked for; making the file looks again. */
static bool is_free(const char *path)
{
    if (access(path, F_OK) != 0)
        return true;
    complain("%s: exists already; move it away or name another", path);
    return false;
}

static enum exit_status keys_new(const struct invocation *invocation, const char *path)
{
    uint8_t key[EVM_KEY_SIZE];
    if (!is_free(path))
        return EXIT_FAILED;
    entropy_fill(key, sizeof(key));
    enum exit_status status = seal(invocation, path, key);
    secret_wipe(key, sizeof(key));
    return status;
}

static bool parse_key(uint8_t key[static EVM_KEY_SIZE], const struct secret_text *text)
{
    size_t prefix = text->len >= 2 && memcmp(text->text, "0x", 2) == 0 ? 2 : 0;
    return hex_decode(key, EVM_KEY_SIZE, text->text + prefix, text->len - prefix, NULL);
}

static enum exit_status keys_import(const struct invocation *invocation, const char *path,
                                    const char *source)
{
    struct secret_text text;
    struct error error;
    uint8_t key[EVM_KEY_SIZE];
    enum exit_status status = EXIT_FAILED;
    if (!is_free(path))
        return EXIT_FAILED;
    bool have = source != NULL
                    ? secret_text_read(&text, source, &error)
                    : secret_text_ask(&text, "Private key, 64 hex digits: ",
                                      "name the file that holds the key", &error);
    if (!have)
        return failed(&error);
    if (parse_key(key, &text))
        status = seal(invocation, path, key);
    else
        complain("%s: isn't a private key; give 64 hex digits",
                 source != NULL ? source : "what was typed");
    secret_text_release(&text);
    secret_wipe(key, sizeof(key));
    return status;
}

/* ---- showing ---- */

static enum exit_status show_opened(const struct invocation *invocation, const char *path)
{
    struct secret_text password;
    struct error error;
    enum exit_status status = EXIT_FAILED;
    bool have = invocation->password_file != NULL
                    ? secret_text_read(&password, invocation->password_file, &error)
                    : secret_text_ask(&password,
                                      "Password: ", "give --password-file=FILE", &error);
    if (!have)
        return failed(&error);
    struct evm_signer *signer = evm_key_open_with(path, &password, &error);
    secret_text_release(&password);
    if (signer != NULL)
        status = print_key(invocation, evm_signer_address(signer), path, true);
    else
        failed(&error);
    evm_signer_free(signer);
    return status;
}

static enum exit_status keys_show(const struct invocation *invocation, const char *path)
{
    struct evm_address address;
    struct error error;
    enum exit_status status = EXIT_FAILED;
    char *text = NULL;
    size_t len;
    bool known;
    if (!file_read_secret(&text, &len, path, KEYSTORE_FILE_MAX, &error))
        return failed(&error);
    if (!keystore_address(&address, &known, text, len, &error)) {
        error_prefix(&error, "%s", path);
        failed(&error);
    } else if (known && invocation->password_file == NULL) {
        status = print_key(invocation, &address, path, false);
    } else {
        status = show_opened(invocation, path);
    }
    free(text);
    return status;
}

enum exit_status cmd_keys(const struct invocation *invocation)
{
    const char *action = invocation->arguments[0], *path = invocation->arguments[1];
    bool two = invocation->argument_count == 2;
    if (strcmp(action, "new") == 0 && two)
        return keys_new(invocation, path);
    if (strcmp(action, "show") == 0 && two)
        return keys_show(invocation, path);
    if (strcmp(action, "import") == 0)
        return keys_import(invocation, path, two ? NULL : invocation->arguments[2]);
    complain("keys: write keys new FILE, keys show FILE, or keys import FILE [KEY_FILE]");
    return EXIT_USAGE;
}
