// SPDX-License-Identifier: Apache-2.0
/* Paced UDP with the time of sending in each packet, and a receiver that writes down how long each took.
 *
 *   diurnal_traffic send SCHEDULE START STEP ADDRESS:PORT...
 *   diurnal_traffic receive FILE END ADDRESS:PORT...
 *
 * SCHEDULE has a line for each step and in it the rate of each flow, bits a second of Ethernet frames without FCS. The first step begins at
 * START and each lasts STEP, seconds since 1970. Packets of a flow are evenly spaced, each moved by up to a quarter of the gap, by a
 * generator with a fixed seed. On the last line of its output the sender tells how many packets of each flow it has sent; it complains of
 * those that the kernel refused.
 *
 * The receiver writes, until END, records of 16 bytes in the machine's order: u32 flow, u32 microseconds on the way, u64 microseconds since
 * 1970 of sending. Sender and receiver are on one machine, and the time of arrival is the kernel's (SO_TIMESTAMPNS, socket(7)).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_FLOWS = 16,
	PAYLOAD = 1200,
	FRAME = PAYLOAD + 8 + 20 + 14
};

static void fail(const char *what)
{
	fprintf(stderr, "diurnal_traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Without it a busy machine sends in lumps; it is not worth failing for. */
static void run_first(void)
{
	struct sched_param p = { .sched_priority = 10 };

	if (sched_setscheduler(0, SCHED_FIFO, &p))
		perror("diurnal_traffic: no real-time priority");
}

static struct sockaddr_in address_of(char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	char *colon = strrchr(text, ':');

	if (colon)
		*colon = 0;
	if (!colon || inet_pton(AF_INET, text, &a.sin_addr) != 1) {
		errno = EINVAL;
		fail(text);
	}
	a.sin_port = htons((uint16_t)atoi(colon + 1));
	return a;
}

static int udp_socket(void)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		fail("socket");
	return s;
}

static uint64_t state = 88172645463325252ULL;

/* xorshift64 (Marsaglia 2003), 0 to 1. */
static double chance(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / 9007199254740992.0;
}

static void send_all(char **argv, int flows)
{
	FILE *schedule = fopen(argv[0], "r");
	int64_t start = (int64_t)(atof(argv[1]) * 1e9), step = (int64_t)(atof(argv[2]) * 1e9);
	struct {
		int socket;
		double rate;
		double due;
		uint64_t sent;
	} flow[MAX_FLOWS] = { 0 };
	char packet[PAYLOAD] = { 0 };
	uint64_t refused = 0;

	if (!schedule)
		fail(argv[0]);
	for (int i = 0; i < flows; i++) {
		struct sockaddr_in to = address_of(argv[3 + i]);

		flow[i].socket = udp_socket();
		if (connect(flow[i].socket, (struct sockaddr *)&to, sizeof(to)))
			fail("connect");
	}
	run_first();
	for (int64_t begin = start;; begin += step) {
		for (int i = 0; i < flows; i++) {
			double rate;

			if (fscanf(schedule, "%lf", &rate) != 1)
				goto end;
			if (flow[i].rate > 0 && rate > 0) /* the part of the gap that is left goes at the new rate */
				flow[i].due = begin + (flow[i].due - begin) * flow[i].rate / rate;
			if (flow[i].due < begin)
				flow[i].due = begin;
			flow[i].rate = rate;
		}
		for (;;) {
			int next = -1;

			for (int i = 0; i < flows; i++)
				if (flow[i].rate > 0 && (next < 0 || flow[i].due < flow[next].due))
					next = i;
			if (next < 0 || flow[next].due >= begin + step) {
				break;
			}
			double gap = FRAME * 8 * 1e9 / flow[next].rate;
			int64_t at = (int64_t)(flow[next].due + gap * chance() / 4);
			struct timespec t = { .tv_sec = at / 1000000000, .tv_nsec = at % 1000000000 };

			while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == EINTR)
				;
			int64_t stamp = now_ns();

			memcpy(packet, &stamp, sizeof(stamp));
			packet[8] = (char)next;
			if (send(flow[next].socket, packet, PAYLOAD, 0) == PAYLOAD)
				flow[next].sent++;
			else
				refused++;
			flow[next].due += gap;
		}
	}
end:
	for (int i = 0; i < flows; i++)
		printf("%s%llu", i ? " " : "", (unsigned long long)flow[i].sent);
	printf("\n");
	if (refused)
		fprintf(stderr, "diurnal_traffic: %llu packets were refused\n", (unsigned long long)refused);
}

struct record {
	uint32_t flow, delay;
	uint64_t sent;
};

static void take(int s, FILE *out)
{
	char packet[PAYLOAD], control[128];
	struct iovec part = { packet, sizeof(packet) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };

	for (;;) {
		m.msg_controllen = sizeof(control);
		if (recvmsg(s, &m, MSG_DONTWAIT) != PAYLOAD)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			struct timespec t;
			struct record r;
			int64_t sent;

			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
				continue;
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			memcpy(&sent, packet, sizeof(sent));
			int64_t way = t.tv_sec * 1000000000LL + t.tv_nsec - sent;

			r = (struct record){ (uint32_t)packet[8], (uint32_t)(way > 0 ? way / 1000 : 0),
					     (uint64_t)sent / 1000 };
			if (fwrite(&r, sizeof(r), 1, out) != 1)
				fail("write");
		}
	}
}

static void receive_all(char **argv, int flows)
{
	FILE *out = fopen(argv[0], "w");
	int64_t end = (int64_t)(atof(argv[1]) * 1e9);
	struct pollfd polled[MAX_FLOWS];
	int one = 1, room = 4 << 20;

	if (!out)
		fail(argv[0]);
	for (int i = 0; i < flows; i++) {
		struct sockaddr_in at = address_of(argv[2 + i]);

		polled[i] = (struct pollfd){ .fd = udp_socket(), .events = POLLIN };
		if (setsockopt(polled[i].fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ||
		    setsockopt(polled[i].fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) ||
		    bind(polled[i].fd, (struct sockaddr *)&at, sizeof(at)))
			fail("bind");
	}
	while (now_ns() < end) {
		if (poll(polled, (nfds_t)flows, 200) < 0 && errno != EINTR)
			fail("poll");
		for (int i = 0; i < flows; i++)
			take(polled[i].fd, out);
		/* The kernel notes the time: it need not be fetched at once. */
		usleep(5000);
	}
	if (fclose(out))
		fail(argv[0]);
}

int main(int argc, char **argv)
{
	int sends = argc > 5 && !strcmp(argv[1], "send"), receives = argc > 4 && !strcmp(argv[1], "receive");
	int flows = argc - (sends ? 5 : 4);

	if ((!sends && !receives) || flows > MAX_FLOWS) {
		fprintf(stderr,
			"usage: diurnal_traffic send SCHEDULE START STEP ADDRESS:PORT... | receive FILE END ADDRESS:PORT...\n");
		return 2;
	}
	if (sends)
		send_all(argv + 2, flows);
	else
		receive_all(argv + 2, flows);
	return 0;
}
