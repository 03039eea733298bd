// PNG in memory, to and from 16-bit RGBA.
//
// libpng reports an error by longjmp, which must not cross Swift frames; so its calls stay on this side, and Swift sees
// a status and a message.
#ifndef SSDF_PNG_H
#define SSDF_PNG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SSDF_PNG_MESSAGE = 200 };

// A picture read. `pixels` is [height][width][4] (red, green, blue, alpha; not premultiplied), from malloc, the
// caller's to free; values of 8-bit files are times 257. `depth` is 16 for files of 16 bits a channel, 8 for all others.
struct ssdf_png {
    uint32_t width, height;
    int depth;
    uint16_t *_Nullable pixels;
};

// Reads a PNG of any colour type, depth and interlacing. Neither side may exceed `largest_side`. The pixels are
// allocated only when `count` bytes can hold that many: deflate cannot expand more than 1032-fold.
// Returns 0, or -1 with a message of found and expected, and nothing to free.
int ssdf_png_read(const uint8_t *_Nonnull bytes, size_t count, uint32_t largest_side, struct ssdf_png *_Nonnull picture,
                  char message[_Nonnull SSDF_PNG_MESSAGE]);

// Writes [height][width][4] `pixels` as RGBA, or as RGB where `keeps_alpha` is 0, of 8 (v / 257, rounded) or 16 bits.
// Equal pixels give equal bytes: no time, no text. `*file` is from malloc, the caller's to free.
// Returns 0, or -1 with a message.
int ssdf_png_write(const uint16_t *_Nonnull pixels, uint32_t width, uint32_t height, int depth, int keeps_alpha,
                   uint8_t *_Nullable *_Nonnull file, size_t *_Nonnull count, char message[_Nonnull SSDF_PNG_MESSAGE]);

// libpng's version in use.
const char *_Nonnull ssdf_png_version(void);

#ifdef __cplusplus
}
#endif

#endif
