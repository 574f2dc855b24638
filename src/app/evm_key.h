/* The operator's key, out of its files. */
#ifndef APP_EVM_KEY_H
#define APP_EVM_KEY_H

#include "base/error.h"
#include "feeds/evm/signer.h"

/* Open a keystore (version 3) with the password in another file. Both must be readable by
 * their owner only, except directly under $CREDENTIALS_DIRECTORY, where the service
 * manager sees to that. NULL, with the error. Takes about a second. */
struct evm_signer *evm_key_open(const char *key_file, const char *password_file,
                                struct error *error);

#endif
