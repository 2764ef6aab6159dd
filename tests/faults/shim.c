/* Makes file calls below one folder fail, stop half-way, lie, or end the process.
 *
 * Preloaded (LD_PRELOAD) into a process that arms it through ctypes, see shim.py:
 *
 *     faults_arm(folder, nth, action, lasting)   from the nth counted call on
 *     faults_count()                             calls since then
 *     faults_name(n)                             name of the nth call
 *
 * An action > 0 is an errno.  KILL ends the process before the call, TORN after half of
 * the write, SHORT writes half and says so, DROP writes zeros and says it did: what a
 * disk makes of data that it lost.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KILL = -1, TORN = -2, SHORT = -3, DROP = -4 };
enum { MOST_NAMES = 4096 };

static char folder[PATH_MAX];
static size_t folder_length;
static long first;
static int action, lasting, reads_count = 1;
static volatile long count;
static const char *names[MOST_NAMES];

void faults_arm(const char *path, long nth, int what, int goes_on, int with_reads) {
    folder_length = 0;
    strncpy(folder, path, sizeof folder - 1);
    first = nth;
    action = what;
    lasting = goes_on;
    reads_count = with_reads;
    count = 0;
    folder_length = strlen(folder);
}
void faults_disarm(void) { folder_length = 0; }
long faults_count(void) { return count; }
const char *faults_name(long n) {
    return n >= 1 && n <= count && n < MOST_NAMES ? names[n] : "";
}

static int below(const char *path) {
    return folder_length && path && !strncmp(path, folder, folder_length) &&
           (path[folder_length] == '/' || path[folder_length] == 0);
}
static int path_below(int at, const char *path) {
    char link[64], place[PATH_MAX + 2], whole[2 * PATH_MAX];
    ssize_t length;
    if (!folder_length || !path)
        return 0;
    if (path[0] == '/')
        return below(path);
    if (at == AT_FDCWD)
        strcpy(link, "/proc/self/cwd");
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    length = readlink(link, place, PATH_MAX);
    if (length <= 0)
        return 0;
    place[length] = 0;
    snprintf(whole, sizeof whole, "%s/%s", place, path);
    return below(whole);
}
static int file_below(int file) {
    char link[64], place[PATH_MAX + 1];
    ssize_t length;
    if (!folder_length || file < 3)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, place, PATH_MAX);
    if (length <= 0)
        return 0;
    place[length] = 0;
    return below(place);
}

/* 0: go on; 1: errno is set, fail; else TORN, SHORT or DROP */
static int fault(const char *name, int is_read) {
    long now;
    if (is_read && !reads_count)
        return 0;
    now = __sync_add_and_fetch(&count, 1);
    if (now < MOST_NAMES)
        names[now] = name;
    if (first <= 0 || !(now == first || (lasting && now > first)))
        return 0;
    if (action == KILL)
        raise(SIGKILL);
    if (action < 0)
        return action;
    errno = action;
    return 1;
}
static int simple(const char *name, int is_read) {
    int what = fault(name, is_read);
    if (what == TORN)
        raise(SIGKILL);
    return what == 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) \
        real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* ---- writes, which may be torn, short or dropped */

static const char zeros[1 << 20];
#define WRITES(here, half, lost, whole) \
    if (here) { \
        int what = fault(__func__, 0); \
        if (what == 1) \
            return -1; \
        if (what == TORN) { \
            half; \
            raise(SIGKILL); \
        } \
        if (what == SHORT && size > 1) \
            return half; \
        if (what == DROP && size <= sizeof zeros) \
            return lost; \
    } \
    return whole

ssize_t write(int file, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    WRITES(file_below(file), real(file, data, size / 2), real(file, zeros, size), real(file, data, size));
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    WRITES(file_below(file), real(file, data, size / 2, at), real(file, zeros, size, at), real(file, data, size, at));
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    WRITES(file_below(file), real(file, data, size / 2, at), real(file, zeros, size, at), real(file, data, size, at));
}

/* ---- calls on a descriptor */

