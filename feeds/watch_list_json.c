/* Watch lists as JSON. The frame of the list is read here, so that each part of an entry
 * has its place and memory holds one entry at a time; what stands in it is jansson's. */
#include <string.h>

#include <jansson.h>

#include "feeds/watch_list_builder.h"

struct input {
    struct watch_list_builder *builder;
    struct watch_list_text text;
    size_t at;
    struct watch_list_place place; /* of `at` */
};

/* A value and where it is. */
struct part {
    struct watch_list_place place;
    bool is_string;
    bool literal; /* without escapes: the string's characters are those of the list */
    struct watch_list_text text; /* of a string, in the list or in `value` */
    json_t *value;               /* NULL if nothing but `text` is needed */
};

struct element {
    struct part address;
    struct part label;
    uint32_t birth;
    bool has_birth;
    bool bad; /* an error is noted that may be why the address is missing */
};

/* Takes the value of a key, which it starts to read at in->at. False after an error that
 * leaves no way to go on. */
typedef bool (*member_reader)(struct input *in, const struct part *key, void *context);

static void advance(struct input *in, size_t count)
{
    for (; count > 0; count--) {
        const unsigned char c = (unsigned char)in->text.at[in->at++];
        if (c == '\n') {
            in->place.line++;
            in->place.column = 1;
        } else if ((c & 0xc0) != 0x80) {
            in->place.column++;
        }
    }
}

static bool is_next(const struct input *in, char c)
{
    return in->at < in->text.len && in->text.at[in->at] == c;
}

static void skip_space(struct input *in)
{
    while (is_next(in, ' ') || is_next(in, '\t') || is_next(in, '\n') ||
           is_next(in, '\r'))
        advance(in, 1);
}

/* Skip space, and the character if it is next. */
static bool take(struct input *in, char c)
{
    skip_space(in);
    if (!is_next(in, c))
        return false;
    advance(in, 1);
    return true;
}

static bool expect(struct input *in, char c, const char *expected)
{
    if (take(in, c))
        return true;
    return watch_list_error(in->builder, in->place, "JSON: %s is expected here",
                            expected);
}

/* Printable ASCII without quote and escape, which stands for itself in a string. */
static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* Read a string that stands for itself, as nearly all do: several times faster than a
 * parser that makes a copy of it. */
static bool read_plain_string(struct input *in, struct part *part)
{
    if (!is_next(in, '"'))
        return false;
    const char *start = in->text.at + in->at + 1;
    const size_t left = in->text.len - in->at;
    size_t len = 0;
    while (len + 1 < left && is_plain(start[len]))
        len++;
    if (len + 1 == left || start[len] != '"')
        return false;
    part->is_string = part->literal = true;
    part->text = (struct watch_list_text){start, len};
    in->at += len + 2;
    in->place.column += (uint32_t)len + 2;
    return true;
}

