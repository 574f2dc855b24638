/* Runs the publishers of type=evm: performs their effects on endpoints and on the store's
 * thread. */
#ifndef APP_EVM_DRIVER_H
#define APP_EVM_DRIVER_H

#include "app/config.h"
#include "app/store_thread.h"
#include "feeds/evm/evm_publisher.h"

struct evm_drivers;

struct evm_drivers_settings {
    struct loop *loop;
    struct store_thread *store;
    const struct config *config;
    /* On the loop, never from within an evm_drivers_ call. */
    void (*changed)(void *context);
    void (*failed)(void *context, const struct error *error);
    void *context;
};

/* One for each feed whose publisher is of type=evm; opens their keys. NULL, with the
 * error, if one can't be used. */
struct evm_drivers *evm_drivers_new(const struct evm_drivers_settings *settings,
                                    struct error *error);
/* Ask and commit nothing more; then free them when the store's thread has ended. */
void evm_drivers_stop(struct evm_drivers *drivers);
void evm_drivers_free(struct evm_drivers *drivers);

/* Samples were taken. */
void evm_drivers_sampled(struct evm_drivers *drivers);
/* False if the feed's publisher isn't of this type. */
NODISCARD bool evm_drivers_status(const struct evm_drivers *drivers, const char *feed,
                                  struct evm_status *out);

#endif
