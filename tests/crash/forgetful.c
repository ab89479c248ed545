// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * A file system in memory that knows what would survive a power cut: contents by fsync of the file (or a write
 * under O_DSYNC), names by fsync of their directory; a rename is durable as a whole. Asked for the path
 *
 *   /.sync         it makes everything durable
 *   /.forget-SEED  it cuts the power: with seed 0 nothing but what is durable is left, otherwise each page that
 *                  was written since may be there or not
 *
 * and then says that there is no such file. usage: forgetful MOUNTPOINT (in the foreground, one thread)
 */

enum { PAGE = 4096, ENTRIES_MAX = 4096 };

struct content {
	char *bytes;
	size_t size;
};

struct node {
	ino_t number;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime, ctime, durable_mtime, durable_ctime;
	struct content now, durable;
};

struct entry {
	char *path; /* NULL: free */
	struct node *node;
};

/* A node is never freed: the durable names may need it again. */
static struct entry names[ENTRIES_MAX], durable_names[ENTRIES_MAX];
static ino_t next_number = 1;

static struct entry *find(struct entry *entries, const char *path)
{
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (entries[i].path != NULL && strcmp(entries[i].path, path) == 0)
			return &entries[i];
	}
	return NULL;
}

static void drop(struct entry *entry)
{
	free(entry->path);
	entry->path = NULL;
}

static int put(struct entry *entries, const char *path, struct node *node)
{
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (entries[i].path == NULL) {
			entries[i] = (struct entry){strdup(path), node};
			return entries[i].path == NULL ? -ENOMEM : 0;
		}
	}
	return -ENOSPC;
}

static void set_size(struct content *content, size_t size)
{
	if (size > content->size) {
		content->bytes = realloc(content->bytes, size);
		if (content->bytes == NULL)
			abort();
		memset(content->bytes + content->size, 0, size - content->size);
	}
	content->size = size;
}

static void write_at(struct content *content, const char *bytes, size_t count, size_t offset)
{
	if (count == 0)
		return;
	if (offset + count > content->size)
		set_size(content, offset + count);
	memcpy(content->bytes + offset, bytes, count);
}

static void copy_content(struct content *to, const struct content *from)
{
	set_size(to, 0);
	write_at(to, from->bytes, from->size, 0);
}

static void touch(struct node *node, bool is_content)
{
	clock_gettime(CLOCK_REALTIME, &node->ctime);
	if (is_content)
		node->mtime = node->ctime;
}

static void sync_times(struct node *node)
{
	node->durable_mtime = node->mtime;
	node->durable_ctime = node->ctime;
}

static bool is_in(const char *path, const char *directory)
{
	size_t length = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
	return strncmp(path, directory, length) == 0 && path[length] == '/' && path[length + 1] != '\0' &&
	       strchr(path + length + 1, '/') == NULL;
}

static bool has_same(const struct entry *entry, const struct entry *other)
{
	return other != NULL && other->node == entry->node;
}

/* A node that gets or loses a durable name does so under all its names: a rename is one step. */
static void sync_names_of(struct node *node)
{
	sync_times(node);
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (durable_names[i].path != NULL && durable_names[i].node == node &&
		    !has_same(&durable_names[i], find(names, durable_names[i].path)))
			drop(&durable_names[i]);
	}
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (names[i].path == NULL || names[i].node != node)
			continue;
		struct entry *durable = find(durable_names, names[i].path);
		if (durable != NULL)
			durable->node = names[i].node;
		else
			put(durable_names, names[i].path, names[i].node);
	}
}

static void sync_directory(const char *directory)
{
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (durable_names[i].path != NULL && is_in(durable_names[i].path, directory))
			sync_names_of(durable_names[i].node);
		if (names[i].path != NULL && is_in(names[i].path, directory))
			sync_names_of(names[i].node);
	}
}

static void sync_everything(void)
{
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (durable_names[i].path != NULL)
			sync_names_of(durable_names[i].node);
		if (names[i].path == NULL)
			continue;
		sync_names_of(names[i].node);
		copy_content(&names[i].node->durable, &names[i].node->now);
	}
}

static bool is_kept(unsigned *seed)
{
	return *seed != 0 && rand_r(seed) % 2 == 0;
}

