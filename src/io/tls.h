/* TLS as a client: what OpenSSL does only when told. Every session verifies the peer's
 * chain and its name; there is no way to switch that off. */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/error.h"

/* The authorities to trust: those of `ca_file` (PEM), or the system's where it is NULL
 * (OpenSSL's default places, which SSL_CERT_FILE and SSL_CERT_DIR override). TLS 1.2 at
 * least. NULL, with the error, if they can't be loaded. Free with SSL_CTX_free(). */
SSL_CTX *tls_context_new(const char *ca_file, struct error *error);

/* A session that will accept only a certificate for this host, and asks for it by SNI
 * unless it is an address (RFC 6066, 3: those aren't sent). NULL if OpenSSL takes the
 * host for neither a name nor an address. Free with SSL_free(). */
SSL *tls_session_new(SSL_CTX *context, const char *host, bool host_is_address);

/* Say why the connection or the handshake failed. `code` is what
 * bufferevent_get_openssl_error() gives. False, with the error untouched, if neither the
 * certificate nor OpenSSL was the cause: then errno tells. */
bool tls_describe(struct error *error, const SSL *session, const char *host,
                  unsigned long code);

/* RFC 8446, 6.1: tell the peer that no more follows. */
void tls_say_goodbye(SSL *session);

#endif
