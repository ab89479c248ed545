// SPDX-License-Identifier: Apache-2.0
#include "source/scanner.h"

#include <endian.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/*
 * Each block of 64 bytes becomes four bit masks, one bit a byte: quotes, delimiters, line feeds, carriage
 * returns. All that follows is arithmetic on them, with the last bit of one block carried into the next. Only
 * how the masks are made, and how the places of their bits are written, differs between processors.
 */

enum { BLOCK = 64 };

/* So that everything is compiled for the processor that its caller is for. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

struct masks {
	uint64_t quotes;
	uint64_t delimiters;
	uint64_t line_feeds;
	uint64_t carriage_returns;
	uint64_t quoted; /* from each odd quote up to, not with, the next: parity of the quotes so far */
};

typedef void masks_fn(struct masks *masks, const char *block, char delimiter, char quote);

/* Writes the place of each bit behind `base`, and no more than BLOCK numbers in all. Says how many bits. */
typedef size_t places_fn(uint32_t *ends, uint64_t bits, uint32_t base);

/* What the block before says about this one; all bits 0 or 1 but `quoted`. */
struct carry {
	uint64_t quoted;     /* all ones: it ended inside quotes */
	uint64_t may_open;   /* its last byte was a quote, a delimiter or a line feed */
	uint64_t closed;     /* its last byte was a closing quote */
	uint64_t returned;   /* its last byte was a carriage return outside quotes */
	uint64_t line_ended; /* its last byte was a line feed outside quotes */
};

/* The beginning of a record follows a line end. */
static const struct carry at_record = {.may_open = 1, .line_ended = 1};

/* Does a quote open directly behind one that closed: a doubled quote? */
static ALWAYS_INLINE bool opens_again(const struct masks *masks, uint64_t inside, const struct carry *carry)
{
	uint64_t closing = masks->quotes & ~inside;
	return (masks->quotes & inside & (closing << 1 | carry->closed)) != 0;
}

/* The bytes that make their record irregular; the first such bit stands inside the first such record. */
static ALWAYS_INLINE uint64_t irregular_bytes(const struct masks *masks, uint64_t inside, struct carry *carry)
{
	uint64_t opening = masks->quotes & inside;
	uint64_t closing = masks->quotes & ~inside;
	uint64_t line_feeds = masks->line_feeds & ~inside;
	uint64_t carriage_returns = masks->carriage_returns & ~inside;
	uint64_t borders = masks->delimiters | masks->line_feeds | masks->quotes;

	uint64_t irregular = opening & ~(borders << 1 | carry->may_open);
	irregular |= (closing << 1 | carry->closed) & ~(borders | masks->carriage_returns);
	irregular |= (carriage_returns << 1 | carry->returned) & ~masks->line_feeds;
	irregular |= (line_feeds << 1 | carry->line_ended) & (line_feeds | carriage_returns);

	carry->quoted = (uint64_t)((int64_t)inside >> 63);
	carry->may_open = borders >> 63;
	carry->closed = closing >> 63;
	carry->returned = carriage_returns >> 63;
	carry->line_ended = line_feeds >> 63;
	return irregular;
}

/* Eight at a time: what is written beyond them is written over. */
static ALWAYS_INLINE size_t put_places(uint32_t *ends, uint64_t bits, uint32_t base)
{
	size_t count = (size_t)__builtin_popcountll(bits);
	for (size_t done = 0; done < count; done += 8) {
		for (size_t i = 0; i < 8; i++) {
			ends[done + i] = base + (uint32_t)__builtin_ctzll(bits | UINT64_C(1) << 63);
			bits &= bits - 1;
		}
	}
	return count;
}

