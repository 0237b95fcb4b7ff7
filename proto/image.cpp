// SPDX-License-Identifier: BSD-2-Clause
#include "proto/image.hpp"

namespace proto {

const char* describe(ImageError error) {
    switch (error) {
    case ImageError::none:
        return "no error";
    case ImageError::too_short:
        return "the image ends inside its header or entry table";
    case ImageError::bad_magic:
        return "not a file-system image";
    case ImageError::bad_size:
        return "the image's size is not the one it states";
    case ImageError::reserved_not_zero:
        return "a reserved field is not zero";
    case ImageError::no_root:
        return "the image has no root directory";
    case ImageError::bad_type:
        return "an entry is of no known type";
    case ImageError::bad_mode:
        return "an entry's mode has unknown bits";
    case ImageError::bad_path:
        return "an entry's path is not allowed";
    case ImageError::not_sorted:
        return "an entry's path does not sort after the one before it";
    case ImageError::bad_parent:
        return "an entry is not inside the directory it names";
    case ImageError::bad_data:
        return "an entry's data lies outside the image";
    }
    return "unknown image error";
}

namespace {

/// The last component of a path without trailing slash.
Text last_component(Text path) {
    std::size_t start = path.size;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return {path.data + start, path.size - start};
}

/// Bytewise, as memcmp orders; a prefix comes first.
int compare(Text a, Text b) {
    const std::size_t common = a.size < b.size ? a.size : b.size;
    for (std::size_t i = 0; i < common; i++)
        if (a[i] != b[i])
            return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]) ? -1 : 1;
    return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

bool name_allowed(Text name) {
    if (name.empty() || name.size > 255 || name == Text(".") || name == Text(".."))
        return false;
    for (std::size_t i = 0; i < name.size; i++)
        if (name[i] == '\0')
            return false;
    return true;
}

} // namespace

Result<ImageReader, ImageFault> ImageReader::open(Bytes image) {
    if (!image.holds(0, sizeof(ImageHeader)))
        return ImageFault{ImageError::too_short, 0};
    const auto header = load<ImageHeader>(image, 0);
    if (header.magic != image_magic)
        return ImageFault{ImageError::bad_magic, 0};
    if (header.reserved != 0)
        return ImageFault{ImageError::reserved_not_zero, 0};
    if (header.total_size != image.size || header.total_size % image_page != 0)
        return ImageFault{ImageError::bad_size, 0};
    if (header.entry_count == 0)
        return ImageFault{ImageError::no_root, 0};
    const std::uint64_t table_size = std::uint64_t{header.entry_count} * sizeof(ImageEntry);
    if (!image.holds(sizeof(ImageHeader), table_size))
        return ImageFault{ImageError::too_short, 0};
    if (header.paths_offset < sizeof(ImageHeader) + table_size ||
        !image.holds(header.paths_offset, header.paths_size))
        return ImageFault{ImageError::bad_path, 0};
    ImageReader reader;
    reader.image_ = image;
    reader.paths_ = image.part(header.paths_offset, header.paths_size);
    reader.count_ = header.entry_count;
    for (std::uint32_t i = 0; i < reader.count_; i++)
        if (const ImageError error = reader.check_entry(i); error != ImageError::none)
            return ImageFault{error, i};
    return reader;
}

ImageError ImageReader::check_entry(std::uint32_t index) const {
    const ImageEntry entry = raw(index);
    if (entry.reserved != 0)
        return ImageError::reserved_not_zero;
    if (entry.type != EntryType::directory && entry.type != EntryType::file &&
        entry.type != EntryType::symlink)
        return ImageError::bad_type;
    if (entry.mode & ~07777U)
        return ImageError::bad_mode;
    if (!paths_.holds(entry.path_offset, entry.path_length) || entry.path_length > image_max_path)
        return ImageError::bad_path;
    if (entry.size != 0) {
        if (entry.type == EntryType::directory || entry.data_offset % image_page != 0)
            return ImageError::bad_data;
        if (!image_.holds(entry.data_offset, entry.size))
            return ImageError::bad_data;
        // Data never overlaps the table or the paths: a page of it may be mapped into a jail.
        const std::uint64_t paths_end = static_cast<std::uint64_t>(paths_.data - image_.data) + paths_.size;
        if (entry.data_offset < paths_end)
            return ImageError::bad_data;
    }
    if (entry.type == EntryType::symlink && (entry.size == 0 || entry.size > image_max_path))
        return ImageError::bad_data;
    if (index == 0) {
        const bool root = entry.type == EntryType::directory && entry.path_length == 0 && entry.parent == 0;
        return root ? ImageError::none : ImageError::no_root;
    }
    const Text path = raw_path(entry);
    const Text name = last_component(path);
    if (!name_allowed(name))
        return ImageError::bad_path;
    if (compare(raw_path(raw(index - 1)), path) >= 0)
        return ImageError::not_sorted;
    if (entry.parent >= index)
        return ImageError::bad_parent;
    const ImageEntry parent = raw(entry.parent);
    if (parent.type != EntryType::directory)
        return ImageError::bad_parent;
    // The path is the parent's, a slash and one component; the parent was checked before.
    const Text parent_path = raw_path(parent);
    const std::size_t before = path.size - name.size;
    const bool continues =
        parent_path.empty() ? before == 0 : before == parent_path.size + 1 && path.starts_with(parent_path);
    return continues ? ImageError::none : ImageError::bad_parent;
}

ImageEntry ImageReader::raw(std::uint32_t index) const {
    return load<ImageEntry>(image_, sizeof(ImageHeader) + std::uint64_t{index} * sizeof(ImageEntry));
}

Text ImageReader::raw_path(const ImageEntry& entry) const {
    return {reinterpret_cast<const char*>(paths_.data + entry.path_offset), entry.path_length};
}

ImageNode ImageReader::entry(std::uint32_t index) const {
    const ImageEntry entry = raw(index);
    ImageNode node;
    node.type = entry.type;
    node.mode = entry.mode;
    node.uid = entry.uid;
    node.gid = entry.gid;
    node.mtime = entry.mtime;
    node.path = raw_path(entry);
    node.name = last_component(node.path);
    node.parent = entry.parent;
    if (entry.size != 0) {
        node.data_offset = entry.data_offset;
        node.data = image_.part(entry.data_offset, entry.size);
    }
    return node;
}

bool ImageReader::find(Text path, std::uint32_t& index) const {
    std::uint32_t low = 0;
    std::uint32_t high = count_;
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        const int order = compare(raw_path(raw(middle)), path);
        if (order == 0) {
            index = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

} // namespace proto
