// What a process leaves behind when it is stopped: nothing.
//
// A handler may only call async-signal-safe functions, so the paths of temporaries and the ranges of mapped files are
// kept in fixed tables here.
#ifndef SSDF_INTERRUPT_H
#define SSDF_INTERRUPT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Installs the handlers; `tool` is the name that messages start with (copied, 63 bytes kept).
//
// SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE and SIGXCPU remove the temporaries and end the process by the same signal,
// so that the shell sees what happened; those that were ignored when the process started stay ignored. SIGSEGV, SIGILL,
// SIGTRAP, SIGABRT and SIGFPE do the same, but for a failed allocation, which is reported with exit status 69. SIGBUS
// inside a remembered mapping is reported with exit status 74. SIGXFSZ is ignored: write(2) then fails with EFBIG.
void ssdf_watch_signals(const char *_Nonnull tool);

// Remembers the path of a temporary: a file; a folder, which is removed when it is empty; or, when its name ends in
// ".partial", a folder with files in it and no folders. Returns its slot, or -1 when the path is too long or the table is
// full. Does not return while the process is being ended.
int ssdf_remember_temporary(const char *_Nonnull path);

// Forgets a temporary that was renamed or removed. A slot of -1 is ignored.
void ssdf_forget_temporary(int slot);

// Remembers that `bytes` at `address` are a mapping of the file `name`. Returns its slot, or -1 when the table is full.
int ssdf_remember_mapping(const void *_Nonnull address, size_t bytes, const char *_Nonnull name);

// Forgets a mapping before it is unmapped. A slot of -1 is ignored.
void ssdf_forget_mapping(int slot);

// Ends the process for want of `bytes` of memory: says so, removes the temporaries, exits with status 69. Safe from any
// thread; when several run out at once, one speaks and the others wait for the end.
_Noreturn void ssdf_end_without_memory(size_t bytes);

// The same for what went wrong on a device, in one line; exits with status 70.
_Noreturn void ssdf_end_with_device(const char *_Nonnull message);

// Whether a progress bar stands on the terminal, which a message must clear first.
void ssdf_bar_shown(int shown);

#ifdef __cplusplus
}
#endif

#endif
