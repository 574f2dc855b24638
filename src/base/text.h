/* Text that others sent, made fit for a terminal, a log and JSON. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/* Replace in place by '?': control characters (U+0000 to U+001F, U+007F to U+009F) and
 * each byte that isn't part of a character in well-formed UTF-8. */
void text_make_printable(char *text);

#endif
