/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic whose whole cost, sending and receiving, falls on the calling thread's CPU. */
#define _GNU_SOURCE
#include "CBench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FRAME = 60,
	BATCH = 64,
	PORT = 7
};

static int failed(int fd)
{
	int saved = errno;
	if (fd >= 0)
		close(fd);
	return -saved;
}

int bench_frames_open(unsigned ifindex)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)ifindex };
	/* Protocol 0 in socket(): nothing is received. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	at.sll_protocol = 0;
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at))
		return failed(fd);
	return fd;
}

int bench_frames_sink(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), least = 1;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) ||
	    bind(fd, (struct sockaddr *)&at, sizeof at))
		return failed(fd);
	return fd;
}

static uint16_t header_checksum(const uint8_t *header)
{
	uint32_t sum = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* Makes the frame one of the flow: its source address and port say which. */
static void name_flow(uint8_t *frame, uint32_t flow)
{
	uint16_t sum;
	frame[28] = (uint8_t)(flow >> 22);
	frame[29] = (uint8_t)(1 + (flow >> 15));
	frame[34] = (uint8_t)(0x80 | flow >> 8);
	frame[35] = (uint8_t)flow;
	frame[24] = frame[25] = 0;
	sum = header_checksum(frame + 14);
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

int bench_frames_send(int packet_socket, const uint8_t to[6], uint64_t count, uint32_t flows)
{
	uint8_t frames[BATCH][FRAME] = {};
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = {};
	for (int i = 0; i < BATCH; i++) {
		static const uint8_t rest[] = { 0x02, 0, 0,          0, 0,    0xa1, 0x08,      0x00, 0x45,
						0,    0, FRAME - 14, 0, 0,    0x40, 0,         64,   IPPROTO_UDP,
						0,    0, 10,         1, 0,    0,    10,        0,    0,
						2,    0, 0,          0, PORT, 0,    FRAME - 34 };
		memcpy(frames[i], to, 6);
		memcpy(frames[i] + 6, rest, sizeof rest);
		parts[i] = (struct iovec){ frames[i], FRAME };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (uint64_t sent = 0; sent < count;) {
		unsigned now = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;
		/* A stride coprime to any round number of flows: every flow comes up, none is beside the one before. */
		for (unsigned i = 0; i < now; i++)
			name_flow(frames[i], (uint32_t)((sent + i) * 48271 % flows));
		for (unsigned done = 0; done < now;) {
			int n = sendmmsg(packet_socket, messages + done, now - done, 0);
			if (n < 0 && errno != EINTR && errno != ENOBUFS)
				return -errno;
			if (n > 0)
				done += (unsigned)n;
		}
		sent += now;
	}
	return 0;
}

static int quiet_socket(void)
{
	/* Reno neither paces nor measures: what is sent depends on acknowledgements alone. */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
		return failed(fd);
	return fd;
}

int bench_tcp_connect(int from_namespace, int to_namespace, uint16_t port, int ends[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int listener, result;
	inet_pton(AF_INET, "10.0.0.2", &at.sin_addr);
	ends[0] = ends[1] = -1;
	if (setns(to_namespace, CLONE_NEWNET) || (listener = quiet_socket()) < 0)
		return -errno;
	if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1) ||
	    setns(from_namespace, CLONE_NEWNET) || (ends[0] = quiet_socket()) < 0 ||
	    connect(ends[0], (struct sockaddr *)&at, sizeof at) || setns(to_namespace, CLONE_NEWNET) ||
	    (ends[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0 ||
	    fcntl(ends[0], F_SETFL, O_NONBLOCK)) {
		result = failed(listener);
		if (ends[0] >= 0)
			close(ends[0]);
		if (ends[1] >= 0)
			close(ends[1]);
		return result;
	}
	close(listener);
	return 0;
}

int bench_tcp_move(const int ends[2], uint64_t bytes)
{
	static char out[65536], in[262144];
	uint64_t sent = 0, received = 0;
	while (received < bytes) {
		int moved = 0;
		ssize_t n = 1;
		while (sent < bytes && n > 0) {
			size_t want = bytes - sent < sizeof out ? (size_t)(bytes - sent) : sizeof out;
			n = send(ends[0], out, want, MSG_NOSIGNAL);
			if (n > 0)
				sent += (uint64_t)n, moved = 1;
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return -errno;
		}
		while ((n = recv(ends[1], in, sizeof in, 0)) > 0)
			received += (uint64_t)n, moved = 1;
		if (n == 0)
			return -ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (!moved) {
			struct pollfd wait[2] = { { ends[0], sent < bytes ? POLLOUT : 0, 0 }, { ends[1], POLLIN, 0 } };
			int ready = poll(wait, 2, 5000);
			if (ready == 0)
				return -ETIMEDOUT;
			if (ready < 0 && errno != EINTR)
				return -errno;
		}
	}
	return 0;
}
