// SPDX-License-Identifier: BSD-2-Clause
#include "box/sha256.hpp"

#include <cstdio>
#include <gtest/gtest.h>
#include <string>

namespace {
std::string hash(const std::string& text) {
    box::Sha256 sha;
    sha.update(text.data(), text.size());
    std::uint8_t out[32];
    sha.finish(out);
    std::string hex;
    for (const std::uint8_t byte : out) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", byte);
        hex += digits;
    }
    return hex;
}
} // namespace

TEST(Sha256, PublishedVectors) {
    EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(hash(std::string(1000000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
