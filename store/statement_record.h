/* Inside this floor: samples and publications as bytes. */
#ifndef STORE_STATEMENT_RECORD_H
#define STORE_STATEMENT_RECORD_H

#include "base/bytes.h"
#include "store/outbox.h"
#include "store/sample.h"

void statement_encode(struct writer *out, const struct statement *statement);
/* The reader's error says whether it worked. */
void statement_decode(struct statement *out, struct reader *reader);
NODISCARD bool sample_decode(struct sample *out, struct bytes key, struct bytes value);
/* out->payload is a copy of the caller's; NULL on failure. */
NODISCARD bool publication_decode(struct publication *out, struct bytes key,
                                  struct bytes value);

#endif
