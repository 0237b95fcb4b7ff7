// SPDX-License-Identifier: BSD-2-Clause
#include "ninep/fake_tree.hpp"

#include <deque>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <vector>

using namespace ninep;

namespace {

class ServerTest : public ::testing::Test, public Transport {
protected:
    void SetUp() override {
        Message m;
        m.type = Type::Tversion;
        m.tag = no_tag;
        m.message_size = 1024;
        m.text = "9P2000";
        ASSERT_EQ(ask(m).type, Type::Rversion);
        m = {};
        m.type = Type::Tattach;
        m.fid = 0;
        ASSERT_EQ(ask(m).type, Type::Rattach);
    }
    void send(Bytes message) override { sent_.emplace_back(message.data, message.data + message.size); }

    void post(const Message& m) {
        std::uint8_t out[2048];
        const auto size = pack(m, out, sizeof out);
        ASSERT_NE(size, 0U);
        server->receive(out, size);
    }
    bool answered() const { return !sent_.empty(); }
    Message take() {
        Message m;
        EXPECT_FALSE(sent_.empty());
        if (sent_.empty())
            return m;
        last_ = sent_.front();
        sent_.pop_front();
        EXPECT_EQ(unpack({last_.data(), last_.size()}, m), CodecError::none);
        return m;
    }
    Message ask(const Message& m) {
        post(m);
        return take();
    }
    Message walk(std::uint32_t from, std::uint32_t to, std::vector<Text> names) {
        Message m;
        m.type = Type::Twalk;
        m.fid = from;
        m.new_fid = to;
        for (const Text& name : names)
            m.names[m.name_count++] = name;
        return ask(m);
    }
    Message simple(Type type, std::uint32_t fid, std::uint8_t mode = 0) {
        Message m;
        m.type = type;
        m.fid = fid;
        m.mode = mode;
        return ask(m);
    }
    static Message read_request(std::uint16_t tag, std::uint32_t fid, std::uint64_t offset,
                                std::uint32_t count) {
        Message m;
        m.type = Type::Tread;
        m.tag = tag;
        m.fid = fid;
        m.offset = offset;
        m.count = count;
        return m;
    }
    static std::string text(const Message& m) { return {m.text.data, m.text.size}; }
    static std::string data(const Message& m) {
        return {reinterpret_cast<const char*>(m.data.data), m.data.size};
    }

    FakeTree tree;
    std::unique_ptr<Server> server = std::make_unique<Server>(tree, *this);

private:
    std::deque<std::vector<std::uint8_t>> sent_;
    std::vector<std::uint8_t> last_;
};

} // namespace

TEST_F(ServerTest, WalksOpensAndReads) {
    const Message walked = walk(0, 1, {"dir", "..", "motd"});
    ASSERT_EQ(walked.type, Type::Rwalk);
    EXPECT_EQ(walked.name_count, 3);
    EXPECT_EQ(walked.qids[0].type, qid_directory);
    EXPECT_EQ(walked.qids[2].path, NodeId{FakeTree::motd});
    EXPECT_EQ(simple(Type::Topen, 1).type, Type::Ropen);
    EXPECT_EQ(data(ask(read_request(3, 1, 0, 100))), "hello");
    EXPECT_EQ(data(ask(read_request(3, 1, 4, 100))), "o");
    EXPECT_EQ(data(ask(read_request(3, 1, 5, 100))), "");
    EXPECT_EQ(data(ask(read_request(3, 1, ~0ULL, 100))), "");
    EXPECT_EQ(simple(Type::Tstat, 1).stat.length, 5U);
    EXPECT_EQ(simple(Type::Tclunk, 1).type, Type::Rclunk);
    EXPECT_EQ(tree.open_count, 0);
}

TEST_F(ServerTest, WalkRules) {
    EXPECT_EQ(text(walk(0, 1, {"none"})), "file not found");
    EXPECT_EQ(walk(0, 1, {"dir", "none"}).name_count, 1);
    EXPECT_EQ(text(simple(Type::Tstat, 1)), "unknown fid") << "a partial walk makes no fid";
    EXPECT_EQ(walk(0, 1, {}).type, Type::Rwalk);
    EXPECT_EQ(text(walk(0, 1, {"dir"})), "fid is in use");
    EXPECT_EQ(text(walk(7, 8, {"dir"})), "unknown fid");
    EXPECT_EQ(walk(1, 1, {"motd"}).type, Type::Rwalk);
    EXPECT_EQ(text(walk(1, 2, {"x"})), "file not found") << "a file has no entries";
    ASSERT_EQ(simple(Type::Topen, 1).type, Type::Ropen);
    EXPECT_EQ(text(walk(1, 2, {})), "fid is open");
}

