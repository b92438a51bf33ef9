#pragma once
#include <microhttpd.h>
/* MHD_start_daemon is variadic: Swift cannot see it. Options come as a list that ends with MHD_OPTION_END. */
static inline struct MHD_Daemon *MHD_start(unsigned int flags, uint16_t port, MHD_AccessHandlerCallback callback, void *context,
                                           const struct MHD_OptionItem *options) {
    return MHD_start_daemon(flags, port, NULL, NULL, callback, context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}
/* So are these. The connection's socket, or -1. */
static inline int MHD_connection_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}
/* Seconds without traffic until the connection is closed; 0: never. */
static inline enum MHD_Result MHD_connection_timeout(struct MHD_Connection *connection, unsigned int seconds) {
    return MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}
