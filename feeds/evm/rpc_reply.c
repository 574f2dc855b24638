#include "feeds/evm/rpc_reply.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

/* Objects around error.data in which nodes and proxies put it. */
#define REVERT_DEPTH_MAX 4

/* ---- before the parser ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Depth and number of values, counted outside of strings. What isn't JSON is left to the
 * parser. */
static bool within_bounds(const char *body, size_t len)
{
    size_t depth = 0, values = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = body[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string) {
            bool opens = c == '[' || c == '{';
            values += opens || c == ',';
            depth += opens;
            depth -= (c == ']' || c == '}') && depth > 0;
        }
        if (depth > RPC_DEPTH_MAX || values > RPC_VALUES_MAX)
            return false;
    }
    return true;
}

static bool looks_bad(const char *body, size_t len, struct error *error)
{
    size_t at = 0;
    while (at < len && is_space(body[at]))
        at++;
    if (len > RPC_REPLY_MAX)
        error_set(error, "its reply has more than %zu bytes; try another endpoint",
                  RPC_REPLY_MAX);
    else if (at == len)
        error_set(error, "its reply is empty; try another endpoint");
    else if (body[at] == '<')
        error_set(error, "it answers with a web page, not JSON-RPC; see that rpc= names "
                         "the node itself");
    else if (!within_bounds(body, len))
        error_set(error,
                  "its reply is nested too deep or has too many values; try another "
                  "endpoint");
    else
        return false;
    return true;
}

/* ---- the node's own error ---- */

static void copy_text(char *out, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    size_t kept = len < size - 1 ? len : size - 1;
    for (size_t i = 0; i < kept; i++)
        out[i] = text[i] != '\0' ? text[i] : '?';
    out[kept] = '\0';
    text_make_printable(out);
}

/* "0x...", some nodes' "Reverted 0x...", or an object with it in `data` or, a wrapper's,
 * in `originalError`. */
static void find_revert(struct rpc_fault *out, const json_t *data)
{
    static const char prefix[] = "Reverted ";
    for (unsigned depth = 0; json_is_object(data) && depth < REVERT_DEPTH_MAX; depth++) {
        const json_t *inner = json_object_get(data, "data");
        data = inner != NULL ? inner : json_object_get(data, "originalError");
    }
    if (!json_is_string(data))
        return;
    const char *text = json_string_value(data);
    size_t len = json_string_length(data);
    if (len >= sizeof(prefix) - 1 && memcmp(text, prefix, sizeof(prefix) - 1) == 0) {
        text += sizeof(prefix) - 1;
        len -= sizeof(prefix) - 1;
    }
    struct writer bytes;
    writer_init(&bytes);
    if (evm_data_parse(&bytes, text, len) && bytes.len <= sizeof(out->revert)) {
        out->has_revert = true;
        out->revert_len = bytes.len;
        if (bytes.len > 0)
            memcpy(out->revert, bytes.data, bytes.len);
    }
    writer_release(&bytes);
}

static enum rpc_outcome read_fault(struct rpc_fault *out, const json_t *object,
                                   struct error *error)
{
    const json_t *code = json_object_get(object, "code");
    const json_t *message = json_object_get(object, "message");
    if (!json_is_object(object) || !json_is_integer(code)) {
        error_set(error, "its reply's error isn't one of JSON-RPC; try another endpoint");
        return RPC_BROKEN;
    }
    out->code = json_integer_value(code);
    if (json_is_string(message))
        copy_text(out->message, sizeof(out->message), message);
    find_revert(out, json_object_get(object, "data"));
    error_set(error, "it answers with error %" PRId64 ": %s", out->code,
              out->message[0] != '\0' ? out->message : "no message");
    return RPC_FAULT;
}

/* ---- the reply ---- */

static bool is_id(const json_t *value, uint64_t id)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           (uint64_t)json_integer_value(value) == id;
}

static enum rpc_outcome read_root(struct rpc_reply *out, uint64_t id, struct error *error)
{
    const json_t *version = json_object_get(out->root, "jsonrpc");
    const json_t *reply_id = json_object_get(out->root, "id");
    const json_t *fault = json_object_get(out->root, "error");
    bool has_fault = fault != NULL && !json_is_null(fault);
    if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0) {
        error_set(error,
                  "its reply isn't one of JSON-RPC 2.0; see that rpc= names an EVM "
                  "node");
        return RPC_BROKEN;
    }
    /* JSON-RPC 2.0: an error before the request's id was known has the id null. */
    if (!is_id(reply_id, id) && !(has_fault && json_is_null(reply_id))) {
        error_set(error, "its reply is to another request; try another endpoint");
        return RPC_BROKEN;
    }
    if (has_fault)
        return read_fault(&out->fault, fault, error);
    out->result = json_object_get(out->root, "result");
    if (out->result != NULL)
        return RPC_RESULT;
    error_set(error, "its reply has neither result nor error; try another endpoint");
    return RPC_BROKEN;
}

enum rpc_outcome rpc_reply_parse(struct rpc_reply *out, const char *body, size_t len,
                                 uint64_t id, struct error *error)
{
    json_error_t where;
    *out = (struct rpc_reply){0};
    if (looks_bad(body, len, error))
        return RPC_BROKEN;
    /* Revert texts may hold NUL. */
    out->root = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (out->root == NULL) {
        if (json_error_code(&where) == json_error_premature_end_of_input)
            error_set(error, "its reply is cut off after %zu bytes; try again", len);
        else
            error_set(error,
                      "its reply isn't JSON: %s at byte %d; see that rpc= names an "
                      "EVM node",
                      where.text, where.position);
        return RPC_BROKEN;
    }
    return read_root(out, id, error);
}

void rpc_reply_release(struct rpc_reply *reply)
{
    json_decref(reply->root);
    *reply = (struct rpc_reply){0};
}

enum rpc_send_fault rpc_send_fault(const struct rpc_fault *fault)
{
    static const struct {
        const char *phrase;
        enum rpc_send_fault meaning;
    } phrases[] = {
        {"already known", RPC_SEND_ALREADY_KNOWN},
        {"already imported", RPC_SEND_ALREADY_KNOWN},
        {"known transaction", RPC_SEND_ALREADY_KNOWN},
        {"alreadyknown", RPC_SEND_ALREADY_KNOWN},
        {"nonce too low", RPC_SEND_NONCE_TOO_LOW},
        {"nonce is too low", RPC_SEND_NONCE_TOO_LOW},
        {"oldnonce", RPC_SEND_NONCE_TOO_LOW},
        {"replacement transaction underpriced", RPC_SEND_UNDERPRICED},
        {"replacementnotallowed", RPC_SEND_UNDERPRICED},
        {"transaction underpriced", RPC_SEND_FEE_TOO_LOW},
        {"less than block base fee", RPC_SEND_FEE_TOO_LOW},
        {"feetoolow", RPC_SEND_FEE_TOO_LOW},
        {"insufficient funds", RPC_SEND_NO_FUNDS},
        {"insufficientfunds", RPC_SEND_NO_FUNDS},
    };
    for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++) {
        if (strcasestr(fault->message, phrases[i].phrase) != NULL)
            return phrases[i].meaning;
    }
    return RPC_SEND_OTHER;
}