TEST_F(ServerTest, ReadsDirectoriesInWholeEntries) {
    ASSERT_EQ(walk(0, 1, {"dir"}).type, Type::Rwalk);
    ASSERT_EQ(simple(Type::Topen, 1).type, Type::Ropen);
    std::uint64_t offset = 0;
    int entries = 0;
    while (true) {
        const Message m = ask(read_request(1, 1, offset, 500));
        ASSERT_EQ(m.type, Type::Rread);
        if (m.data.size == 0)
            break;
        offset += m.data.size;
        for (Bytes rest = m.data; rest.size != 0;) {
            Stat stat;
            std::uint32_t used = 0;
            ASSERT_EQ(unpack_stat(rest, stat, used), CodecError::none);
            EXPECT_EQ(std::string(stat.name.data, stat.name.size), "f" + std::to_string(entries++));
            rest = rest.part(used, rest.size - used);
        }
    }
    EXPECT_EQ(entries, 100);
    EXPECT_EQ(ask(read_request(1, 1, 3, 500)).type, Type::Rerror);
    EXPECT_NE(ask(read_request(1, 1, 0, 500)).data.size, 0U) << "from the start again";
}

TEST_F(ServerTest, DefersReadsAndAnswersThemInAnyOrder) {
    ASSERT_EQ(walk(0, 1, {"stream"}).type, Type::Rwalk);
    ASSERT_EQ(simple(Type::Topen, 1).type, Type::Ropen);
    post(read_request(10, 1, 0, 100));
    EXPECT_FALSE(answered());
    EXPECT_EQ(simple(Type::Tstat, 1).type, Type::Rstat) << "others are served meanwhile";
    EXPECT_EQ(text(ask(read_request(10, 1, 0, 1))), "tag is in use");
    server->retry();
    EXPECT_FALSE(answered());
    tree.stream_bytes = "line";
    server->retry();
    const Message m = take();
    EXPECT_EQ(m.tag, 10);
    EXPECT_EQ(data(m), "line");
    post(read_request(11, 1, 4, 100));
    tree.stream_closed = true;
    server->retry();
    EXPECT_EQ(take().data.size, 0U);
}

TEST_F(ServerTest, DefersWritesWithTheirData) {
    ASSERT_EQ(walk(0, 1, {"in"}).type, Type::Rwalk);
    ASSERT_EQ(simple(Type::Topen, 1, open_write).type, Type::Ropen);
    Message m;
    m.type = Type::Twrite;
    m.fid = 1;
    m.tag = 4;
    m.data = {reinterpret_cast<const std::uint8_t*>("abcdef"), 6};
    post(m);
    EXPECT_FALSE(answered());
    tree.space = 4;
    server->retry();
    EXPECT_EQ(take().count, 4U) << "a short write";
    EXPECT_EQ(tree.written, "abcd");
    EXPECT_EQ(server->deferred_count(), 0U);
}

TEST_F(ServerTest, FlushAndClunkEndDeferredRequests) {
    ASSERT_EQ(walk(0, 1, {"stream"}).type, Type::Rwalk);
    ASSERT_EQ(simple(Type::Topen, 1).type, Type::Ropen);
    post(read_request(10, 1, 0, 100));
    Message m;
    m.type = Type::Tflush;
    m.tag = 11;
    m.old_tag = 10;
    EXPECT_EQ(ask(m).type, Type::Rflush);
    tree.stream_bytes = "late";
    server->retry();
    EXPECT_FALSE(answered()) << "a flushed request is never answered";
    tree.stream_bytes.clear();
    post(read_request(12, 1, 0, 100));
    Message clunk;
    clunk.type = Type::Tclunk;
    clunk.tag = 13;
    clunk.fid = 1;
    post(clunk);
    const Message first = take();
    EXPECT_EQ(first.tag, 12);
    EXPECT_EQ(first.type, Type::Rerror);
    EXPECT_EQ(take().type, Type::Rclunk);
}

