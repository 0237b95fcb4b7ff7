// SPDX-License-Identifier: BSD-2-Clause
// A treap: a binary search tree by address and a heap by random priorities. Each entry's gap is the room
// between its end and the start of the next one; the room behind the last entry counts up to the end of user
// space.
#include "bsd-personality/vm/map_tree.hpp"

#include "bsd-personality/kern/text.hpp"

namespace bsd::vm {
namespace {

std::uint64_t gap_below(const MapEntry* entry) {
    return entry != nullptr ? entry->max_gap : 0;
}

std::uint64_t largest_gap(const MapEntry* entry) {
    return most(entry->gap, most(gap_below(entry->left), gap_below(entry->right)));
}

} // namespace

MapEntry* MapTree::floor(std::uint64_t address) const {
    MapEntry *at = root_, *best = nullptr;
    while (at != nullptr) {
        if (at->start <= address) {
            best = at;
            at = at->right;
        } else {
            at = at->left;
        }
    }
    return best;
}

MapEntry* MapTree::first_above(std::uint64_t address) const {
    MapEntry* entry = floor(address);
    if (entry == nullptr)
        return first_;
    return entry->end > address ? entry : entry->next;
}

// Stops where nothing changes: what is above does not change either.
void MapTree::update_upwards(MapEntry* entry) {
    for (; entry != nullptr; entry = entry->parent) {
        std::uint64_t gap = largest_gap(entry);
        if (gap == entry->max_gap)
            break;
        entry->max_gap = gap;
    }
}

void MapTree::update_gap(MapEntry* entry) {
    entry->gap = (entry->next != nullptr ? entry->next->start : abi::user_end) - entry->end;
}

void MapTree::resized(MapEntry* entry) {
    update_gap(entry);
    update_upwards(entry);
    if (entry->previous != nullptr) {
        update_gap(entry->previous);
        update_upwards(entry->previous);
    }
}

// Turns the edge to the parent, so that `entry` is above it.
void MapTree::rotate_up(MapEntry* entry) {
    MapEntry *parent = entry->parent, *grand = parent->parent;
    if (parent->left == entry) {
        parent->left = entry->right;
        if (entry->right != nullptr)
            entry->right->parent = parent;
        entry->right = parent;
    } else {
        parent->right = entry->left;
        if (entry->left != nullptr)
            entry->left->parent = parent;
        entry->left = parent;
    }
    parent->parent = entry;
    entry->parent = grand;
    if (grand == nullptr)
        root_ = entry;
    else if (grand->left == parent)
        grand->left = entry;
    else
        grand->right = entry;
    parent->max_gap = largest_gap(parent);
    entry->max_gap = largest_gap(entry);
}

void MapTree::insert(MapEntry* entry) {
    random_ = random_ * 1664525 + 1013904223;
    entry->priority = random_ >> 8;
    entry->left = entry->right = entry->parent = nullptr;
    MapEntry *previous = nullptr, *next = nullptr, *parent = nullptr;
    for (MapEntry* at = root_; at != nullptr;) {
        parent = at;
        if (at->start < entry->start) {
            previous = at;
            at = at->right;
        } else {
            next = at;
            at = at->left;
        }
    }
    verify((previous == nullptr || previous->end <= entry->start) &&
           (next == nullptr || entry->end <= next->start));
    entry->previous = previous;
    entry->next = next;
    (previous != nullptr ? previous->next : first_) = entry;
    if (next != nullptr)
        next->previous = entry;
    entry->parent = parent;
    if (parent == nullptr)
        root_ = entry;
    else if (parent == previous)
        parent->right = entry;
    else
        parent->left = entry;
    resized(entry);
    while (entry->parent != nullptr && entry->parent->priority < entry->priority)
        rotate_up(entry);
}

void MapTree::remove(MapEntry* entry) {
    while (entry->left != nullptr || entry->right != nullptr) {
        MapEntry *left = entry->left, *right = entry->right;
        rotate_up(right == nullptr || (left != nullptr && left->priority > right->priority) ? left : right);
    }
    MapEntry* parent = entry->parent;
    if (parent == nullptr)
        root_ = nullptr;
    else if (parent->left == entry)
        parent->left = nullptr;
    else
        parent->right = nullptr;
    update_upwards(parent);
    (entry->previous != nullptr ? entry->previous->next : first_) = entry->next;
    if (entry->next != nullptr)
        entry->next->previous = entry->previous;
    if (entry->previous != nullptr)
        resized(entry->previous);
    entry->parent = entry->next = entry->previous = nullptr;
}

bool MapTree::free(std::uint64_t start, std::uint64_t end) const {
    const MapEntry* entry = first_above(start);
    return entry == nullptr || entry->start >= end;
}

std::uint64_t MapTree::find_room(std::uint64_t from, std::uint64_t length, std::uint64_t limit,
                                 unsigned shift) const {
    std::uint64_t align = (std::uint64_t{1} << shift) - 1;
    auto fits = [&](std::uint64_t low, std::uint64_t high) -> std::uint64_t {
        low = (most(low, from) + align) & ~align;
        high = least(high, limit);
        return low >= from && low < high && high - low >= length ? low : 0;
    };
    const MapEntry* entry = floor(from);
    if (entry == nullptr) { // the room before the first entry
        if (std::uint64_t found = fits(from, first_ != nullptr ? first_->start : abi::user_end); found != 0)
            return found;
        entry = first_;
    }
    // In address order; subtrees whose largest gap is too small are passed over as a whole.
    while (entry != nullptr && entry->end < limit) {
        if (entry->gap >= length)
            if (std::uint64_t found = fits(entry->end, entry->end + entry->gap); found != 0)
                return found;
        if (gap_below(entry->right) >= length) {
            for (entry = entry->right; gap_below(entry->left) >= length;)
                entry = entry->left;
            continue;
        }
        const MapEntry* child = entry;
        for (entry = entry->parent; entry != nullptr && entry->right == child; entry = entry->parent)
            child = entry;
    }
    return 0;
}

} // namespace bsd::vm
