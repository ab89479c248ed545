// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * To be preloaded: knows each allocation of the program by its site, the place in the program's own code that asks for
 * memory, and refuses one of them.
 *
 *   MALLOC_TRAP_LOG   a file; gets "alloc 0x<site>" for each allocation, and "HIT alloc 0x<site>" for the one refused
 *   MALLOC_TRAP_SITE  the site (hexadecimal), MALLOC_TRAP_AT the occurrence of it
 *
 * What libraries allocate for themselves is their affair and left alone.
 */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static uintptr_t begin, end; /* of the program's code */
static int log_fd = -1;
static uintptr_t refused_site;
static unsigned refused_at;
static atomic_uint occurrence;

static int find_program(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size, (void)context;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0) {
			begin = info->dlpi_addr + segment->p_vaddr;
			end = begin + segment->p_memsz;
		}
	}
	return 1; /* the first is the program itself */
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("MALLOC_TRAP_LOG");
	const char *site = getenv("MALLOC_TRAP_SITE");
	const char *at = getenv("MALLOC_TRAP_AT");
	if (site != NULL && at != NULL) {
		refused_site = strtoul(site, NULL, 16);
		refused_at = (unsigned)strtoul(at, NULL, 10);
	}
	if (path != NULL)
		log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dl_iterate_phdr(find_program, NULL);
}

static int is_refused(const void *caller)
{
	uintptr_t address = (uintptr_t)caller;
	if (log_fd < 0 || address < begin || address >= end)
		return 0;
	uintptr_t site = address - begin;
	int is_hit = site == refused_site && atomic_fetch_add(&occurrence, 1) + 1 == refused_at;
	char line[64];
	int length =
	    snprintf(line, sizeof line, "%salloc 0x%lx\n", is_hit ? "HIT " : "", (unsigned long)site);
	return write(log_fd, line, (size_t)length) == length && is_hit;
}

void *malloc(size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size);
}

void *reallocarray(void *memory, size_t count, size_t size)
{
	size_t whole;
	if (__builtin_mul_overflow(count, size, &whole) || is_refused(__builtin_return_address(0)))
		return NULL;
	return __libc_realloc(memory, whole);
}

static char *copy(const char *text, size_t length)
{
	char *memory = __libc_malloc(length + 1);
	if (memory != NULL) {
		memcpy(memory, text, length);
		memory[length] = '\0';
	}
	return memory;
}

char *strdup(const char *text)
{
	return is_refused(__builtin_return_address(0)) ? NULL : copy(text, strlen(text));
}

char *strndup(const char *text, size_t size)
{
	return is_refused(__builtin_return_address(0)) ? NULL : copy(text, strnlen(text, size));
}

int asprintf(char **out, const char *format, ...)
{
	if (is_refused(__builtin_return_address(0)))
		return -1;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(out, format, arguments);
	va_end(arguments);
	return length;
}
