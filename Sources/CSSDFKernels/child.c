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

int ssdf_confine(uint64_t memory, uint64_t seconds, int parent) {
    struct rlimit space = {memory, memory};
    // The soft limit sends SIGXCPU, which tells what happened; the hard one kills who ignores it.
    struct rlimit processor = {seconds, seconds + 5};
    struct rlimit core = {0, 0};
    if (setrlimit(RLIMIT_AS, &space) || setrlimit(RLIMIT_CPU, &processor) || setrlimit(RLIMIT_CORE, &core)) return -1;
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
