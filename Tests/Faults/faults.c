// Makes one call of a program to the system fail; loaded before the C library with LD_PRELOAD.
//
//   FAULT_PROGRAM   the program to disturb; others that inherit the environment run undisturbed
//   FAULT_CALL      the kind of call: open create read write map grow allocate rename close seek status folder link
//                   thread spawn pipe memory wait
//   FAULT_AT        which call of the kind fails, counted from 0; none when it is not set
//   FAULT_HOW       fail (the default), or for read and write: short (does half of it), interrupted (EINTR)
//   FAULT_COUNTS    a file to which the numbers of calls of each kind are appended when the program ends
//
// Counting starts when the program has installed its handlers, which it does last of all for SIGXFSZ, or, the importer,
// confined itself: what happens before is the C library's and the run times' own.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind {
    OPEN, CREATE, READ, WRITE, MAP, GROW, ALLOCATE, RENAME, CLOSE, SEEK, STATUS, FOLDER, LINK, THREAD, SPAWN, PIPE, MEMORY,
    WAIT, KINDS
};
static const char *const names[KINDS] = {"open",   "create", "read",   "write",  "map",   "grow", "allocate", "rename", "close",
                                         "seek",   "status", "folder", "link",   "thread", "spawn", "pipe",   "memory", "wait"};

static _Atomic long counts[KINDS];
static _Atomic int counting;
static int chosen = -1;
static long at = -1;
static enum { FAIL, SHORT, INTERRUPTED } how;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

// Whether this call of the kind is the one to disturb.
static int strikes(enum kind kind) {
    if (!atomic_load(&counting)) return 0;
    return atomic_fetch_add(&counts[kind], 1) == at && (int)kind == chosen;
}

static void report(void) {
    const char *path = getenv("FAULT_COUNTS");
    if (!path || !atomic_exchange(&counting, 0)) return;
    char text[1024];
    int length = 0;
    for (int k = 0; k < KINDS; k++) length += snprintf(text + length, sizeof text - length, "%s %ld\n", names[k], counts[k]);
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    syscall(SYS_write, file, text, length);
    syscall(SYS_close, file);
}

static void begin(void) {
    const char *program = getenv("FAULT_PROGRAM");
    if (!program || strcmp(program, program_invocation_short_name) != 0) return;
    const char *call = getenv("FAULT_CALL"), *number = getenv("FAULT_AT"), *manner = getenv("FAULT_HOW");
    for (int k = 0; call && k < KINDS; k++)
        if (strcmp(names[k], call) == 0) chosen = k;
    if (number) at = atol(number);
    if (manner && strcmp(manner, "short") == 0) how = SHORT;
    if (manner && strcmp(manner, "interrupted") == 0) how = INTERRUPTED;
    if (getenv("FAULT_COUNTS")) atexit(report);
    atomic_store(&counting, 1);
}

sighandler_t signal(int number, sighandler_t handler) {
    sighandler_t before = REAL(signal)(number, handler);
    if (number == SIGXFSZ) begin();
    return before;
}

// The importer has no handlers; this is the last thing that it does before its work.
int prctl(int option, ...) {
    va_list rest;
    va_start(rest, option);
    unsigned long argument = va_arg(rest, unsigned long);
    va_end(rest);
    if (option == PR_SET_PDEATHSIG) begin();
    return (int)syscall(SYS_prctl, option, argument, 0, 0, 0);
}

void _exit(int status) {
    report();
    REAL(_exit)(status);
    __builtin_unreachable();
}

static int opens(int flags) { return strikes((flags & O_ACCMODE) == O_RDONLY ? OPEN : CREATE); }

static int refuse_open(int flags) {
    errno = (flags & O_ACCMODE) == O_RDONLY ? EACCES : ENOSPC;
    return -1;
}

#define OPEN_LIKE(name)                              \
    int name(const char *path, int flags, ...) {     \
        va_list rest;                                \
        va_start(rest, flags);                       \
        mode_t mode = va_arg(rest, mode_t);          \
        va_end(rest);                                \
        if (opens(flags)) return refuse_open(flags); \
        return REAL(name)(path, flags, mode);        \
    }
OPEN_LIKE(open)
OPEN_LIKE(open64)

#define FOPEN_LIKE(name)                                   \
    FILE *name(const char *path, const char *mode) {       \
        if (opens(*mode == 'r' ? O_RDONLY : O_WRONLY)) {   \
            refuse_open(*mode == 'r' ? O_RDONLY : O_WRONLY); \
            return NULL;                                   \
        }                                                  \
        return REAL(name)(path, mode);                     \
    }
