// SPDX-License-Identifier: BSD-2-Clause
#include "proto/archive_writer.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <stdexcept>

namespace proto {

namespace {

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

/// Directories that paths imply but nobody listed, and the root.
void add_missing_directories(std::vector<ImageSource>& sources) {
    std::set<std::string> known;
    for (const ImageSource& source : sources)
        known.insert(source.path);
    const std::size_t listed = sources.size();
    for (std::size_t i = 0; i <= listed; i++) {
        std::string path = i < listed ? sources[i].path : std::string();
        while (i == listed || !path.empty()) {
            path = parent_of(path);
            if (known.insert(path).second) {
                ImageSource directory;
                directory.type = EntryType::directory;
                directory.mode = 0755;
                directory.path = path;
                sources.push_back(std::move(directory));
            }
            if (path.empty())
                break;
        }
    }
}

template <typename T>
void store(std::vector<std::uint8_t>& out, std::uint64_t offset, const T& value) {
    std::memcpy(out.data() + offset, &value, sizeof value);
}

} // namespace

std::vector<std::uint8_t> write_image(std::vector<ImageSource> sources) {
    add_missing_directories(sources);
    std::sort(sources.begin(), sources.end(),
              [](const ImageSource& a, const ImageSource& b) { return a.path < b.path; });
    std::string paths;
    std::map<std::string, std::uint32_t> numbers;
    std::vector<ImageEntry> entries;
    for (const ImageSource& source : sources) {
        ImageEntry entry{};
        entry.type = source.type;
        entry.mode = source.mode & 07777;
        entry.uid = source.uid;
        entry.gid = source.gid;
        entry.mtime = source.mtime;
        entry.size = source.data.size();
        entry.path_offset = static_cast<std::uint32_t>(paths.size());
        entry.path_length = static_cast<std::uint32_t>(source.path.size());
        if (!source.path.empty())
            entry.parent = numbers.at(parent_of(source.path));
        numbers.emplace(source.path, static_cast<std::uint32_t>(entries.size()));
        paths += source.path;
        entries.push_back(entry);
    }
    ImageHeader header{};
    header.magic = image_magic;
    header.entry_count = static_cast<std::uint32_t>(entries.size());
    header.paths_offset = sizeof(ImageHeader) + entries.size() * sizeof(ImageEntry);
    header.paths_size = paths.size();
    std::uint64_t end = round_up(header.paths_offset + header.paths_size, image_page);
    for (ImageEntry& entry : entries) {
        if (entry.size == 0)
            continue;
        entry.data_offset = end;
        end += round_up(entry.size, image_page);
    }
    header.total_size = end;
    std::vector<std::uint8_t> out(end);
    store(out, 0, header);
    for (std::size_t i = 0; i < entries.size(); i++) {
        store(out, sizeof(ImageHeader) + i * sizeof(ImageEntry), entries[i]);
        std::copy(sources[i].data.begin(), sources[i].data.end(),
                  out.begin() + static_cast<std::ptrdiff_t>(entries[i].data_offset));
    }
    std::memcpy(out.data() + header.paths_offset, paths.data(), paths.size());
    // The reader is the one definition of what is allowed.
    const auto checked = ImageReader::open({out.data(), out.size()});
    if (!checked)
        throw std::invalid_argument(sources.at(checked.error().entry).path + ": " +
                                    describe(checked.error().error));
    return out;
}

std::vector<std::uint8_t> write_archive(const std::vector<PartSource>& parts) {
    std::uint64_t end = sizeof(ArchiveHeader) + parts.size() * sizeof(ArchivePart);
    std::vector<std::uint8_t> out(end);
    for (std::size_t i = 0; i < parts.size(); i++) {
        const PartSource& source = parts[i];
        ArchivePart part{};
        if (source.name.size() >= sizeof part.name)
            throw std::invalid_argument(source.name + ": name too long");
        std::copy(source.name.begin(), source.name.end(), part.name);
        part.kind = source.kind;
        part.offset = round_up(end, 16);
        part.stored_size = source.stored.size();
        part.inflated_size = source.inflated_size;
        end = part.offset + part.stored_size;
        out.resize(end);
        store(out, sizeof(ArchiveHeader) + i * sizeof(ArchivePart), part);
        std::copy(source.stored.begin(), source.stored.end(),
                  out.begin() + static_cast<std::ptrdiff_t>(part.offset));
    }
    store(out, 0, ArchiveHeader{archive_magic, static_cast<std::uint32_t>(parts.size()), 0, out.size()});
    const auto checked = ArchiveReader::open({out.data(), out.size()});
    if (!checked)
        throw std::invalid_argument(describe(checked.error()));
    return out;
}

} // namespace proto
