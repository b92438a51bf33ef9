/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled BPF objects, embedded in the executable. */
#ifndef NILO_ABI_OBJECTS_H
#define NILO_ABI_OBJECTS_H
#include <stddef.h>

const void *nilo_flow_object(void);
size_t nilo_flow_object_size(void);
const void *nilo_drops_object(void);
size_t nilo_drops_object_size(void);
const void *nilo_mirror_port_object(void);
size_t nilo_mirror_port_object_size(void);
#endif
