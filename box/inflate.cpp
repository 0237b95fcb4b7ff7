// SPDX-License-Identifier: BSD-2-Clause
//
// libz comes from the system's static library. What it expects of a C library is here: allocation from a
// scratch area, and the stack protector's canary, which lies in the segment that FS points to.
#include "box/inflate.hpp"

#include <cstring>
#include <zlib.h>

extern "C" {
[[noreturn]] void __stack_chk_fail() {
    __builtin_trap();
}
// libz's own allocators are never used; the linker wants their names.
void* malloc(std::size_t) {
    return nullptr;
}
void free(void*) {}
}

namespace box {

namespace {

/// State and window of one inflation are about 42 KiB.
alignas(64) std::byte scratch[64 << 10];
std::size_t scratch_used = 0;

voidpf take(voidpf, uInt count, uInt size) {
    const std::size_t wanted = (std::size_t{count} * size + 15) & ~std::size_t{15};
    if (wanted > sizeof scratch - scratch_used)
        return nullptr;
    std::byte* taken = scratch + scratch_used;
    scratch_used += wanted;
    return taken;
}
void give_back(voidpf, voidpf) {}

void prepare_canary() {
    alignas(64) static std::byte thread_area[64]; // the canary is at offset 0x28
    asm volatile("wrfsbase %0" ::"r"(thread_area));
}

} // namespace

const char* inflate_part(proto::Bytes stored, std::byte* out, std::uint64_t size) {
    prepare_canary();
    scratch_used = 0;
    z_stream stream;
    std::memset(&stream, 0, sizeof stream);
    stream.zalloc = take;
    stream.zfree = give_back;
    if (inflateInit(&stream) != Z_OK)
        return "zlib does not start";
    // libz counts in 32 bits: larger parts go in steps.
    constexpr std::uint64_t step = 1U << 30;
    std::uint64_t in_left = stored.size;
    std::uint64_t out_left = size;
    stream.next_in = const_cast<Bytef*>(stored.data);
    stream.next_out = reinterpret_cast<Bytef*>(out);
    int status = Z_OK;
    while (status == Z_OK) {
        const auto in_step = static_cast<uInt>(in_left < step ? in_left : step);
        const auto out_step = static_cast<uInt>(out_left < step ? out_left : step);
        stream.avail_in = in_step;
        stream.avail_out = out_step;
        status = inflate(&stream, Z_NO_FLUSH);
        in_left -= in_step - stream.avail_in;
        out_left -= out_step - stream.avail_out;
        if (status == Z_OK && (in_left == 0 || out_left == 0))
            break;
    }
    if (status == Z_OK && out_left == 0) {
        // All bytes are there; the checksum behind them is still to be looked at.
        Bytef none = 0;
        stream.next_out = &none;
        stream.avail_out = 0;
        stream.avail_in = static_cast<uInt>(in_left < step ? in_left : step);
        status = inflate(&stream, Z_FINISH);
    }
    if (status == Z_STREAM_END && out_left == 0)
        return nullptr;
    return status == Z_DATA_ERROR ? "a part of the boot archive is damaged"
                                  : "a part of the boot archive has a wrong size";
}

} // namespace box
