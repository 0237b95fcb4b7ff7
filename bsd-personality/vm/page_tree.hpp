// SPDX-License-Identifier: BSD-2-Clause
// The pages of an object by index: a radix tree of 32-way nodes that holds only what is there, so that memory
// follows the pages that were touched. Its root covers one aligned range of indices, wherever that lies, and
// grows upwards when a page comes in outside. Owned by its object.
#pragma once

#include "bsd-personality/vm/page.hpp"

namespace bsd::vm {

class PageTree {
public:
    static constexpr unsigned fan_shift = 5;
    static constexpr unsigned fan = 1u << fan_shift;

    PageTree() = default;
    PageTree(const PageTree&) = delete;
    PageTree& operator=(const PageTree&) = delete;
    ~PageTree() { verify(count_ == 0); }

    /// The page at an index, 0 if there is none.
    PageNumber find(std::uint64_t index) const {
        if (leaf_ != nullptr && index >> fan_shift == leaf_index_) [[likely]]
            return leaf_->page[index % fan];
        return find_slow(index);
    }
    /// The same without remembering where it was: for several vCPUs at once (shared mode).
    PageNumber peek(std::uint64_t index) const {
        const Leaf* leaf = leaf_ != nullptr && index >> fan_shift == leaf_index_ ? leaf_ : walk(index);
        return leaf != nullptr ? leaf->page[index % fan] : 0;
    }
    /// There must be none at the index. False when memory is exhausted.
    bool insert(std::uint64_t index, PageNumber page);
    /// The same for `count` pages that lie one after the other; returns how many went in.
    std::uint64_t insert_run(std::uint64_t index, PageNumber first, std::uint64_t count);
    /// Exchanges the page at an index that has one.
    void replace(std::uint64_t index, PageNumber page);
    /// Takes the page out; 0 if there was none. Nodes that become empty go.
    PageNumber remove(std::uint64_t index);
    /// Takes all pages in [first, end) out and adds them to the batch.
    void take_range(std::uint64_t first, std::uint64_t end, PageBatch& batch);
    /// The lowest index >= `from` that has a page, and the page; 0 if there is none. Skips holes in large
    /// steps.
    PageNumber next(std::uint64_t from, std::uint64_t& index) const;
    std::uint64_t count() const { return count_; }
    void swap(PageTree& other);

private:
    struct Leaf {
        PageNumber page[fan];
        std::uint32_t used;
    };
    struct Node {
        void* child[fan]; // Leaf at level 1, Node above
        std::uint32_t used;
    };
    PageNumber find_slow(std::uint64_t index) const;
    Leaf* walk(std::uint64_t index) const;
    Leaf* leaf_of(std::uint64_t index) const; // walk(), remembered
    Leaf* make_leaf(std::uint64_t index);
    bool covers(std::uint64_t index) const { return index >> ((height_ + 1) * fan_shift) == prefix_; }
    void prune(std::uint64_t index);
    bool take_below(void* at, unsigned level, std::uint64_t base, std::uint64_t first, std::uint64_t end,
                    PageBatch& batch);
    void forget_all();

    void* root_ = nullptr;     // Leaf if height_ is 0
    unsigned height_ = 0;      // levels of nodes above the leaves
    std::uint64_t prefix_ = 0; // of the indices that the root covers, shifted by what it resolves
    std::uint64_t count_ = 0;
    mutable Leaf* leaf_ = nullptr; // found last
    mutable std::uint64_t leaf_index_ = 0;
};

} // namespace bsd::vm
