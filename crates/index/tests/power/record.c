/* Records what a program does to the files of a folder, in the order in which it happens: written bytes, synchronised
 * files and folders, names that come and go, and what it says on standard output. Loaded with LD_PRELOAD;
 * RECORD_FOLDER is the folder, RECORD_JOURNAL the file that the records go to.
 *
 * A record: kind (1 byte), inode, place, length of the name, length of the data (8 bytes each), name, data.
 * Kinds: W written at a place, T cut to a length, S synchronised, C a file's new name, D a folder synchronised,
 * R renamed (data is the new name), U name removed, M folder made, X folder removed, A said on standard output.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static char folder[PATH_MAX];

__attribute__((constructor)) static void begin(void) {
    const char *to = getenv("RECORD_JOURNAL"), *of = getenv("RECORD_FOLDER");
    if (!to || !of || !realpath(of, folder)) return;
    journal = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* What cannot be recorded must not look as if it had never happened. */
static void fail(const char *what) {
    dprintf(2, "record: %s\n", what);
    abort();
}

static void put(const void *bytes, size_t length) {
    while (length > 0) {
        ssize_t done = syscall(SYS_write, journal, bytes, length);
        if (done <= 0) fail("the journal cannot be written");
        bytes = (const char *)bytes + done;
        length -= (size_t)done;
    }
}

static void record(char kind, uint64_t inode, uint64_t place, const char *name, const void *data, uint64_t length) {
    uint64_t numbers[4] = {inode, place, name ? strlen(name) : 0, length};
    put(&kind, 1);
    put(numbers, sizeof numbers);
    if (name) put(name, numbers[2]);
    if (length) put(data, length);
}

/* The name within the folder, or NULL: of something else. */
static const char *inside(const char *path) {
    size_t length = strlen(folder);
    return journal >= 0 && strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static const char *of_path(int at, const char *path, char *buffer) {
    if (journal < 0) return NULL;
    if (path[0] == '/') {
        snprintf(buffer, PATH_MAX, "%s", path);
    } else {
        char base[PATH_MAX], link[64];
        if (at == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return NULL;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            ssize_t length = readlink(link, base, sizeof base - 1);
            if (length < 0) return NULL;
            base[length] = 0;
        }
        if (snprintf(buffer, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
    }
    return inside(buffer);
}

/* The inode of an open file of the folder; 0 of anything else. */
static uint64_t of_file(int fd, char *name) {
    if (journal < 0 || fd == journal) return 0;
    char link[64], path[PATH_MAX];
    struct stat stat;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    int whole = strcmp(path, folder) == 0;
    const char *within = whole ? "" : inside(path);
    if (!within || fstat(fd, &stat) != 0) return 0;
    if (name) snprintf(name, PATH_MAX, "%s", S_ISDIR(stat.st_mode) ? within : "");
    if (name && S_ISDIR(stat.st_mode)) return UINT64_MAX;
    return stat.st_ino;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    const char *name = (flags & (O_CREAT | O_TRUNC)) ? of_path(at, path, buffer) : NULL;
    if (!name) return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    int was = faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    struct stat stat;
    if (fd >= 0 && fstat(fd, &stat) == 0) {
        if (!was) record('C', stat.st_ino, 0, name, NULL, 0);
        else if (flags & O_TRUNC) record('T', stat.st_ino, 0, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags)                                     \
    mode_t mode = 0;                                    \
    if ((flags) & (O_CREAT | O_TMPFILE)) {              \
        va_list rest;                                   \
        va_start(rest, flags);                          \
        mode = (mode_t)va_arg(rest, int);               \
        va_end(rest);                                   \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags | O_LARGEFILE, mode); }

static ssize_t written(int fd, const void *data, size_t length, off_t place, int here) {
    uint64_t inode = of_file(fd, NULL);
    int said = journal >= 0 && fd == 1;
    if (!inode && !said) {
        return here ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, place);
    }
    pthread_mutex_lock(&lock);
    if (inode && here) {
        int append = fcntl(fd, F_GETFL) & O_APPEND;
        place = lseek(fd, 0, append ? SEEK_END : SEEK_CUR);
    }
    ssize_t done = here ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, place);
    int why = errno;
    if (done > 0) record(inode ? 'W' : 'A', inode, (uint64_t)place, NULL, data, (uint64_t)done);
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}

ssize_t write(int fd, const void *data, size_t length) { return written(fd, data, length, 0, 1); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t place) { return written(fd, data, length, place, 0); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t place) { return written(fd, data, length, place, 0); }

/* One after the other: a caller has to expect that less is written than it asked for. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    for (int at = 0; at < count; at++) {
        if (parts[at].iov_len > 0) return written(fd, parts[at].iov_base, parts[at].iov_len, 0, 1);
    }
    return 0;
}

/* Whoever copies goes on with read and write. */
ssize_t copy_file_range(int a, off64_t *b, int c, off64_t *d, size_t e, unsigned f) {
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    errno = ENOSYS;
    return -1;
}

static int synchronised(int fd, long call) {
    char name[PATH_MAX];
    uint64_t inode = of_file(fd, name);
    if (!inode) return (int)syscall(call, fd);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(call, fd);
    int why = errno;
    if (result == 0) {
        if (inode == UINT64_MAX) record('D', 0, 0, name, NULL, 0);
        else record('S', inode, 0, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int fsync(int fd) { return synchronised(fd, SYS_fsync); }
int fdatasync(int fd) { return synchronised(fd, SYS_fdatasync); }

static int cut(int fd, off_t length) {
    uint64_t inode = of_file(fd, NULL);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_ftruncate, fd, length);
    int why = errno;
    if (inode && result == 0) record('T', inode, (uint64_t)length, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

#define NAMED(kind, data, size, call)                       \
    char buffer[PATH_MAX];                                  \
    const char *name = of_path(AT_FDCWD, path, buffer);     \
    pthread_mutex_lock(&lock);                              \
    int result = (int)(call);                               \
    int why = errno;                                        \
    if (name && result == 0) record(kind, 0, 0, name, data, size); \
    pthread_mutex_unlock(&lock);                            \
    errno = why;                                            \
    return result;

int unlink(const char *path) { NAMED('U', NULL, 0, syscall(SYS_unlinkat, AT_FDCWD, path, 0)) }
int rmdir(const char *path) { NAMED('X', NULL, 0, syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR)) }
int mkdir(const char *path, mode_t mode) { NAMED('M', NULL, 0, syscall(SYS_mkdirat, AT_FDCWD, path, mode)) }

int rename(const char *path, const char *to) {
    char other[PATH_MAX];
    const char *there = of_path(AT_FDCWD, to, other);
    if (!there) there = "";
    NAMED('R', there, strlen(there), syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, to, 0))
}

/* Not expected of a gallery, and not modelled. */
int link(const char *path, const char *to) { (void)path, (void)to; fail("a hard link"); return -1; }
int unlinkat(int at, const char *path, int flags) {
    char buffer[PATH_MAX];
    const char *name = of_path(at, path, buffer);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_unlinkat, at, path, flags);
    int why = errno;
    if (name && result == 0) record((flags & AT_REMOVEDIR) ? 'X' : 'U', 0, 0, name, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}