static void forget_content(struct node *node, unsigned *seed)
{
	struct content *now = &node->now;
	struct content *durable = &node->durable;
	if (is_kept(seed))
		set_size(durable, now->size);
	for (size_t at = 0; at < durable->size && at < now->size; at += PAGE) {
		size_t end = durable->size < now->size ? durable->size : now->size;
		size_t count = end - at < PAGE ? end - at : PAGE;
		if (memcmp(durable->bytes + at, now->bytes + at, count) != 0 && is_kept(seed))
			memcpy(durable->bytes + at, now->bytes + at, count);
	}
	copy_content(now, durable);
	node->mtime = node->durable_mtime;
	node->ctime = node->durable_ctime;
}

static void forget(unsigned seed)
{
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (names[i].path != NULL)
			drop(&names[i]);
	}
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (durable_names[i].path == NULL)
			continue;
		put(names, durable_names[i].path, durable_names[i].node);
		forget_content(durable_names[i].node, &seed);
	}
}

static struct node *node_of(const char *path, struct fuse_file_info *info)
{
	if (info != NULL && info->fh != 0)
		return (struct node *)(uintptr_t)info->fh;
	struct entry *entry = path != NULL ? find(names, path) : NULL;
	return entry != NULL ? entry->node : NULL;
}

static int make(const char *path, mode_t mode, struct fuse_file_info *info)
{
	if (find(names, path) != NULL)
		return -EEXIST;
	struct node *node = calloc(1, sizeof *node);
	if (node == NULL)
		return -ENOMEM;
	const struct fuse_context *context = fuse_get_context();
	node->number = next_number++;
	node->mode = mode;
	node->uid = context != NULL ? context->uid : getuid();
	node->gid = context != NULL ? context->gid : getgid();
	touch(node, true);
	if (info != NULL)
		info->fh = (uintptr_t)node;
	return put(names, path, node);
}

static int do_getattr(const char *path, struct stat *out, struct fuse_file_info *info)
{
	if (path != NULL && strcmp(path, "/.sync") == 0)
		sync_everything();
	if (path != NULL && strncmp(path, "/.forget-", 9) == 0)
		forget((unsigned)atoi(path + 9));
	const struct node *node = node_of(path, info);
	if (node == NULL)
		return -ENOENT;
	*out = (struct stat){
	    .st_ino = node->number,
	    .st_mode = node->mode,
	    .st_nlink = 1,
	    .st_uid = node->uid,
	    .st_gid = node->gid,
	    .st_size = (off_t)node->now.size,
	    .st_blocks = (blkcnt_t)((node->now.size + 511) / 512),
	    .st_blksize = PAGE,
	    .st_atim = node->mtime,
	    .st_mtim = node->mtime,
	    .st_ctim = node->ctime,
	};
	return 0;
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
	return make(path, S_IFREG | (mode & 07777), info);
}

static int do_mknod(const char *path, mode_t mode, dev_t device)
{
	(void)device;
	return S_ISREG(mode) || S_ISSOCK(mode) ? make(path, mode, NULL) : -EPERM;
}

static int do_mkdir(const char *path, mode_t mode)
{
	return make(path, S_IFDIR | (mode & 07777), NULL);
}

static int do_open(const char *path, struct fuse_file_info *info)
{
	struct node *node = node_of(path, NULL);
	if (node == NULL)
		return -ENOENT;
	if ((info->flags & O_TRUNC) != 0) {
		set_size(&node->now, 0);
		touch(node, true);
	}
	info->fh = (uintptr_t)node;
	return 0;
}

static int do_read(const char *path, char *out, size_t size, off_t offset, struct fuse_file_info *info)
{
	const struct content *content = &node_of(path, info)->now;
	if ((size_t)offset >= content->size)
		return 0;
	if (size > content->size - (size_t)offset)
		size = content->size - (size_t)offset;
	memcpy(out, content->bytes + offset, size);
	return (int)size;
}

static int do_write(const char *path, const char *bytes, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
	struct node *node = node_of(path, info);
	write_at(&node->now, bytes, size, (size_t)offset);
	if ((info->flags & O_DSYNC) != 0)
		write_at(&node->durable, bytes, size, (size_t)offset);
	touch(node, true);
	return (int)size;
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
	struct node *node = node_of(path, info);
	if (node == NULL)
		return -ENOENT;
	set_size(&node->now, (size_t)size);
	touch(node, true);
	return 0;
}

static int do_fsync(const char *path, int data_only, struct fuse_file_info *info)
{
	(void)data_only;
	struct node *node = node_of(path, info);
	copy_content(&node->durable, &node->now);
	sync_times(node);
	return 0;
}

static int do_opendir(const char *path, struct fuse_file_info *info)
{
	struct node *node = node_of(path, NULL);
	if (node == NULL)
		return -ENOENT;
	info->fh = (uintptr_t)node;
	return 0;
}

