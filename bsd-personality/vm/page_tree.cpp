// SPDX-License-Identifier: BSD-2-Clause
#include "bsd-personality/vm/page_tree.hpp"

#include <cstring>

namespace bsd::vm {
namespace {

// Levels of nodes above the leaves: at most (52 - 5) / 5 rounded up for indices of 64-bit byte addresses.
constexpr unsigned max_height = 10;

template <class T>
T* make_node() {
    void* memory = lwkt::allocate(sizeof(T));
    return memory != nullptr ? static_cast<T*>(std::memset(memory, 0, sizeof(T))) : nullptr;
}

} // namespace

PageTree::Leaf* PageTree::walk(std::uint64_t index) const {
    if (root_ == nullptr || !covers(index))
        return nullptr;
    void* at = root_;
    for (unsigned level = height_; level > 0 && at != nullptr; level--)
        at = static_cast<Node*>(at)->child[(index >> (level * fan_shift)) % fan];
    return static_cast<Leaf*>(at);
}

PageTree::Leaf* PageTree::leaf_of(std::uint64_t index) const {
    Leaf* leaf = walk(index);
    if (leaf != nullptr) {
        leaf_ = leaf;
        leaf_index_ = index >> fan_shift;
    }
    return leaf;
}

PageNumber PageTree::find_slow(std::uint64_t index) const {
    Leaf* leaf = leaf_of(index);
    return leaf != nullptr ? leaf->page[index % fan] : 0;
}

// The first page makes a leaf the root. Others grow the tree until it covers their index, and then make what
// lacks on the way. What was made before memory ran out stays if it is not empty; empty nodes are pruned.
PageTree::Leaf* PageTree::make_leaf(std::uint64_t index) {
    if (root_ == nullptr) {
        root_ = make_node<Leaf>();
        if (root_ == nullptr)
            return nullptr;
        height_ = 0;
        prefix_ = index >> fan_shift;
    }
    while (!covers(index)) {
        verify(height_ < max_height);
        auto* node = make_node<Node>();
        if (node == nullptr)
            return nullptr;
        node->child[prefix_ % fan] = root_;
        node->used = 1;
        root_ = node;
        height_++;
        prefix_ >>= fan_shift;
    }
    void* at = root_;
    for (unsigned level = height_; level > 0; level--) {
        auto* node = static_cast<Node*>(at);
        void*& child = node->child[(index >> (level * fan_shift)) % fan];
        if (child == nullptr) {
            child =
                level == 1 ? static_cast<void*>(make_node<Leaf>()) : static_cast<void*>(make_node<Node>());
            if (child == nullptr)
                return nullptr;
            node->used++;
        }
        at = child;
    }
    leaf_ = static_cast<Leaf*>(at);
    leaf_index_ = index >> fan_shift;
    return leaf_;
}

bool PageTree::insert(std::uint64_t index, PageNumber page) {
    Leaf* leaf = leaf_ != nullptr && index >> fan_shift == leaf_index_ ? leaf_ : leaf_of(index);
    if (leaf == nullptr && (leaf = make_leaf(index)) == nullptr) [[unlikely]] {
        prune(index);
        return false;
    }
    assert_that(leaf->page[index % fan] == 0);
    leaf->page[index % fan] = page;
    leaf->used++;
    count_++;
    return true;
}

std::uint64_t PageTree::insert_run(std::uint64_t index, PageNumber first, std::uint64_t count) {
    std::uint64_t done = 0;
    while (done < count) {
        if (!insert(index + done, static_cast<PageNumber>(first + done)))
            break;
        done++;
        while (done < count && (index + done) % fan != 0) { // the rest of the leaf
            assert_that(leaf_->page[(index + done) % fan] == 0);
            leaf_->page[(index + done) % fan] = static_cast<PageNumber>(first + done);
            leaf_->used++;
            count_++;
            done++;
        }
    }
    return done;
}

void PageTree::replace(std::uint64_t index, PageNumber page) {
    Leaf* leaf = leaf_of(index);
    verify(leaf != nullptr && leaf->page[index % fan] != 0);
    leaf->page[index % fan] = page;
}

PageNumber PageTree::remove(std::uint64_t index) {
    Leaf* leaf = leaf_ != nullptr && index >> fan_shift == leaf_index_ ? leaf_ : leaf_of(index);
    if (leaf == nullptr || leaf->page[index % fan] == 0)
        return 0;
    PageNumber page = leaf->page[index % fan];
    leaf->page[index % fan] = 0;
    count_--;
    if (--leaf->used == 0)
        prune(index);
    return page;
}

// Frees empty nodes on the way to an index, from the bottom up.
void PageTree::prune(std::uint64_t index) {
    leaf_ = nullptr;
    if (root_ == nullptr || !covers(index))
        return;
    Node* path[max_height + 1] = {};
    void* at = root_;
    unsigned level = height_;
    for (; level > 0; level--) {
        path[level] = static_cast<Node*>(at);
        void* child = path[level]->child[(index >> (level * fan_shift)) % fan];
        if (child == nullptr)
            break;
        at = child;
    }
    if (level == 0) {
        if (static_cast<Leaf*>(at)->used != 0)
            return;
        lwkt::release(at, sizeof(Leaf));
    } else {
        if (path[level]->used != 0)
            return;
        lwkt::release(path[level], sizeof(Node));
    }
    for (level++; level <= height_; level++) {
        path[level]->child[(index >> (level * fan_shift)) % fan] = nullptr;
        if (--path[level]->used != 0)
            return;
        lwkt::release(path[level], sizeof(Node));
    }
    forget_all();
}

void PageTree::forget_all() {
    root_ = nullptr;
    leaf_ = nullptr;
    height_ = 0;
    prefix_ = 0;
}

// Takes what lies in [first, end) below a node that covers indices from `base`. True if the node is empty
// afterwards and has been freed.
bool PageTree::take_below(void* at, unsigned level, std::uint64_t base, std::uint64_t first,
                          std::uint64_t end, PageBatch& batch) {
    unsigned shift = level * fan_shift;
    auto low = static_cast<unsigned>(first > base ? (first - base) >> shift : 0);
    std::uint64_t last = (end - base - 1) >> shift;
    auto high = static_cast<unsigned>(last < fan ? last : fan - 1);
    if (level == 0) {
        auto* leaf = static_cast<Leaf*>(at);
        for (unsigned slot = low; slot <= high && leaf->used != 0; slot++) {
            if (PageNumber page = leaf->page[slot]; page != 0) {
                batch.add(page);
                leaf->page[slot] = 0;
                leaf->used--;
                count_--;
            }
        }
        if (leaf->used != 0)
            return false;
        lwkt::release(leaf, sizeof(Leaf));
        return true;
    }
    auto* node = static_cast<Node*>(at);
    for (unsigned slot = low; slot <= high && node->used != 0; slot++) {
        if (node->child[slot] != nullptr &&
            take_below(node->child[slot], level - 1, base + (std::uint64_t{slot} << shift), first, end,
                       batch)) {
            node->child[slot] = nullptr;
            node->used--;
        }
    }
    if (node->used != 0)
        return false;
    lwkt::release(node, sizeof(Node));
    return true;
}

void PageTree::take_range(std::uint64_t first, std::uint64_t end, PageBatch& batch) {
    if (root_ == nullptr)
        return;
    std::uint64_t shift = (height_ + 1) * fan_shift, base = prefix_ << shift;
    if (end <= base || first >= base + (std::uint64_t{1} << shift))
        return;
    leaf_ = nullptr;
    if (take_below(root_, height_, base, first, end, batch))
        forget_all();
}

PageNumber PageTree::next(std::uint64_t from, std::uint64_t& index) const {
    if (count_ == 0)
        return 0;
    std::uint64_t base = prefix_ << ((height_ + 1) * fan_shift);
    if (from < base)
        from = base;
    while (covers(from)) {
        void* at = root_;
        unsigned level = height_;
        for (; level > 0 && at != nullptr; level--) {
            void* child = static_cast<Node*>(at)->child[(from >> (level * fan_shift)) % fan];
            if (child == nullptr)
                break;
            at = child;
        }
        if (level > 0) { // a hole of fan^level indices
            from = ((from >> (level * fan_shift)) + 1) << (level * fan_shift);
            continue;
        }
        const auto* leaf = static_cast<const Leaf*>(at);
        do {
            if (PageNumber page = leaf->page[from % fan]; page != 0) {
                index = from;
                return page;
            }
        } while (++from % fan != 0);
    }
    return 0;
}

void PageTree::swap(PageTree& other) {
    auto exchange = [](auto& a, auto& b) {
        auto c = a;
        a = b;
        b = c;
    };
    exchange(root_, other.root_);
    exchange(height_, other.height_);
    exchange(prefix_, other.prefix_);
    exchange(count_, other.count_);
    exchange(leaf_, other.leaf_);
    exchange(leaf_index_, other.leaf_index_);
}

} // namespace bsd::vm
