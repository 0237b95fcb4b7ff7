// SPDX-License-Identifier: BSD-2-Clause
#include "cli/image_directory.hpp"

#include "cli/error.hpp"
#include "proto/archive_writer.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace cli {

namespace fs = std::filesystem;

std::vector<std::uint8_t> read_file(const std::string& path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored))
        throw UserError(path + ": no such file");
    if (fs::is_directory(path, ignored))
        throw UserError(path + ": is a directory");
    std::ifstream in(path, std::ios::binary);
    std::vector<std::uint8_t> bytes;
    constexpr std::size_t piece = 1 << 16;
    const auto size = fs::file_size(path, ignored); // a hint: pipes have none
    if (!ignored)
        bytes.reserve(size + piece);
    for (std::size_t done = 0; in; done += static_cast<std::size_t>(in.gcount())) {
        bytes.resize(done + piece);
        in.read(reinterpret_cast<char*>(bytes.data()) + done, piece);
        bytes.resize(done + static_cast<std::size_t>(in.gcount()));
    }
    if (!in.eof())
        throw UserError(path + ": cannot be read");
    return bytes;
}

namespace {

proto::ImageSource directory_entry(const char* path, std::uint32_t mode) {
    proto::ImageSource source;
    source.type = proto::EntryType::directory;
    source.mode = mode;
    source.path = path;
    return source;
}

std::vector<std::uint8_t> image_of_directory(const std::string& root) {
    std::vector<proto::ImageSource> sources;
    bool has_dev = false;
    bool has_tmp = false;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        proto::ImageSource source;
        source.path = entry.path().lexically_relative(root).string();
        struct stat status {};
        if (lstat(entry.path().c_str(), &status) != 0)
            throw UserError(entry.path().string() + ": " + std::strerror(errno));
        source.mode = status.st_mode & 07777;
        source.mtime = status.st_mtime;
        if (S_ISDIR(status.st_mode)) {
            source.type = proto::EntryType::directory;
        } else if (S_ISLNK(status.st_mode)) {
            source.type = proto::EntryType::symlink;
            const std::string target = fs::read_symlink(entry.path()).string();
            source.data.assign(target.begin(), target.end());
        } else if (S_ISREG(status.st_mode)) {
            source.type = proto::EntryType::file;
            source.data = read_file(entry.path().string());
        } else {
            throw UserError(entry.path().string() +
                            ": neither file, directory nor link: cannot be in an image");
        }
        has_dev |= source.path == "dev";
        has_tmp |= source.path == "tmp";
        sources.push_back(std::move(source));
    }
    if (!has_dev)
        sources.push_back(directory_entry("dev", 0755));
    if (!has_tmp)
        sources.push_back(directory_entry("tmp", 01777));
    try {
        return proto::write_image(std::move(sources));
    } catch (const std::invalid_argument& error) {
        throw UserError(root + "/" + error.what());
    }
}

/// The path with links resolved one step: the index of what is there, or a new path to try.
bool resolve(const proto::ImageReader& image, std::string& path, std::uint32_t& index) {
    std::string walked;
    std::size_t start = 0;
    while (start <= path.size()) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        const std::string name = path.substr(start, end - start);
        start = end + 1;
        if (name.empty() || name == ".")
            continue;
        if (name == "..") {
            const auto slash = walked.rfind('/');
            walked = slash == std::string::npos ? "" : walked.substr(0, slash);
            continue;
        }
        const std::string here = walked.empty() ? name : walked + "/" + name;
        if (!image.find({here.data(), here.size()}, index))
            throw UserError("/" + here + ": not in the image");
        const proto::ImageNode node = image.entry(index);
        if (node.type == proto::EntryType::symlink) {
            std::string target(reinterpret_cast<const char*>(node.data.data), node.data.size);
            if (target[0] != '/')
                target.insert(0, walked + "/");
            if (start <= path.size())
                target.append("/").append(path, start);
            path = std::move(target);
            return false;
        }
        walked = here;
    }
    return image.find({walked.data(), walked.size()}, index);
}

} // namespace

std::vector<std::uint8_t> load_image(const std::string& path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored))
        throw UserError(path + ": image does not exist");
    try {
        if (fs::is_directory(path))
            return image_of_directory(fs::path(path).lexically_normal().string());
    } catch (const fs::filesystem_error& error) {
        throw UserError(error.path1().string() + ": " + error.code().message());
    }
    auto bytes = read_file(path);
    check_image(bytes, path);
    return bytes;
}

void check_image(std::span<const std::uint8_t> image, const std::string& path) {
    const auto opened = proto::ImageReader::open({image.data(), image.size()});
    if (!opened)
        throw UserError(path + ": " + proto::describe(opened.error().error));
}

std::span<const std::uint8_t> image_file(std::span<const std::uint8_t> image, const std::string& path) {
    const auto opened = proto::ImageReader::open({image.data(), image.size()});
    if (!opened)
        throw UserError(proto::describe(opened.error().error));
    std::string rest = path;
    std::uint32_t index = 0;
    for (int links = 0; !resolve(opened.value(), rest, index); links++)
        if (links == 32)
            throw UserError(path + ": too many symbolic links");
    const proto::ImageNode node = opened.value().entry(index);
    if (node.type != proto::EntryType::file)
        throw UserError(path + ": not a file");
    return {node.data.data, node.data.size};
}

} // namespace cli
