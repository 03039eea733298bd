// Kernels of the .ssdf container: checksum, masks, value coding. The formats are those of ssdf(5).
#ifndef SSDF_VOLUME_H
#define SSDF_VOLUME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// CRC-32 (ISO-HDLC, the one of zlib and PNG) of `count` bytes, continuing from `crc`; 0 starts.
uint32_t ssdf_crc32(uint32_t crc, const uint8_t *_Nullable bytes, size_t count);

// As ssdf_crc32 with the instruction set given: SSDF_ISA_SCALAR, or anything above for carry-less multiplication.
uint32_t ssdf_crc32_isa(int isa, uint32_t crc, const uint8_t *_Nullable bytes, size_t count);

// Codes `count` masks of eight words: for each, a 64-bit map of the rows that differ from the row before (row y-1, or
// row (x-1, 0) when y is 0), then the exclusive-or with that row for each of them. Returns the bytes written, at most
// 72 a mask.
size_t ssdf_masks_encode(const uint64_t *_Nonnull masks, size_t count, uint8_t *_Nonnull out);

// The inverse over `size` bytes. Returns the bytes read, or 0 when they end before the masks do.
size_t ssdf_masks_decode(const uint8_t *_Nonnull bytes, size_t size, size_t count, uint64_t *_Nonnull masks);

// Byte planes: out[p * count + i] is byte p of elements[i], for p < planes <= 4.
void ssdf_planes_split(const int32_t *_Nonnull elements, size_t count, size_t planes, uint8_t *_Nonnull out);

// The inverse; bytes beyond the planes become zero.
void ssdf_planes_join(const uint8_t *_Nonnull in, size_t count, size_t planes, int32_t *_Nonnull elements);

#ifdef __cplusplus
}
#endif

#endif
