#include "feeds/watch_list.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "feeds/watch_list_builder.h"
#include "spv/descriptor.h"

bool watch_list_error(struct watch_list_builder *builder, struct watch_list_place place,
                      const char *format, ...)
{
    struct watch_list_errors *errors = builder->errors;
    if (errors->count == WATCH_LIST_ERRORS_MAX) {
        errors->more++;
        return false;
    }
    char reason[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return error_set(&errors->items[errors->count++], "%s:%" PRIu32 ":%" PRIu32 ": %s",
                     builder->path, place.line, place.column, reason);
}

uint32_t watch_list_characters(const char *text, size_t len)
{
    uint32_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

/* The length of the well-formed UTF-8 character at the start, and its code point; 0 if
 * there is none (Unicode, table 3-7: no overlong forms, no surrogates). */
static size_t utf8_character(uint32_t *code, const unsigned char *at, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t len = at[0] < 0x80   ? 1
                       : at[0] < 0xc0 ? 0
                       : at[0] < 0xe0 ? 2
                       : at[0] < 0xf0 ? 3
                       : at[0] < 0xf8 ? 4
                                      : 0;
    if (len == 0 || len > left)
        return 0;

    *code = len == 1 ? at[0] : at[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (at[i] & 0x3f);
    }
    const bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
    return *code >= smallest[len] && *code <= 0x10ffff && !surrogate ? len : 0;
}

/* Control characters, line and paragraph separators, and those that turn the direction of
 * writing and so can make a label look like another. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
           code == 0x2029 || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

bool watch_label_check(struct watch_list_text label, size_t *error_at,
                       struct error *error)
{
    *error_at = 0;
    if (label.len > WATCH_LABEL_MAX)
        return error_set(error, "label of %zu bytes: at most %d", label.len,
                         WATCH_LABEL_MAX);
    for (size_t at = 0, step; at < label.len; at += step) {
        uint32_t code;
        *error_at = at;
        step =
            utf8_character(&code, (const unsigned char *)label.at + at, label.len - at);
        if (step == 0)
            return error_set(error,
                             "label isn't UTF-8 at byte 0x%02x: save the list as "
                             "UTF-8",
                             (unsigned)(unsigned char)label.at[at]);
        if (is_control(code))
            return error_set(error, "control character U+%04" PRIX32 " in a label", code);
    }
    return true;
}

static bool note_script(struct watch_list_builder *builder, struct watch_list_place place,
                        const uint8_t *script, size_t len)
{
    uint8_t key[32];
    bool added;
    uint32_t line;

    sha256(key, script, len);
    void *value = map_put(&builder->seen, key, &added);
    if (!added) {
        memcpy(&line, value, sizeof line);
        return watch_list_error(
            builder, place, "the same script as in line %" PRIu32 ": remove one of them",
            line);
    }
    memcpy(value, &place.line, sizeof place.line);
    return true;
}

void watch_list_add(struct watch_list_builder *builder, struct watch_list_place place,
                    bool exact, struct watch_list_text address,
                    struct watch_list_text label, uint32_t birth)
{
    struct watch_list *list = builder->list;
    struct watch_entry entry = {.birth = birth, .line = place.line};
    size_t error_at;
    struct error error;

    if (!descriptor_parse(&entry.script, &entry.script_len, builder->network, address.at,
                          address.len, &error_at, &error)) {
        if (exact)
            place.column += watch_list_characters(address.at, error_at);
        watch_list_error(builder, place, "%s", error.text);
        return;
    }
    if (!note_script(builder, place, entry.script, entry.script_len)) {
        free(entry.script);
        return;
    }
    if (label.len > 0) {
        entry.label = mem_alloc(label.len + 1);
        memcpy(entry.label, label.at, label.len);
        entry.label[label.len] = '\0';
    }
    list->entries =
        mem_grow(list->entries, &builder->capacity, list->count + 1, sizeof entry);
    list->entries[list->count++] = entry;
}

static bool is_json(struct watch_list_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.at[i]) == NULL || text.at[i] == '\0')
            return text.at[i] == '[' || text.at[i] == '{';
    }
    return false;
}

static bool begins_with(struct watch_list_text text, const char *mark)
{
    return text.len >= strlen(mark) && memcmp(text.at, mark, strlen(mark)) == 0;
}

static void parse(struct watch_list_builder *builder, struct watch_list_text text)
{
    const struct watch_list_place start = {1, 1};

    if (text.len > WATCH_LIST_SIZE_MAX) {
        watch_list_error(builder, start, "list of %zu bytes: at most %zu; split it",
                         text.len, WATCH_LIST_SIZE_MAX);
        return;
    }
    if (begins_with(text, "\xff\xfe") || begins_with(text, "\xfe\xff")) {
        watch_list_error(builder, start, "the list is UTF-16: save it as UTF-8");
        return;
    }
    if (begins_with(text, "\xef\xbb\xbf")) {
        text.at += 3;
        text.len -= 3;
    }
    if (is_json(text))
        watch_list_parse_json(builder, text);
    else
        watch_list_parse_lines(builder, text);
}

bool watch_list_parse(struct watch_list *out, struct watch_list_errors *errors,
                      const struct network *network, const char *path, const char *text,
                      size_t len, const uint64_t seed[static 2])
{
    struct watch_list_builder builder = {
        .network = network, .path = path, .list = out, .errors = errors};

    *out = (struct watch_list){0};
    errors->count = errors->more = 0;
    map_init(&builder.seen, 32, sizeof(uint32_t), seed);
    parse(&builder, (struct watch_list_text){text, len});
    map_release(&builder.seen);
    if (errors->count == 0)
        return true;
    watch_list_release(out);
    return false;
}

void watch_list_release(struct watch_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].script);
        free(list->entries[i].label);
    }
    free(list->entries);
    *list = (struct watch_list){0};
}
