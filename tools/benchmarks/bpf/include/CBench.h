/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

const void *bench_object(void);
size_t bench_object_size(void);

/* What follows returns -errno on failure. */

/* A packet socket that sends whole frames out of an interface of the calling thread's namespace, past its tc egress hook. */
int bench_frames_open(unsigned ifindex);
/*
 * Sends `count` 60-byte UDP frames from 10.1.0.0/16 to 10.0.0.2, of `flows` flows in turn, in an order that does not follow memory.
 * Returns 0.
 */
int bench_frames_send(int packet_socket, const uint8_t to[6], uint64_t count, uint32_t flows);
/* A UDP socket at the frames' port whose buffer is too small for many: frames go up the whole stack and end there. */
int bench_frames_sink(void);

/* A TCP connection of two non-blocking sockets, from one network namespace to 10.0.0.2 in another; the caller ends in the second. */
int bench_tcp_connect(int from_namespace, int to_namespace, uint16_t port, int ends[2]);
/* Moves bytes through the connection on the calling thread alone, which sends until it would wait and then receives. Returns 0. */
int bench_tcp_move(const int ends[2], uint64_t bytes);

/* What a reader of samples makes of them. */
struct bench_tally {
	uint64_t samples;
	uint64_t packets; /* estimated */
	uint64_t bytes;
	uint64_t check; /* of the header bytes: they are looked at */
};
/* A reader of the datapath's rings of samples (bpf/abi/sample.h), of so many CPUs, each of `ring_bytes`; NULL and errno on failure. */
struct bench_sample_reader;
struct bench_sample_reader *bench_sample_reader_new(int heads, int tails, int rings, unsigned cpus, size_t ring_bytes,
						    uint64_t mask);
void bench_sample_reader_free(struct bench_sample_reader *reader);
void bench_sample_reader_drain(struct bench_sample_reader *reader, struct bench_tally *tally);
/* libbpf's reader of a kernel ring buffer with the same samples in it; NULL and errno on failure. */
struct ring_buffer *bench_ring_new(int ring, struct bench_tally *tally);
int bench_ring_drain(struct ring_buffer *ring);
void bench_ring_free(struct ring_buffer *ring);

/* A flow to 10.0.0.2 that sends as much as it may. */
struct bench_flow {
	int udp;
	uint16_t port;
	uint32_t size;     /* payload of a datagram, or of a write */
	uint64_t received; /* payload within the window */
};
/*
 * Runs flows from one namespace to another, waits, and measures for some seconds: frame bytes a second at the device vb, from the arrival of
 * one packet to that of another. The caller ends in the second namespace. Returns 0.
 */
int bench_flows_run(int from, int to, struct bench_flow *flows, int count, double warm_s, double seconds,
		    double *bytes_per_second);
