/* SPDX-License-Identifier: Apache-2.0 */
/* What Swift's Glibc module lacks: _GNU_SOURCE calls, variadic calls, and headers outside its module map. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

/* setns(2) of the calling thread into a network namespace; -1 and errno on failure. */
int lx_setns_net(int fd);
/* unshare(2) of the calling thread's network namespace. */
int lx_unshare_net(void);
/* unshare(2) of the mount namespace, made private so that nothing mounted later is seen outside. */
int lx_unshare_mount_private(void);
/* SO_NETNS_COOKIE of a socket made in the calling thread's namespace; 0 and errno on failure. */
uint64_t lx_netns_cookie(void);
void lx_stdout_line_buffered(void);
int lx_gettid(void);
/* A thread that nobody waits for, with all signals blocked; 0, or errno when it could not be started. */
int lx_start_detached(void *(*run)(void *), void *context);
/* Lets every other thread of ordinary scheduling go before the calling one, as nice(1) does. */
void lx_be_nice(void);
/* close_range(2): closes every descriptor from that one on; -1 and errno. */
int lx_close_from(unsigned int first);
int lx_pipe_cloexec(int ends[2]);
/* Pins the calling thread to one CPU; to the one that it is on where `cpu` is negative. */
int lx_pin_to_cpu(int cpu);
/* bpf(2), for what libbpf 1.1 has no words for (tcx anchors). */
long lx_bpf(int command, union bpf_attr *attr, unsigned int size);
/* membarrier(2), MEMBARRIER_CMD_GLOBAL: returns when every program that was running has ended (an RCU grace period); -1 and errno. */
int lx_wait_for_programs(void);
/* Stores `desired` where `expected` stands, in one step, in memory that programs change at the same time; 0 where it did not stand there. */
static inline int lx_replace(uint64_t *word, uint64_t expected, uint64_t desired) {
    return __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
int lx_mount_bpffs(const char *directory);
/* malloc_trim(3): gives free memory back to the kernel. */
void lx_return_memory(void);
/* ethtool -K NAME tx on|off, in the calling thread's namespace; -1 and errno. */
int lx_set_transmit_checksums(const char *name, int on);
