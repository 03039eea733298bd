#include "ssdf_png.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// deflate's greatest expansion.
enum { EXPANSION = 1032 };

struct context {
    jmp_buf escape;
    char *message;
    // Reading.
    const uint8_t *bytes;
    size_t count, position;
    // Writing.
    uint8_t *file;
    size_t length, capacity;
};

static void on_error(png_structp png, png_const_charp text) {
    struct context *context = png_get_error_ptr(png);
    snprintf(context->message, SSDF_PNG_MESSAGE, "%s", text);
    longjmp(context->escape, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void fail(png_structp png, const char *text) { on_error(png, text); }

static void fail_at_end(png_structp png, size_t count, size_t missing) {
    char text[SSDF_PNG_MESSAGE];
    snprintf(text, sizeof text, "the file ends at byte %zu, expected %zu more", count, missing);
    fail(png, text);
}

// The library allocates what a chunk says it holds, and only warns of one that is absurd: 167 bytes can ask for 2 GB.
static void check_lengths(png_structp png, const struct context *context) {
    for (size_t at = 8; context->count - at >= 12;) {
        const uint8_t *chunk = context->bytes + at;
        size_t length = (size_t)chunk[0] << 24 | chunk[1] << 16 | chunk[2] << 8 | chunk[3];
        size_t left = context->count - at - 12;
        if (length > left) fail_at_end(png, context->count, length - left);
        if (memcmp(chunk + 4, "IEND", 4) == 0) return;
        at += length + 12;
    }
}

static void take(png_structp png, png_bytep target, size_t wanted) {
    struct context *context = png_get_io_ptr(png);
    if (wanted > context->count - context->position) {
        fail_at_end(png, context->count, wanted - (context->count - context->position));
    }
    memcpy(target, context->bytes + context->position, wanted);
    context->position += wanted;
}

// `rows` and `picture->pixels` are stored through volatile lvalues by the caller, so that they survive the longjmp.
static void read_picture(png_structp png, png_infop info, struct context *context, uint32_t largest_side,
                         struct ssdf_png *volatile picture, png_bytep *volatile *rows) {
    check_lengths(png, context);
    png_set_read_fn(png, context, take);
    png_set_user_limits(png, largest_side, largest_side);
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_chunk_cache_max(png, 64);
    png_read_info(png, info);

    png_uint_32 width, height;
    int depth, color, interlace;
    png_get_IHDR(png, info, &width, &height, &depth, &color, &interlace, NULL, NULL);
    uint64_t packed = (uint64_t)png_get_rowbytes(png, info) * height;
    if (packed / EXPANSION > context->count) {
        char text[SSDF_PNG_MESSAGE];
        snprintf(text, sizeof text, "%u x %u pixels in %zu bytes, expected at least %llu bytes", (unsigned)width,
                 (unsigned)height, context->count, (unsigned long long)(packed / EXPANSION));
        fail(png, text);
    }

    png_set_expand_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 0xffff, PNG_FILLER_AFTER);
    if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
    png_set_swap(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != (size_t)width * 8) fail(png, "a row of unexpected length");

    picture->width = width;
    picture->height = height;
    picture->depth = depth == 16 ? 16 : 8;
    picture->pixels = malloc((size_t)width * height * 8);
    *rows = malloc(height * sizeof **rows);
    if (!picture->pixels || !*rows) fail(png, "out of memory");
    for (png_uint_32 y = 0; y < height; y++) (*rows)[y] = (png_bytep)(picture->pixels + (size_t)y * width * 4);
    png_read_image(png, *rows);
    png_read_end(png, NULL);
}

int ssdf_png_read(const uint8_t *bytes, size_t count, uint32_t largest_side, struct ssdf_png *picture, char *message) {
    memset(picture, 0, sizeof *picture);
    message[0] = 0;
    struct context context = {.message = message, .bytes = bytes, .count = count};
    if (count < 8 || png_sig_cmp(bytes, 0, 8) != 0) {
        snprintf(message, SSDF_PNG_MESSAGE, "no PNG signature in the first 8 bytes");
        return -1;
    }
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &context, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    png_bytep *volatile rows = NULL;
    volatile int status = -1;
    if (!info) {
        snprintf(message, SSDF_PNG_MESSAGE, "out of memory");
    } else if (setjmp(context.escape) == 0) {
        read_picture(png, info, &context, largest_side, picture, &rows);
        status = 0;
    }
    png_destroy_read_struct(&png, &info, NULL);
    free(rows);
    if (status != 0) {
        free(picture->pixels);
        picture->pixels = NULL;
    }
    return status;
}

static void put(png_structp png, png_bytep source, size_t given) {
    struct context *context = png_get_io_ptr(png);
    if (given > context->capacity - context->length) {
        size_t capacity = 2 * context->capacity + given;
        uint8_t *larger = realloc(context->file, capacity);
        if (!larger) fail(png, "out of memory");
        context->file = larger;
        context->capacity = capacity;
    }
    memcpy(context->file + context->length, source, given);
    context->length += given;
}

static void flush(png_structp png) { (void)png; }

// One row in the file's order: big-endian, `channels` of `depth` bits.
static void encode_row(const uint16_t *pixels, uint32_t width, int depth, int channels, uint8_t *row) {
    for (uint32_t x = 0; x < width; x++) {
        for (int c = 0; c < channels; c++) {
            uint32_t value = pixels[4 * (size_t)x + c];
            if (depth == 16) {
                *row++ = (uint8_t)(value >> 8);
                *row++ = (uint8_t)value;
            } else {
                *row++ = (uint8_t)((value + 128) / 257);
            }
        }
    }
}

static void write_picture(png_structp png, png_infop info, struct context *context, const uint16_t *pixels,
                          uint32_t width, uint32_t height, int depth, int channels, uint8_t *row) {
    png_set_write_fn(png, context, put, flush);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_set_IHDR(png, info, width, height, depth, channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    png_write_info(png, info);
    for (uint32_t y = 0; y < height; y++) {
        encode_row(pixels + (size_t)y * width * 4, width, depth, channels, row);
        png_write_row(png, row);
    }
    png_write_end(png, info);
}

int ssdf_png_write(const uint16_t *pixels, uint32_t width, uint32_t height, int depth, int keeps_alpha, uint8_t **file,
                   size_t *count, char *message) {
    *file = NULL;
    *count = 0;
    message[0] = 0;
    struct context context = {.message = message};
    int channels = keeps_alpha ? 4 : 3;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &context, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    uint8_t *row = malloc((size_t)width * (size_t)channels * 2 + 1);
    volatile int status = -1;
    if (!info || !row) {
        snprintf(message, SSDF_PNG_MESSAGE, "out of memory");
    } else if (setjmp(context.escape) == 0) {
        write_picture(png, info, &context, pixels, width, height, depth, channels, row);
        status = 0;
    }
    png_destroy_write_struct(&png, &info);
    free(row);
    if (status != 0) {
        free(context.file);
        return -1;
    }
    *file = context.file;
    *count = context.length;
    return 0;
}

const char *ssdf_png_version(void) { return png_get_libpng_ver(NULL); }