static ALWAYS_INLINE struct scanner_found scan(masks_fn *make_masks, places_fn *put_ends, char delimiter,
                                               char quote, const char *bytes, size_t count, uint32_t *ends)
{
	struct scanner_found found = {0};
	struct carry carry = at_record;
	size_t written = 0;
	if (count > UINT32_MAX)
		count = UINT32_MAX;
	for (size_t at = 0; at < count && written + BLOCK <= SCANNER_ENDS_MAX; at += BLOCK) {
		struct masks masks;
		uint64_t valid = UINT64_MAX;
		if (count - at >= BLOCK) {
			make_masks(&masks, bytes + at, delimiter, quote);
		} else {
			char last[BLOCK] = {0};
			memcpy(last, bytes + at, count - at);
			valid = (UINT64_C(1) << (count - at)) - 1;
			make_masks(&masks, last, delimiter, quote);
		}
		uint64_t inside = masks.quoted ^ carry.quoted;
		found.has_doubled |= opens_again(&masks, inside, &carry);
		uint64_t irregular = irregular_bytes(&masks, inside, &carry) & valid;
		if (irregular != 0)
			valid = (irregular & -irregular) - 1;
		uint64_t ending = (masks.delimiters | masks.line_feeds) & ~inside & valid;
		found.spans |= ((masks.line_feeds | masks.carriage_returns) & inside) != 0;
		written += put_ends(ends + written, ending, (uint32_t)at);
		uint64_t records = masks.line_feeds & ending;
		if (records != 0) {
			uint64_t behind = ending & ~(UINT64_MAX >> __builtin_clzll(records));
			found.count = written - (size_t)__builtin_popcountll(behind);
		}
		if (irregular != 0) {
			found.irregular = true;
			break;
		}
	}
	return found;
}

/* One bit for each byte of the word that is zero: exact, and without a carry from byte to byte. */
static inline uint64_t zero_bytes(uint64_t word)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t tops = ~(((word & low) + low) | word | low); /* 0x80 where zero */
	return (tops >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline uint64_t running_parity(uint64_t bits)
{
	for (unsigned shift = 1; shift < 64; shift *= 2)
		bits ^= bits << shift;
	return bits;
}

static inline uint64_t spread(char byte)
{
	return (uint64_t)(unsigned char)byte * UINT64_C(0x0101010101010101);
}

static inline void scalar_masks(struct masks *masks, const char *block, char delimiter, char quote)
{
	*masks = (struct masks){0};
	for (unsigned i = 0; i < BLOCK; i += 8) {
		uint64_t word;
		memcpy(&word, block + i, sizeof(word));
		word = le64toh(word);
		masks->quotes |= zero_bytes(word ^ spread(quote)) << i;
		masks->delimiters |= zero_bytes(word ^ spread(delimiter)) << i;
		masks->line_feeds |= zero_bytes(word ^ spread('\n')) << i;
		masks->carriage_returns |= zero_bytes(word ^ spread('\r')) << i;
	}
	if (quote == '\n')
		masks->quotes = 0;
	masks->quoted = running_parity(masks->quotes);
}

static struct scanner_found scan_scalar(char delimiter, char quote, const char *bytes, size_t count,
                                        uint32_t *ends)
{
	return scan(scalar_masks, put_places, delimiter, quote, bytes, count, ends);
}

#if defined(__x86_64__)

static inline uint64_t sse2_equal(const char *block, char byte)
{
	const __m128i wanted = _mm_set1_epi8(byte);
	uint64_t bits = 0;
	for (unsigned i = 0; i < BLOCK; i += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(block + i));
		bits |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)) << i;
	}
	return bits;
}

static inline void sse2_masks(struct masks *masks, const char *block, char delimiter, char quote)
{
	masks->quotes = quote == '\n' ? 0 : sse2_equal(block, quote);
	masks->delimiters = sse2_equal(block, delimiter);
	masks->line_feeds = sse2_equal(block, '\n');
	masks->carriage_returns = sse2_equal(block, '\r');
	masks->quoted = running_parity(masks->quotes);
}

static struct scanner_found scan_sse2(char delimiter, char quote, const char *bytes, size_t count,
                                      uint32_t *ends)
{
	return scan(sse2_masks, put_places, delimiter, quote, bytes, count, ends);
}

#define AVX2 __attribute__((target("avx2,pclmul,bmi,popcnt")))

