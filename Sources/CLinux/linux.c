/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/membarrier.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* since Linux 5.14 */
#endif

int lx_setns_net(int fd) { return setns(fd, CLONE_NEWNET); }
int lx_unshare_net(void) { return unshare(CLONE_NEWNET); }
int lx_unshare_mount_private(void) { return unshare(CLONE_NEWNS) ?: mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL); }
int lx_gettid(void) { return (int)syscall(SYS_gettid); }

int lx_start_detached(void *(*run)(void *), void *context) {
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);
    if (code != 0) return code;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* A thread inherits the mask of who starts it. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    code = pthread_create(&thread, &attributes, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code;
}

/* Of Linux, setpriority(2) of process 0 is of the calling thread alone. */
void lx_be_nice(void) { setpriority(PRIO_PROCESS, 0, 10); }
int lx_close_from(unsigned int first) { return (int)syscall(SYS_close_range, first, ~0U, 0U); }
int lx_pipe_cloexec(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
void lx_stdout_line_buffered(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
long lx_bpf(int command, union bpf_attr *attr, unsigned int size) { return syscall(SYS_bpf, command, attr, size); }
int lx_mount_bpffs(const char *directory) { return mount("bpf", directory, "bpf", 0, "mode=0700"); }

int lx_pin_to_cpu(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu < 0 ? sched_getcpu() : cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

uint64_t lx_netns_cookie(void) {
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0) return 0;
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    if (getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size)) cookie = 0;
    int saved = errno;
    close(s);
    errno = saved;
    return cookie;
}

int lx_wait_for_programs(void) { return (int)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); }

void lx_return_memory(void) { malloc_trim(0); }

int lx_set_transmit_checksums(const char *name, int on) {
    struct ethtool_value setting = { .cmd = ETHTOOL_STXCSUM, .data = on };
    struct ifreq request = { .ifr_data = (void *)&setting };
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result, saved;

    if (s < 0) return -1;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    result = ioctl(s, SIOCETHTOOL, &request);
    saved = errno;
    close(s);
    errno = saved;
    return result;
}
