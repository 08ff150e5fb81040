/* A poor file system, preloaded: no locks, no hard links, as some network mounts and phones have it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

static int refused(const char *what) {
    const char *listed = getenv("POOR"); /* such as "locks,links" */
    return listed && strstr(listed, what);
}

int flock(int file, int how) {
    static int (*real)(int, int);
    if (!real) real = dlsym(RTLD_NEXT, "flock");
    if (refused("locks")) return errno = ENOLCK, -1;
    return real(file, how);
}

static int lock_or(const char *name, int file, int command, void *argument) {
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
    if (refused("locks") && (command == F_SETLK || command == F_SETLKW || command == F_GETLK ||
                             command == F_OFD_SETLK || command == F_OFD_SETLKW))
        return errno = ENOLCK, -1;
    return real(file, command, argument);
}

int fcntl(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return lock_or("fcntl", file, command, argument);
}

int fcntl64(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return lock_or("fcntl64", file, command, argument);
}

int link(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "link");
    if (refused("links")) return errno = EPERM, -1;
    return real(from, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    static int (*real)(int, const char *, int, const char *, int);
    if (!real) real = dlsym(RTLD_NEXT, "linkat");
    if (refused("links")) return errno = EPERM, -1;
    return real(a, from, b, to, flags);
}
