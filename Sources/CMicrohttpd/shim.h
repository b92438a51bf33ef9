#pragma once
#include <microhttpd.h>
/* MHD_start_daemon is variadic: Swift cannot see it. Options come as a list that ends with MHD_OPTION_END. */
static inline struct MHD_Daemon *MHD_start(unsigned int flags, uint16_t port, MHD_AccessHandlerCallback callback, void *context,
                                           const struct MHD_OptionItem *options) {
    return MHD_start_daemon(flags, port, NULL, NULL, callback, context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}
