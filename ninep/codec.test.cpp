// SPDX-License-Identifier: BSD-2-Clause
#include "ninep/codec.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace ninep;

namespace {

std::vector<std::uint8_t> packed(const Message& message) {
    std::vector<std::uint8_t> out(4096);
    out.resize(pack(message, out.data(), out.size()));
    return out;
}

Message sample(Type type) {
    Message m;
    m.type = type;
    m.tag = 77;
    m.fid = 1;
    m.new_fid = 2;
    m.auth_fid = 3;
    m.message_size = 8192;
    m.old_tag = 5;
    m.mode = 2;
    m.permissions = 0644;
    m.offset = 0x123456789aULL;
    m.count = 4;
    m.io_unit = 512;
    m.qid = {qid_directory, 9, 10};
    m.stat.name = "name";
    m.stat.uid = "u";
    m.stat.length = 1ULL << 40;
    m.stat.mode = mode_directory | 0755;
    m.name_count = 2;
    m.names[0] = "usr";
    m.names[1] = "bin";
    m.qids[1] = {0, 1, 2};
    m.text = "text";
    m.user = "user";
    m.tree = "tree";
    static const std::uint8_t data[] = {1, 2, 3, 4};
    m.data = {data, 4};
    return m;
}

const std::vector<Type> all_types = [] {
    std::vector<Type> types;
    for (unsigned value = 100; value <= 127; value++)
        if (value != 106)
            types.push_back(static_cast<Type>(value));
    return types;
}();

} // namespace

TEST(Codec, RoundTripsEveryType) {
    for (const Type type : all_types) {
        const auto bytes = packed(sample(type));
        ASSERT_FALSE(bytes.empty()) << int(type);
        Message got;
        ASSERT_EQ(unpack({bytes.data(), bytes.size()}, got), CodecError::none) << int(type);
        EXPECT_EQ(got.type, type);
        EXPECT_EQ(got.tag, 77);
        EXPECT_EQ(packed(got), bytes) << int(type);
    }
}

TEST(Codec, LayoutIsTheProtocols) {
    Message m;
    m.type = Type::Tread;
    m.tag = 0x0102;
    m.fid = 3;
    m.offset = 4;
    m.count = 5;
    const std::vector<std::uint8_t> wanted = {23, 0, 0, 0, 116, 2, 1, 3, 0, 0, 0, 4,
                                              0,  0, 0, 0, 0,   0, 0, 5, 0, 0, 0};
    EXPECT_EQ(packed(m), wanted);
}

TEST(Codec, RefusesEveryTruncationAndExtension) {
    for (const Type type : all_types) {
        auto bytes = packed(sample(type));
        Message got;
        for (std::uint32_t size = 0; size < bytes.size(); size++) {
            auto cut = std::vector<std::uint8_t>(bytes.begin(), bytes.begin() + size);
            EXPECT_NE(unpack({cut.data(), cut.size()}, got), CodecError::none);
            if (size >= header_size) {
                std::memcpy(cut.data(), &size, sizeof size); // a consistent frame with missing fields
                EXPECT_NE(unpack({cut.data(), cut.size()}, got), CodecError::none)
                    << int(type) << " " << size;
            }
        }
        bytes.push_back(0);
        EXPECT_EQ(unpack({bytes.data(), bytes.size()}, got), CodecError::bad_size);
        const auto size = static_cast<std::uint32_t>(bytes.size());
        std::memcpy(bytes.data(), &size, sizeof size);
        EXPECT_NE(unpack({bytes.data(), bytes.size()}, got), CodecError::none) << int(type);
    }
}

TEST(Codec, NamesEachFault) {
    Message got;
    auto bytes = packed(sample(Type::Twalk));
    bytes[15] = 17; // number of names
    EXPECT_EQ(unpack({bytes.data(), bytes.size()}, got), CodecError::too_many_names);
    bytes = packed(sample(Type::Tclunk));
    bytes[4] = 200;
    EXPECT_EQ(unpack({bytes.data(), bytes.size()}, got), CodecError::unknown_type);
    bytes = packed(sample(Type::Rstat));
    bytes[9]--; // the stat's own size
    EXPECT_EQ(unpack({bytes.data(), bytes.size()}, got), CodecError::bad_stat);
    bytes = packed(sample(Type::Twrite));
    bytes[19] = 0xff; // count
    bytes[22] = 0xff;
    EXPECT_EQ(unpack({bytes.data(), bytes.size()}, got), CodecError::short_message);
}

TEST(Codec, PackSaysWhenItDoesNotFit) {
    std::uint8_t out[64];
    for (const Type type : all_types) {
        const auto whole = packed(sample(type));
        for (std::size_t capacity = 0; capacity < whole.size() && capacity < sizeof out; capacity++)
            EXPECT_EQ(pack(sample(type), out, capacity), 0U);
    }
}

TEST(Codec, SurvivesRandomBytes) {
    std::mt19937 random(9);
    for (int round = 0; round < 100000; round++) {
        std::vector<std::uint8_t> bytes = packed(sample(all_types[random() % all_types.size()]));
        for (int change = 0; change < 4; change++)
            bytes[4 + random() % (bytes.size() - 4)] = static_cast<std::uint8_t>(random());
        Message got;
        if (unpack({bytes.data(), bytes.size()}, got) == CodecError::none) {
            EXPECT_EQ(packed(got), bytes);
        }
    }
}
