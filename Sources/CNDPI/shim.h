#pragma once
#include <ndpi_api.h>
/* Whether header and library agree on what a flow looks like in memory: callers allocate it. */
static inline int ndpi_layout_matches(void) {
    return ndpi_detection_get_sizeof_ndpi_flow_struct() == sizeof(struct ndpi_flow_struct) &&
           ndpi_detection_get_sizeof_ndpi_flow_tcp_struct() == sizeof(struct ndpi_flow_tcp_struct) &&
           ndpi_detection_get_sizeof_ndpi_flow_udp_struct() == sizeof(struct ndpi_flow_udp_struct);
}
/* NDPI_BITMASK_SET_ALL is a macro over memset. */
static inline void ndpi_detect_all(struct ndpi_detection_module_struct *module) {
    NDPI_PROTOCOL_BITMASK all;
    NDPI_BITMASK_SET_ALL(all);
    ndpi_set_protocol_detection_bitmask2(module, &all);
}
static inline struct ndpi_flow_struct *ndpi_new_flow(void) {
    return (struct ndpi_flow_struct *)ndpi_calloc(1, sizeof(struct ndpi_flow_struct));
}
/* Fields of the flow: arrays are tuples in Swift, and the library ends the name with a zero. */
static inline const char *ndpi_host_name(const struct ndpi_flow_struct *flow) { return flow->host_server_name; }
static inline unsigned int ndpi_host_name_room(void) { return sizeof(((struct ndpi_flow_struct *)0)->host_server_name); }
static inline unsigned int ndpi_confidence(const struct ndpi_flow_struct *flow) { return (unsigned int)flow->confidence; }
static inline unsigned int ndpi_category(const struct ndpi_flow_struct *flow) { return (unsigned int)flow->category; }