FOPEN_LIKE(fopen)
FOPEN_LIKE(fopen64)

ssize_t read(int file, void *bytes, size_t count) {
    if (strikes(READ)) {
        if (how == SHORT && count > 1) return REAL(read)(file, bytes, count / 2);
        if (how != SHORT) {
            errno = how == INTERRUPTED ? EINTR : EIO;
            return -1;
        }
    }
    return REAL(read)(file, bytes, count);
}

ssize_t write(int file, const void *bytes, size_t count) {
    // What is told on standard error is not the work.
    if (file != 2 && strikes(WRITE)) {
        if (how == SHORT && count > 1) return REAL(write)(file, bytes, count / 2);
        if (how != SHORT) {
            errno = how == INTERRUPTED ? EINTR : ENOSPC;
            return -1;
        }
    }
    return REAL(write)(file, bytes, count);
}

#define MAP_LIKE(name, offset_type)                                                                       \
    void *name(void *address, size_t bytes, int protection, int flags, int file, offset_type offset) {    \
        if (strikes(MAP)) {                                                                               \
            errno = ENOMEM;                                                                               \
            return MAP_FAILED;                                                                            \
        }                                                                                                 \
        return REAL(name)(address, bytes, protection, flags, file, offset);                               \
    }
MAP_LIKE(mmap, off_t)
MAP_LIKE(mmap64, off64_t)

void *mremap(void *address, size_t bytes, size_t larger, int flags, ...) {
    if (strikes(GROW)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mremap, address, bytes, larger, flags, 0);
}

// glibc's names for what a program's own malloc calls, and the usual ones for libraries of a program that has none.
#define ALLOCATION(name, parameters, arguments)          \
    void *name parameters;                               \
    void *name parameters {                              \
        static void *(*next) parameters;                 \
        if (!next) next = (void *(*)parameters)real(#name); \
        if (strikes(ALLOCATE)) {                         \
            errno = ENOMEM;                              \
            return NULL;                                 \
        }                                                \
        return next arguments;                           \
    }
ALLOCATION(__libc_malloc, (size_t bytes), (bytes))
ALLOCATION(__libc_calloc, (size_t count, size_t bytes), (count, bytes))
ALLOCATION(__libc_realloc, (void *memory, size_t bytes), (memory, bytes))
ALLOCATION(__libc_memalign, (size_t alignment, size_t bytes), (alignment, bytes))

#define FAILING(kind, error, result, name, parameters, arguments) \
    result name parameters {                                      \
        if (strikes(kind)) {                                      \
            errno = error;                                        \
            return (result)-1;                                    \
        }                                                         \
        return REAL(name) arguments;                              \
    }
FAILING(RENAME, EXDEV, int, rename, (const char *from, const char *to), (from, to))
FAILING(SEEK, ESPIPE, off_t, lseek, (int file, off_t offset, int from), (file, offset, from))
FAILING(STATUS, EIO, int, fstat, (int file, struct stat *status), (file, status))
FAILING(STATUS, EACCES, int, stat, (const char *path, struct stat *status), (path, status))
FAILING(FOLDER, ENOSPC, int, mkdir, (const char *path, mode_t mode), (path, mode))
FAILING(LINK, EACCES, ssize_t, readlink, (const char *path, char *bytes, size_t count), (path, bytes, count))
FAILING(PIPE, EMFILE, int, pipe2, (int ends[2], int flags), (ends, flags))
FAILING(MEMORY, EMFILE, int, memfd_create, (const char *name, unsigned flags), (name, flags))
FAILING(WAIT, EINTR, pid_t, waitpid, (pid_t process, int *status, int options), (process, status, options))
FAILING(WAIT, EINTR, int, poll, (struct pollfd * files, nfds_t count, int wait), (files, count, wait))

int close(int file) {
    int strike = strikes(CLOSE);
    int result = REAL(close)(file);
    if (!strike) return result;
    // The descriptor is gone, and what was written may be.
    errno = EIO;
    return -1;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    return strikes(THREAD) ? EAGAIN : REAL(pthread_create)(thread, attributes, start, argument);
}

int posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment) {
    return strikes(SPAWN) ? EAGAIN : REAL(posix_spawn)(process, path, actions, attributes, arguments, environment);
}