#define ON_FILE(type, name, bad, is_read, parameters, arguments, ...) \
    type name parameters { \
        REAL(type, #name, __VA_ARGS__); \
        if (file_below(file) && simple(#name, is_read)) \
            return bad; \
        return real arguments; \
    }
ON_FILE(ssize_t, writev, -1, 0, (int file, const struct iovec *v, int n), (file, v, n), int, const struct iovec *, int)
ON_FILE(ssize_t, read, -1, 1, (int file, void *data, size_t size), (file, data, size), int, void *, size_t)
ON_FILE(ssize_t, pread, -1, 1, (int file, void *d, size_t n, off_t at), (file, d, n, at), int, void *, size_t, off_t)
ON_FILE(ssize_t, pread64, -1, 1, (int file, void *d, size_t n, off64_t at), (file, d, n, at), int, void *, size_t, off64_t)
ON_FILE(ssize_t, preadv, -1, 1, (int file, const struct iovec *v, int n, off_t at), (file, v, n, at), int, const struct iovec *, int, off_t)
ON_FILE(ssize_t, preadv64, -1, 1, (int file, const struct iovec *v, int n, off64_t at), (file, v, n, at), int, const struct iovec *, int, off64_t)
ON_FILE(int, ftruncate, -1, 0, (int file, off_t size), (file, size), int, off_t)
ON_FILE(int, ftruncate64, -1, 0, (int file, off64_t size), (file, size), int, off64_t)
ON_FILE(int, fsync, -1, 0, (int file), (file), int)
ON_FILE(int, fdatasync, -1, 0, (int file), (file), int)
ON_FILE(int, flock, -1, 0, (int file, int what), (file, what), int, int)
ON_FILE(int, fchmod, -1, 0, (int file, mode_t mode), (file, mode), int, mode_t)
ON_FILE(int, fstat, -1, 1, (int file, struct stat *to), (file, to), int, struct stat *)
ON_FILE(int, fstat64, -1, 1, (int file, struct stat64 *to), (file, to), int, struct stat64 *)

/* a failed close closes all the same */
int close(int file) {
    REAL(int, "close", int);
    if (file_below(file) && simple("close", 1)) {
        int kept = errno;
        real(file);
        errno = kept;
        return -1;
    }
    return real(file);
}
void *mmap64(void *at, size_t size, int protection, int flags, int file, off64_t from) {
    REAL(void *, "mmap64", void *, size_t, int, int, int, off64_t);
    if (file_below(file) && simple("mmap64", 1))
        return MAP_FAILED;
    return real(at, size, protection, flags, file, from);
}
void *mmap(void *at, size_t size, int protection, int flags, int file, off_t from) {
    REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
    if (file_below(file) && simple("mmap", 1))
        return MAP_FAILED;
    return real(at, size, protection, flags, file, from);
}

/* ---- calls on a path */

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, int); \
        va_end(rest); \
        if (path_below(AT_FDCWD, path) && simple("open", 0)) \
            return -1; \
        return real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) { \
        REAL(int, #name, int, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, int); \
        va_end(rest); \
        if (path_below(at, path) && simple("openat", 0)) \
            return -1; \
        return real(at, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)
#define ON_PATH(type, name, bad, is_read, parameters, arguments, ...) \
    type name parameters { \
        REAL(type, #name, __VA_ARGS__); \
        if (path_below(AT_FDCWD, path) && simple(#name, is_read)) \
            return bad; \
        return real arguments; \
    }
ON_PATH(int, stat, -1, 1, (const char *path, struct stat *to), (path, to), const char *, struct stat *)
ON_PATH(int, stat64, -1, 1, (const char *path, struct stat64 *to), (path, to), const char *, struct stat64 *)
ON_PATH(int, lstat, -1, 1, (const char *path, struct stat *to), (path, to), const char *, struct stat *)
ON_PATH(int, lstat64, -1, 1, (const char *path, struct stat64 *to), (path, to), const char *, struct stat64 *)
ON_PATH(int, access, -1, 1, (const char *path, int mode), (path, mode), const char *, int)
ON_PATH(DIR *, opendir, NULL, 0, (const char *path), (path), const char *)
ON_PATH(int, rename, -1, 0, (const char *path, const char *to), (path, to), const char *, const char *)
ON_PATH(int, link, -1, 0, (const char *path, const char *to), (path, to), const char *, const char *)
ON_PATH(int, unlink, -1, 0, (const char *path), (path), const char *)
ON_PATH(int, rmdir, -1, 0, (const char *path), (path), const char *)
ON_PATH(int, mkdir, -1, 0, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
#define ON_PATH_AT(name, is_read, parameters, arguments, ...) \
    int name parameters { \
        REAL(int, #name, __VA_ARGS__); \
        if (path_below(at, path) && simple(#name, is_read)) \
            return -1; \
        return real arguments; \
    }
ON_PATH_AT(fstatat, 1, (int at, const char *path, struct stat *to, int f), (at, path, to, f), int, const char *, struct stat *, int)
ON_PATH_AT(fstatat64, 1, (int at, const char *path, struct stat64 *to, int f), (at, path, to, f), int, const char *, struct stat64 *, int)
ON_PATH_AT(renameat, 0, (int at, const char *path, int b, const char *to), (at, path, b, to), int, const char *, int, const char *)
ON_PATH_AT(linkat, 0, (int at, const char *path, int b, const char *to, int f), (at, path, b, to, f), int, const char *, int, const char *, int)
ON_PATH_AT(unlinkat, 0, (int at, const char *path, int f), (at, path, f), int, const char *, int)
ON_PATH_AT(mkdirat, 0, (int at, const char *path, mode_t mode), (at, path, mode), int, const char *, mode_t)
