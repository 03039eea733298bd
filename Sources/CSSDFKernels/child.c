#define _GNU_SOURCE
#include "ssdf_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Lowers a limit of this process; one that is lower already stays.
static int lower(int resource, rlim_t soft, rlim_t hard) {
    struct rlimit limit;
    if (getrlimit(resource, &limit)) return -1;
    if (limit.rlim_max > hard) limit.rlim_max = hard;
    if (limit.rlim_cur > soft) limit.rlim_cur = soft;
    if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit);
}

int ssdf_confine(uint64_t memory, uint64_t seconds, int parent) {
    // The soft limit of time sends SIGXCPU, which tells what happened; the hard one kills who ignores it.
    if (lower(RLIMIT_AS, memory, memory) || lower(RLIMIT_CPU, seconds, seconds + 5) || lower(RLIMIT_CORE, 0, 0)) {
        return -1;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL)) return -1;
    if (getppid() != parent) {
        errno = ESRCH;
        return -1;
    }
    return 0;
}

int ssdf_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int ssdf_pipe(int *ends) { return pipe2(ends, O_CLOEXEC); }

int ssdf_exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

int ssdf_exit_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
