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

// How values map to the integers that are predicted.
//
// Quanta: q = trunc(v / 2^exponent), and what is left of |v| below the quantum: n = max(0, precision - bits(|q|)) further
// binary digits, but none finer than the type has; where q is 0, all bits of the stored value.

// What a set of floats spans.
struct ssdf_float_span {
    // Largest magnitude, as bits; above 0x7f800000 there is a NaN, at it an infinity.
    uint32_t largest;
    // Exponent of the lowest set bit over all values that are not zero; INT32_MAX when all are zero.
    int32_t lowest_bit;
    // Whether a negative zero is among them.
    int32_t negative_zero;
};

// The span of `count` floats.
void ssdf_float_span_with(
    int isa, const float *_Nonnull values, size_t count, struct ssdf_float_span *_Nonnull span);

// Smallest and largest of `count` values, NaNs aside: +infinity and -infinity when there are none.
void ssdf_value_range_with(
    int isa, const float *_Nonnull values, size_t count, float *_Nonnull smallest, float *_Nonnull largest);

// The largest |a[i] - b[i]|, exactly; differences that are NaNs aside.
double ssdf_largest_difference_with(int isa, const float *_Nonnull a, const float *_Nonnull b, size_t count);

// q[i] = v[i] / scale rounded to nearest, ties to even, held within ±largest; stored[i] = q[i] * scale. 0 for scale 0.
void ssdf_quantize_with(
    int isa, const float *_Nonnull values, size_t count, float scale, float largest, int32_t *_Nonnull quanta,
    float *_Nonnull stored);

// q[i] = trunc(v[i] * 2^-exponent), for -120 <= exponent <= 120 and results below 2^31.
void ssdf_to_quanta_with(int isa, const float *_Nonnull values, size_t count, int exponent, int32_t *_Nonnull quanta);

// v[i] = q[i] rounded to f32, times 2^exponent.
void ssdf_from_quanta_with(int isa, const int32_t *_Nonnull quanta, size_t count, int exponent, float *_Nonnull values);

// What quanta leave of their values: digits[i] binary digits below the quantum, as a number in rests[i]. `precision` is
// 24 for f32, 11 for f16 (whose values are given widened). Where the quantum is 0, all 32 or 16 bits of the stored value.
void ssdf_remainders_split_with(
    int isa, const float *_Nonnull values, const int32_t *_Nonnull quanta, size_t count, int exponent, int precision,
    uint8_t *_Nonnull digits, uint32_t *_Nonnull rests);

// The digits that quanta leave, as ssdf_remainders_split_with counts them.
void ssdf_remainders_count_with(
    int isa, const int32_t *_Nonnull quanta, size_t count, int exponent, int precision, uint8_t *_Nonnull digits);

// The values of quanta and rests.
void ssdf_remainders_join_with(
    int isa, const int32_t *_Nonnull quanta, const uint8_t *_Nonnull digits, const uint32_t *_Nonnull rests,
    size_t count, int exponent, int precision, float *_Nonnull values);

// Residuals of the values of `bricks` bricks (in mask order, one after another) against the prediction of ssdf(5),
// "Prediction". heads[b] is the first value of brick b; the rest follow in order in `residuals`. `values` can be read,
// and `residuals` written, for 8 elements beyond the last. All arithmetic is modulo 2^32.
void ssdf_predict_with(
    int isa, const uint64_t *_Nonnull masks, size_t bricks, const int32_t *_Nonnull values, int32_t *_Nonnull heads,
    int32_t *_Nonnull residuals);

// The inverse. `residuals` can be read, and `values` written, for 8 elements beyond the last.
void ssdf_unpredict_with(
    int isa, const uint64_t *_Nonnull masks, size_t bricks, const int32_t *_Nonnull heads,
    const int32_t *_Nonnull residuals, int32_t *_Nonnull values);

// Numbers of a block that share a width.
enum { SSDF_BLOCK = 32 };

// Packs residuals, folded to unsigned (0, -1, 1, -2, ...), in blocks of 32: widths[k] bits each, least significant
// bit first, 4 * widths[k] bytes a block, the last one filled up with zeros. Returns the bytes written to `out`, which
// has room for 4 * 32 a block and 8 more.
size_t ssdf_blocks_pack_with(
    int isa, const int32_t *_Nonnull residuals, size_t count, uint8_t *_Nonnull widths, uint8_t *_Nonnull out);

// The inverse; widths are at most 32 and come to the `size` given. `residuals` has room for whole blocks.
void ssdf_blocks_unpack_with(
    int isa, const uint8_t *_Nonnull widths, const uint8_t *_Nonnull bytes, size_t size, size_t count,
    int32_t *_Nonnull residuals);

// Folded residuals as their lengths in bits and what follows the leading one: digits[i] = max(lengths[i], 1) - 1 digits,
// as a number in rests[i].
void ssdf_lengths_split_with(
    int isa, const int32_t *_Nonnull residuals, size_t count, uint8_t *_Nonnull lengths, uint8_t *_Nonnull digits,
    uint32_t *_Nonnull rests);

// The digits of lengths, which are at most 32. Returns the largest length, so that the caller can tell.
int ssdf_lengths_count_with(int isa, const uint8_t *_Nonnull lengths, size_t count, uint8_t *_Nonnull digits);

// The residuals of lengths and rests. Both 32-bit arrays may be the same.
void ssdf_lengths_join_with(
    int isa, const uint8_t *_Nonnull lengths, const uint32_t *_Nonnull rests, size_t count,
    int32_t *_Nonnull residuals);

// Writes numbers one after another, digits[i] <= 32 bits each, least significant bit first; the last byte is filled up
// with zeros. Returns the bytes written to `out`, which has room for 4 * count + 16.
size_t ssdf_digits_write_with(
    int isa, const uint32_t *_Nonnull numbers, const uint8_t *_Nonnull digits, size_t count, uint8_t *_Nonnull out);

// The inverse. Returns the bytes they take, or SIZE_MAX when that is more than `size`. `digits` can be read for 8 bytes
// beyond the last.
size_t ssdf_digits_read_with(
    int isa, const uint8_t *_Nonnull bytes, size_t size, const uint8_t *_Nonnull digits, size_t count,
    uint32_t *_Nonnull numbers);

#ifdef __cplusplus
}
#endif

#endif
