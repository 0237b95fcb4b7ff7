// SPDX-License-Identifier: BSD-2-Clause
// Intrusive doubly linked lists in the manner of BSD's TAILQ: the object owns its links, so that linking
// cannot fail, and an object can leave its list without knowing the head. An object lies in at most one list
// a link.
#pragma once

namespace bsd {

/// A place in a list; embedded in T as a member.
template <class T>
struct Link {
    T* next = nullptr;
    T* previous = nullptr;
    bool linked = false;
};

template <class T, Link<T> T::*Member>
class List {
public:
    T* first() const { return first_; }
    T* last() const { return last_; }
    bool empty() const { return first_ == nullptr; }
    static T* next(const T* item) { return (item->*Member).next; }
    static bool contains(const T* item) { return (item->*Member).linked; }

    void push_back(T* item) {
        (item->*Member) = {nullptr, last_, true};
        (last_ ? (last_->*Member).next : first_) = item;
        last_ = item;
    }
    void push_front(T* item) {
        (item->*Member) = {first_, nullptr, true};
        (first_ ? (first_->*Member).previous : last_) = item;
        first_ = item;
    }
    void remove(T* item) {
        Link<T>& link = item->*Member;
        if (!link.linked)
            return;
        (link.previous ? (link.previous->*Member).next : first_) = link.next;
        (link.next ? (link.next->*Member).previous : last_) = link.previous;
        link = {};
    }
    T* pop_front() {
        T* item = first_;
        if (item)
            remove(item);
        return item;
    }

private:
    T* first_ = nullptr;
    T* last_ = nullptr;
};

} // namespace bsd