/* Read one value; *part is to be released. */
static bool read_value(struct input *in, struct part *part)
{
    const size_t left = in->text.len - in->at;
    json_error_t error;

    *part = (struct part){.place = in->place};
    if (read_plain_string(in, part))
        return true;
    part->value = json_loadb(
        in->text.at + in->at, left,
        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
    const size_t consumed = error.position > 0 ? (size_t)error.position : 0;
    if (part->value == NULL) {
        /* jansson's position is behind what it didn't like. */
        const size_t before = consumed > 0 ? consumed - 1 : 0;
        advance(in, before < left ? before : left);
        return watch_list_error(in->builder, in->place, "JSON: %s", error.text);
    }
    advance(in, consumed);
    part->is_string = json_is_string(part->value);
    if (part->is_string) {
        part->text = (struct watch_list_text){json_string_value(part->value),
                                              json_string_length(part->value)};
        part->literal = consumed == part->text.len + 2;
    }
    return true;
}

static void release(struct part *part)
{
    json_decref(part->value);
    part->value = NULL;
}

static bool is(const struct part *part, const char *text)
{
    return part->text.len == strlen(text) &&
           memcmp(part->text.at, text, part->text.len) == 0;
}

/* The place of a string's first character. */
static struct watch_list_place inside(const struct part *part)
{
    return (struct watch_list_place){part->place.line, part->place.column + 1};
}

/* Read the object whose '{' is next. */
static bool read_object(struct input *in, member_reader read_member, void *context)
{
    advance(in, 1);
    if (take(in, '}'))
        return true;
    do {
        struct part key;
        skip_space(in);
        if (!is_next(in, '"'))
            return watch_list_error(in->builder, in->place,
                                    "JSON: a key in double quotes is expected here");
        if (!read_value(in, &key))
            return false;
        bool ok = expect(in, ':', "':'");
        skip_space(in);
        ok = ok && read_member(in, &key, context);
        release(&key);
        if (!ok)
            return false;
    } while (take(in, ','));
    return expect(in, '}', "',' or '}'");
}

/* Read a string into *out, which must be empty; else note the error and drop it. */
static bool read_string(struct input *in, const char *what, struct part *out, bool *bad)
{
    struct part part;

    if (!read_value(in, &part))
        return false;
    if (part.is_string && !out->is_string) {
        *out = part;
        return true;
    }
    *bad = true;
    watch_list_error(in->builder, part.place,
                     part.is_string ? "a second %s" : "the %s must be a string", what);
    release(&part);
    return true;
}

static bool read_birth(struct input *in, struct element *element)
{
    struct part part;

    if (!read_value(in, &part))
        return false;
    const json_int_t value = json_integer_value(part.value);
    if (element->has_birth)
        watch_list_error(in->builder, part.place, "a second birth height");
    else if (!json_is_integer(part.value) || value < 0 || value > WATCH_BIRTH_MAX)
        watch_list_error(in->builder, part.place,
                         "the birth height is a whole number of 0 to %d",
                         WATCH_BIRTH_MAX);
    else
        element->birth = (uint32_t)value;
    element->has_birth = true;
    release(&part);
    return true;
}

static bool skip_unknown(struct input *in, const struct part *key, const char *known)
{
    struct part part;

    watch_list_error(in->builder, key->place, "unknown key '%.*s': there is %s",
                     key->text.len > 40 ? 40 : (int)key->text.len, key->text.at, known);
    if (!read_value(in, &part))
        return false;
    release(&part);
    return true;
}

static bool read_element_member(struct input *in, const struct part *key, void *context)
{
    struct element *element = context;

    if (is(key, "address") || is(key, "descriptor"))
        return read_string(in, "address or descriptor", &element->address, &element->bad);
    if (is(key, "label"))
        return read_string(in, "label", &element->label, &element->bad);
    if (is(key, "birth_height"))
        return read_birth(in, element);
    element->bad = true;
    return skip_unknown(in, key, "address, descriptor, label, birth_height");
}

static void check_label(struct input *in, const struct element *element)
{
    const struct watch_list_text label = element->label.text;
    struct watch_list_place place = inside(&element->label);
    size_t error_at;
    struct error error;

    if (!element->label.is_string || watch_label_check(label, &error_at, &error))
        return;
    if (element->label.literal)
        place.column += watch_list_characters(label.at, error_at);
    watch_list_error(in->builder, place, "%s", error.text);
}

static void add_element(struct input *in, const struct element *element,
                        struct watch_list_place start)
{
    check_label(in, element);
    if (element->address.is_string)
        watch_list_add(in->builder, inside(&element->address), element->address.literal,
                       element->address.text, element->label.text, element->birth);
    else if (!element->bad)
        watch_list_error(in->builder, start, "an entry without address or descriptor");
}

static bool read_element(struct input *in)
{
    const struct watch_list_place start = in->place;
    struct element element = {0};
    bool ok;

    if (is_next(in, '{'))
        ok = read_object(in, read_element_member, &element);
    else
        ok = read_string(in, "entry, if it isn't an object,", &element.address,
                         &element.bad);
    if (ok)
        add_element(in, &element, start);
    release(&element.address);
    release(&element.label);
    return ok;
}

/* Read the array whose '[' is next. */
static bool read_array(struct input *in)
{
    advance(in, 1);
    if (take(in, ']'))
        return true;
    do {
        skip_space(in);
        if (!read_element(in))
            return false;
    } while (take(in, ','));
    return expect(in, ']', "',' or ']'");
}

static bool read_list_member(struct input *in, const struct part *key, void *context)
{
    bool *seen = context;

    if (!is(key, "addresses"))
        return skip_unknown(in, key, "addresses");
    if (*seen)
        return watch_list_error(in->builder, key->place, "a second key 'addresses'");
    *seen = true;
    if (!is_next(in, '['))
        return watch_list_error(in->builder, in->place, "'addresses' must be an array");
    return read_array(in);
}

static bool read_list(struct input *in)
{
    const struct watch_list_place start = in->place;
    bool seen = false;

    if (is_next(in, '['))
        return read_array(in);
    if (!read_object(in, read_list_member, &seen))
        return false;
    if (!seen)
        return watch_list_error(in->builder, start, "the object has no key 'addresses'");
    return true;
}

void watch_list_parse_json(struct watch_list_builder *builder,
                           struct watch_list_text text)
{
    struct input in = {.builder = builder, .text = text, .place = {1, 1}};

    skip_space(&in);
    if (!read_list(&in))
        return;
    skip_space(&in);
    if (in.at < text.len)
        watch_list_error(builder, in.place, "text after the end of the list");
}
