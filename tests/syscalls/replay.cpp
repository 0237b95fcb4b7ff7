// SPDX-License-Identifier: BSD-2-Clause
// Runs inputs of the fuzzer once, without libFuzzer, for unit tests and debuggers: files with an input each,
// and lists (*.hex) with one a line.
#include "tests/syscalls/world.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

std::vector<std::uint8_t> from_hex(const std::string& line) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i + 1 < line.size(); i += 2)
        bytes.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(i, 2), nullptr, 16)));
    return bytes;
}

} // namespace

int main(int argc, char** argv) {
    unsigned inputs = 0;
    for (int i = 1; i < argc; i++) {
        const std::string name = argv[i];
        std::ifstream in(name, std::ios::binary);
        if (!name.ends_with(".hex")) {
            const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
            fuzz::run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
            inputs++;
            continue;
        }
        for (std::string line; std::getline(in, line); inputs++) {
            std::fprintf(stderr, "%s:%u\n", name.c_str(), inputs + 1);
            const auto bytes = from_hex(line);
            fuzz::run(bytes.data(), bytes.size());
        }
    }
    std::printf("%u inputs\n", inputs);
    return inputs == 0 ? 1 : 0;
}
