/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that ask for all they can get, and what of them arrives between two packets of a receiving device. */
#define _GNU_SOURCE
#include "CBench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 16
};

struct runner {
	struct bench_flow *flow;
	int from, to;
	int sender, receiver; /* sockets */
	atomic_int *stop;
	atomic_ullong received;
	atomic_int failure;
	pthread_t threads[2];
};

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *send_all(void *argument)
{
	struct runner *r = argument;
	static char data[65536];
	struct iovec part = { data, r->flow->size };
	struct mmsghdr messages[BATCH] = {};
	for (int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &part, .msg_iovlen = 1 };
	/* The shaper is to be the bottleneck, not who else wants the CPU. */
	setpriority(PRIO_PROCESS, 0, -15);
	while (!atomic_load(r->stop)) {
		ssize_t n = r->flow->udp ? sendmmsg(r->sender, messages, BATCH, 0)
					 : send(r->sender, data, r->flow->size, MSG_NOSIGNAL);
		/* No buffers: the queue is full. Others: the end of the connection, or a time out after which to look whether it is over. */
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED) {
			if (!atomic_load(r->stop))
				atomic_store(&r->failure, errno);
			break;
		}
	}
	return NULL;
}

static void *receive_all(void *argument)
{
	struct runner *r = argument;
	static _Thread_local char data[262144];
	setpriority(PRIO_PROCESS, 0, -15);
	while (!atomic_load(r->stop)) {
		ssize_t n = recv(r->receiver, data, sizeof data, 0);
		if (n > 0)
			atomic_fetch_add(&r->received, (unsigned long long)n);
		else if (n == 0)
			break;
	}
	return NULL;
}

static int open_flow(struct runner *r)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(r->flow->port) };
	struct timeval patience = { .tv_usec = 100000 };
	int type = r->flow->udp ? SOCK_DGRAM : SOCK_STREAM, on = 1, listener, buffer = 4 << 20;
	inet_pton(AF_INET, "10.0.0.2", &at.sin_addr);
	if (setns(r->to, CLONE_NEWNET) || (listener = socket(AF_INET, type | SOCK_CLOEXEC, 0)) < 0)
		return -errno;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (r->flow->udp)
		setsockopt(listener, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) || (!r->flow->udp && listen(listener, 1)) ||
	    setns(r->from, CLONE_NEWNET) || (r->sender = socket(AF_INET, type | SOCK_CLOEXEC, 0)) < 0)
		return -errno;
	if (!r->flow->udp)
		setsockopt(r->sender, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	if (connect(r->sender, (struct sockaddr *)&at, sizeof at))
		return -errno;
	r->receiver = r->flow->udp ? listener : accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (!r->flow->udp)
		close(listener);
	if (r->receiver < 0)
		return -errno;
	setsockopt(r->receiver, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(r->sender, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	return 0;
}

/* What `vb` of the calling thread's namespace has received; read again and again until it has changed, so that the time is a packet's. */
static int next_packet(uint64_t *bytes, double *at)
{
	uint64_t first = 0;
	double start = now_s();
	for (int reads = 0;; reads++) {
		char line[512];
		unsigned long long value = 0;
		int found = 0;
		FILE *file = fopen("/proc/thread-self/net/dev", "re");
		if (!file)
			return -errno;
		while (fgets(line, sizeof line, file)) {
			char *name = strstr(line, "vb:");
			if (name && sscanf(name + 3, "%llu", &value) == 1)
				found = 1;
		}
		*at = now_s();
		fclose(file);
		if (!found)
			return -ENODEV;
		if (reads && value != first) {
			*bytes = value;
			return 0;
		}
		first = value;
		if (*at - start > 5)
			return -ETIMEDOUT;
	}
}

int bench_flows_run(int from, int to, struct bench_flow *flows, int count, double warm_s, double seconds,
		    double *bytes_per_second)
{
	struct runner *runners = calloc((size_t)count, sizeof *runners);
	unsigned long long *before = calloc((size_t)count, sizeof *before);
	atomic_int stop = 0;
	uint64_t first_bytes = 0, last_bytes = 0;
	double first_at = 0, last_at = 0;
	int result = 0;
	if (!runners || !before)
		return -ENOMEM;
	for (int i = 0; i < count && !result; i++) {
		runners[i] = (struct runner){
			.flow = &flows[i], .from = from, .to = to, .sender = -1, .receiver = -1, .stop = &stop
		};
		result = open_flow(&runners[i]);
	}
	for (int i = 0; i < count && !result; i++)
		if (pthread_create(&runners[i].threads[0], NULL, receive_all, &runners[i]) ||
		    pthread_create(&runners[i].threads[1], NULL, send_all, &runners[i]))
			result = -EAGAIN;
	if (!result && setns(to, CLONE_NEWNET))
		result = -errno;
	if (!result) {
		usleep((useconds_t)(warm_s * 1e6));
		result = next_packet(&first_bytes, &first_at);
		for (int i = 0; i < count; i++)
			before[i] = atomic_load(&runners[i].received);
		usleep((useconds_t)(seconds * 1e6));
		if (!result)
			result = next_packet(&last_bytes, &last_at);
		for (int i = 0; i < count; i++) {
			flows[i].received = atomic_load(&runners[i].received) - before[i];
			if (atomic_load(&runners[i].failure))
				result = -atomic_load(&runners[i].failure);
		}
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < count; i++) {
		for (int t = 0; t < 2; t++)
			if (runners[i].threads[t])
				pthread_join(runners[i].threads[t], NULL);
		if (runners[i].sender >= 0)
			close(runners[i].sender);
		if (runners[i].receiver >= 0)
			close(runners[i].receiver);
	}
	if (!result)
		*bytes_per_second = (double)(last_bytes - first_bytes) / (last_at - first_at);
	free(runners);
	free(before);
	return result;
}
