#include "app/config_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* A piece of the text. */
struct span {
    const char *at;
    size_t len;
};

/* "path:line" of a path of any length, with room to spare: longer ones are cut. */
#define PLACE_MAX 512

struct parse {
    struct config_file *file;
    struct faults *faults;
    const char *path;
    uint32_t line;
    bool good;
};

static void config_entry_release(struct config_entry *entry)
{
    free(entry->key);
    free(entry->value);
    free(entry->place);
}

void config_section_release(struct config_section *section)
{
    for (size_t i = 0; i < section->count; i++)
        config_entry_release(&section->entries[i]);
    free(section->entries);
    free(section->kind);
    free(section->name);
    free(section->place);
    *section = (struct config_section){0};
}

void config_file_release(struct config_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        config_section_release(&file->sections[i]);
    free(file->sections);
    *file = (struct config_file){0};
}

void config_section_add(struct config_section *section, const char *key,
                        const char *value, const char *place, bool in_file)
{
    section->entries = mem_grow(section->entries, &section->capacity, section->count + 1,
                                sizeof(*section->entries));
    section->entries[section->count++] = (struct config_entry){
        mem_strdup(key), mem_strdup(value), mem_strdup(place), in_file};
}

bool config_text_printable(const char *text)
{
    char *cleaned = mem_strdup(text);
    text_make_printable(cleaned);
    bool same = strcmp(text, cleaned) == 0;
    free(cleaned);
    return same;
}

static char *span_copy(struct span span)
{
    char *copy = mem_alloc(span.len + 1);
    memcpy(copy, span.at, span.len);
    copy[span.len] = '\0';
    return copy;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span span_trim(struct span span)
{
    while (span.len > 0 && is_blank(span.at[0])) {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && is_blank(span.at[span.len - 1]))
        span.len--;
    return span;
}

static struct span without_comment(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] == '#' && (i == 0 || is_blank(line.at[i - 1])))
            return (struct span){line.at, i};
    }
    return line;
}

static void fault(struct parse *parse, const char *reason, struct span span)
{
    parse->good = false;
    faults_add(parse->faults, "%s:%u: '%.*s': %s", parse->path, parse->line,
               (int)(span.len > 80 ? 80 : span.len), span.at, reason);
}

static void add_section(struct parse *parse, struct span kind, struct span name)
{
    char place[PLACE_MAX];
    struct config_file *file = parse->file;
    snprintf(place, sizeof(place), "%s:%u", parse->path, parse->line);
    file->sections = mem_grow(file->sections, &file->capacity, file->count + 1,
                              sizeof(*file->sections));
    file->sections[file->count++] = (struct config_section){
        .kind = span_copy(kind), .name = span_copy(name), .place = mem_strdup(place)};
}

static void parse_heading(struct parse *parse, struct span line)
{
    if (line.at[line.len - 1] != ']') {
        fault(parse, "a heading ends with ']'", line);
        add_section(parse, (struct span){CONFIG_KIND_UNREADABLE, 1},
                    (struct span){"", 0});
        return;
    }
    struct span inside = span_trim((struct span){line.at + 1, line.len - 2});
    struct span kind = {inside.at, 0};
    while (kind.len < inside.len && !is_blank(inside.at[kind.len]))
        kind.len++;
    add_section(parse, kind,
                span_trim((struct span){inside.at + kind.len, inside.len - kind.len}));
}

static bool key_valid(struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return key.len > 0;
}

static void parse_entry(struct parse *parse, struct span line)
{
    const char *equals = memchr(line.at, '=', line.len);
    if (equals == NULL) {
        fault(parse, "isn't key=value; a comment begins with '#'", line);
        return;
    }
    struct span key = span_trim((struct span){line.at, (size_t)(equals - line.at)});
    struct span value =
        span_trim((struct span){equals + 1, (size_t)(line.at + line.len - equals - 1)});
    if (!key_valid(key)) {
        fault(parse, "a key is made of a-z, 0-9 and _", line);
    } else if (value.len == 0) {
        fault(parse, "has no value; leave the line out for the default", key);
    } else if (value.len > CONFIG_VALUE_MAX) {
        fault(parse, "its value is too long: at most 4096 characters", key);
    } else {
        char place[PLACE_MAX];
        char *key_text = span_copy(key), *value_text = span_copy(value);
        snprintf(place, sizeof(place), "%s:%u", parse->path, parse->line);
        config_section_add(&parse->file->sections[parse->file->count - 1], key_text,
                           value_text, place, true);
        free(key_text);
        free(value_text);
    }
}

static bool line_printable(struct span line)
{
    if (memchr(line.at, '\0', line.len) != NULL)
        return false;
    char *copy = span_copy(line);
    for (size_t i = 0; i < line.len; i++) {
        if (copy[i] == '\t')
            copy[i] = ' ';
    }
    bool printable = config_text_printable(copy);
    free(copy);
    return printable;
}

static void parse_line(struct parse *parse, struct span line)
{
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    if (!line_printable(line)) {
        parse->good = false;
        faults_add(parse->faults,
                   "%s:%u: control characters or bytes that aren't UTF-8; save the file "
                   "as UTF-8 text",
                   parse->path, parse->line);
        return;
    }
    line = span_trim(without_comment(line));
    if (line.len == 0)
        return;
    if (line.at[0] == '[')
        parse_heading(parse, line);
    else
        parse_entry(parse, line);
}

bool config_file_parse(struct config_file *out, struct faults *faults, const char *path,
                       const char *text, size_t len)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct parse parse = {.file = out, .faults = faults, .path = path, .good = true};
    struct span left = {text, len};

    *out = (struct config_file){0};
    add_section(&parse, (struct span){"", 0}, (struct span){"", 0});
    if (len > CONFIG_FILE_MAX)
        return faults_add(faults, "%s: has %zu bytes; a configuration has at most %zu",
                          path, len, CONFIG_FILE_MAX);
    if (len >= 3 && memcmp(text, mark, 3) == 0)
        left = (struct span){text + 3, len - 3};
    while (left.len > 0) {
        const char *end = memchr(left.at, '\n', left.len);
        size_t line_len = end != NULL ? (size_t)(end - left.at) : left.len;
        parse.line++;
        parse_line(&parse, (struct span){left.at, line_len});
        size_t step = line_len + (end != NULL);
        left = (struct span){left.at + step, left.len - step};
    }
    return parse.good;
}