AVX2 static inline uint64_t avx2_equal(__m256i low, __m256i high, char byte)
{
	const __m256i wanted = _mm256_set1_epi8(byte);
	uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted));
	uint32_t second = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted));
	return first | (uint64_t)second << 32;
}

AVX2 static inline void avx2_masks(struct masks *masks, const char *block, char delimiter, char quote)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)block);
	__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(block + BLOCK / 2));
	masks->quotes = quote == '\n' ? 0 : avx2_equal(low, high, quote);
	masks->delimiters = avx2_equal(low, high, delimiter);
	masks->line_feeds = avx2_equal(low, high, '\n');
	masks->carriage_returns = avx2_equal(low, high, '\r');
	/* A carry-less product with all ones is the running parity. */
	__m128i product =
	    _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)masks->quotes), _mm_set1_epi8(-1), 0);
	masks->quoted = (uint64_t)_mm_cvtsi128_si64(product);
}

AVX2 static struct scanner_found scan_avx2(char delimiter, char quote, const char *bytes, size_t count,
                                           uint32_t *ends)
{
	return scan(avx2_masks, put_places, delimiter, quote, bytes, count, ends);
}

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi2,pclmul,bmi,popcnt")))

AVX512 static inline void avx512_masks(struct masks *masks, const char *block, char delimiter, char quote)
{
	__m512i bytes = _mm512_loadu_si512(block);
	masks->quotes = quote == '\n' ? 0 : _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(quote));
	masks->delimiters = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(delimiter));
	masks->line_feeds = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n'));
	masks->carriage_returns = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\r'));
	__m128i product =
	    _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)masks->quotes), _mm_set1_epi8(-1), 0);
	masks->quoted = (uint64_t)_mm_cvtsi128_si64(product);
}

/* Sixteen at a time. */
AVX512 static inline size_t avx512_places(uint32_t *ends, uint64_t bits, uint32_t base)
{
	static const char numbers[BLOCK] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
	                                    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
	                                    32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
	                                    48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
	size_t count = (size_t)__builtin_popcountll(bits);
	__m512i places = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512(numbers));
	for (size_t done = 0; done < count; done += 16) {
		__m512i wide = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places));
		_mm512_storeu_si512(ends + done, _mm512_add_epi32(wide, _mm512_set1_epi32((int)base)));
		places = _mm512_alignr_epi32(places, places, 4);
	}
	return count;
}

AVX512 static struct scanner_found scan_avx512(char delimiter, char quote, const char *bytes, size_t count,
                                               uint32_t *ends)
{
	return scan(avx512_masks, avx512_places, delimiter, quote, bytes, count, ends);
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2") &&
	       __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("popcnt");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
}

static scanner_fn *find_kind(enum scanner_kind kind)
{
	switch (kind) {
	case SCANNER_AVX512:
		return has_avx512() ? scan_avx512 : NULL;
	case SCANNER_AVX2:
		return has_avx2() ? scan_avx2 : NULL;
	case SCANNER_SSE2:
		return scan_sse2; /* every amd64 has it */
	case SCANNER_SCALAR:
		return scan_scalar;
	}
	return NULL;
}

#else

static scanner_fn *find_kind(enum scanner_kind kind)
{
	return kind == SCANNER_SCALAR ? scan_scalar : NULL;
}

#endif

static bool is_line_end(char byte)
{
	return byte == '\n' || byte == '\r';
}

bool scanner_init_kind(struct scanner *scanner, enum scanner_kind kind, char delimiter, char quote)
{
	*scanner = (struct scanner){delimiter, quote == '\0' ? '\n' : quote, find_kind(kind)};
	return scanner->scan != NULL && !is_line_end(delimiter) && !is_line_end(quote) && delimiter != quote;
}

bool scanner_init(struct scanner *scanner, char delimiter, char quote)
{
	return scanner_init_kind(scanner, SCANNER_AVX512, delimiter, quote) ||
	       scanner_init_kind(scanner, SCANNER_AVX2, delimiter, quote) ||
	       scanner_init_kind(scanner, SCANNER_SSE2, delimiter, quote) ||
	       scanner_init_kind(scanner, SCANNER_SCALAR, delimiter, quote);
}
