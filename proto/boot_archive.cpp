// SPDX-License-Identifier: BSD-2-Clause
#include "proto/boot_archive.hpp"

namespace proto {

const char* describe(ArchiveError error) {
    switch (error) {
    case ArchiveError::none:
        return "no error";
    case ArchiveError::too_short:
        return "the archive ends inside its header or part table";
    case ArchiveError::bad_magic:
        return "not a boot archive";
    case ArchiveError::bad_size:
        return "the archive's size is not the one it states";
    case ArchiveError::too_many_parts:
        return "too many parts";
    case ArchiveError::reserved_not_zero:
        return "a reserved field is not zero";
    case ArchiveError::part_outside:
        return "a part lies outside the archive";
    case ArchiveError::part_too_large:
        return "a part's inflated size is zero or too large";
    case ArchiveError::bad_name:
        return "a part's name is empty or not terminated";
    case ArchiveError::bad_kind:
        return "a part is of no known kind";
    case ArchiveError::duplicate_name:
        return "two parts of a kind have the same name";
    }
    return "unknown archive error";
}

Result<ArchiveReader, ArchiveError> ArchiveReader::open(Bytes payload) {
    if (!payload.holds(0, sizeof(ArchiveHeader)))
        return ArchiveError::too_short;
    const auto header = load<ArchiveHeader>(payload, 0);
    if (header.magic != archive_magic)
        return ArchiveError::bad_magic;
    if (header.reserved != 0)
        return ArchiveError::reserved_not_zero;
    if (header.part_count > archive_max_parts)
        return ArchiveError::too_many_parts;
    if (header.total_size != payload.size)
        return ArchiveError::bad_size;
    if (!payload.holds(sizeof(ArchiveHeader), header.part_count * sizeof(ArchivePart)))
        return ArchiveError::too_short;
    ArchiveReader reader;
    reader.payload_ = payload;
    reader.count_ = header.part_count;
    for (std::uint32_t i = 0; i < reader.count_; i++)
        if (const ArchiveError error = reader.check_part(i); error != ArchiveError::none)
            return error;
    return reader;
}

ArchiveError ArchiveReader::check_part(std::uint32_t index) const {
    const std::uint64_t at = sizeof(ArchiveHeader) + index * sizeof(ArchivePart);
    const auto raw = load<ArchivePart>(payload_, at);
    if (raw.reserved != 0)
        return ArchiveError::reserved_not_zero;
    if (raw.kind != PartKind::manifest && raw.kind != PartKind::program && raw.kind != PartKind::image)
        return ArchiveError::bad_kind;
    const Text name = field_text(raw.name);
    if (name.empty() || name.size == sizeof raw.name)
        return ArchiveError::bad_name;
    const std::uint64_t table_end = sizeof(ArchiveHeader) + count_ * sizeof(ArchivePart);
    if (raw.offset < table_end || !payload_.holds(raw.offset, raw.stored_size))
        return ArchiveError::part_outside;
    if (raw.inflated_size == 0 || raw.inflated_size > archive_max_inflated)
        return ArchiveError::part_too_large;
    for (std::uint32_t other = 0; other < index; other++) {
        const Part earlier = part(other);
        if (earlier.kind == raw.kind && earlier.name == name)
            return ArchiveError::duplicate_name;
    }
    return ArchiveError::none;
}

Part ArchiveReader::part(std::uint32_t index) const {
    const std::uint64_t at = sizeof(ArchiveHeader) + index * sizeof(ArchivePart);
    const auto raw = load<ArchivePart>(payload_, at);
    // The name must outlive this call: it is a view into the payload, not into the copy.
    const char* name = reinterpret_cast<const char*>(payload_.data + at + offsetof(ArchivePart, name));
    return {raw.kind,
            {name, field_text(raw.name).size},
            payload_.part(raw.offset, raw.stored_size),
            raw.inflated_size};
}

bool ArchiveReader::find(PartKind kind, Text name, Part& out) const {
    for (std::uint32_t i = 0; i < count_; i++) {
        const Part candidate = part(i);
        if (candidate.kind == kind && candidate.name == name) {
            out = candidate;
            return true;
        }
    }
    return false;
}

} // namespace proto
