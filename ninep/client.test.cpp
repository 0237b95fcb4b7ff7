// SPDX-License-Identifier: BSD-2-Clause
#include "ninep/client.hpp"
#include "ninep/fake_tree.hpp"

#include <gtest/gtest.h>
#include <memory>

using namespace ninep;

namespace {

/// Client and server joined by two byte queues.
class Pair : public ::testing::Test, public Transport {
protected:
    void send(Bytes message) override {
        to_client_.insert(to_client_.end(), message.data, message.data + message.size);
    }
    const char* pump() {
        const char* fault = nullptr;
        while ((!to_server_.empty() || !to_client_.empty()) && fault == nullptr) {
            const auto down = std::exchange(to_server_, {});
            server->receive(down.data(), down.size());
            const auto up = std::exchange(to_client_, {});
            for (std::size_t i = 0; i < up.size() && fault == nullptr; i += 3)
                fault = client.feed(up.data() + i, std::min<std::size_t>(3, up.size() - i));
        }
        return fault;
    }
    std::vector<std::uint8_t> to_server_;
    std::vector<std::uint8_t> to_client_;
    FakeTree tree;
    std::unique_ptr<Server> server = std::make_unique<Server>(tree, *this);
    Client client{[this](const std::vector<std::uint8_t>& out) {
                      to_server_.insert(to_server_.end(), out.begin(), out.end());
                  },
                  4096};
};

} // namespace

TEST_F(Pair, ManyRequestsOutstanding) {
    Message m;
    m.type = Type::Tversion;
    m.message_size = client.message_size();
    m.text = protocol_version;
    Type got = Type::Rerror;
    ASSERT_TRUE(client.request(m, [&](const Message& answer) { got = answer.type; }));
    ASSERT_EQ(pump(), nullptr);
    EXPECT_EQ(got, Type::Rversion);
    m = {};
    m.type = Type::Tattach;
    m.fid = 0;
    ASSERT_TRUE(client.request(m, [](const Message&) {}));
    m = {};
    m.type = Type::Twalk;
    m.fid = 0;
    m.new_fid = client.new_fid();
    m.name_count = 1;
    m.names[0] = "stream";
    ASSERT_TRUE(client.request(m, [](const Message&) {}));
    m.type = Type::Topen;
    m.fid = m.new_fid;
    ASSERT_TRUE(client.request(m, [](const Message&) {}));
    m.type = Type::Tread;
    m.count = client.io_size();
    std::string read;
    ASSERT_TRUE(client.request(m, [&](const Message& answer) {
        read.assign(reinterpret_cast<const char*>(answer.data.data), answer.data.size);
    }));
    m.type = Type::Tstat;
    bool stat = false;
    ASSERT_TRUE(client.request(m, [&](const Message& answer) { stat = answer.type == Type::Rstat; }));
    ASSERT_EQ(pump(), nullptr);
    EXPECT_TRUE(stat);
    EXPECT_EQ(client.outstanding(), 1U);
    tree.stream_bytes = std::string(2000, 'z');
    server->retry();
    ASSERT_EQ(pump(), nullptr);
    EXPECT_EQ(read.size(), 2000U);
    EXPECT_EQ(client.outstanding(), 0U);
}

TEST_F(Pair, HostileServer) {
    const std::uint8_t huge[] = {0xff, 0xff, 0xff, 0x7f, 0};
    EXPECT_NE(client.feed(huge, sizeof huge), nullptr);
    Client other([](const std::vector<std::uint8_t>&) {});
    const std::uint8_t stray[] = {7, 0, 0, 0, 121, 9, 0}; // Rclunk nobody asked for
    EXPECT_NE(other.feed(stray, sizeof stray), nullptr);
    Message m;
    m.type = Type::Twrite;
    const std::vector<std::uint8_t> data(1 << 20);
    m.data = {data.data(), data.size()};
    EXPECT_FALSE(other.request(m, [](const Message&) {}));
}
