#define _GNU_SOURCE
#include "ssdf_interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEMPORARIES = 64, MAPPINGS = 64, PATH_BYTES = 4096, NAME_BYTES = 256 };
enum { FREE = 0, FILLING = 1, LIVE = 2 };

static struct {
    _Atomic int state;
    char path[PATH_BYTES];
} temporaries[TEMPORARIES];

static struct {
    _Atomic int state;
    uintptr_t start, end;
    char name[NAME_BYTES];
} mappings[MAPPINGS];

static char tool[64] = "ssdf";
static _Atomic int bar_shown = 0;
// Set before the temporaries are removed: whoever wants another one then waits for the end instead.
static _Atomic int is_ending = 0;

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXCPU};
static const int crashes[] = {SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGFPE};

static void say(const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t sent = write(2, text, left);
        if (sent <= 0) return;
        text += sent;
        left -= (size_t)sent;
    }
}

static void clear_bar(void) {
    if (atomic_exchange(&bar_shown, 0)) say("\r\033[K");
}

// Removes a folder and the files in it. readdir(3) may allocate, so the entries come from the system call. Other threads
// may still be writing, so a folder that was filled again is emptied again.
static void remove_folder(const char *path) {
    for (int round = 0; round < 100; round++) {
        int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0) return;
        _Alignas(8) char entries[2048];
        long bytes;
        while ((bytes = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0)
            for (long at = 0; at < bytes;) {
                // struct linux_dirent64: inode, offset, length of the record, type, name.
                uint16_t length;
                memcpy(&length, entries + at + 16, sizeof length);
                unlinkat(folder, entries + at + 19, 0);
                at += length;
            }
        close(folder);
        if (rmdir(path) == 0 || errno != ENOTEMPTY) return;
    }
}

static int is_partial(const char *path) {
    static const char suffix[] = ".partial";
    size_t length = strlen(path), tail = sizeof suffix - 1;
    return length > tail && memcmp(path + length - tail, suffix, tail) == 0;
}

static void remove_temporaries(void) {
    atomic_store(&is_ending, 1);
    for (int i = 0; i < TEMPORARIES; i++)
        if (atomic_load(&temporaries[i].state) == LIVE) unlink(temporaries[i].path);
    // A folder goes after what was in it, and stays when something else is, unless its name says that it is half made.
    for (int i = 0; i < TEMPORARIES; i++)
        if (atomic_load(&temporaries[i].state) == LIVE && rmdir(temporaries[i].path) != 0
            && (errno == ENOTEMPTY || errno == EEXIST) && is_partial(temporaries[i].path))
            remove_folder(temporaries[i].path);
}

// Ends the process by `signal`, which is blocked while its handler runs.
static void end_by(int signal) {
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    sigaction(signal, &standard, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(signal);
    _exit(128 + signal);
}

static void on_ending(int signal) {
    clear_bar();
    remove_temporaries();
    end_by(signal);
}

static void on_crash(int signal) {
    int cause = errno;
    clear_bar();
    remove_temporaries();
    // The language's run time traps when memory cannot be had, and errno still says so.
    if (cause == ENOMEM && signal != SIGSEGV && signal != SIGFPE) {
        say(tool);
        say(": out of memory\n");
        _exit(69);
    }
    end_by(signal);
}

_Noreturn void ssdf_end_without_memory(size_t bytes) {
    static atomic_flag taken = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&taken)) pause();
    char digits[24], *start = digits + sizeof digits;
    *--start = 0;
    do *--start = (char)('0' + bytes % 10);
    while (bytes /= 10);
    clear_bar();
    remove_temporaries();
    say(tool);
    say(": out of memory: ");
    say(start);
    say(" bytes could not be allocated\n");
    _exit(69);
}

_Noreturn void ssdf_end_with_device(const char *message) {
    clear_bar();
    remove_temporaries();
    say(tool);
    say(": device: ");
    say(message);
    say("\n");
    _exit(70);
}

static void on_bus_error(int signal, siginfo_t *info, void *context) {
    (void)context;
    uintptr_t address = (uintptr_t)info->si_addr;
    clear_bar();
    remove_temporaries();
    for (int i = 0; i < MAPPINGS; i++) {
        if (atomic_load(&mappings[i].state) != LIVE) continue;
        if (address < mappings[i].start || address >= mappings[i].end) continue;
        say(tool);
        say(": ");
        say(mappings[i].name);
        say(": cannot read: the file was truncated, or its device failed, while it was being read\n");
        _exit(74);
    }
    end_by(signal);
}

void ssdf_watch_signals(const char *name) {
    strncpy(tool, name, sizeof tool - 1);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct sigaction before;
        if (sigaction(endings[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        action.sa_handler = on_ending;
        sigaction(endings[i], &action, NULL);
    }
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        action.sa_handler = on_crash;
        sigaction(crashes[i], &action, NULL);
    }
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = on_bus_error;
    sigaction(SIGBUS, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

int ssdf_remember_temporary(const char *path) {
    while (atomic_load(&is_ending)) pause();
    size_t length = strlen(path);
    if (length >= PATH_BYTES) return -1;
    for (int i = 0; i < TEMPORARIES; i++) {
        int expected = FREE;
        if (!atomic_compare_exchange_strong(&temporaries[i].state, &expected, FILLING)) continue;
        memcpy(temporaries[i].path, path, length + 1);
        atomic_store(&temporaries[i].state, LIVE);
        return i;
    }
    return -1;
}

void ssdf_forget_temporary(int slot) {
    if (slot >= 0) atomic_store(&temporaries[slot].state, FREE);
}

int ssdf_remember_mapping(const void *address, size_t bytes, const char *name) {
    for (int i = 0; i < MAPPINGS; i++) {
        int expected = FREE;
        if (!atomic_compare_exchange_strong(&mappings[i].state, &expected, FILLING)) continue;
        mappings[i].start = (uintptr_t)address;
        mappings[i].end = (uintptr_t)address + bytes;
        strncpy(mappings[i].name, name, NAME_BYTES - 1);
        // A hostile file name must not drive the terminal.
        for (char *c = mappings[i].name; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
        atomic_store(&mappings[i].state, LIVE);
        return i;
    }
    return -1;
}

void ssdf_forget_mapping(int slot) {
    if (slot >= 0) atomic_store(&mappings[slot].state, FREE);
}

void ssdf_bar_shown(int shown) { atomic_store(&bar_shown, shown); }
