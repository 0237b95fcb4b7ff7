// SPDX-License-Identifier: BSD-2-Clause
// The entries of a space by address: a treap whose nodes know the largest gap below them, so that both
// finding the entry of an address and finding free room take logarithmic time. Links lie in the entries;
// nothing is allocated.
#pragma once

#include "bsd-personality/vm/entry.hpp"

namespace bsd::vm {

class MapTree {
public:
    MapTree() = default;
    MapTree(const MapTree&) = delete;
    MapTree& operator=(const MapTree&) = delete;

    MapEntry* first() const { return first_; }
    bool empty() const { return first_ == nullptr; }
    /// The last entry that starts at or below `address`; null if none does. The caller checks its end.
    MapEntry* floor(std::uint64_t address) const;
    /// The first entry that ends above `address`; null if none does.
    MapEntry* first_above(std::uint64_t address) const;
    /// `entry` overlaps none that is in the tree.
    void insert(MapEntry* entry);
    void remove(MapEntry* entry);
    /// After start or end of an entry changed (keeping the order).
    void resized(MapEntry* entry);
    /// The lowest address at or above `from`, a multiple of 2^shift, with `length` free bytes below `limit`;
    /// 0 if there is none.
    std::uint64_t find_room(std::uint64_t from, std::uint64_t length, std::uint64_t limit,
                            unsigned shift) const;
    /// Nothing is mapped in [start, end).
    bool free(std::uint64_t start, std::uint64_t end) const;

private:
    void update_gap(MapEntry* entry);
    void update_upwards(MapEntry* entry);
    void rotate_up(MapEntry* entry);

    MapEntry* root_ = nullptr;
    MapEntry* first_ = nullptr;
    std::uint32_t random_ = 0x9e3779b9; // of priorities; balance is all they are for
};

} // namespace bsd::vm
