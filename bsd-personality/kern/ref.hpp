// SPDX-License-Identifier: BSD-2-Clause
// Ref<T>: a counted reference. T has ref() and unref(); counts are plain integers, guarded by the giant
// token.
#pragma once

#include <utility>

namespace bsd {

template <class T>
class Ref {
public:
    constexpr Ref() = default;
    /// Takes a reference of its own.
    explicit Ref(T* object) : object_(object) {
        if (object_)
            object_->ref();
    }
    /// Takes over the reference that the caller holds.
    static Ref adopt(T* object) {
        Ref ref;
        ref.object_ = object;
        return ref;
    }
    Ref(const Ref& other) : Ref(other.object_) {}
    Ref(Ref&& other) : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref other) {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_)
            object_->unref();
    }
    T* get() const { return object_; }
    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }
    explicit operator bool() const { return object_ != nullptr; }
    /// Gives the reference to the caller.
    [[nodiscard]] T* release() { return std::exchange(object_, nullptr); }

private:
    T* object_ = nullptr;
};

} // namespace bsd
