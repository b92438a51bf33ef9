/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of samples in C, beside which the one in Swift is measured. */
#include "CBench.h"
#include "../../../../bpf/abi/sample.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline void count(struct bench_tally *tally, const struct nilo_sample *sample)
{
	uint64_t packets = (uint64_t)sample->hits * sample->one_in, first;
	memcpy(&first, sample + 1, sizeof first);
	tally->samples++;
	tally->packets += packets;
	tally->bytes += sample->wire_packets == 1 ? packets * sample->wire_bytes
						  : packets * sample->wire_bytes / sample->wire_packets;
	tally->check ^= first;
}

struct bench_sample_reader {
	const struct nilo_sample_head *heads;
	struct nilo_sample_tail *tails;
	const char *rings;
	size_t heads_bytes, rings_bytes, ring_bytes;
	uint64_t mask;
	unsigned cpus;
};

static size_t pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (bytes + page - 1) / page * page;
}

struct bench_sample_reader *bench_sample_reader_new(int heads, int tails, int rings, unsigned cpus, size_t ring_bytes,
						    uint64_t mask)
{
	struct bench_sample_reader *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->cpus = cpus;
	r->ring_bytes = ring_bytes;
	r->mask = mask;
	r->heads_bytes = pages(cpus * sizeof *r->heads);
	r->rings_bytes = pages(cpus * ring_bytes);
	r->heads = mmap(NULL, r->heads_bytes, PROT_READ, MAP_SHARED, heads, 0);
	r->tails = mmap(NULL, r->heads_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, tails, 0);
	r->rings = mmap(NULL, r->rings_bytes, PROT_READ, MAP_SHARED, rings, 0);
	if (r->heads == MAP_FAILED || r->tails == MAP_FAILED || r->rings == MAP_FAILED) {
		free(r);
		return NULL;
	}
	return r;
}

void bench_sample_reader_free(struct bench_sample_reader *r)
{
	munmap((void *)r->heads, r->heads_bytes);
	munmap(r->tails, r->heads_bytes);
	munmap((void *)r->rings, r->rings_bytes);
	free(r);
}

void bench_sample_reader_drain(struct bench_sample_reader *r, struct bench_tally *tally)
{
	for (unsigned cpu = 0; cpu < r->cpus; cpu++) {
		const char *ring = r->rings + cpu * r->ring_bytes;
		uint64_t head = __atomic_load_n(&r->heads[cpu].written, __ATOMIC_ACQUIRE), at = r->tails[cpu].taken;
		uint64_t release = at + (r->mask + 1) / 8;
		while (at != head) {
			const struct nilo_sample *sample = (const void *)(ring + (at & r->mask));
			if (sample->bytes < sizeof *sample || sample->bytes > head - at)
				abort();
			at += sample->bytes;
			count(tally, sample);
			if (at >= release) {
				__atomic_store_n(&r->tails[cpu].taken, at, __ATOMIC_RELEASE);
				release = at + (r->mask + 1) / 8;
			}
		}
		__atomic_store_n(&r->tails[cpu].taken, at, __ATOMIC_RELEASE);
	}
}

static int on_sample(void *tally, void *sample, size_t size)
{
	(void)size;
	count(tally, sample);
	return 0;
}

struct ring_buffer *bench_ring_new(int ring, struct bench_tally *tally)
{
	return ring_buffer__new(ring, on_sample, tally, NULL);
}
int bench_ring_drain(struct ring_buffer *ring)
{
	return ring_buffer__consume(ring);
}
void bench_ring_free(struct ring_buffer *ring)
{
	ring_buffer__free(ring);
}