TEST_F(ServerTest, PermissionsAndStates) {
    ASSERT_EQ(walk(0, 1, {"motd"}).type, Type::Rwalk);
    EXPECT_EQ(text(simple(Type::Topen, 1, open_write)), "permission denied");
    EXPECT_EQ(text(simple(Type::Topen, 1, open_execute)), "permission denied");
    EXPECT_EQ(text(simple(Type::Topen, 1, 0x40)), "permission denied");
    EXPECT_EQ(text(ask(read_request(1, 1, 0, 1))), "fid is not open for reading");
    EXPECT_EQ(text(simple(Type::Topen, 0, open_write)), "permission denied") << "a directory";
    ASSERT_EQ(simple(Type::Topen, 1).type, Type::Ropen);
    EXPECT_EQ(text(simple(Type::Topen, 1)), "fid is open");
    EXPECT_EQ(text(simple(Type::Twrite, 1)), "fid is not open for writing");
    EXPECT_EQ(text(simple(Type::Tremove, 1)), "permission denied");
    EXPECT_EQ(text(simple(Type::Tclunk, 1)), "unknown fid") << "a remove clunks";
    EXPECT_EQ(tree.open_count, 0);
    EXPECT_EQ(text(simple(Type::Tcreate, 0)), "permission denied");
    EXPECT_EQ(text(simple(Type::Tauth, 0)), "no authentication is needed");
    EXPECT_EQ(text(simple(Type::Rclunk, 0)), "not a request");
}

TEST_F(ServerTest, LimitsAreErrors) {
    Message last;
    for (std::uint32_t fid = 1; fid <= server_max_fids; fid++)
        last = walk(0, fid, {});
    EXPECT_EQ(text(last), "too many fids");
    ASSERT_EQ(walk(1, 1, {"stream"}).type, Type::Rwalk);
    ASSERT_EQ(simple(Type::Topen, 1).type, Type::Ropen);
    for (std::uint16_t i = 0; i < server_max_deferred; i++)
        post(read_request(static_cast<std::uint16_t>(100 + i), 1, 0, 1));
    EXPECT_FALSE(answered());
    EXPECT_EQ(text(ask(read_request(1, 1, 0, 1))), "too many requests wait");
}

TEST_F(ServerTest, VersionStartsAnew) {
    ASSERT_EQ(walk(0, 1, {"stream"}).type, Type::Rwalk);
    ASSERT_EQ(simple(Type::Topen, 1).type, Type::Ropen);
    post(read_request(9, 1, 0, 1));
    Message m;
    m.type = Type::Tversion;
    m.tag = no_tag;
    m.message_size = 1U << 31;
    m.text = "9P2000.L";
    const Message answer = ask(m);
    EXPECT_EQ(text(answer), "9P2000");
    EXPECT_EQ(answer.message_size, server_message_size);
    EXPECT_EQ(server->deferred_count(), 0U);
    EXPECT_EQ(tree.open_count, 0);
    EXPECT_EQ(text(simple(Type::Tstat, 0)), "unknown fid");
    m.text = "9P1";
    EXPECT_EQ(text(ask(m)), "unknown");
    EXPECT_EQ(text(simple(Type::Tstat, 0)), "no version was agreed on");
    m.message_size = 10;
    EXPECT_EQ(ask(m).type, Type::Rerror);
}

TEST_F(ServerTest, TakesBytesInAnyPiecesAndSurvivesBrokenFrames) {
    Message m;
    m.type = Type::Tstat;
    m.fid = 0;
    std::uint8_t out[64];
    const auto size = pack(m, out, sizeof out);
    for (std::uint32_t i = 0; i < size; i++)
        server->receive(out + i, 1);
    EXPECT_EQ(take().type, Type::Rstat);
    const std::uint8_t bad[] = {3, 0, 0, 0, 9};
    server->receive(bad, sizeof bad);
    EXPECT_FALSE(answered());
    SetUp(); // a new session works
}

TEST_F(ServerTest, SurvivesRandomMessages) {
    std::mt19937 random(4);
    for (int round = 0; round < 20000; round++) {
        Message m;
        m.type = static_cast<Type>(100 + random() % 28);
        m.tag = static_cast<std::uint16_t>(random() % 100);
        m.fid = random() % 5;
        m.new_fid = random() % 5;
        m.mode = static_cast<std::uint8_t>(random() % 4);
        m.offset = random() % 10;
        m.count = random();
        m.message_size = random() % 4096;
        m.text = "9P2000";
        m.old_tag = static_cast<std::uint16_t>(random() % 100);
        m.name_count = static_cast<std::uint16_t>(random() % 3);
        const Text names[] = {"dir", "stream", "in", "..", "motd", "f7"};
        for (Text& name : m.names)
            name = names[random() % 6];
        std::uint8_t out[2048];
        std::uint32_t size = pack(m, out, sizeof out);
        ASSERT_NE(size, 0U);
        if (random() % 8 == 0)
            out[4 + random() % (size - 4)] = static_cast<std::uint8_t>(random());
        server->receive(out, size);
        if (random() % 16 == 0)
            tree.stream_bytes = "x";
        tree.space = random() % 2;
        server->retry();
        while (answered())
            (void)take();
    }
}
