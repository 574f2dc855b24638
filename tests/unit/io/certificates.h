/* An authority of the test's own, and certificates that it signs. */
#ifndef TESTS_UNIT_IO_CERTIFICATES_H
#define TESTS_UNIT_IO_CERTIFICATES_H

#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define DAY_S 86400L

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static inline void certificate_extend(X509 *certificate, X509 *issuer, int kind,
                                      const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* `alternatives` is like "DNS:two.test,IP:127.0.0.1", or NULL for an authority. Signed by
 * itself where `issuer` is NULL. */
static inline struct identity identity_new(const char *common_name,
                                           const char *alternatives,
                                           const struct identity *issuer, long from_days,
                                           long to_days)
{
    static long serial = 1;
    struct identity self = {EVP_EC_gen("P-256"), X509_new()};
    const struct identity *by = issuer != NULL ? issuer : &self;
    X509 *certificate = self.certificate;
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_days * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), to_days * DAY_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(by->certificate));
    X509_set_pubkey(certificate, self.key);
    certificate_extend(certificate, by->certificate, NID_basic_constraints,
                       alternatives == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (alternatives != NULL)
        certificate_extend(certificate, by->certificate, NID_subject_alt_name,
                           alternatives);
    assert_int_not_equal(X509_sign(certificate, by->key, EVP_sha256()), 0);
    return self;
}

static inline void identity_release(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

/* The certificate as a file; `path` ends in XXXXXX. */
static inline void identity_write(const struct identity *identity, char *path)
{
    FILE *file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, identity->certificate), 1);
    assert_int_equal(fclose(file), 0);
}

/* A server's context that shows this certificate. */
static inline SSL_CTX *identity_context(const struct identity *identity)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(context, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, identity->key), 1);
    return context;
}

#endif