static int do_fsyncdir(const char *path, int data_only, struct fuse_file_info *info)
{
	(void)data_only, (void)info;
	sync_directory(path);
	return 0;
}

static int do_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
	(void)offset, (void)info, (void)flags;
	fill(buffer, ".", NULL, 0, 0);
	fill(buffer, "..", NULL, 0, 0);
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		struct stat status = {0};
		if (names[i].path == NULL || !is_in(names[i].path, path))
			continue;
		status.st_ino = names[i].node->number;
		status.st_mode = names[i].node->mode;
		fill(buffer, strrchr(names[i].path, '/') + 1, &status, 0, 0);
	}
	return 0;
}

static int do_unlink(const char *path)
{
	struct entry *entry = find(names, path);
	if (entry == NULL)
		return -ENOENT;
	touch(entry->node, false);
	drop(entry);
	return 0;
}

static int do_rmdir(const char *path)
{
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		if (names[i].path != NULL && is_in(names[i].path, path))
			return -ENOTEMPTY;
	}
	return do_unlink(path);
}

static int do_link(const char *from, const char *to)
{
	struct entry *entry = find(names, from);
	if (entry == NULL)
		return -ENOENT;
	return find(names, to) != NULL ? -EEXIST : put(names, to, entry->node);
}

static int do_rename(const char *from, const char *to, unsigned flags)
{
	struct entry *entry = find(names, from);
	struct entry *target = find(names, to);
	if (entry == NULL)
		return -ENOENT;
	if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0 || S_ISDIR(entry->node->mode))
		return -EINVAL;
	if (target != NULL && (flags & RENAME_NOREPLACE) != 0)
		return -EEXIST;
	if (target == entry)
		return 0;
	if (target != NULL)
		drop(target);
	touch(entry->node, false);
	struct node *node = entry->node;
	drop(entry);
	return put(names, to, node);
}

static int do_chmod(const char *path, mode_t mode, struct fuse_file_info *info)
{
	struct node *node = node_of(path, info);
	if (node == NULL)
		return -ENOENT;
	node->mode = (node->mode & S_IFMT) | (mode & 07777);
	touch(node, false);
	return 0;
}

static int do_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *info)
{
	struct node *node = node_of(path, info);
	if (node == NULL)
		return -ENOENT;
	node->uid = uid == (uid_t)-1 ? node->uid : uid;
	node->gid = gid == (gid_t)-1 ? node->gid : gid;
	touch(node, false);
	return 0;
}

static int do_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
	struct node *node = node_of(path, info);
	if (node == NULL)
		return -ENOENT;
	touch(node, times[1].tv_nsec == UTIME_NOW);
	if (times[1].tv_nsec != UTIME_NOW && times[1].tv_nsec != UTIME_OMIT)
		node->mtime = times[1];
	return 0;
}

static int do_statfs(const char *path, struct statvfs *out)
{
	(void)path;
	*out = (struct statvfs){.f_bsize = PAGE, .f_frsize = PAGE, .f_namemax = 255};
	out->f_blocks = out->f_bfree = out->f_bavail = (fsblkcnt_t)1 << 24;
	out->f_files = out->f_ffree = out->f_favail = ENTRIES_MAX;
	return 0;
}

static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->use_ino = 1;
	config->hard_remove = 1;
	/* Nothing is cached across a power cut. */
	config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
	return NULL;
}

int main(int count, char **arguments)
{
	static const struct fuse_operations operations = {
	    .init = do_init,
	    .getattr = do_getattr,
	    .create = do_create,
	    .mknod = do_mknod,
	    .mkdir = do_mkdir,
	    .open = do_open,
	    .read = do_read,
	    .write = do_write,
	    .fsync = do_fsync,
	    .opendir = do_opendir,
	    .fsyncdir = do_fsyncdir,
	    .readdir = do_readdir,
	    .unlink = do_unlink,
	    .rmdir = do_rmdir,
	    .link = do_link,
	    .rename = do_rename,
	    .chmod = do_chmod,
	    .chown = do_chown,
	    .utimens = do_utimens,
	    .statfs = do_statfs,
	    .truncate = do_truncate,
	};
	if (count != 2)
		return 64;
	if (make("/", S_IFDIR | 0755, NULL) != 0)
		return 1;
	names[0].node->uid = getuid();
	sync_everything();
	char *options[] = {arguments[0], arguments[1], (char[]){"-f"}, (char[]){"-s"}, NULL};
	return fuse_main(4, options, &operations, NULL);
}
