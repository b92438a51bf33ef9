/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

/* Made by the BPFCompile plugin from flow.bpf.c, drops.bpf.c and mirror_port.bpf.c. */
extern const unsigned char flow_bpf_object[];
extern const unsigned long flow_bpf_object_size;
extern const unsigned char drops_bpf_object[];
extern const unsigned long drops_bpf_object_size;
extern const unsigned char mirror_port_bpf_object[];
extern const unsigned long mirror_port_bpf_object_size;

const void *nilo_flow_object(void)
{
	return flow_bpf_object;
}
size_t nilo_flow_object_size(void)
{
	return flow_bpf_object_size;
}
const void *nilo_drops_object(void)
{
	return drops_bpf_object;
}
size_t nilo_drops_object_size(void)
{
	return drops_bpf_object_size;
}
const void *nilo_mirror_port_object(void)
{
	return mirror_port_bpf_object;
}
size_t nilo_mirror_port_object_size(void)
{
	return mirror_port_bpf_object_size;
}
