#include "io/tls.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

static bool load_authorities(SSL_CTX *context, const char *ca_file, struct error *error)
{
    ERR_clear_error();
    if (ca_file == NULL) {
        if (SSL_CTX_set_default_verify_paths(context) == 1)
            return true;
        return error_set(error, "the system's certificate authorities can't be loaded; "
                                "install ca-certificates");
    }
    if (SSL_CTX_load_verify_file(context, ca_file) == 1)
        return true;
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return error_set(error, "%s: no certificate authorities can be loaded: %s", ca_file,
                     reason != NULL ? reason : "unreadable");
}

SSL_CTX *tls_context_new(const char *ca_file, struct error *error)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert(context != NULL);
    long good = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    assert(good == 1);
    (void)good;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(context, protocols, sizeof(protocols) - 1);
    /* Connections are idle most of the time. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (load_authorities(context, ca_file, error))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

SSL *tls_session_new(SSL_CTX *context, const char *host, bool host_is_address)
{
    SSL *session = SSL_new(context);
    assert(session != NULL);
    /* What OpenSSL only reads it takes without const. */
    char *name = mem_strdup(host);
    int good;
    /* RFC 9525, 6.3 and 6.4: the subject's common name doesn't count, and a wildcard
     * stands for a whole label. */
    SSL_set_hostflags(session, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (host_is_address)
        good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host);
    else
        good = SSL_set1_host(session, host) == 1 &&
               SSL_set_tlsext_host_name(session, name) == 1;
    free(name);
    if (good == 1)
        return session;
    /* Without the name any certificate would do. */
    SSL_free(session);
    return NULL;
}

bool tls_describe(struct error *error, const SSL *session, const char *host,
                  unsigned long code)
{
    long verdict = SSL_get_verify_result(session);
    switch (verdict) {
    case X509_V_OK:
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        error_set(error,
                  "its certificate isn't for %s; write the name that it is for, or have "
                  "it issued anew",
                  host);
        return true;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        error_set(error, "its certificate has expired; have it renewed, and check this "
                         "machine's clock");
        return true;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        error_set(error, "its certificate isn't valid yet; check this machine's clock");
        return true;
    default:
        error_set(error,
                  "its certificate isn't trusted: %s; if the endpoint is yours, name its "
                  "authority's file",
                  X509_verify_cert_error_string(verdict));
        return true;
    }
    /* libevent mixes results of SSL_get_error() in, which name no library. */
    if (ERR_GET_LIB(code) == 0 || ERR_GET_LIB(code) == ERR_LIB_SYS)
        return false;
    if (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER) {
        error_set(error, "it doesn't speak TLS at this port; write http:// if that is "
                         "meant");
        return true;
    }
    const char *reason = ERR_reason_error_string(code);
    error_set(error, "the TLS handshake failed: %s", reason != NULL ? reason : "unknown");
    return true;
}

void tls_say_goodbye(SSL *session)
{
    /* As if the peer's had come: it isn't waited for. */
    SSL_set_shutdown(session, SSL_RECEIVED_SHUTDOWN);
    SSL_shutdown(session);
    ERR_clear_error();
}
