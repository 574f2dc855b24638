/* The operator's key, out of its files. */
#ifndef APP_EVM_KEY_H
#define APP_EVM_KEY_H

#include "app/secrets.h"
#include "base/error.h"
#include "feeds/evm/signer.h"

/* Open a keystore (version 3), a secret as file_read_secret() wants it. NULL, with the
 * error, which names the file. Takes about a second. */
struct evm_signer *evm_key_open_with(const char *key_file,
                                     const struct secret_text *password,
                                     struct error *error);
/* The same with the password in another such file. */
struct evm_signer *evm_key_open(const char *key_file, const char *password_file,
                                struct error *error);

#endif
