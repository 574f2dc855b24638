/* Watch lists as CSV (RFC 4180) or plain lines. */
#include <inttypes.h>
#include <string.h>

#include "feeds/watch_list_builder.h"

enum { COLUMN_ADDRESS, COLUMN_LABEL, COLUMN_BIRTH, COLUMNS };

static const char *const column_names[COLUMNS] = {"address", "label", "birth_height"};

struct field {
    struct watch_list_text text; /* without quotes and blanks around it */
    uint32_t column;             /* of its first character */
};

struct line {
    struct watch_list_text text; /* without its end */
    uint32_t number;
    struct field fields[COLUMNS];
    size_t field_count;
    /* What fields with doubled quotes stand for: only labels can have some. */
    char unquoted[COLUMNS][WATCH_LABEL_MAX];
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct watch_list_place place_at(const struct line *line, size_t index)
{
    return (struct watch_list_place){line->number,
                                     watch_list_characters(line->text.at, index) + 1};
}

static size_t skip_blanks(struct watch_list_text text, size_t at)
{
    while (at < text.len && is_blank(text.at[at]))
        at++;
    return at;
}

/* The index of the closing quote of a field that starts at `at`, or the line's length. */
static size_t closing_quote(bool *doubled, struct watch_list_text text, size_t at)
{
    *doubled = false;
    for (; at < text.len; at++) {
        if (text.at[at] != '"')
            continue;
        if (at + 1 == text.len || text.at[at + 1] != '"')
            return at;
        *doubled = true;
        at++;
    }
    return text.len;
}

/* Put what a text with doubled quotes stands for into `out`; false if it has no room. */
static bool unquote(char out[static WATCH_LABEL_MAX], struct watch_list_text *text)
{
    size_t len = 0;

    for (size_t i = 0; i < text->len; i++) {
        if (len == WATCH_LABEL_MAX)
            return false;
        out[len++] = text->at[i];
        i += text->at[i] == '"';
    }
    *text = (struct watch_list_text){out, len};
    return true;
}

/* Read the quoted field whose opening quote is at *at; *at ends behind the closing one.
 */
static bool read_quoted(struct watch_list_builder *builder, struct line *line,
                        struct field *field, size_t *at)
{
    const size_t start = *at + 1;
    bool doubled;
    const size_t end = closing_quote(&doubled, line->text, start);
    if (end == line->text.len)
        return watch_list_error(builder, place_at(line, *at),
                                "the quote isn't closed in this line");

    field->text = (struct watch_list_text){line->text.at + start, end - start};
    field->column = place_at(line, start).column;
    if (doubled && !unquote(line->unquoted[line->field_count], &field->text))
        return watch_list_error(builder, place_at(line, *at),
                                "the quoted field is too long: at most %d bytes",
                                WATCH_LABEL_MAX);
    *at = end + 1;
    return true;
}

/* Read up to the next comma or the end of the line. */
static bool read_plain(struct watch_list_builder *builder, struct line *line,
                       struct field *field, size_t *at)
{
    const char *text = line->text.at;
    const size_t start = *at;

