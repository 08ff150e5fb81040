/* Stands between a process and its files: writes down every change below one folder, or lets the k-th one fail.
 *
 * Built and preloaded by tests/store/test_faults.py; SQLite's own writes pass through here as ours do. A record of the log is
 * `op, lengths of path and data, offset, path, data`; ops are C(reate) W(rite) T(runcate) S(ync) R(ename) U(nlink).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define GUARD(path) if (fails(path)) return -1

static char root[PATH_MAX];
static int log_fd = -1, error_code, sticky;
static long seen, fail_at = -1;

void faults_record(const char *folder, int fd) { seen = 0; log_fd = fd; fail_at = -1; strcpy(root, folder); }
void faults_fail(const char *folder, long at, int error, int stays) {
    seen = 0; log_fd = -1; fail_at = at; error_code = error; sticky = stays; strcpy(root, folder);
}
long faults_stop(void) { root[0] = 0; log_fd = -1; fail_at = -1; return seen; }

static int inside(const char *path) { return root[0] && path && strncmp(path, root, strlen(root)) == 0; }

static const char *path_of(int fd, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = root[0] ? readlink(link, buffer, PATH_MAX - 1) : -1;
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

static int fails(const char *path) {
    if (!inside(path)) return 0;
    long now = seen++;
    if (fail_at < 0 || now < fail_at || (now > fail_at && !sticky)) return 0;
    errno = error_code;
    return 1;
}

static void note(char op, const char *path, const void *data, long length, long offset) {
    if (log_fd < 0 || !inside(path)) return;
    int kept = errno;
    long head[4] = {op, (long)strlen(path), length, offset};
    REAL(write);
    if (real(log_fd, head, sizeof head) < 0 || real(log_fd, path, head[1]) < 0 || (length && real(log_fd, data, length) < 0))
        _exit(99);
    errno = kept;
}

#define OPEN(name)                                                                                  \
    int name(const char *path, int flags, ...) {                                                    \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);      \
        REAL(name);                                                                                 \
        int makes = (flags & O_CREAT) && inside(path) && access(path, F_OK) != 0;                   \
        int cuts = (flags & O_TRUNC) && inside(path);                                               \
        if (makes) GUARD(path);                                                                     \
        int fd = real(path, flags, mode);                                                           \
        if (fd >= 0 && makes) note('C', path, "", 0, 0);                                            \
        else if (fd >= 0 && cuts) note('T', path, "", 0, 0);                                        \
        return fd;                                                                                  \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *data, size_t length) {
    REAL(write);
    char buffer[PATH_MAX];
    const char *path = path_of(fd, buffer);
    if (!inside(path)) return real(fd, data, length);
    GUARD(path);
    long offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, data, length);
    if (done > 0) note('W', path, data, done, offset);
    return done;
}

#define PWRITE(name, kind)                                                                          \
    ssize_t name(int fd, const void *data, size_t length, kind offset) {                            \
        REAL(name);                                                                                 \
        char buffer[PATH_MAX];                                                                      \
        const char *path = path_of(fd, buffer);                                                     \
        GUARD(path);                                                                                \
        ssize_t done = real(fd, data, length, offset);                                              \
        if (done > 0) note('W', path, data, done, offset);                                          \
        return done;                                                                                \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_FD(name, signature, call, op, offset)                                                    \
    int name signature {                                                                            \
        REAL(name);                                                                                 \
        char buffer[PATH_MAX];                                                                      \
        const char *path = path_of(fd, buffer);                                                     \
        GUARD(path);                                                                                \
        int result = real call;                                                                     \
        if (result == 0) note(op, path, "", 0, offset);                                             \
        return result;                                                                              \
    }
ON_FD(fsync, (int fd), (fd), 'S', 0)
ON_FD(fdatasync, (int fd), (fd), 'S', 0)
ON_FD(ftruncate, (int fd, off_t size), (fd, size), 'T', size)
ON_FD(ftruncate64, (int fd, off64_t size), (fd, size), 'T', size)

#define TRUNCATE(name, kind)                                                                        \
    int name(const char *path, kind size) {                                                         \
        REAL(name);                                                                                 \
        GUARD(path);                                                                                \
        int result = real(path, size);                                                              \
        if (result == 0) note('T', path, "", 0, size);                                              \
        return result;                                                                              \
    }
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)

int rename(const char *from, const char *to) {
    REAL(rename);
    GUARD(from);
    int result = real(from, to);
    if (result == 0) note('R', from, to, strlen(to), 0);
    return result;
}

int unlink(const char *path) { /* never made to fail: removing needs no room */
    REAL(unlink);
    int result = real(path);
    if (result == 0) note('U', path, "", 0, 0);
    return result;
}
