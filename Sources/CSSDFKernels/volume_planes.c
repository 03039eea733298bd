// Bytes of equal significance together: the high bytes of neighbouring values resemble one another.
#include "ssdf_volume.h"

void ssdf_planes_split(const int32_t *elements, size_t count, size_t planes, uint8_t *out) {
    for (size_t p = 0; p < planes; p++, out += count)
        for (size_t i = 0; i < count; i++) out[i] = (uint8_t)((uint32_t)elements[i] >> (8 * p));
}

void ssdf_planes_join(const uint8_t *in, size_t count, size_t planes, int32_t *elements) {
    for (size_t i = 0; i < count; i++) elements[i] = in[i];
    for (size_t p = 1; p < planes; p++)
        for (size_t i = 0; i < count; i++)
            elements[i] = (int32_t)((uint32_t)elements[i] | (uint32_t)in[p * count + i] << (8 * p));
}