    while (*at < line->text.len && text[*at] != ',') {
        /* RFC 4180: quotes are for whole fields. A descriptor has none either. */
        if (text[*at] == '"')
            return watch_list_error(builder, place_at(line, *at),
                                    "a quote inside a field: quote the whole field and "
                                    "double the quotes in it");
        ++*at;
    }
    size_t end = *at;
    while (end > start && is_blank(text[end - 1]))
        end--;
    field->text = (struct watch_list_text){text + start, end - start};
    field->column = place_at(line, start).column;
    return true;
}

static bool read_fields(struct watch_list_builder *builder, struct line *line)
{
    const struct watch_list_text text = line->text;

    line->field_count = 0;
    for (size_t at = 0;; at++) {
        if (line->field_count == COLUMNS)
            return watch_list_error(builder, place_at(line, at),
                                    "more than %d columns: quote a label that has commas",
                                    COLUMNS);
        struct field *field = &line->fields[line->field_count];
        at = skip_blanks(text, at);
        const bool quoted = at < text.len && text.at[at] == '"';
        if (!(quoted ? read_quoted : read_plain)(builder, line, field, &at))
            return false;
        line->field_count++;
        at = skip_blanks(text, at);
        if (at == text.len)
            return true;
        if (text.at[at] != ',')
            return watch_list_error(builder, place_at(line, at),
                                    "text after the closing quote");
    }
}

static bool field_is(const struct field *field, const char *text)
{
    return field->text.len == strlen(text) &&
           memcmp(field->text.at, text, field->text.len) == 0;
}

static void check_header(struct watch_list_builder *builder, const struct line *line)
{
    for (size_t i = 0; i < line->field_count; i++) {
        const struct field *field = &line->fields[i];
        if (!field_is(field, column_names[i]))
            watch_list_error(
                builder, (struct watch_list_place){line->number, field->column},
                "column %zu of the header must be '%s'", i + 1, column_names[i]);
    }
}

static uint32_t read_birth(struct watch_list_builder *builder, const struct line *line)
{
    const struct field *field = &line->fields[COLUMN_BIRTH];
    uint64_t value = 0;

    for (size_t i = 0; i < field->text.len; i++) {
        const char c = field->text.at[i];
        if (c >= '0' && c <= '9')
            value = value * 10 + (unsigned)(c - '0');
        if (c < '0' || c > '9' || value > WATCH_BIRTH_MAX) {
            watch_list_error(
                builder, (struct watch_list_place){line->number, field->column},
                "the birth height is a whole number of 0 to %d", WATCH_BIRTH_MAX);
            return 0;
        }
    }
    return (uint32_t)value;
}

static struct watch_list_text read_label(struct watch_list_builder *builder,
                                         const struct line *line)
{
    const struct field *field = &line->fields[COLUMN_LABEL];
    struct watch_list_place place = {line->number, field->column};
    size_t error_at;
    struct error error;

    if (!watch_label_check(field->text, &error_at, &error)) {
        place.column += watch_list_characters(field->text.at, error_at);
        watch_list_error(builder, place, "%s", error.text);
    }
    return field->text;
}

static void read_entry(struct watch_list_builder *builder, const struct line *line)
{
    const struct field *address = &line->fields[COLUMN_ADDRESS];
    const struct watch_list_place place = {line->number, address->column};
    struct watch_list_text label = {"", 0};
    uint32_t birth = 0;

    if (line->field_count > COLUMN_LABEL)
        label = read_label(builder, line);
    if (line->field_count > COLUMN_BIRTH)
        birth = read_birth(builder, line);
    watch_list_add(builder, place, true, address->text, label, birth);
}

/* The next line, its end taken off; false at the end of the list. */
static bool next_line(struct line *line, struct watch_list_text *rest)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->at, '\n', rest->len);
    const size_t len = end == NULL ? rest->len : (size_t)(end - rest->at);
    const size_t whole = end == NULL ? len : len + 1;

    line->text = (struct watch_list_text){rest->at, len};
    if (len > 0 && rest->at[len - 1] == '\r')
        line->text.len--;
    line->number++;
    rest->at += whole;
    rest->len -= whole;
    return true;
}

void watch_list_parse_lines(struct watch_list_builder *builder,
                            struct watch_list_text text)
{
    struct line line;
    bool first = true;

    line.number = 0;
    while (next_line(&line, &text)) {
        const size_t start = skip_blanks(line.text, 0);
        if (start == line.text.len || line.text.at[start] == '#')
            continue;
        const bool may_be_header = first;
        first = false;
        if (!read_fields(builder, &line))
            continue;
        if (may_be_header && field_is(&line.fields[0], column_names[0]))
            check_header(builder, &line);
        else
            read_entry(builder, &line);
    }
}
